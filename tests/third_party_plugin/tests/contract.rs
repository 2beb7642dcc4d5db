//! The contract of auth providers, run against this one.

use third_party_plugin::{SharedSecret, SharedSecretConfig};
use wasmwiz_core::{
    auth::Credential,
    principal::{Principal, Role, Scopes, User},
    testing::suites::auth,
};

#[tokio::test]
async fn it_keeps_the_contract_of_auth_providers() {
    let config = SharedSecretConfig { secret: "correct-horse-battery".into(), tier: "free".into() };
    let principal = Principal {
        user_id: User::LOCAL,
        user_name: "shared".into(),
        key_id: None,
        tier: "free".into(),
        role: Role::User,
        scopes: Scopes::all(),
        provider: "shared_secret",
    };
    let token = |text: &str| Credential::Token(text.into());
    let cases = auth::Cases {
        good: vec![(token("shared:correct-horse-battery"), principal)],
        refused: vec![token("shared:correct-horse-batterz"), token("shared:another secret")],
        malformed: vec![token("shared:")],
        foreign: vec![token("ww_0123"), token("correct-horse-battery")],
    };
    auth::all(&SharedSecret(config), &cases).await;
}

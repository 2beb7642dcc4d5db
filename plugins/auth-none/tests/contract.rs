//! The contract of auth providers, run against this one.

use wasmwiz_auth_none::{NoLogin, NoneConfig};
use wasmwiz_core::{
    auth::{AuthProvider, Credential},
    plugin::PluginKind,
    principal::{Principal, Role, Scopes, User},
    testing::suites::auth,
};

fn local(tier: &str, role: Role) -> Principal {
    Principal {
        user_id: User::LOCAL,
        user_name: "local".into(),
        key_id: None,
        tier: tier.into(),
        role,
        scopes: Scopes::all(),
        provider: "none",
    }
}

#[tokio::test]
async fn it_keeps_the_contract_of_auth_providers() {
    let cases = auth::Cases {
        good: vec![(Credential::None, local("pro", Role::Admin))],
        // Whatever a token looks like: who shows one does not become the local user.
        foreign: ["ww_", "eyJhbGciOiJub25lIn0.e30.", "local"].map(|text| Credential::Token(text.into())).to_vec(),
        ..Default::default()
    };
    let provider = NoLogin::new(NoneConfig::default());
    assert!(provider.allows_anonymous());
    auth::all(&provider, &cases).await;
}

#[tokio::test]
async fn tier_and_role_are_those_of_the_configuration() {
    let config = serde_json::from_str(r#"{ "tier": "free", "role": "user" }"#).unwrap();
    let found = NoLogin::new(config).authenticate(&Credential::None).await.unwrap();
    assert_eq!(found, Some(local("free", Role::User)));
}

#[test]
fn the_configuration_chooses_it_by_name() {
    let linked = <dyn AuthProvider as PluginKind>::linked();
    assert_eq!(linked.iter().map(|plugin| plugin.name).collect::<Vec<_>>(), ["none"]);
}

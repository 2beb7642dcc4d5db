//! The contract of auth providers, run against this one on a real database, and what this one promises beyond it.

mod remembering;
mod support;

use support::{Bench, principal};
use wasmwiz_auth_api_key::ApiKeyConfig;
use wasmwiz_core::{
    api_key::KeySecret,
    auth::{AuthProvider, Credential},
    plugin::PluginKind,
    principal::{Role, Scope, Scopes},
    system::SystemRandom,
    testing::suites::auth,
};

/// With and without a cache, the contract is the same.
fn configs() -> [ApiKeyConfig; 3] {
    let default = ApiKeyConfig::default();
    [ApiKeyConfig { cache_entries: 0, ..default.clone() }, ApiKeyConfig { cache_ttl_ms: 0, ..default.clone() }, default]
}

#[tokio::test]
async fn it_keeps_the_contract_of_auth_providers() {
    for config in configs() {
        let bench = Bench::new().await;
        let (plain, plain_key) = bench.key(|_| ()).await;
        let (pro, pro_key) = bench
            .key(|key| {
                key.tier = "pro".into();
                key.scopes = Scopes(vec![Scope::ModulesRead, Scope::Keys]);
                key.expires_at = Some(bench.in_seconds(1));
            })
            .await;
        let (expired, _) = bench.key(|key| key.expires_at = Some(bench.in_seconds(0))).await;
        let (revoked, revoked_key) = bench.key(|_| ()).await;
        bench.revoke(&revoked_key).await;
        let unknown = Credential::Token(KeySecret::generate(&SystemRandom).expose().into());
        let Credential::Token(text) = &plain else { panic!("a key is a token") };
        let malformed =
            [&text[..text.len() - 1], &format!("{text}0"), "ww_", "ww_é"].map(|text| Credential::Token(text.into()));
        let cases = auth::Cases {
            good: vec![(plain.clone(), principal(&plain_key)), (pro, principal(&pro_key))],
            refused: vec![unknown, expired, revoked],
            malformed: malformed.to_vec(),
            foreign: ["WW_", " ww_", "eyJhbGciOiJub25lIn0.e30."].map(|text| Credential::Token(text.into())).to_vec(),
        };
        let provider = bench.provider(&config);
        auth::all(&provider, &cases).await;
        auth::a_revoked_key_is_refused_at_once(&provider, &plain, bench.revoke(&plain_key)).await;
    }
}

#[tokio::test]
async fn a_malformed_key_is_refused_without_a_look_up() {
    let bench = Bench::new().await;
    let provider = bench.provider(&ApiKeyConfig::default());
    let error = provider.authenticate(&Credential::Token("ww_mistyped_000000".into())).await.unwrap_err();
    assert_eq!(error.to_string(), "the API key is mistyped or cut off: its checksum does not fit");
    assert_eq!(bench.storage.look_ups(), 0);
}

#[tokio::test]
async fn a_refusal_names_the_three_reasons_there_can_be() {
    let bench = Bench::new().await;
    let unknown = Credential::Token(KeySecret::generate(&SystemRandom).expose().into());
    let error = bench.provider(&ApiKeyConfig::default()).authenticate(&unknown).await.unwrap_err();
    assert_eq!(error.to_string(), "the API key is not valid: unknown, expired or revoked");
}

#[tokio::test]
async fn an_administrators_key_of_who_is_none_any_more_is_a_users() {
    let bench = Bench::new().await;
    let (credential, _) = bench.key(|key| key.role = Role::Admin).await;
    let found = bench.provider(&ApiKeyConfig::default()).authenticate(&credential).await.unwrap().unwrap();
    assert_eq!(found.role, Role::User);
}

#[test]
fn the_configuration_chooses_it_by_name() {
    let linked = <dyn AuthProvider as PluginKind>::linked();
    assert_eq!(linked.iter().map(|plugin| plugin.name).collect::<Vec<_>>(), ["api_key"]);
}

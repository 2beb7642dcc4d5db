//! What is remembered of keys, for how long, and when their last use is noted.

use std::{sync::atomic::Ordering, time::Duration};

use wasmwiz_auth_api_key::ApiKeyConfig;
use wasmwiz_core::{
    Error,
    api_key::KeySecret,
    auth::{AuthProvider, Credential},
    system::SystemRandom,
};

use crate::support::Bench;

const SECOND: Duration = Duration::from_secs(1);

/// Remembers as long as can be configured.
fn long() -> ApiKeyConfig {
    ApiKeyConfig { cache_ttl_ms: 60_000, ..ApiKeyConfig::default() }
}

fn random_key() -> Credential {
    Credential::Token(KeySecret::generate(&SystemRandom).expose().into())
}

#[tokio::test]
async fn a_good_key_is_looked_up_once_a_second() {
    let bench = Bench::new().await;
    let (credential, _) = bench.key(|_| ()).await;
    let provider = bench.provider(&ApiKeyConfig::default());
    for second in 1..=3 {
        for _ in 0..50 {
            provider.authenticate(&credential).await.unwrap().unwrap();
        }
        assert_eq!(bench.storage.look_ups(), second);
        bench.clock.advance(SECOND);
    }
}

#[tokio::test]
async fn a_key_revoked_on_another_node_is_refused_within_a_second() {
    let bench = Bench::new().await;
    let (credential, key) = bench.key(|_| ()).await;
    let node = bench.provider(&ApiKeyConfig::default());
    node.authenticate(&credential).await.unwrap().unwrap();
    bench.revoke(&key).await;
    bench.clock.advance(SECOND);
    assert!(matches!(node.authenticate(&credential).await, Err(Error::Unauthenticated(_))));
}

#[tokio::test]
async fn a_remembered_key_expires_at_its_time() {
    let bench = Bench::new().await;
    let (credential, _) = bench.key(|key| key.expires_at = Some(bench.in_seconds(10))).await;
    let provider = bench.provider(&long());
    provider.authenticate(&credential).await.unwrap().unwrap();
    bench.clock.advance(10 * SECOND - Duration::from_millis(1));
    provider.authenticate(&credential).await.unwrap().unwrap();
    bench.clock.advance(Duration::from_millis(1));
    let error = provider.authenticate(&credential).await.unwrap_err();
    assert_eq!(error.to_string(), "the API key is not valid: unknown, expired or revoked");
    assert_eq!(bench.storage.look_ups(), 1, "the clock alone decides");
}

#[tokio::test]
async fn forgetting_one_key_leaves_most_others_remembered() {
    let bench = Bench::new().await;
    let provider = bench.provider(&long());
    let mut keys = Vec::new();
    for _ in 0..100 {
        keys.push(bench.key(|_| ()).await);
        provider.authenticate(&keys[keys.len() - 1].0).await.unwrap();
    }
    provider.forget_key(keys[0].1.id);
    let before = bench.storage.look_ups();
    for (credential, _) in &keys {
        provider.authenticate(credential).await.unwrap().unwrap();
    }
    // One of 256 groups was forgotten; more than ten of a hundred keys in one group is once in 10^12.
    assert!((1..=10).contains(&(bench.storage.look_ups() - before)));
}

#[tokio::test]
async fn whoever_tries_keys_at_random_crowds_out_no_good_one() {
    let bench = Bench::new().await;
    let (credential, _) = bench.key(|_| ()).await;
    let provider = bench.provider(&ApiKeyConfig { cache_entries: 2, ..long() });
    provider.authenticate(&credential).await.unwrap().unwrap();
    for _ in 0..200 {
        provider.authenticate(&random_key()).await.unwrap_err();
    }
    let before = bench.storage.look_ups();
    provider.authenticate(&credential).await.unwrap().unwrap();
    assert_eq!(bench.storage.look_ups(), before);
}

#[tokio::test]
async fn a_storage_that_is_away_is_no_verdict_on_the_key() {
    let bench = Bench::new().await;
    let (credential, _) = bench.key(|_| ()).await;
    let provider = bench.provider(&ApiKeyConfig::default());
    bench.storage.away.store(true, Ordering::SeqCst);
    assert!(matches!(provider.authenticate(&credential).await, Err(Error::Unavailable { .. })));
    bench.storage.away.store(false, Ordering::SeqCst);
    provider.authenticate(&credential).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_last_use_is_noted_at_most_once_a_minute() {
    let bench = Bench::new().await;
    let (credential, key) = bench.key(|_| ()).await;
    let provider = bench.provider(&ApiKeyConfig { cache_entries: 0, ..ApiKeyConfig::default() });
    let first = bench.in_seconds(0);
    for _ in 0..59 {
        provider.authenticate(&credential).await.unwrap().unwrap();
        assert_eq!(bench.last_used(&key, 1).await, Some(first));
        bench.clock.advance(SECOND);
    }
    assert_eq!(bench.storage.touches.load(Ordering::SeqCst), 1);
    bench.clock.advance(SECOND);
    provider.authenticate(&credential).await.unwrap().unwrap();
    assert_eq!(bench.last_used(&key, 2).await, Some(bench.in_seconds(0)));
}

#[tokio::test]
async fn simultaneous_uses_are_noted_once() {
    let bench = Bench::new().await;
    let (credential, key) = bench.key(|_| ()).await;
    let provider = bench.provider(&ApiKeyConfig { cache_entries: 0, ..ApiKeyConfig::default() });
    let uses = (0..50).map(|_| provider.authenticate(&credential));
    for used in futures::future::join_all(uses).await {
        used.unwrap().unwrap();
    }
    bench.last_used(&key, 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(bench.storage.touches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_use_that_cannot_be_noted_fails_no_request_and_is_noted_later() {
    let bench = Bench::new().await;
    let (credential, key) = bench.key(|_| ()).await;
    let provider = bench.provider(&ApiKeyConfig::default());
    bench.storage.refuses_touches.store(true, Ordering::SeqCst);
    provider.authenticate(&credential).await.unwrap().unwrap();
    assert_eq!(bench.last_used(&key, 1).await, None);
    bench.storage.refuses_touches.store(false, Ordering::SeqCst);
    bench.clock.advance(SECOND);
    provider.authenticate(&credential).await.unwrap().unwrap();
    assert_eq!(bench.last_used(&key, 2).await, Some(bench.in_seconds(0)));
}

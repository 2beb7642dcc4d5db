//! The contract of rate limiters, run against this one.

use std::{sync::Arc, time::Duration};

use wasmwiz_core::{
    plugin::PluginKind,
    rate_limit::RateLimiter,
    testing::{manual_system, suites::rate_limit},
};
use wasmwiz_rate_limit_memory::{MemoryConfig, MemoryLimiter};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract_of_rate_limiters() {
    let (system, clock) = manual_system();
    let limiter = Arc::new(MemoryLimiter::new(&MemoryConfig { max_buckets: 100 }, system.clock));
    let pass = async |time| clock.advance(time);
    rate_limit::all(&rate_limit::Harness { limiter, pass, slack: Duration::ZERO, crowd: 10_000 }).await;
}

#[tokio::test]
async fn the_configuration_chooses_it_by_name() {
    let linked = <dyn RateLimiter as PluginKind>::linked();
    assert_eq!(linked.iter().map(|plugin| plugin.name).collect::<Vec<_>>(), ["memory"]);
}

#[test]
fn no_bucket_at_all_is_refused() {
    let error = serde_json::from_value::<MemoryConfig>(serde_json::json!({ "max_buckets": 0 })).unwrap_err();
    assert!(error.to_string().contains("expected 1 to 100000000"), "{error}");
}

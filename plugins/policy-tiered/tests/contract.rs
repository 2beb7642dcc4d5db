//! The contract of execution policies, run against this one.

use std::sync::Arc;

use wasmwiz_core::{plugin::PluginKind, policy::ExecutionPolicy, testing::suites::policy};
use wasmwiz_policy_tiered::{TieredConfig, TieredPolicy};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract_of_policies() {
    policy::all(Arc::new(TieredPolicy::new(&TieredConfig::default()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_with_a_single_tier_of_the_smallest_values() {
    let config = serde_json::json!({
        "order": ["tiny"],
        "tiers": { "tiny": {
            "requests_per_minute": 0, "timeout_ms": 1, "memory_bytes": 65_536, "output_bytes": 1, "file_bytes": 1,
            "file_entries": 1, "open_files": 5, "concurrent_executions": 1,
        } },
    });
    policy::all(Arc::new(TieredPolicy::new(&serde_json::from_value(config).unwrap()))).await;
}

#[test]
fn the_configuration_chooses_it_by_name() {
    let linked = <dyn ExecutionPolicy as PluginKind>::linked();
    assert_eq!(linked.iter().map(|plugin| plugin.name).collect::<Vec<_>>(), ["tiered"]);
}

//! The execution policy `tiered`: named tiers with quotas and limits in the configuration.

mod config;
mod places;
mod policy;

use std::sync::Arc;

use wasmwiz_core::{
    plugin::{BuildPlugin, Built, Key, Needs, Plugin},
    policy::ExecutionPolicy,
};

pub use self::{
    config::{TierConfig, TieredConfig},
    policy::TieredPolicy,
};

impl BuildPlugin<dyn ExecutionPolicy> for TieredPolicy {
    const NAME: &'static str = "tiered";
    const SUMMARY: &'static str = "named tiers with quotas and limits in the configuration";
    const KEYS: &'static [Key] = config::KEYS;
    type Config = TieredConfig;

    async fn build(config: TieredConfig, _: Needs) -> Built<dyn ExecutionPolicy> {
        Ok(Arc::new(Self::new(&config)))
    }
}

inventory::submit! { Plugin::<dyn ExecutionPolicy>::of::<TieredPolicy>() }

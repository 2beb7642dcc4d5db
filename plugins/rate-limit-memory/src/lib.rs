//! The rate limiter `memory`: token buckets in the memory of this process.

mod bucket;
mod config;
mod limiter;
mod table;

use std::sync::Arc;

use wasmwiz_core::{
    plugin::{BuildPlugin, Built, Key, Plugin},
    rate_limit::RateLimiter,
    system::System,
};

pub use self::{config::MemoryConfig, limiter::MemoryLimiter};

impl BuildPlugin<dyn RateLimiter> for MemoryLimiter {
    const NAME: &'static str = "memory";
    const SUMMARY: &'static str = "token buckets in this process's memory, for one node";
    const KEYS: &'static [Key] = config::KEYS;
    type Config = MemoryConfig;

    async fn build(config: MemoryConfig, system: System) -> Built<dyn RateLimiter> {
        Ok(Arc::new(Self::new(&config, system.clock)))
    }
}

inventory::submit! { Plugin::<dyn RateLimiter>::of::<MemoryLimiter>() }

//! The executor `wasmer`: runs modules with Wasmer, preview-1 guests on a host of our own, WASIX guests on
//! wasmer-wasix, each in a fresh sandbox with hard limits.

mod artifacts;
mod compile;
mod config;
mod disk_cache;
mod engine;
mod entry;
mod executor;
mod fs;
mod guest;
mod inspect;
mod interrupt;
mod memory;
mod pool_memory;
mod preview1;
mod sandbox;
mod stdio;
mod stop;
mod trap;
mod wasix;
mod workers;

use std::sync::Arc;

use wasmwiz_core::{
    executor::Executor,
    plugin::{BuildPlugin, Built, Key, Plugin},
    system::System,
};

pub use crate::{
    config::{CompileConfig, WasmerConfig},
    executor::WasmerExecutor,
};

impl BuildPlugin<dyn Executor> for WasmerExecutor {
    const NAME: &'static str = "wasmer";
    const SUMMARY: &'static str =
        "runs preview-1 and WASIX modules with Wasmer, compiled by Cranelift in a child process";
    const KEYS: &'static [Key] = WasmerConfig::KEYS;
    type Config = WasmerConfig;

    async fn build(config: WasmerConfig, system: System) -> Built<dyn Executor> {
        Ok(Arc::new(Self::start(config, system)?))
    }
}

inventory::submit! { Plugin::<dyn Executor>::of::<WasmerExecutor>() }

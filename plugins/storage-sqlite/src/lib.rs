//! The storage plugin `sqlite`: records in a SQLite file, or in memory.
//!
//! One connection writes ([`writer`]): what waits is written in one transaction, so that many writers share one wait for
//! the disk. A few others read, and are never held up by it, nor it by them (write-ahead log).

mod config;
mod fault;
mod open;
mod records;
mod rows;
mod schema;
mod statements;
mod storage;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use wasmwiz_core::{
    plugin::{BuildPlugin, Built, Key, Plugin},
    storage::Storage,
    system::System,
};

pub use crate::{
    config::{Durability, KEYS, SqliteConfig},
    storage::SqliteStorage,
};

impl BuildPlugin<dyn Storage> for SqliteStorage {
    const NAME: &'static str = "sqlite";
    const SUMMARY: &'static str = "keeps records in a SQLite file, or in memory";
    const KEYS: &'static [Key] = KEYS;
    type Config = SqliteConfig;

    async fn build(config: SqliteConfig, system: System) -> Built<dyn Storage> {
        Ok(Arc::new(Self::open(&config, system.data_dir.as_deref()).await?))
    }
}

inventory::submit! { Plugin::<dyn Storage>::of::<SqliteStorage>() }

//! The storage contract, kept in a file and in memory.

use std::{path::PathBuf, sync::Arc};

use tempfile::TempDir;
use wasmwiz_core::{storage::Storage, testing::suites};
use wasmwiz_storage_sqlite::{SqliteConfig, SqliteStorage};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let count = std::cell::Cell::new(0);
    suites::storage::all(async || {
        count.set(count.get() + 1);
        let data_dir = folder.path().join(count.get().to_string());
        let storage = SqliteStorage::open(&SqliteConfig::default(), Some(&data_dir)).await.unwrap();
        Arc::new(storage) as Arc<dyn Storage>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_the_contract() {
    for path in ["", ":memory:"] {
        suites::storage::all(async || {
            let config = SqliteConfig { path: PathBuf::from(path), ..SqliteConfig::default() };
            Arc::new(SqliteStorage::open(&config, None).await.unwrap()) as Arc<dyn Storage>
        })
        .await;
    }
}

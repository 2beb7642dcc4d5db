//! The blob store contract, kept in a folder, and what holds for the folder.
#![allow(clippy::unwrap_used, reason = "a test panics at the first surprise")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use tempfile::TempDir;
use wasmwiz_blobs_object_store::{ObjectStoreBlobs, ObjectStoreConfig};
use wasmwiz_core::{Error, blobs::BlobStore, module::ModuleHash, testing::suites};

async fn open(data_dir: Option<&Path>) -> Arc<dyn BlobStore> {
    Arc::new(ObjectStoreBlobs::open(&ObjectStoreConfig::default(), data_dir).await.unwrap())
}

fn file_of(data_dir: &Path, hash: &ModuleHash) -> PathBuf {
    let hash = hash.to_string();
    data_dir.join("blobs").join(&hash[..2]).join(&hash[2..4]).join(&hash)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_folder_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let tamper = async |hash: &ModuleHash, bytes| fs::write(file_of(folder.path(), hash), bytes).unwrap();
    suites::blobs::all(open(Some(folder.path())).await, tamper).await;
}

#[tokio::test]
async fn the_folder_is_made_for_its_owner_alone_and_holds_nothing_but_modules() {
    let folder = TempDir::new().unwrap();
    let data_dir = folder.path().join("deep/data");
    let store = open(Some(&data_dir)).await;
    let (hash, bytes) = (ModuleHash::of(b"module"), Bytes::from_static(b"module"));
    for _ in 0..2 {
        store.put(&hash, bytes.clone()).await.unwrap();
    }
    for folder in [&data_dir, &data_dir.join("blobs")] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let file = file_of(&data_dir, &hash);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(open(Some(&data_dir)).await.get(&hash).await.unwrap(), Some(bytes), "the next start finds it");
}

#[tokio::test]
async fn half_a_file_of_a_crash_is_neither_given_nor_in_the_way() {
    let folder = TempDir::new().unwrap();
    let store = open(Some(folder.path())).await;
    let (hash, bytes) = (ModuleHash::of(b"module"), Bytes::from_static(b"module"));
    let file = file_of(folder.path(), &hash);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file.with_file_name(format!("{hash}#1")), b"mod").unwrap();
    assert_eq!(store.get(&hash).await.unwrap(), None);
    store.put(&hash, bytes.clone()).await.unwrap();
    assert_eq!(store.get(&hash).await.unwrap(), Some(bytes));
}

#[tokio::test]
async fn a_folder_that_is_gone_is_unavailable() {
    let folder = TempDir::new().unwrap();
    let store = open(Some(folder.path())).await;
    store.ping().await.unwrap();
    let blobs = folder.path().join("blobs");
    fs::remove_dir_all(&blobs).unwrap();
    assert!(matches!(store.ping().await, Err(Error::Unavailable { .. })));
    fs::create_dir(&blobs).unwrap();
    assert!(matches!(store.ping().await, Err(Error::Unavailable { .. })), "an empty mount point is no store");
    fs::remove_dir(&blobs).unwrap();
    fs::write(&blobs, b"").unwrap();
    let hash = ModuleHash::of(b"module");
    assert!(matches!(store.get(&hash).await, Err(Error::Unavailable { .. })));
    assert!(matches!(store.put(&hash, Bytes::from_static(b"module")).await, Err(Error::Unavailable { .. })));
}

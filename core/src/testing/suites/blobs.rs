//! The contract of [`crate::blobs`].
//!
//! ```ignore
//! let store = Arc::new(MyBlobs::new().await);
//! let tamper = async |hash: &ModuleHash, bytes: Vec<u8>| std::fs::write(file_of(hash), bytes).unwrap();
//! wasmwiz_core::testing::suites::blobs::all(store, tamper).await;
//! ```
#![expect(clippy::unwrap_used, reason = "a contract suite panics at the first broken promise")]

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{
    Error,
    blobs::BlobStore,
    module::ModuleHash,
    system::{Random, SystemRandom},
};

/// How many do something at the same time, where a check is about that.
const CROWD: usize = 32;

/// Run every check. Each uses bytes of its own, so that they can share a store. `tamper` puts other bytes, behind the
/// store's back, where it keeps those of a hash.
///
/// # Panics
/// At the first promise that is broken.
pub async fn all(store: Arc<dyn BlobStore>, tamper: impl AsyncFn(&ModuleHash, Vec<u8>)) {
    store.ping().await.expect("the store answers");
    what_was_put_is_given(&store).await;
    what_is_not_there_is_none_and_can_be_deleted(&store).await;
    bytes_are_put_again_without_harm(&store).await;
    bytes_are_found_by_their_hash_alone(&store).await;
    simultaneous_puts_and_gets_see_the_whole_or_nothing(&store).await;
    a_put_that_is_given_up_leaves_the_whole_or_nothing(&store).await;
    bytes_are_never_kept_for_another_hash(&store).await;
    changed_bytes_are_never_given(&store, &tamper).await;
    putting_damaged_bytes_again_mends_them(&store, &tamper).await;
}

/// So many bytes that nobody has put before, and their hash.
fn fresh(len: usize) -> (ModuleHash, Bytes) {
    let mut bytes = vec![0; len];
    SystemRandom.fill(&mut bytes);
    (ModuleHash::of(&bytes), bytes.into())
}

async fn what_was_put_is_given(store: &Arc<dyn BlobStore>) {
    for (hash, bytes) in [(ModuleHash::of(b""), Bytes::new()), fresh(16), fresh(4096), fresh(8 << 20)] {
        store.put(&hash, bytes.clone()).await.unwrap();
        assert!(store.get(&hash).await.unwrap() == Some(bytes));
    }
}

async fn what_is_not_there_is_none_and_can_be_deleted(store: &Arc<dyn BlobStore>) {
    let (hash, bytes) = fresh(100);
    assert_eq!(store.get(&hash).await.unwrap(), None);
    store.delete(&hash).await.unwrap();
    store.put(&hash, bytes.clone()).await.unwrap();
    for _ in 0..2 {
        store.delete(&hash).await.unwrap();
        assert_eq!(store.get(&hash).await.unwrap(), None);
    }
    store.put(&hash, bytes.clone()).await.unwrap();
    assert_eq!(store.get(&hash).await.unwrap(), Some(bytes));
}

async fn bytes_are_put_again_without_harm(store: &Arc<dyn BlobStore>) {
    let (hash, bytes) = fresh(100);
    for _ in 0..3 {
        store.put(&hash, bytes.clone()).await.unwrap();
        assert_eq!(store.get(&hash).await.unwrap(), Some(bytes.clone()));
    }
}

async fn bytes_are_found_by_their_hash_alone(store: &Arc<dyn BlobStore>) {
    let (hash, bytes) = fresh(100);
    store.put(&hash, bytes.clone()).await.unwrap();
    for byte in [0, 1, 2, 31] {
        let mut neighbour = hash;
        neighbour.0[byte] ^= 1;
        assert_eq!(store.get(&neighbour).await.unwrap(), None);
        store.delete(&neighbour).await.unwrap();
    }
    assert_eq!(store.get(&hash).await.unwrap(), Some(bytes));
}

async fn simultaneous_puts_and_gets_see_the_whole_or_nothing(store: &Arc<dyn BlobStore>) {
    let (hash, bytes) = fresh(1 << 20);
    let each = |number: usize| {
        let (store, bytes) = (store.clone(), bytes.clone());
        async move {
            if number.is_multiple_of(2) {
                store.put(&hash, bytes.clone()).await.unwrap();
                assert!(store.get(&hash).await.unwrap() == Some(bytes), "it is there once put has returned");
            } else if let Some(found) = store.get(&hash).await.unwrap() {
                assert!(found == bytes);
            }
        }
    };
    (0..CROWD).map(each).collect::<JoinSet<_>>().join_all().await;
}

async fn a_put_that_is_given_up_leaves_the_whole_or_nothing(store: &Arc<dyn BlobStore>) {
    let each = |number: usize| {
        let store = store.clone();
        async move {
            let (hash, bytes) = fresh(256 << 10);
            let patience = std::time::Duration::from_micros(number as u64 * 50);
            let _ = tokio::time::timeout(patience, store.put(&hash, bytes.clone())).await;
            let found = store.get(&hash).await.unwrap();
            assert!(found.is_none_or(|found| found == bytes));
            store.put(&hash, bytes.clone()).await.unwrap();
            assert!(store.get(&hash).await.unwrap() == Some(bytes));
        }
    };
    (0..CROWD).map(each).collect::<JoinSet<_>>().join_all().await;
}

async fn bytes_are_never_kept_for_another_hash(store: &Arc<dyn BlobStore>) {
    let ((hash, _), (_, other)) = (fresh(100), fresh(100));
    let put = store.put(&hash, other).await;
    let got = store.get(&hash).await;
    assert!(matches!((put, got), (Err(Error::Internal { .. }), Ok(None)) | (Ok(()), Err(Error::Internal { .. }))));
    store.delete(&hash).await.unwrap();
}

/// Ways in which bytes get damaged: one changed, cut off, grown, emptied.
fn damages(bytes: &Bytes) -> [Vec<u8>; 4] {
    let mut changed = bytes.to_vec();
    changed[bytes.len() / 2] ^= 1;
    [changed, bytes[..bytes.len() - 1].to_vec(), [bytes, &[0][..]].concat(), Vec::new()]
}

async fn changed_bytes_are_never_given(store: &Arc<dyn BlobStore>, tamper: &impl AsyncFn(&ModuleHash, Vec<u8>)) {
    let (hash, bytes) = fresh(1000);
    store.put(&hash, bytes.clone()).await.unwrap();
    for damaged in damages(&bytes) {
        tamper(&hash, damaged).await;
        for _ in 0..2 {
            assert!(matches!(store.get(&hash).await, Err(Error::Internal { .. })));
        }
    }
}

async fn putting_damaged_bytes_again_mends_them(
    store: &Arc<dyn BlobStore>,
    tamper: &impl AsyncFn(&ModuleHash, Vec<u8>),
) {
    let (hash, bytes) = fresh(1000);
    for damaged in damages(&bytes) {
        store.put(&hash, bytes.clone()).await.unwrap();
        tamper(&hash, damaged).await;
        store.put(&hash, bytes.clone()).await.unwrap();
        assert_eq!(store.get(&hash).await.unwrap(), Some(bytes.clone()));
    }
}

//! The blob store: modules' bytes, by their hash.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Result,
    module::ModuleHash,
    plugin::{Needs, plugin_kind},
};

plugin_kind!(dyn BlobStore, "blobs", Needs);

/// Keeps bytes by their SHA-256.
///
/// # Behavior
/// - What [`BlobStore::put`] returned `Ok` for is there as a whole, or was there; a crash leaves no half of it.
/// - [`BlobStore::get`] gives exactly the bytes of that hash: bytes that were changed in the store are an
///   [`crate::Error::Internal`], never an answer.
/// - Deleting what is not there succeeds.
#[async_trait]
pub trait BlobStore: Debug + Send + Sync + 'static {
    /// Keep `bytes`, whose hash is `hash`.
    async fn put(&self, hash: &ModuleHash, bytes: Bytes) -> Result<()>;

    /// Give the bytes of a hash.
    async fn get(&self, hash: &ModuleHash) -> Result<Option<Bytes>>;

    /// Remove the bytes of a hash.
    async fn delete(&self, hash: &ModuleHash) -> Result<()>;

    /// Check that the store answers.
    async fn ping(&self) -> Result<()>;
}

//! Bytes by their hash, in any object store.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt};
use wasmwiz_core::{Error, Result, blobs::BlobStore, error::BoxError, module::ModuleHash};

use crate::{config::ObjectStoreConfig, place::Place};

/// Modules' bytes in an object store, each at `ab/cd/<its hash>`.
#[derive(Debug)]
pub struct ObjectStoreBlobs {
    store: Arc<dyn ObjectStore>,
}

/// Written at every start, and looked for by [`BlobStore::ping`]: a volume that was unmounted is an empty folder, which
/// would otherwise pass for a store without modules.
const MARKER: &str = "Modules of WasmWiz, each by the SHA-256 of its bytes.\n";

fn marker() -> object_store::path::Path {
    object_store::path::Path::from("README.txt")
}

/// Bytes that are not those of the hash they go by.
#[derive(Debug, thiserror::Error)]
#[error("the bytes stored for {expected:?} are {found:?}")]
struct Damaged {
    expected: ModuleHash,
    found: ModuleHash,
}

impl ObjectStoreBlobs {
    /// Open the store that `config` names, or the folder `blobs` in `data_dir`, or one in memory.
    ///
    /// # Errors
    /// When the URL is none that can be used, or the store cannot be written to.
    pub async fn open(config: &ObjectStoreConfig, data_dir: Option<&Path>) -> Result<Self, BoxError> {
        let store = Place::of(&config.url, data_dir)?.open(config)?;
        store.put(&marker(), MARKER.into()).await?;
        Ok(Self { store })
    }

    async fn read(&self, hash: &ModuleHash) -> Result<Option<Bytes>> {
        let read = async { self.store.get(&location(hash)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(away(error)),
        }
    }
}

#[async_trait]
impl BlobStore for ObjectStoreBlobs {
    async fn put(&self, hash: &ModuleHash, bytes: Bytes) -> Result<()> {
        let bytes = verified(*hash, bytes).await.map_err(|error| Error::internal("keep a module's bytes", error))?;
        // Read rather than asked for its size: what is damaged is replaced, so that an upload mends it.
        if self.read(hash).await?.is_some_and(|there| there == bytes) {
            return Ok(());
        }
        self.store.put(&location(hash), bytes.into()).await.map(drop).map_err(away)
    }

    async fn get(&self, hash: &ModuleHash) -> Result<Option<Bytes>> {
        let Some(bytes) = self.read(hash).await? else { return Ok(None) };
        match verified(*hash, bytes).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => {
                tracing::error!(module = %hash, %error, "a stored module is damaged; upload it again to mend it");
                Err(Error::internal("read a module's bytes", error))
            }
        }
    }

    async fn delete(&self, hash: &ModuleHash) -> Result<()> {
        match self.store.delete(&location(hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(away(error)),
        }
    }

    async fn ping(&self) -> Result<()> {
        self.store.head(&marker()).await.map(drop).map_err(away)
    }
}

/// Where the bytes of a hash are. Two levels of folders keep each of them small, up to many millions of modules.
fn location(hash: &ModuleHash) -> object_store::path::Path {
    let hash = hash.to_string();
    object_store::path::Path::from_iter([&hash[..2], &hash[2..4], &hash])
}

/// Give the bytes back if they are those of `expected`. Hashing 32 MiB takes tens of milliseconds: not on a thread that
/// others wait for.
async fn verified(expected: ModuleHash, bytes: Bytes) -> Result<Bytes, BoxError> {
    let (found, bytes) = tokio::task::spawn_blocking(move || (ModuleHash::of(&bytes), bytes)).await?;
    if found == expected { Ok(bytes) } else { Err(Damaged { expected, found }.into()) }
}

fn away(error: object_store::Error) -> Error {
    Error::unavailable("the blob store", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn memory_keeps_the_contract() {
        let blobs = Arc::new(ObjectStoreBlobs::open(&ObjectStoreConfig::default(), None).await.unwrap());
        let tamper = async |hash: &ModuleHash, bytes: Vec<u8>| {
            blobs.store.put(&location(hash), bytes.into()).await.unwrap();
        };
        wasmwiz_core::testing::suites::blobs::all(blobs.clone(), tamper).await;
    }
}

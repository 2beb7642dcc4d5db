//! The blob store plugin `object_store`: modules' bytes in a folder or in memory, by URL.

mod config;
mod place;
mod store;

use std::sync::Arc;

use wasmwiz_core::{
    blobs::BlobStore,
    plugin::{BuildPlugin, Built, Key, Needs, Plugin},
};

pub use crate::{
    config::{KEYS, ObjectStoreConfig},
    store::ObjectStoreBlobs,
};

impl BuildPlugin<dyn BlobStore> for ObjectStoreBlobs {
    const NAME: &'static str = "object_store";
    const SUMMARY: &'static str = "keeps modules' bytes in a folder or in memory, chosen by URL";
    const KEYS: &'static [Key] = KEYS;
    type Config = ObjectStoreConfig;

    async fn build(config: ObjectStoreConfig, needs: Needs) -> Built<dyn BlobStore> {
        Ok(Arc::new(Self::open(&config, needs.system.data_dir.as_deref()).await?))
    }
}

inventory::submit! { Plugin::<dyn BlobStore>::of::<ObjectStoreBlobs>() }

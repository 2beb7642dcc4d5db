//! The section `[blobs.object_store]`.

use serde::{Deserialize, Serialize};
use wasmwiz_core::{config::between, plugin::Key};

/// The keys of the section, with what they are by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectStoreConfig {
    /// Where: `file:///a/folder` or `memory://`; empty means the folder `blobs` in the server's data folder.
    pub url: String,
    /// How many operations may go on at a time.
    #[serde(deserialize_with = "between::<1, 1024, _, _>")]
    pub max_concurrent: usize,
}

impl Default for ObjectStoreConfig {
    fn default() -> Self {
        Self { url: String::new(), max_concurrent: 16 }
    }
}

/// The keys of the section, for people.
pub const KEYS: &[Key] = &[
    Key::new("url", "where modules' bytes are kept: file:///a/folder or memory://; empty means blobs in data_dir"),
    Key::new("max_concurrent", "reads and writes that may go on at a time, 1 to 1024; further ones wait"),
];

use serde::{Deserialize, Serialize};
use wasmwiz_core::{config::between, plugin::Key};

/// The section `[rate_limit.memory]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// The most buckets kept at a time.
    #[serde(deserialize_with = "between::<1, 100_000_000, _, _>")]
    pub max_buckets: usize,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { max_buckets: 100_000 }
    }
}

pub(crate) const KEYS: &[Key] = &[Key::new(
    "max_buckets",
    "the most buckets kept at a time, one for each key that was used within the last minute; 100,000 take about 15 MB. \
     With no room for another, newcomers share a bucket with some others, so that memory stays bounded and nobody's \
     count is forgotten",
)];

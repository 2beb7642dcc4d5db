use serde::{Deserialize, Serialize};
use wasmwiz_core::{config::between, plugin::Key};

/// The section `[auth.api_key]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiKeyConfig {
    /// The most good keys remembered at a time; 0 remembers none.
    #[serde(deserialize_with = "between::<0, 10_000_000, _, _>")]
    pub cache_entries: u64,
    /// How long a good key is remembered, in milliseconds; 0 remembers none.
    #[serde(deserialize_with = "between::<0, 60_000, _, _>")]
    pub cache_ttl_ms: u64,
}

impl Default for ApiKeyConfig {
    fn default() -> Self {
        Self { cache_entries: 10_000, cache_ttl_ms: 1_000 }
    }
}

pub(crate) const KEYS: &[Key] = &[
    Key::new(
        "cache_entries",
        "the most good keys remembered at a time; 10,000 take about 5 MB. Only their hashes are kept, and no bad key \
         is, so that whoever tries keys at random crowds out nobody's. 0: each request asks the storage",
    ),
    Key::new(
        "cache_ttl_ms",
        "how long a good key is remembered in milliseconds, 0 to 60000; as long may a key that was revoked on another \
         node still be good on this one",
    ),
];

//! The section `[storage.sqlite]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wasmwiz_core::{config::between, plugin::Key};

/// The keys of the section, with what they are by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqliteConfig {
    /// The database file; `:memory:` keeps everything in memory, and empty means `<data_dir>/wasmwiz.db`.
    pub path: PathBuf,
    /// How many reads may go on at a time.
    #[serde(deserialize_with = "between::<1, 64, _, _>")]
    pub max_readers: u32,
    /// How long to wait for the database, in milliseconds.
    #[serde(deserialize_with = "between::<1, 600_000, _, _>")]
    pub busy_timeout_ms: u32,
    /// What a write waits for.
    pub durability: Durability,
}

/// What a write waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// For the disk: what was answered survives a loss of power (`synchronous = FULL`).
    #[default]
    Disk,
    /// For the operating system: what was answered survives the end of the program, not a loss of power
    /// (`synchronous = NORMAL`). The database is whole in either case.
    System,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self { path: PathBuf::new(), max_readers: 4, busy_timeout_ms: 5000, durability: Durability::Disk }
    }
}

/// The keys of the section, for people.
pub const KEYS: &[Key] = &[
    Key::new("path", "database file; `:memory:` keeps nothing, empty means wasmwiz.db in the server's data_dir"),
    Key::new("max_readers", "reads that may go on at a time, 1 to 64; each has a thread and a connection"),
    Key::new("busy_timeout_ms", "longest wait for the database, in milliseconds; then requests get 503"),
    Key::new(
        "durability",
        "what a write waits for: `disk` survives a loss of power, `system` only a crash of the program",
    ),
];

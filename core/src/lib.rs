//! What WasmWiz is made of: plain data types, the traits of its plugins, the registry that finds them, the
//! configuration that chooses them, and the way of an execution through them.
//!
//! This crate knows no HTTP, no SQL, no Redis and no Wasmer; clock and randomness are passed in ([`system`]).
//!
//! # Adding a plugin
//!
//! Choose the kind: [`storage::Storage`], [`blobs::BlobStore`], [`auth::AuthProvider`], [`rate_limit::RateLimiter`],
//! [`policy::ExecutionPolicy`] or [`executor::Executor`]. The trait's `# Behavior` is its contract. Then follow
//! [`plugin`], and run the kind's contract suite from `testing::suites` (feature `testing`) in a test of your own.

pub mod api_key;
pub mod auth;
pub mod blobs;
pub mod config;
pub mod error;
pub mod execution;
pub mod executor;
pub mod files;
pub mod helper;
pub mod module;
pub mod platform;
pub mod plugin;
pub mod policy;
pub mod principal;
pub mod rate_limit;
pub mod storage;
pub mod system;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, Result};
pub use platform::Platform;

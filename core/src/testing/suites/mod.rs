//! The contract suites: what every plugin of a kind must do, whoever wrote it.
//!
//! Each is an async function that takes what makes a plugin ready for use and panics at the first broken promise.

pub mod auth;
pub mod blobs;
pub mod executor;
pub mod policy;
pub mod rate_limit;
pub mod storage;

//! The contract of [`crate::rate_limit`].

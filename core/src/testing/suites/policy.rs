//! The contract of [`crate::policy`].

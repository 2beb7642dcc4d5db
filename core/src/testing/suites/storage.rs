//! The contract of [`crate::storage`].

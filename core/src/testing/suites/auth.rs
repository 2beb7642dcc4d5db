//! The contract of [`crate::auth`].

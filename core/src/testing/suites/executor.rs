//! The contract of [`crate::executor`].

//! The contract of [`crate::blobs`].

//! `/api/auth`: who may come in, and as whom.

mod credentials;
mod keys;
mod me;
mod scopes;

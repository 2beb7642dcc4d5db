//! Auth providers: who a credential belongs to.

use std::fmt;

use async_trait::async_trait;

use crate::{
    Result,
    plugin::{Needs, plugin_kind},
    principal::Principal,
};

plugin_kind!(dyn AuthProvider, "auth", Needs);

/// What a caller shows to say who they are. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    None,
    /// A token from `Authorization: Bearer` or `X-API-Key`.
    Token(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "Credential::None",
            Self::Token(_) => "Credential::Token(..)",
        })
    }
}

/// Tells who a credential belongs to.
///
/// # Behavior
/// - `Ok(None)`: not a credential of this provider's form; the next provider is asked.
/// - `Ok(Some(_))`: established.
/// - [`crate::Error::Unauthenticated`]: of this provider's form, and not (or no longer) good. Nobody else is asked.
///   The message never repeats the credential nor tells an unknown one from a revoked one.
#[async_trait]
pub trait AuthProvider: fmt::Debug + Send + Sync + 'static {
    /// Establish who shows `credential`.
    async fn authenticate(&self, credential: &Credential) -> Result<Option<Principal>>;

    /// Whether it lets in callers who show nothing. Refused in production.
    fn allows_anonymous(&self) -> bool {
        false
    }

    /// Forget what is remembered of a key, because it was revoked or changed.
    fn forget_key(&self, _key_id: uuid::Uuid) {}
}

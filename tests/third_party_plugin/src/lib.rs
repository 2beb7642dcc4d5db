//! A plugin of somebody else's: an auth provider that lets in whoever knows one shared secret.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use wasmwiz_core::{
    Error, Result,
    auth::{AuthProvider, Credential},
    plugin::{BuildPlugin, Built, Key, Needs, Plugin},
    principal::{Principal, Role, Scopes, User},
};

/// What credentials for this provider begin with, so that it leaves all others to the next provider.
const PREFIX: &str = "shared:";

/// The section `[auth.shared_secret]`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedSecretConfig {
    /// What to show.
    pub secret: String,
    /// The tier of whoever shows it.
    pub tier: String,
}

/// Lets in whoever shows `Authorization: Bearer shared:<secret>`.
pub struct SharedSecret(pub SharedSecretConfig);

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

#[async_trait::async_trait]
impl AuthProvider for SharedSecret {
    async fn authenticate(&self, credential: &Credential) -> Result<Option<Principal>> {
        let Credential::Token(token) = credential else { return Ok(None) };
        let Some(shown) = token.strip_prefix(PREFIX) else { return Ok(None) };
        // Compared in constant time: how long it takes tells nothing of how much of it is right.
        if !bool::from(shown.as_bytes().ct_eq(self.0.secret.as_bytes())) {
            return Err(Error::Unauthenticated("the shared secret is wrong".into()));
        }
        Ok(Some(Principal {
            user_id: User::LOCAL,
            user_name: "shared".into(),
            key_id: None,
            tier: self.0.tier.clone(),
            role: Role::User,
            scopes: Scopes::all(),
            provider: Self::NAME,
        }))
    }
}

impl BuildPlugin<dyn AuthProvider> for SharedSecret {
    const NAME: &'static str = "shared_secret";
    const SUMMARY: &'static str = "lets in whoever knows one shared secret";
    const KEYS: &'static [Key] = &[
        Key::secret("secret", "what to show, after `shared:`; at least 16 characters"),
        Key::new("tier", "the tier of whoever shows it; the lowest when empty"),
    ];
    type Config = SharedSecretConfig;

    async fn build(config: SharedSecretConfig, _: Needs) -> Built<dyn AuthProvider> {
        if config.secret.len() < 16 {
            return Err("auth.shared_secret.secret must have at least 16 characters".into());
        }
        Ok(Arc::new(Self(config)))
    }
}

inventory::submit! { Plugin::<dyn AuthProvider>::of::<SharedSecret>() }

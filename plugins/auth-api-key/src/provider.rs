use std::{fmt, sync::Arc};

use async_trait::async_trait;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use wasmwiz_core::{
    Error, Result,
    api_key::{ApiKey, KeyHash, KeySecret},
    auth::{AuthProvider, Credential},
    plugin::Needs,
    principal::{Principal, User},
    storage::Storage,
    system::System,
};

use crate::{cache::KeyCache, config::ApiKeyConfig, touches::Touches};

/// Establishes callers by their API keys.
pub struct ApiKeyAuth {
    system: System,
    storage: Arc<dyn Storage>,
    cache: KeyCache,
    touches: Touches,
}

impl fmt::Debug for ApiKeyAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyAuth")
    }
}

impl ApiKeyAuth {
    /// Start with nothing remembered. Inside a Tokio runtime, for keys' last use is noted in the background.
    pub fn new(config: &ApiKeyConfig, needs: Needs) -> Self {
        let Needs { system, storage } = needs;
        Self { cache: KeyCache::new(config), touches: Touches::start(storage.clone()), system, storage }
    }

    /// Ask the storage, and remember a key that is good.
    async fn look_up(&self, hash: KeyHash) -> Result<Principal> {
        let reading = self.cache.reading(self.system.clock.monotonic());
        let found = self.storage.api_key_by_hash(&hash).await?;
        // The database compared hashes as it liked. That leaks at most a hash's first bytes, from which no secret can be
        // made; but what it found must be the key that was shown, whatever its collations and truncations.
        let (key, user) = found.filter(|(key, _)| bool::from(key.hash.0.ct_eq(&hash.0))).ok_or_else(not_valid)?;
        let now = self.system.clock.now();
        if !key.is_valid(now) {
            return Err(not_valid());
        }
        self.touches.note(&key, now);
        let (id, expires_at) = (key.id, key.expires_at);
        let principal = principal(key, user);
        self.cache.insert(hash, (id, principal.clone()), expires_at, reading).await;
        Ok(principal)
    }
}

fn principal(key: ApiKey, user: User) -> Principal {
    Principal {
        user_id: user.id,
        user_name: user.name,
        key_id: Some(key.id),
        tier: key.tier,
        // Who is no administrator any more has no administrator's keys.
        role: key.role.min(user.role),
        scopes: key.scopes,
        provider: "api_key",
    }
}

/// One text for all three: which it is would tell a finder of old keys whether they were ever good.
fn not_valid() -> Error {
    Error::Unauthenticated("the API key is not valid: unknown, expired or revoked".into())
}

#[async_trait]
impl AuthProvider for ApiKeyAuth {
    async fn authenticate(&self, credential: &Credential) -> Result<Option<Principal>> {
        let Credential::Token(token) = credential else { return Ok(None) };
        if !KeySecret::looks_like(token) {
            return Ok(None);
        }
        let Some(secret) = KeySecret::parse(token) else {
            return Err(Error::Unauthenticated("the API key is mistyped or cut off: its checksum does not fit".into()));
        };
        let hash = secret.hash();
        match self.cache.get(&hash, self.system.clock.monotonic()).await {
            Some(known) if known.expires_at.is_none_or(|end| self.system.clock.now() < end) => {
                Ok(Some(known.principal.clone()))
            }
            Some(_) => Err(not_valid()),
            None => self.look_up(hash).await.map(Some),
        }
    }

    fn forget_key(&self, key_id: Uuid) {
        self.cache.forget(key_id);
    }
}

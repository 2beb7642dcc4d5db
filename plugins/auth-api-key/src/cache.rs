use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use moka::future::Cache;
use uuid::Uuid;
use wasmwiz_core::{api_key::KeyHash, principal::Principal};

use crate::config::ApiKeyConfig;

/// What is remembered of a good key. Its hash alone stands for it: the secret is nowhere.
pub(crate) struct Known {
    pub(crate) principal: Principal,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    key_id: Uuid,
    read: Reading,
}

/// When the storage was asked: what it answered may be older than what came after, never newer than its own start.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    at: Duration,
    forgotten: u64,
}

/// How many groups of keys are forgotten apart from each other.
const GROUPS: usize = 256;

/// Good keys by hash, for a short time.
///
/// Bad ones are not remembered: random keys are all different, so that remembering them would only fill memory and crowd
/// out good ones, and one that fails again and again costs one indexed look-up. Simultaneous misses are not joined
/// either: a caller that joins a look-up begun before a revocation would see the key as it was.
pub(crate) struct KeyCache {
    /// `None` when nothing is to be remembered.
    entries: Option<Cache<KeyHash, Arc<Known>>>,
    ttl: Duration,
    /// Counts calls of [`KeyCache::forget`].
    forgotten: AtomicU64,
    /// That count when a key of the group was last forgotten. Whatever was read at a lower count is not used again, so
    /// that a look-up under way while its key is revoked leaves nothing behind. With the cache searched by hash,
    /// this finds a key's entry by id without an index; other keys of the group are just read once more.
    last_forgotten: Box<[AtomicU64; GROUPS]>,
}

impl KeyCache {
    pub(crate) fn new(config: &ApiKeyConfig) -> Self {
        let ttl = Duration::from_millis(config.cache_ttl_ms);
        let wanted = config.cache_entries > 0 && !ttl.is_zero();
        let entries = || Cache::builder().max_capacity(config.cache_entries).time_to_live(ttl).build();
        Self {
            entries: wanted.then(entries),
            ttl,
            forgotten: AtomicU64::new(0),
            last_forgotten: Box::new([const { AtomicU64::new(0) }; GROUPS]),
        }
    }

    /// Mark the start of a look-up at the monotonic time `now`.
    pub(crate) fn reading(&self, now: Duration) -> Reading {
        Reading { at: now, forgotten: self.forgotten.load(Ordering::SeqCst) }
    }

    /// Find what is still remembered of a key.
    pub(crate) async fn get(&self, hash: &KeyHash, now: Duration) -> Option<Arc<Known>> {
        let known = self.entries.as_ref()?.get(hash).await?;
        // moka's clock is its own; this one is the server's.
        let fresh = now.saturating_sub(known.read.at) < self.ttl;
        let forgotten = self.group(known.key_id).load(Ordering::SeqCst) > known.read.forgotten;
        (fresh && !forgotten).then_some(known)
    }

    /// Remember a good key.
    pub(crate) async fn insert(
        &self,
        hash: KeyHash,
        (key_id, principal): (Uuid, Principal),
        expires_at: Option<DateTime<Utc>>,
        read: Reading,
    ) {
        if let Some(entries) = &self.entries {
            entries.insert(hash, Arc::new(Known { principal, expires_at, key_id, read })).await;
        }
    }

    /// Use nothing again that was read of this key before now.
    pub(crate) fn forget(&self, key_id: Uuid) {
        let count = self.forgotten.fetch_add(1, Ordering::SeqCst) + 1;
        self.group(key_id).fetch_max(count, Ordering::SeqCst);
    }

    fn group(&self, key_id: Uuid) -> &AtomicU64 {
        // The last byte of a UUID v7 is random.
        &self.last_forgotten[usize::from(key_id.as_bytes()[15])]
    }
}

#[cfg(test)]
mod tests {
    use wasmwiz_core::principal::{Role, Scopes};

    use super::*;

    fn principal() -> Principal {
        Principal {
            user_id: Uuid::from_u128(1),
            user_name: "ada".into(),
            key_id: Some(Uuid::from_u128(2)),
            tier: "free".into(),
            role: Role::User,
            scopes: Scopes::all(),
            provider: "api_key",
        }
    }

    #[tokio::test]
    async fn a_look_up_under_way_while_its_key_is_revoked_leaves_nothing_behind() {
        let (cache, hash, id) = (KeyCache::new(&ApiKeyConfig::default()), KeyHash([7; 32]), Uuid::from_u128(2));
        let before = cache.reading(Duration::ZERO);
        cache.forget(id);
        cache.insert(hash, (id, principal()), None, before).await;
        assert!(cache.get(&hash, Duration::ZERO).await.is_none(), "read before it was revoked");

        let after = cache.reading(Duration::ZERO);
        cache.insert(hash, (id, principal()), None, after).await;
        assert!(cache.get(&hash, Duration::ZERO).await.is_some(), "read after");
    }
}

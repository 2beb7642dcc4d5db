//! A real database behind a count of what the provider asks of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up is to fail")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use wasmwiz_auth_api_key::{ApiKeyAuth, ApiKeyConfig};
use wasmwiz_core::{
    Error, Result,
    api_key::{ApiKey, KeyHash, KeySecret},
    auth::Credential,
    execution::ExecutionRecord,
    module::{Module, ModuleRef, NewModule},
    plugin::Needs,
    principal::{Principal, Role, Scope, Scopes, User},
    storage::{ExecutionFilter, Inserted, ModuleFilter, Page, SchemaStatus, Storage},
    system::{System, SystemRandom},
    testing::{ManualClock, manual_system},
};
use wasmwiz_storage_sqlite::{SqliteConfig, SqliteStorage};

/// A provider on a database, and what a test moves them with.
pub(crate) struct Bench {
    pub(crate) storage: Arc<Watched>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) system: System,
    pub(crate) user: User,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let (system, clock) = manual_system();
        let config = SqliteConfig { path: ":memory:".into(), ..Default::default() };
        let inner = SqliteStorage::open(&config, None).await.unwrap();
        inner.migrate().await.unwrap();
        let user = User {
            id: system.new_id(),
            name: "ada".into(),
            tier: "basic".into(),
            role: Role::User,
            created_at: system.clock.now(),
        };
        inner.create_user(&user).await.unwrap();
        let storage = Arc::new(Watched::new(inner));
        Self { storage, clock, system, user }
    }

    /// A provider as another node would have it: on the same storage, with a cache of its own.
    pub(crate) fn provider(&self, config: &ApiKeyConfig) -> ApiKeyAuth {
        ApiKeyAuth::new(config, Needs { system: self.system.clone(), storage: self.storage.clone() })
    }

    /// Store a key that `change` makes special, and give what its holder has.
    pub(crate) async fn key(&self, change: impl FnOnce(&mut ApiKey)) -> (Credential, ApiKey) {
        let secret = KeySecret::generate(&SystemRandom);
        let mut key = ApiKey {
            id: self.system.new_id(),
            user_id: self.user.id,
            name: "laptop".into(),
            prefix: secret.prefix().into(),
            hash: secret.hash(),
            tier: "free".into(),
            role: Role::User,
            scopes: Scopes(vec![Scope::Execute]),
            created_at: self.system.clock.now(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        change(&mut key);
        self.storage.create_api_key(&key).await.unwrap();
        (Credential::Token(secret.expose().into()), key)
    }

    pub(crate) async fn revoke(&self, key: &ApiKey) -> Uuid {
        assert!(self.storage.revoke_api_key(key.user_id, key.id, self.system.clock.now()).await.unwrap());
        key.id
    }

    pub(crate) fn in_seconds(&self, seconds: i64) -> DateTime<Utc> {
        self.system.clock.now() + TimeDelta::seconds(seconds)
    }

    /// What the storage has as the key's last use, once the background has had time to write.
    pub(crate) async fn last_used(&self, key: &ApiKey, touches: usize) -> Option<DateTime<Utc>> {
        for _ in 0..500 {
            if self.storage.touches.load(Ordering::SeqCst) >= touches {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.storage.inner.api_key_by_hash(&key.hash).await.unwrap().unwrap().0.last_used_at
    }
}

pub(crate) fn principal(key: &ApiKey) -> Principal {
    Principal {
        user_id: key.user_id,
        user_name: "ada".into(),
        key_id: Some(key.id),
        tier: key.tier.clone(),
        role: key.role,
        scopes: key.scopes.clone(),
        provider: "api_key",
    }
}

/// A storage that counts look-ups and touches, and is away when told so.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: SqliteStorage,
    pub(crate) look_ups: AtomicUsize,
    pub(crate) touches: AtomicUsize,
    pub(crate) away: AtomicBool,
    pub(crate) refuses_touches: AtomicBool,
}

impl Watched {
    fn new(inner: SqliteStorage) -> Self {
        Self {
            inner,
            look_ups: AtomicUsize::new(0),
            touches: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            refuses_touches: AtomicBool::new(false),
        }
    }

    pub(crate) fn look_ups(&self) -> usize {
        self.look_ups.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Storage for Watched {
    async fn api_key_by_hash(&self, hash: &KeyHash) -> Result<Option<(ApiKey, User)>> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the storage", "it is away"));
        }
        self.inner.api_key_by_hash(hash).await
    }

    async fn touch_api_key(&self, id: Uuid, at: DateTime<Utc>) -> Result<()> {
        let result = if self.refuses_touches.load(Ordering::SeqCst) {
            Err(Error::unavailable("the storage", "it is away"))
        } else {
            self.inner.touch_api_key(id, at).await
        };
        self.touches.fetch_add(1, Ordering::SeqCst);
        result
    }

    async fn create_api_key(&self, key: &ApiKey) -> Result<()> {
        self.inner.create_api_key(key).await
    }

    async fn revoke_api_key(&self, user_id: Uuid, id: Uuid, at: DateTime<Utc>) -> Result<bool> {
        self.inner.revoke_api_key(user_id, id, at).await
    }

    async fn migrate(&self) -> Result<SchemaStatus> {
        self.inner.migrate().await
    }

    async fn schema(&self) -> Result<SchemaStatus> {
        self.inner.schema().await
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    async fn create_user(&self, user: &User) -> Result<()> {
        self.inner.create_user(user).await
    }

    async fn user(&self, id: Uuid) -> Result<Option<User>> {
        self.inner.user(id).await
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<User>> {
        self.inner.user_by_name(name).await
    }

    async fn list_users(&self, page: Page) -> Result<Vec<User>> {
        self.inner.list_users(page).await
    }

    async fn list_api_keys(&self, user_id: Uuid, page: Page) -> Result<Vec<ApiKey>> {
        self.inner.list_api_keys(user_id, page).await
    }

    async fn has_api_keys(&self) -> Result<bool> {
        self.inner.has_api_keys().await
    }

    async fn insert_module(&self, module: &NewModule) -> Result<Inserted> {
        self.inner.insert_module(module).await
    }

    async fn find_module(&self, viewer: Uuid, reference: &ModuleRef) -> Result<Option<Module>> {
        self.inner.find_module(viewer, reference).await
    }

    async fn list_modules(&self, filter: &ModuleFilter, page: Page) -> Result<Vec<Module>> {
        self.inner.list_modules(filter, page).await
    }

    async fn delete_module(&self, owner: Uuid, id: Uuid, at: DateTime<Utc>) -> Result<bool> {
        self.inner.delete_module(owner, id, at).await
    }

    async fn record_execution(&self, record: &ExecutionRecord) -> Result<()> {
        self.inner.record_execution(record).await
    }

    async fn execution(&self, user_id: Uuid, id: Uuid) -> Result<Option<ExecutionRecord>> {
        self.inner.execution(user_id, id).await
    }

    async fn list_executions(&self, filter: &ExecutionFilter, page: Page) -> Result<Vec<ExecutionRecord>> {
        self.inner.list_executions(filter, page).await
    }
}

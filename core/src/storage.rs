//! The storage: users, keys, modules' records and executions' records.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    Result,
    api_key::{ApiKey, KeyHash},
    execution::{ExecutionRecord, Status},
    module::{Module, ModuleRef, NewModule, Visibility},
    plugin::plugin_kind,
    principal::User,
    system::System,
};

plugin_kind!(dyn Storage, "storage", System);

/// Which part of a list is wanted. Lists go from the newest id to the oldest; ids are UUID v7 and sort by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many items.
    pub limit: u32,
    /// Only items older than this one.
    pub before: Option<Uuid>,
}

/// Which modules are wanted: the owner's own, or the public ones of everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleFilter {
    /// Who asks. They see their own modules and, with [`Visibility::Public`], everybody's public ones.
    pub viewer: Uuid,
    /// Only modules of this name.
    pub name: Option<String>,
    /// `Public`: every public module; `Private`: the viewer's private ones; `None`: all of the viewer's own.
    pub visibility: Option<Visibility>,
}

/// Which executions are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Whose.
    pub user_id: Uuid,
    /// Only those of this module.
    pub module_id: Option<Uuid>,
    /// Only those that ended so.
    pub status: Option<Status>,
    /// Only those at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Only those before this time.
    pub until: Option<DateTime<Utc>>,
}

/// What became of a module that was to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Inserted {
    /// The version that is there now.
    pub module: Module,
    /// Whether it was made by this call. Not so when the owner had the same bytes under the same name.
    pub created: bool,
}

/// How the database's schema stands to the program's migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaStatus {
    /// Migrations applied.
    pub applied: usize,
    /// Migrations that the program has and the database has not.
    pub pending: usize,
}

/// Keeps records.
///
/// # Behavior
/// - Every method may be called at any time from any thread; what returned `Ok` survives a crash.
/// - What is not there is `None`, `false` or an empty list, never an error.
/// - Lists are stable: newest id first, each item once, also while others are added.
/// - Times are kept to the microsecond, whole numbers up to `i64::MAX`; a larger one is an error, never another number.
/// - The time in a record's id and its `created_at` are the same to the minute; lists by time may rely on it.
/// - [`crate::Error::Unavailable`] when the database does not answer.
#[async_trait]
pub trait Storage: Debug + Send + Sync + 'static {
    /// Bring the schema up to date, with the users [`User::SAMPLES`] (`samples`) and [`User::LOCAL`] (`local`) in it.
    /// Does nothing when it is; may be called by several programs at once.
    async fn migrate(&self) -> Result<SchemaStatus>;

    /// Say how the schema stands.
    async fn schema(&self) -> Result<SchemaStatus>;

    /// Check that the database answers.
    async fn ping(&self) -> Result<()>;

    /// Write out what is buffered, before the program ends.
    async fn close(&self);

    /// Add a user. A name that is taken is [`crate::Error::Conflict`].
    async fn create_user(&self, user: &User) -> Result<()>;

    /// Find a user by id.
    async fn user(&self, id: Uuid) -> Result<Option<User>>;

    /// Find a user by name.
    async fn user_by_name(&self, name: &str) -> Result<Option<User>>;

    /// List users.
    async fn list_users(&self, page: Page) -> Result<Vec<User>>;

    /// Add a key. [`crate::Error::NotFound`] when its user is not there, [`crate::Error::Conflict`] when its id or its
    /// hash is taken.
    async fn create_api_key(&self, key: &ApiKey) -> Result<()>;

    /// Find a key, revoked and expired ones too, and its user, by the hash of its secret.
    async fn api_key_by_hash(&self, hash: &KeyHash) -> Result<Option<(ApiKey, User)>>;

    /// List a user's keys, revoked and expired ones too.
    async fn list_api_keys(&self, user_id: Uuid, page: Page) -> Result<Vec<ApiKey>>;

    /// Revoke a user's key. `false` if the user has no such key; revoking twice keeps the first time and is `true`.
    async fn revoke_api_key(&self, user_id: Uuid, id: Uuid, at: DateTime<Utc>) -> Result<bool>;

    /// Note that a key was used. An earlier time than the one noted changes nothing.
    async fn touch_api_key(&self, id: Uuid, at: DateTime<Utc>) -> Result<()>;

    /// Whether there is any key at all.
    async fn has_api_keys(&self) -> Result<bool>;

    /// Store a module's record. The same bytes under the same name of the same owner give the version there is;
    /// other bytes give the next version, also when several are stored at once. A version number is never used again,
    /// and what was deleted is not there. [`crate::Error::NotFound`] when the owner is not, [`crate::Error::Conflict`]
    /// when the id is taken.
    async fn insert_module(&self, module: &NewModule) -> Result<Inserted>;

    /// Find what `viewer` means by `reference`. By id: their own or a public module. By name: their own, else one
    /// that the server itself offers: a public one of [`User::SAMPLES`].
    async fn find_module(&self, viewer: Uuid, reference: &ModuleRef) -> Result<Option<Module>>;

    /// List modules.
    async fn list_modules(&self, filter: &ModuleFilter, page: Page) -> Result<Vec<Module>>;

    /// Delete a user's module. `false` if the user has no such module.
    async fn delete_module(&self, owner: Uuid, id: Uuid, at: DateTime<Utc>) -> Result<bool>;

    /// Keep the record of an execution, and note at its module when it last ran. A record outlives its module and its
    /// key. [`crate::Error::NotFound`] when the user is not there, [`crate::Error::Conflict`] when the id is taken.
    async fn record_execution(&self, record: &ExecutionRecord) -> Result<()>;

    /// Find a user's execution by id.
    async fn execution(&self, user_id: Uuid, id: Uuid) -> Result<Option<ExecutionRecord>>;

    /// List executions.
    async fn list_executions(&self, filter: &ExecutionFilter, page: Page) -> Result<Vec<ExecutionRecord>>;
}

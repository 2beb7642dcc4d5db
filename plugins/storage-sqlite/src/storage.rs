//! The storage itself: which record's work goes to which connection.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{SqliteConnection, SqlitePool};
use uuid::Uuid;
use wasmwiz_core::{
    Result,
    api_key::{ApiKey, KeyHash},
    error::BoxError,
    execution::ExecutionRecord,
    module::{Module, ModuleRef, NewModule},
    principal::User,
    storage::{ExecutionFilter, Inserted, ModuleFilter, Page, SchemaStatus, Storage},
};

use crate::{
    config::SqliteConfig,
    fault::Fault,
    open::{Connections, Place},
    records, schema,
    writer::{Work, Writer},
};

/// Records in a SQLite database.
#[derive(Debug)]
pub struct SqliteStorage {
    pub(crate) writer: Writer,
    /// `None` in memory, where the connection that writes also reads.
    readers: Option<SqlitePool>,
}

impl SqliteStorage {
    /// Open the database that `config` names, or `wasmwiz.db` in `data_dir`, or one in memory. Creates it when it is not
    /// there; leaves the schema to [`Storage::migrate`].
    ///
    /// # Errors
    /// When it cannot be opened, is no SQLite database, or was used by a newer program.
    pub async fn open(config: &SqliteConfig, data_dir: Option<&Path>) -> Result<Self, BoxError> {
        let place = Place::of(config, data_dir)?;
        let Connections { writer, readers } = Connections::open(config, &place).await?;
        let wait = Duration::from_millis(config.busy_timeout_ms.into());
        let storage = Self { writer: Writer::start(writer, wait), readers };
        storage.schema().await?;
        Ok(storage)
    }

    async fn read<T, F>(&self, context: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        let Some(readers) = &self.readers else { return self.write(context, work).await };
        let result = match readers.acquire().await {
            Ok(mut connection) => work(&mut connection).await,
            Err(error) => Err(error.into()),
        };
        result.map_err(|fault| fault.explain(context))
    }

    async fn write<T, F>(&self, context: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        self.writer.write(work).await.map_err(|fault: Fault| fault.explain(context))
    }
}

#[async_trait]
impl Storage for SqliteStorage {
    async fn migrate(&self) -> Result<SchemaStatus> {
        self.write("bring the schema up to date", |c| Box::pin(schema::migrate(c))).await
    }

    async fn schema(&self) -> Result<SchemaStatus> {
        self.read("look at the schema", |c| Box::pin(schema::status(c))).await
    }

    async fn ping(&self) -> Result<()> {
        self.read("ping", |c| Box::pin(records::ping(c))).await?;
        self.write("ping", |c| Box::pin(records::ping(c))).await
    }

    async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        // The last connection to close moves the write-ahead log into the database and removes it.
        self.writer.close().await;
    }

    async fn create_user(&self, user: &User) -> Result<()> {
        let user = user.clone();
        self.write("add a user", |c| Box::pin(records::insert_user(c, user))).await
    }

    async fn user(&self, id: Uuid) -> Result<Option<User>> {
        self.read("find a user", move |c| Box::pin(records::user_by_id(c, id))).await
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<User>> {
        let name = name.to_owned();
        self.read("find a user", |c| Box::pin(records::user_by_name(c, name))).await
    }

    async fn list_users(&self, page: Page) -> Result<Vec<User>> {
        self.read("list users", move |c| Box::pin(records::list_users(c, page))).await
    }

    async fn create_api_key(&self, key: &ApiKey) -> Result<()> {
        let key = key.clone();
        self.write("add a key", |c| Box::pin(records::insert_api_key(c, key))).await
    }

    async fn api_key_by_hash(&self, hash: &KeyHash) -> Result<Option<(ApiKey, User)>> {
        let hash = *hash;
        self.read("find a key", move |c| Box::pin(records::api_key_by_hash(c, hash))).await
    }

    async fn list_api_keys(&self, user_id: Uuid, page: Page) -> Result<Vec<ApiKey>> {
        self.read("list keys", move |c| Box::pin(records::list_api_keys(c, user_id, page))).await
    }

    async fn revoke_api_key(&self, user_id: Uuid, id: Uuid, at: DateTime<Utc>) -> Result<bool> {
        self.write("revoke a key", move |c| Box::pin(records::revoke_api_key(c, user_id, id, at))).await
    }

    async fn touch_api_key(&self, id: Uuid, at: DateTime<Utc>) -> Result<()> {
        self.write("note the use of a key", move |c| Box::pin(records::touch_api_key(c, id, at))).await
    }

    async fn has_api_keys(&self) -> Result<bool> {
        self.read("look for keys", |c| Box::pin(records::has_api_keys(c))).await
    }

    async fn insert_module(&self, module: &NewModule) -> Result<Inserted> {
        let module = module.clone();
        self.write("store a module", |c| Box::pin(records::insert_module(c, module))).await
    }

    async fn find_module(&self, viewer: Uuid, reference: &ModuleRef) -> Result<Option<Module>> {
        let reference = reference.clone();
        self.read("find a module", move |c| Box::pin(records::find_module(c, viewer, reference))).await
    }

    async fn list_modules(&self, filter: &ModuleFilter, page: Page) -> Result<Vec<Module>> {
        let filter = filter.clone();
        self.read("list modules", move |c| Box::pin(records::list_modules(c, filter, page))).await
    }

    async fn delete_module(&self, owner: Uuid, id: Uuid, at: DateTime<Utc>) -> Result<bool> {
        self.write("delete a module", move |c| Box::pin(records::delete_module(c, owner, id, at))).await
    }

    async fn record_execution(&self, record: &ExecutionRecord) -> Result<()> {
        let record = record.clone();
        self.write("record an execution", |c| Box::pin(records::insert_execution(c, record))).await
    }

    async fn execution(&self, user_id: Uuid, id: Uuid) -> Result<Option<ExecutionRecord>> {
        self.read("find an execution", move |c| Box::pin(records::execution(c, user_id, id))).await
    }

    async fn list_executions(&self, filter: &ExecutionFilter, page: Page) -> Result<Vec<ExecutionRecord>> {
        let filter = *filter;
        self.read("list executions", move |c| Box::pin(records::list_executions(c, filter, page))).await
    }
}

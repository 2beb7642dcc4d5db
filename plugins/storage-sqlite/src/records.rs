//! What is done with each kind of record, on a connection.

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, SqliteConnection, query::Query, sqlite::SqliteArguments};
use uuid::Uuid;
use wasmwiz_core::{
    Error,
    api_key::{ApiKey, KeyHash},
    execution::ExecutionRecord,
    module::{Module, ModuleRef, NewModule, VersionRef, Visibility},
    principal::User,
    storage::{ExecutionFilter, Inserted, ModuleFilter, Page},
};

use crate::{
    fault::{Fault, answer},
    rows::{self, json, micros, number, to_micros},
    statements as sql,
};

type Result<T, E = Fault> = std::result::Result<T, E>;
type Bound = Query<'static, Sqlite, SqliteArguments>;

fn query(statement: &'static str) -> Bound {
    sqlx::query(statement)
}

/// The id that a page begins below.
fn before(page: Page) -> Uuid {
    page.before.unwrap_or(Uuid::max())
}

pub(crate) async fn ping(c: &mut SqliteConnection) -> Result<()> {
    query(sql::PING).execute(c).await?;
    Ok(())
}

pub(crate) async fn insert_user(c: &mut SqliteConnection, user: User) -> Result<()> {
    let inserted = query(sql::INSERT_USER)
        .bind(user.id)
        .bind(&*user.name)
        .bind(&*user.tier)
        .bind(user.role.as_str())
        .bind(micros(user.created_at))
        .execute(c)
        .await;
    inserted
        .map(drop)
        .map_err(|error| answer(error, || format!("a user `{}` is there already", user.name), String::new))
}

pub(crate) async fn user_by_id(c: &mut SqliteConnection, id: Uuid) -> Result<Option<User>> {
    Ok(query(sql::USER_BY_ID).bind(id).try_map(rows::user).fetch_optional(c).await?)
}

pub(crate) async fn user_by_name(c: &mut SqliteConnection, name: String) -> Result<Option<User>> {
    Ok(query(sql::USER_BY_NAME).bind(name).try_map(rows::user).fetch_optional(c).await?)
}

pub(crate) async fn list_users(c: &mut SqliteConnection, page: Page) -> Result<Vec<User>> {
    Ok(query(sql::LIST_USERS).bind(before(page)).bind(page.limit).try_map(rows::user).fetch_all(c).await?)
}

pub(crate) async fn insert_api_key(c: &mut SqliteConnection, key: ApiKey) -> Result<()> {
    let inserted = query(sql::INSERT_KEY)
        .bind(key.id)
        .bind(key.user_id)
        .bind(&*key.name)
        .bind(&*key.prefix)
        .bind(&key.hash.0[..])
        .bind(&*key.tier)
        .bind(key.role.as_str())
        .bind(key.scopes.to_string())
        .bind(micros(key.created_at))
        .bind(key.expires_at.map(micros))
        .bind(key.last_used_at.map(micros))
        .bind(key.revoked_at.map(micros))
        .execute(c)
        .await;
    let taken = || format!("a key `{}` is there already", key.prefix);
    inserted.map(drop).map_err(|error| answer(error, taken, || format!("user {}", key.user_id)))
}

pub(crate) async fn api_key_by_hash(c: &mut SqliteConnection, hash: KeyHash) -> Result<Option<(ApiKey, User)>> {
    Ok(query(sql::KEY_BY_HASH).bind(hash.0.to_vec()).try_map(rows::api_key_and_user).fetch_optional(c).await?)
}

pub(crate) async fn list_api_keys(c: &mut SqliteConnection, user_id: Uuid, page: Page) -> Result<Vec<ApiKey>> {
    let list = query(sql::LIST_KEYS).bind(user_id).bind(before(page)).bind(page.limit);
    Ok(list.try_map(rows::api_key).fetch_all(c).await?)
}

pub(crate) async fn revoke_api_key(
    c: &mut SqliteConnection,
    user_id: Uuid,
    id: Uuid,
    at: DateTime<Utc>,
) -> Result<bool> {
    let done = query(sql::REVOKE_KEY).bind(user_id).bind(id).bind(micros(at)).execute(c).await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn touch_api_key(c: &mut SqliteConnection, id: Uuid, at: DateTime<Utc>) -> Result<()> {
    query(sql::TOUCH_KEY).bind(id).bind(micros(at)).execute(c).await?;
    Ok(())
}

pub(crate) async fn has_api_keys(c: &mut SqliteConnection) -> Result<bool> {
    use sqlx::Row;
    Ok(query(sql::HAS_KEYS).try_map(|row| row.try_get("found")).fetch_one(c).await?)
}

/// Store a module's record. To be called in a transaction that no other writer is in meanwhile.
pub(crate) async fn insert_module(c: &mut SqliteConnection, new: NewModule) -> Result<Inserted> {
    use sqlx::Row;
    if let Some(module) = module_by_hash(c, new.owner, &new.name, new.sha256.0.to_vec(), true).await? {
        return Ok(Inserted { module, created: false });
    }
    let next = query(sql::NEXT_VERSION).bind(new.owner).bind(&*new.name);
    let next: i64 = next.try_map(|row| row.try_get("version")).fetch_one(&mut *c).await?;
    let version = u32::try_from(next).map_err(|_| Error::Conflict(format!("`{}` has no version left", new.name)))?;
    let inserted = query(sql::INSERT_MODULE)
        .bind(new.id)
        .bind(new.owner)
        .bind(&*new.name)
        .bind(version)
        .bind(&new.sha256.0[..])
        .bind(number(new.size_bytes)?)
        .bind(new.visibility.as_str())
        .bind(micros(new.created_at))
        .bind(&*new.description)
        .bind(json(&new.inspection)?)
        .execute(c)
        .await;
    let taken = || format!("a module {} is there already", new.id);
    inserted.map_err(|error| answer(error, taken, || format!("user {}", new.owner)))?;
    let module = Module {
        id: new.id,
        owner: new.owner,
        name: new.name,
        version,
        description: new.description,
        sha256: new.sha256,
        size_bytes: new.size_bytes,
        visibility: new.visibility,
        inspection: new.inspection,
        created_at: to_micros(new.created_at),
        last_executed_at: None,
    };
    Ok(Inserted { module, created: true })
}

pub(crate) async fn find_module(
    c: &mut SqliteConnection,
    viewer: Uuid,
    reference: ModuleRef,
) -> Result<Option<Module>> {
    let (name, version) = match reference {
        ModuleRef::Id(id) => {
            return Ok(query(sql::MODULE_BY_ID).bind(id).bind(viewer).try_map(rows::module).fetch_optional(c).await?);
        }
        ModuleRef::Name { name, version } => (name, version),
    };
    // What the server offers is public; a private module of that owner is not offered.
    for (owner, private_too) in [(viewer, true), (User::SAMPLES, false)] {
        let found = match &version {
            VersionRef::Latest => module_latest(c, owner, &name, private_too).await?,
            VersionRef::Number(number) => module_by_version(c, owner, &name, *number, private_too).await?,
            VersionRef::Hash(hash) => module_by_hash(c, owner, &name, hash.0.to_vec(), private_too).await?,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

async fn module_latest(c: &mut SqliteConnection, owner: Uuid, name: &str, private_too: bool) -> Result<Option<Module>> {
    let find = query(sql::MODULE_LATEST).bind(owner).bind(name).bind(private_too);
    Ok(find.try_map(rows::module).fetch_optional(c).await?)
}

async fn module_by_version(
    c: &mut SqliteConnection,
    owner: Uuid,
    name: &str,
    version: u32,
    private_too: bool,
) -> Result<Option<Module>> {
    let find = query(sql::MODULE_BY_VERSION).bind(owner).bind(name).bind(private_too).bind(version);
    Ok(find.try_map(rows::module).fetch_optional(c).await?)
}

async fn module_by_hash(
    c: &mut SqliteConnection,
    owner: Uuid,
    name: &str,
    hash: Vec<u8>,
    private_too: bool,
) -> Result<Option<Module>> {
    let find = query(sql::MODULE_BY_HASH).bind(owner).bind(name).bind(private_too).bind(hash);
    Ok(find.try_map(rows::module).fetch_optional(c).await?)
}

pub(crate) async fn list_modules(c: &mut SqliteConnection, filter: ModuleFilter, page: Page) -> Result<Vec<Module>> {
    let named = filter.name.is_some();
    let statement = match (filter.visibility, named) {
        (None, false) => sql::LIST_OWN,
        (None, true) => sql::LIST_OWN_NAMED,
        (Some(Visibility::Private), false) => sql::LIST_PRIVATE,
        (Some(Visibility::Private), true) => sql::LIST_PRIVATE_NAMED,
        (Some(Visibility::Public), false) => sql::LIST_PUBLIC,
        (Some(Visibility::Public), true) => sql::LIST_PUBLIC_NAMED,
    };
    let mut list = query(statement);
    if filter.visibility != Some(Visibility::Public) {
        list = list.bind(filter.viewer);
    }
    list = list.bind(before(page)).bind(page.limit);
    if let Some(name) = filter.name {
        list = list.bind(name);
    }
    Ok(list.try_map(rows::module).fetch_all(c).await?)
}

pub(crate) async fn delete_module(c: &mut SqliteConnection, owner: Uuid, id: Uuid, at: DateTime<Utc>) -> Result<bool> {
    let done = query(sql::DELETE_MODULE).bind(owner).bind(id).bind(micros(at)).execute(c).await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn insert_execution(c: &mut SqliteConnection, record: ExecutionRecord) -> Result<()> {
    let (module, verdict, usage) = (record.module, record.verdict, record.usage);
    let inserted = query(sql::INSERT_EXECUTION)
        .bind(record.id)
        .bind(record.user_id)
        .bind(record.key_id)
        .bind(module.id)
        .bind(module.name)
        .bind(module.version)
        .bind(module.sha256.0.to_vec())
        .bind(verdict.status.as_str())
        .bind(verdict.exit_code)
        .bind(verdict.termination.as_ref().map(json).transpose()?)
        .bind(verdict.error.as_ref().map(json).transpose()?)
        .bind(number(record.limits.timeout_ms)?)
        .bind(number(record.limits.memory_bytes)?)
        .bind(number(usage.wall_us)?)
        .bind(number(usage.cpu_us)?)
        .bind(number(usage.queued_us)?)
        .bind(number(usage.compile_us)?)
        .bind(number(usage.peak_memory_bytes)?)
        .bind(number(usage.stdout_bytes)?)
        .bind(number(usage.stderr_bytes)?)
        .bind(usage.memory_limit_hit)
        .bind(record.truncated)
        .bind(micros(record.created_at))
        .execute(c)
        .await;
    let taken = || format!("an execution {} is there already", record.id);
    inserted.map(drop).map_err(|error| answer(error, taken, || format!("user {}", record.user_id)))
}

pub(crate) async fn execution(c: &mut SqliteConnection, user_id: Uuid, id: Uuid) -> Result<Option<ExecutionRecord>> {
    Ok(query(sql::EXECUTION_BY_ID).bind(user_id).bind(id).try_map(rows::execution).fetch_optional(c).await?)
}

pub(crate) async fn list_executions(
    c: &mut SqliteConnection,
    filter: ExecutionFilter,
    page: Page,
) -> Result<Vec<ExecutionRecord>> {
    let statement = match (filter.module_id, filter.status) {
        (None, None) => sql::LIST_EXECUTIONS,
        (Some(_), None) => sql::LIST_EXECUTIONS_OF_MODULE,
        (None, Some(_)) => sql::LIST_EXECUTIONS_BY_STATUS,
        (Some(_), Some(_)) => sql::LIST_EXECUTIONS_OF_MODULE_BY_STATUS,
    };
    let until = filter.until.map_or(Uuid::max(), |until| id_at(until, SLACK_MS));
    let mut list = query(statement)
        .bind(filter.user_id)
        .bind(before(page).min(until))
        .bind(filter.since.map_or(Uuid::nil(), |since| id_at(since, -SLACK_MS)))
        .bind(filter.since.map_or(i64::MIN, micros))
        .bind(filter.until.map_or(i64::MAX, micros))
        .bind(page.limit);
    if let Some(module) = filter.module_id {
        list = list.bind(module);
    }
    if let Some(status) = filter.status {
        list = list.bind(status.as_str());
    }
    Ok(list.try_map(rows::execution).fetch_all(c).await?)
}

/// How far the time in an id and the time of its record may differ, in milliseconds: the contract's minute.
const SLACK_MS: i64 = 60_000;

/// The smallest UUID v7 of a time. A list between two times is read along the ids that can be meant: it costs what it
/// returns, not what lies outside.
fn id_at(time: DateTime<Utc>, slack_ms: i64) -> Uuid {
    const LATEST: i64 = (1 << 48) - 1;
    let millis = (time.timestamp_millis().saturating_add(slack_ms)).clamp(0, LATEST);
    Uuid::from_u128((millis as u128) << 80)
}

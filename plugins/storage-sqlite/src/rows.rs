//! What a row means, and how values are written.

use std::{error::Error as StdError, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::Uuid;
use wasmwiz_core::{
    api_key::{ApiKey, KeyHash},
    error::BoxError,
    execution::{ExecutedModule, ExecutionRecord, StoredLimits, Usage, Verdict},
    module::{Module, ModuleHash},
    principal::User,
};

type Result<T> = sqlx::Result<T>;

/// Microseconds since 1970. Cannot overflow: chrono's years end at 262,000, those of an i64 of microseconds at 292,000.
pub(crate) fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

/// `time` as it will be read back.
pub(crate) fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros(time)).unwrap_or(time)
}

/// A number as SQLite keeps it.
pub(crate) fn number(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// A value as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn decode<T, E: Into<BoxError>>(column: &str, value: std::result::Result<T, E>) -> Result<T> {
    value.map_err(|error| sqlx::Error::ColumnDecode { index: column.into(), source: error.into() })
}

fn time(row: &SqliteRow, column: &str) -> Result<DateTime<Utc>> {
    decode(column, DateTime::from_timestamp_micros(row.try_get(column)?).ok_or("a time out of range"))
}

fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<DateTime<Utc>>> {
    let micros: Option<i64> = row.try_get(column)?;
    micros.map(|_| time(row, column)).transpose()
}

fn word<T: FromStr<Err: StdError + Send + Sync + 'static>>(row: &SqliteRow, column: &str) -> Result<T> {
    decode(column, row.try_get::<&str, _>(column)?.parse())
}

fn unsigned<T: TryFrom<i64, Error: StdError + Send + Sync + 'static>>(row: &SqliteRow, column: &str) -> Result<T> {
    decode(column, T::try_from(row.try_get(column)?))
}

fn hash(row: &SqliteRow, column: &str) -> Result<[u8; 32]> {
    decode(column, row.try_get::<&[u8], _>(column)?.try_into())
}

fn from_json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T> {
    decode(column, serde_json::from_str(row.try_get(column)?))
}

fn optional_json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Option<T>> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| decode(column, serde_json::from_str(text))).transpose()
}

/// Read a user.
pub(crate) fn user(row: SqliteRow) -> Result<User> {
    Ok(User {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        tier: row.try_get("tier")?,
        role: word(&row, "role")?,
        created_at: time(&row, "created_at")?,
    })
}

/// Read a key.
pub(crate) fn api_key(row: SqliteRow) -> Result<ApiKey> {
    Ok(ApiKey {
        id: row.try_get("id")?,
        user_id: row.try_get("user_id")?,
        name: row.try_get("name")?,
        prefix: row.try_get("prefix")?,
        hash: KeyHash(hash(&row, "hash")?),
        tier: row.try_get("tier")?,
        role: word(&row, "role")?,
        scopes: word(&row, "scopes")?,
        created_at: time(&row, "created_at")?,
        expires_at: optional_time(&row, "expires_at")?,
        last_used_at: optional_time(&row, "last_used_at")?,
        revoked_at: optional_time(&row, "revoked_at")?,
    })
}

/// Read a key and its user.
pub(crate) fn api_key_and_user(row: SqliteRow) -> Result<(ApiKey, User)> {
    let user = User {
        id: row.try_get("user_id")?,
        name: row.try_get("user_name")?,
        tier: row.try_get("user_tier")?,
        role: word(&row, "user_role")?,
        created_at: time(&row, "user_created_at")?,
    };
    Ok((api_key(row)?, user))
}

/// Read a module.
pub(crate) fn module(row: SqliteRow) -> Result<Module> {
    Ok(Module {
        id: row.try_get("id")?,
        owner: row.try_get("owner_id")?,
        name: row.try_get("name")?,
        version: unsigned(&row, "version")?,
        description: row.try_get("description")?,
        sha256: ModuleHash(hash(&row, "sha256")?),
        size_bytes: unsigned(&row, "size_bytes")?,
        visibility: word(&row, "visibility")?,
        inspection: from_json(&row, "inspection")?,
        created_at: time(&row, "created_at")?,
        last_executed_at: optional_time(&row, "last_executed_at")?,
    })
}

/// Read an execution.
pub(crate) fn execution(row: SqliteRow) -> Result<ExecutionRecord> {
    let version: Option<i64> = row.try_get("module_version")?;
    let id: Option<Uuid> = row.try_get("module_id")?;
    Ok(ExecutionRecord {
        id: row.try_get("id")?,
        user_id: row.try_get("user_id")?,
        key_id: row.try_get("key_id")?,
        module: ExecutedModule {
            id,
            name: row.try_get("module_name")?,
            version: version.map(|_| unsigned(&row, "module_version")).transpose()?,
            sha256: ModuleHash(hash(&row, "module_sha256")?),
        },
        verdict: Verdict {
            status: word(&row, "status")?,
            exit_code: row.try_get("exit_code")?,
            termination: optional_json(&row, "termination")?,
            error: optional_json(&row, "error")?,
        },
        limits: StoredLimits {
            timeout_ms: unsigned(&row, "limit_timeout_ms")?,
            memory_bytes: unsigned(&row, "limit_memory")?,
        },
        usage: Usage {
            wall_us: unsigned(&row, "wall_us")?,
            cpu_us: unsigned(&row, "cpu_us")?,
            queued_us: unsigned(&row, "queued_us")?,
            compile_us: unsigned(&row, "compile_us")?,
            peak_memory_bytes: unsigned(&row, "peak_memory")?,
            stdout_bytes: unsigned(&row, "stdout_bytes")?,
            stderr_bytes: unsigned(&row, "stderr_bytes")?,
            memory_limit_hit: row.try_get("memory_limit_hit")?,
        },
        truncated: row.try_get("truncated")?,
        created_at: time(&row, "created_at")?,
    })
}

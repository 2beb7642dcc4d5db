//! `GET /api/executions` and `/api/executions/{id}`: what ran.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
};
use serde::Serialize;
use uuid::Uuid;
use wasmwiz_core::{
    Error,
    execution::{ExecutionRecord, Status},
    storage::ExecutionFilter,
};

use super::{
    App,
    auth::{Caller, Execute},
    error::{INVALID, NOT_FOUND, Refused},
    execute::{ExecutedModuleOut, FailureOut, StatusName, TerminationOut, UsageOut},
    openapi::Group,
    pagination::{PageLimit, Wanted, default_limit},
    payload::Json,
    word::Word,
};

/// What is kept of an execution. Its output is not.
#[derive(Serialize, Object)]
#[oai(rename = "ExecutionRecord")]
pub(crate) struct ExecutionRecordOut {
    /// Its id.
    id: Uuid,
    /// How it ended.
    status: StatusName,
    /// The guest's exit code; null if it did not come to one.
    exit_code: Option<i32>,
    /// What ran.
    module: ExecutedModuleOut,
    /// The key it was asked for with; null without login.
    key_id: Option<Uuid>,
    /// Whether output was cut off.
    truncated: bool,
    /// The limit that ended it; null if none did.
    termination: Option<TerminationOut>,
    /// What went wrong, for `trapped`, `rejected` and `internal_error`; else null.
    error: Option<FailureOut>,
    /// The limits it had.
    limits: RecordedLimitsOut,
    /// What it used.
    usage: UsageOut,
    /// When it was asked for.
    created_at: DateTime<Utc>,
}

/// The limits that are kept of an execution.
#[derive(Serialize, Object)]
#[oai(rename = "RecordedLimits")]
pub(crate) struct RecordedLimitsOut {
    /// Wall-clock time, in milliseconds.
    timeout_ms: u64,
    /// Linear memories and tables together, in bytes.
    memory_bytes: u64,
}

/// A page of executions.
#[derive(Serialize, Object)]
pub(crate) struct ExecutionList {
    /// Newest first.
    items: Vec<ExecutionRecordOut>,
    /// The cursor of the next page; null: this is the last.
    next_cursor: Option<String>,
}

/// The endpoints.
pub(crate) struct Executions;

#[OpenApi]
impl Executions {
    /// List one's executions
    ///
    /// Scope: `execute`.
    #[oai(path = "/api/executions", method = "get", operation_id = "listExecutions", tag = "Group::Executions")]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter, described where it stands")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<Execute>,
        /// Only those of this module: a name, `name@3`, `name@sha256:…` or an id. One version is meant.
        module: Query<Option<String>>,
        /// Only those that ended so.
        status: Query<Option<Word<StatusName, Status>>>,
        /// Only those asked for at or after this time (RFC 3339).
        since: Query<Option<DateTime<Utc>>>,
        /// Only those asked for before this time (RFC 3339).
        until: Query<Option<DateTime<Utc>>>,
        /// At most so many items.
        #[oai(default = "default_limit")]
        limit: Query<PageLimit>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ExecutionList>, Refused<{ NOT_FOUND | INVALID }>> {
        let wanted = Wanted::new(limit.0, cursor.0.as_deref())?;
        let module_id = match module.0 {
            Some(text) => Some(app.find_module(&caller, &text).await?.id),
            None => None,
        };
        let filter = ExecutionFilter {
            user_id: caller.user_id,
            module_id,
            status: status.0.map(|word| word.value),
            since: since.0,
            until: until.0,
        };
        let records = app.platform.storage.list_executions(&filter, wanted.page()).await?;
        let (records, next_cursor) = wanted.cut(records, |record| record.id);
        Ok(Json(ExecutionList { items: records.into_iter().map(Into::into).collect(), next_cursor }))
    }

    /// Look at an execution
    ///
    /// Scope: `execute`.
    #[oai(path = "/api/executions/:id", method = "get", operation_id = "getExecution", tag = "Group::Executions")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<Execute>,
        /// The execution's id.
        id: Path<String>,
    ) -> Result<Json<ExecutionRecordOut>, Refused<{ NOT_FOUND | INVALID }>> {
        let id = super::parse_id("id", &id)?;
        let record = app.platform.storage.execution(caller.user_id, id).await?;
        Ok(Json(record.ok_or_else(|| Error::NotFound(format!("execution {id}")))?.into()))
    }
}

impl From<ExecutionRecord> for ExecutionRecordOut {
    fn from(record: ExecutionRecord) -> Self {
        Self {
            id: record.id,
            status: record.verdict.status.into(),
            exit_code: record.verdict.exit_code,
            module: record.module.into(),
            key_id: record.key_id,
            truncated: record.truncated,
            termination: record.verdict.termination.map(Into::into),
            error: record.verdict.error.map(Into::into),
            limits: RecordedLimitsOut {
                timeout_ms: record.limits.timeout_ms,
                memory_bytes: record.limits.memory_bytes,
            },
            usage: record.usage.into(),
            created_at: record.created_at,
        }
    }
}

//! `GET /api/wasm/modules/{module}/explain`: what an execution would be given.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
};
use serde::Serialize;
use wasmwiz_core::{
    execution::{Limits, RequestedLimits},
    module::{Abi, Inspection},
};

use super::{AbiName, ModuleOut};
use crate::api::{
    App,
    auth::{Caller, Execute},
    error::{INVALID, NOT_FOUND, Refused},
    execute::LimitsOut,
    openapi::Group,
    payload::Json,
};

/// How a module is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
enum ModuleKind {
    /// A program: it has `_start`, which is called.
    Command,
    /// It has no `_start`; one of its functions is named as `entrypoint`.
    Library,
}

/// Whether a module would be run for the caller, and with which limits.
#[derive(Serialize, Object)]
struct Explanation {
    /// Whether it would run.
    admitted: bool,
    /// Why not, or what to mind.
    remarks: Vec<String>,
    /// The module that is meant.
    module: ModuleOut,
    /// The interface it was built for.
    abi: AbiName,
    /// How it is run.
    kind: ModuleKind,
    /// Functions it exports, which can be named as `entrypoint`.
    functions: Vec<String>,
    /// Bytes that its linear memories have at the start, together.
    memory_min_bytes: u64,
    /// The tier whose limits hold.
    tier: String,
    /// Executions of the caller that may run at a time.
    concurrent_executions: u64,
    /// What it may use, and where each limit comes from.
    limits: LimitsOut,
}

/// The endpoint.
pub(in crate::api) struct Explain;

#[OpenApi]
impl Explain {
    /// Explain what an execution would be given
    ///
    /// Runs nothing. The limits asked for are treated as in an execution: asking for more than the policy gives is 422.
    /// Scope: `execute`.
    #[oai(
        path = "/api/wasm/modules/:module/explain",
        method = "get",
        operation_id = "explainModule",
        tag = "Group::Executions"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter, described where it stands")]
    async fn explain(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<Execute>,
        /// A name, `name@3`, `name@sha256:…` or an id.
        module: Path<String>,
        /// Wall-clock time that would be asked for, in milliseconds.
        timeout_ms: Query<Option<u64>>,
        /// Memory that would be asked for, in bytes.
        memory_bytes: Query<Option<u64>>,
        /// Output that would be asked for, in bytes.
        output_bytes: Query<Option<u64>>,
        /// File contents that would be asked for, in bytes.
        file_bytes: Query<Option<u64>>,
    ) -> Result<Json<Explanation>, Refused<{ NOT_FOUND | INVALID }>> {
        let module = app.find_module(&caller, &module).await?;
        let asked = RequestedLimits {
            timeout_ms: timeout_ms.0,
            memory_bytes: memory_bytes.0,
            output_bytes: output_bytes.0,
            file_bytes: file_bytes.0,
        };
        let found = &module.inspection;
        let limits = app.platform.policy.limits(&caller, &asked, found).await?;
        let tier = app.platform.policy.tier(&caller);
        let (admitted, remarks) = judge(found, &limits);
        let functions = found.exports.iter().filter(|export| export.ty.starts_with("(func"));
        Ok(Json(Explanation {
            admitted,
            remarks,
            module: ModuleOut::new(&module, &caller),
            abi: found.abi.into(),
            kind: if found.is_command() { ModuleKind::Command } else { ModuleKind::Library },
            functions: functions.map(|export| export.name.clone()).collect(),
            memory_min_bytes: found.memory_min_bytes,
            tier: tier.name,
            concurrent_executions: tier.concurrent_executions as u64,
            limits: limits.into(),
        }))
    }
}

/// Say whether a module would run, and what to mind.
fn judge(found: &Inspection, limits: &Limits) -> (bool, Vec<String>) {
    let mut obstacles = Vec::new();
    if found.abi == Abi::Unknown {
        obstacles.push("it imports what no interface known here offers; `imports` of the module lists it".to_owned());
    }
    if found.memory_min_bytes > limits.memory_bytes.value {
        obstacles.push(format!(
            "its memories have {} bytes at the start; its limit is {}",
            found.memory_min_bytes, limits.memory_bytes.value
        ));
    }
    let functions = found.exports.iter().any(|export| export.ty.starts_with("(func"));
    if !found.is_command() && !functions {
        obstacles.push("it exports no function, so there is nothing to call".to_owned());
    }
    let admitted = obstacles.is_empty();
    if !found.is_command() && functions {
        obstacles.push("it has no `_start`: name one of its functions as `entrypoint`".to_owned());
    }
    (admitted, obstacles)
}

#[cfg(test)]
mod tests {
    use wasmwiz_core::{
        execution::{Limit, LimitSource},
        module::Export,
    };

    use super::*;

    fn judged(abi: Abi, export: Option<&str>, memory_min_bytes: u64) -> (bool, String) {
        let limit = Limit { value: 65536, source: LimitSource::Tier };
        let limits = Limits {
            timeout_ms: limit,
            memory_bytes: limit,
            output_bytes: limit,
            file_bytes: limit,
            file_entries: limit,
            open_files: limit,
        };
        let export = export.map(|name| Export { name: name.into(), ty: "(func)".into() });
        let found = Inspection { abi, imports: Vec::new(), exports: export.into_iter().collect(), memory_min_bytes };
        let (admitted, remarks) = judge(&found, &limits);
        (admitted, remarks.join("; "))
    }

    #[test]
    fn a_program_within_its_limits_would_run() {
        assert_eq!(judged(Abi::WasiPreview1, Some("_start"), 65536), (true, String::new()));
    }

    #[test]
    fn what_stands_in_the_way_is_said() {
        assert!(!judged(Abi::Unknown, Some("_start"), 0).0);
        assert!(judged(Abi::WasiPreview1, Some("_start"), 65537).1.contains("65537"));
        assert_eq!(judged(Abi::None, None, 0), (false, "it exports no function, so there is nothing to call".into()));
    }

    #[test]
    fn a_library_would_run_when_a_function_is_named() {
        let (admitted, remarks) = judged(Abi::None, Some("add"), 0);
        assert!(admitted && remarks.contains("entrypoint"));
    }
}

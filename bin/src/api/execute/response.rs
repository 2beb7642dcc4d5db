//! What came out of an execution, in JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object};
use serde::Serialize;
use uuid::Uuid;
use wasmwiz_core::{
    execution::{ExecutedModule, Failure, Limit, LimitKind, LimitSource, Limits, Status, Termination, Usage},
    platform::Execution,
};

use super::{
    json::{Encoding, FileContent, encode},
    number::JsonNumber,
};

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", rename = "Status", remote = "Status")]
pub(crate) enum StatusName {
    /// Exit code 0, or the function returned.
    Succeeded,
    /// Another exit code.
    Failed,
    /// The guest did what WebAssembly forbids.
    Trapped,
    /// The wall-clock limit passed.
    TimedOut,
    /// It asked for more memory than it may have, and did not survive the refusal.
    MemoryExceeded,
    /// It wrote more than it may.
    OutputExceeded,
    /// The caller or the server gave up on it.
    Cancelled,
    /// The module cannot run here.
    Rejected,
    /// The server failed.
    InternalError,
}

/// A limit of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", rename = "LimitKind", remote = "LimitKind")]
pub(crate) enum LimitName {
    /// Wall-clock time, in milliseconds.
    TimeoutMs,
    /// Linear memories and tables together, in bytes.
    MemoryBytes,
    /// Standard output and error together, in bytes.
    OutputBytes,
    /// Contents of all files together, in bytes.
    FileBytes,
    /// Files, directories and links together.
    FileEntries,
    /// File descriptors open at a time.
    OpenFiles,
    /// Time to compile the module, in milliseconds.
    CompileMs,
    /// Memory to compile the module, in bytes.
    CompileMemoryBytes,
    /// The compiled form's size, in bytes.
    CompileOutputBytes,
}

/// Where the value of a limit came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", rename = "LimitSource", remote = "LimitSource")]
pub(crate) enum LimitSourceName {
    /// The server's own configuration.
    Server,
    /// The caller's tier.
    Tier,
    /// The caller's key.
    Key,
    /// The module.
    Module,
    /// The request.
    Request,
}

/// Which module ran.
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "ExecutedModule")]
pub(crate) struct ExecutedModuleOut {
    /// Its id; null when its bytes came with the request.
    id: Option<Uuid>,
    /// Its name, if it is stored.
    name: Option<String>,
    /// Its version, if it is stored.
    version: Option<u32>,
    /// The SHA-256 of its bytes, in hexadecimal.
    sha256: String,
}

/// Which limit ended an execution.
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "Termination")]
pub(crate) struct TerminationOut {
    /// The limit.
    limit: LimitName,
    /// Its value, in the unit its name says.
    configured: u64,
    /// What the execution came to, in the same unit.
    observed: u64,
    /// Where the value came from.
    source: LimitSourceName,
    /// What to do about it.
    how_to_raise: String,
}

/// What went wrong, where the status alone does not say it.
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "Failure")]
pub(crate) struct FailureOut {
    /// A stable word: `unreachable`, `integer_divide_by_zero`, `missing_import`, ...
    code: String,
    /// A sentence.
    message: String,
}

/// What an execution used.
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "Usage")]
pub(crate) struct UsageOut {
    /// From the start of the sandbox to its end, in milliseconds.
    wall_ms: f64,
    /// Processor time of the thread that ran it, in milliseconds.
    cpu_ms: f64,
    /// Waiting for a free thread, in milliseconds.
    queued_ms: f64,
    /// Getting the compiled module, in milliseconds; next to nothing when it was cached.
    compile_ms: f64,
    /// The most its linear memories and tables had, in bytes.
    peak_memory_bytes: u64,
    /// Standard output, in bytes.
    stdout_bytes: u64,
    /// Standard error, in bytes.
    stderr_bytes: u64,
    /// Whether it was refused memory, also if it carried on.
    memory_limit_hit: bool,
}

/// A limit's value and where it came from.
#[derive(Clone, Copy, Debug, Serialize, Object)]
#[oai(rename = "Limit")]
pub(crate) struct LimitOut {
    /// In the unit the limit's name says.
    value: u64,
    /// Where it came from.
    source: LimitSourceName,
}

/// What an execution may use.
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "Limits")]
pub(crate) struct LimitsOut {
    /// Wall-clock time, in milliseconds.
    timeout_ms: LimitOut,
    /// Linear memories and tables together, in bytes.
    memory_bytes: LimitOut,
    /// Standard output and error together, in bytes.
    output_bytes: LimitOut,
    /// Contents of all files together, in bytes.
    file_bytes: LimitOut,
    /// Files, directories and links together.
    file_entries: LimitOut,
    /// File descriptors open at a time.
    open_files: LimitOut,
}

/// An execution that has ended.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Execution")]
pub(crate) struct ExecutionResponse {
    /// Its id.
    id: Uuid,
    /// How it ended.
    status: StatusName,
    /// The guest's exit code; null if it did not come to one.
    exit_code: Option<i32>,
    /// What ran.
    module: ExecutedModuleOut,
    /// Standard output.
    stdout: String,
    /// How `stdout` is written: as text if it is UTF-8 and JSON does not have to escape too much of it,
    /// else as base64.
    stdout_encoding: Encoding,
    /// Standard error.
    stderr: String,
    /// How `stderr` is written.
    stderr_encoding: Encoding,
    /// Whether output was cut off.
    truncated: bool,
    /// The files that `collect_files` asked for.
    files: Vec<FileContent>,
    /// What the `entrypoint` returned. NaN and the infinities are written as text.
    results: Vec<JsonNumber>,
    /// The limit that ended it; null if none did.
    termination: Option<TerminationOut>,
    /// What went wrong, for `trapped`, `rejected` and `internal_error`; else null.
    error: Option<FailureOut>,
    /// What it used.
    usage: UsageOut,
    /// When it was asked for.
    created_at: DateTime<Utc>,
}

impl From<&Execution> for ExecutionResponse {
    fn from(execution: &Execution) -> Self {
        let (record, outcome) = (&execution.record, &execution.outcome);
        let (stdout, stdout_encoding) = compact(encode(&outcome.stdout));
        let (stderr, stderr_encoding) = compact(encode(&outcome.stderr));
        Self {
            id: record.id,
            status: record.verdict.status.into(),
            exit_code: record.verdict.exit_code,
            module: record.module.clone().into(),
            stdout,
            stdout_encoding,
            stderr,
            stderr_encoding,
            truncated: outcome.truncated,
            files: outcome.files.iter().map(|file| file_content(&file.path, &file.content)).collect(),
            results: outcome.results.iter().copied().map(JsonNumber::from).collect(),
            termination: record.verdict.termination.clone().map(Into::into),
            error: record.verdict.error.clone().map(Into::into),
            usage: record.usage.into(),
            created_at: record.created_at,
        }
    }
}

fn file_content(path: &str, content: &[u8]) -> FileContent {
    let FileContent { path, content, encoding } = FileContent::encode(path, content);
    let (content, encoding) = compact((content, encoding));
    FileContent { path, content, encoding }
}

/// Write text as base64 when JSON's escapes would make more of it: a NUL becomes six bytes, so that an output at its
/// limit would be an answer six times as large.
fn compact((text, encoding): (String, Encoding)) -> (String, Encoding) {
    let control = |byte: &u8| *byte < 0x20 && !b"\t\n\r".contains(byte);
    if encoding == Encoding::Base64 || !text.as_bytes().iter().any(control) {
        return (text, encoding);
    }
    // RFC 8259 section 7; base64 makes four bytes of three.
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\t' | b'\n' | b'\r' | 0x08 | 0x0c => 2,
        ..0x20 => 6,
        _ => 1,
    });
    match escaped.sum::<usize>() > text.len().div_ceil(3) * 4 {
        true => (STANDARD.encode(text), Encoding::Base64),
        false => (text, encoding),
    }
}

impl From<ExecutedModule> for ExecutedModuleOut {
    fn from(module: ExecutedModule) -> Self {
        Self { id: module.id, name: module.name, version: module.version, sha256: module.sha256.to_string() }
    }
}

impl From<Termination> for TerminationOut {
    fn from(termination: Termination) -> Self {
        Self {
            limit: termination.limit.into(),
            configured: termination.configured,
            observed: termination.observed,
            source: termination.source.into(),
            how_to_raise: termination.how_to_raise,
        }
    }
}

impl From<Failure> for FailureOut {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}

impl From<Usage> for UsageOut {
    fn from(usage: Usage) -> Self {
        // Exact up to 2^53 us, 285 years.
        let ms = |us: u64| us as f64 / 1000.0;
        Self {
            wall_ms: ms(usage.wall_us),
            cpu_ms: ms(usage.cpu_us),
            queued_ms: ms(usage.queued_us),
            compile_ms: ms(usage.compile_us),
            peak_memory_bytes: usage.peak_memory_bytes,
            stdout_bytes: usage.stdout_bytes,
            stderr_bytes: usage.stderr_bytes,
            memory_limit_hit: usage.memory_limit_hit,
        }
    }
}

impl From<Limit> for LimitOut {
    fn from(limit: Limit) -> Self {
        Self { value: limit.value, source: limit.source.into() }
    }
}

impl From<Limits> for LimitsOut {
    fn from(limits: Limits) -> Self {
        Self {
            timeout_ms: limits.timeout_ms.into(),
            memory_bytes: limits.memory_bytes.into(),
            output_bytes: limits.output_bytes.into(),
            file_bytes: limits.file_bytes.into(),
            file_entries: limits.file_entries.into(),
            open_files: limits.open_files.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_as_base64_when_its_escapes_would_be_larger() {
        let kept = ["", "Hello, you!\n", "\t\n\r\n\"\\", "\u{1b}[31mred as a terminal shows it\u{1b}[0m", "ä€😀"];
        for text in kept {
            assert_eq!(compact(encode(text.as_bytes())), (text.to_owned(), Encoding::Utf8));
        }
        for text in ["\0".repeat(1000), format!("{}text", "\u{1}".repeat(4))] {
            let (written, encoding) = compact(encode(text.as_bytes()));
            assert_eq!(encoding, Encoding::Base64);
            assert_eq!(STANDARD.decode(&written).unwrap(), text.as_bytes());
            assert!(written.len() < serde_json::to_string(&text).unwrap().len());
        }
        assert_eq!(compact(encode(b"\xff\0")), ("/wA=".to_owned(), Encoding::Base64));
        assert_eq!(file_content("a", &[0; 30]).encoding, Encoding::Base64);
    }
}

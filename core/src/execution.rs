//! Executions: what is asked, under which limits, how it ended and what it used.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    files::{FileGlobs, InputFile},
    module::ModuleHash,
    principal::words,
};

/// A number a guest's function takes or gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
}

/// An exported function to call instead of `_start`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrypoint {
    /// The export's name.
    pub function: String,
    /// Its arguments. Read as the function's parameter types ask.
    pub params: Vec<Number>,
}

/// A number as a caller writes it, before it is known which type the function asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Integer(i128),
    /// Any other.
    Float(f64),
}

/// What a guest reads as standard input.
#[derive(Debug, Default)]
pub enum Input {
    /// Nothing.
    #[default]
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// Bytes that arrive while it runs, until the sender is dropped.
    Stream(mpsc::Receiver<Bytes>),
}

/// What a caller asks for, the module aside.
#[derive(Debug, Default)]
pub struct Invocation {
    /// Standard input.
    pub input: Input,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Files laid out before the start.
    pub files: Vec<InputFile>,
    /// Which files to return at the end.
    pub collect_files: FileGlobs,
    /// The function to call; `_start` when there is none.
    pub entrypoint: Option<Entrypoint>,
    /// Limits below those the policy gives.
    pub limits: RequestedLimits,
}

/// Limits an execution has. The word is the one used in JSON, config and verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
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
words!(
    LimitKind, "limit",
    LimitKind::TimeoutMs => "timeout_ms",
    LimitKind::MemoryBytes => "memory_bytes",
    LimitKind::OutputBytes => "output_bytes",
    LimitKind::FileBytes => "file_bytes",
    LimitKind::FileEntries => "file_entries",
    LimitKind::OpenFiles => "open_files",
    LimitKind::CompileMs => "compile_ms",
    LimitKind::CompileMemoryBytes => "compile_memory_bytes",
    LimitKind::CompileOutputBytes => "compile_output_bytes",
);

/// Where the value of a limit came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
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
words!(
    LimitSource, "source",
    LimitSource::Server => "server",
    LimitSource::Tier => "tier",
    LimitSource::Key => "key",
    LimitSource::Module => "module",
    LimitSource::Request => "request",
);

/// A limit's value and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// In the unit the limit's name says.
    pub value: u64,
    /// Where it came from.
    pub source: LimitSource,
}

/// The limits of one execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Wall-clock time, in milliseconds.
    pub timeout_ms: Limit,
    /// Linear memories and tables together, in bytes.
    pub memory_bytes: Limit,
    /// Standard output and error together, in bytes.
    pub output_bytes: Limit,
    /// Contents of all files together, in bytes.
    pub file_bytes: Limit,
    /// Files, directories and links together.
    pub file_entries: Limit,
    /// File descriptors open at a time.
    pub open_files: Limit,
}

/// Limits a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestedLimits {
    /// Wall-clock time, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Linear memories and tables together, in bytes.
    pub memory_bytes: Option<u64>,
    /// Standard output and error together, in bytes.
    pub output_bytes: Option<u64>,
    /// Contents of all files together, in bytes.
    pub file_bytes: Option<u64>,
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
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
words!(
    Status, "status",
    Status::Succeeded => "succeeded",
    Status::Failed => "failed",
    Status::Trapped => "trapped",
    Status::TimedOut => "timed_out",
    Status::MemoryExceeded => "memory_exceeded",
    Status::OutputExceeded => "output_exceeded",
    Status::Cancelled => "cancelled",
    Status::Rejected => "rejected",
    Status::InternalError => "internal_error",
);

/// Which limit ended an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    /// The limit.
    pub limit: LimitKind,
    /// Its value.
    pub configured: u64,
    /// What the execution came to, in the same unit.
    pub observed: u64,
    /// Where the value came from.
    pub source: LimitSource,
    /// What to do about it.
    pub how_to_raise: String,
}

impl Termination {
    /// Say that `observed` went past `limit`.
    pub fn new(kind: LimitKind, limit: Limit, observed: u64) -> Self {
        let how_to_raise = match limit.source {
            LimitSource::Request => {
                format!("ask for more in the request's `limits.{kind}`, up to what your tier allows")
            }
            LimitSource::Tier => format!("use a key of a higher tier, or have an operator raise `{kind}` of this tier"),
            LimitSource::Key => format!("have an operator raise `{kind}` of this key"),
            LimitSource::Module => format!("raise `{kind}` of the module"),
            LimitSource::Server => format!("have an operator raise `{kind}` in the server's configuration"),
        };
        Self { limit: kind, configured: limit.value, observed, source: limit.source, how_to_raise }
    }
}

/// What went wrong, where the status alone does not say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word: `unreachable`, `integer_divide_by_zero`, `missing_import`, ...
    pub code: String,
    /// A sentence.
    pub message: String,
}

impl Failure {
    /// The longest message in bytes. Messages repeat names that a module chose, and are kept in records.
    pub const MAX_MESSAGE: usize = 2000;

    /// Say what went wrong. What is longer than [`Failure::MAX_MESSAGE`] is cut off.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > Self::MAX_MESSAGE {
            let end = (0..=Self::MAX_MESSAGE).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
            message.truncate(end);
            message.push_str(" ...");
        }
        Self { code: code.into(), message }
    }
}

/// How an execution ended, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it ended.
    pub status: Status,
    /// The guest's exit code, if it came to one.
    pub exit_code: Option<i32>,
    /// The limit that ended it.
    pub termination: Option<Termination>,
    /// What went wrong, for `trapped`, `rejected` and `internal_error`.
    pub error: Option<Failure>,
}

impl Verdict {
    /// The verdict of a guest that came to an exit code.
    pub fn exited(code: i32) -> Self {
        let status = if code == 0 { Status::Succeeded } else { Status::Failed };
        Self { status, exit_code: Some(code), termination: None, error: None }
    }

    /// The verdict of a guest that a limit ended.
    pub fn limited(status: Status, termination: Termination) -> Self {
        Self { status, exit_code: None, termination: Some(termination), error: None }
    }

    /// A verdict with what went wrong.
    pub fn failed(status: Status, failure: Failure) -> Self {
        Self { status, exit_code: None, termination: None, error: Some(failure) }
    }
}

/// What an execution used. Times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// From the start of the sandbox to its end.
    pub wall_us: u64,
    /// Processor time of the thread that ran it.
    pub cpu_us: u64,
    /// Waiting for a free thread.
    pub queued_us: u64,
    /// Getting the compiled module; next to nothing when it was cached.
    pub compile_us: u64,
    /// The most its linear memories and tables had, in bytes.
    pub peak_memory_bytes: u64,
    /// Standard output, in bytes.
    pub stdout_bytes: u64,
    /// Standard error, in bytes.
    pub stderr_bytes: u64,
    /// Whether it was refused memory.
    pub memory_limit_hit: bool,
}

/// A file a guest left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its path below the guest's root, without a leading slash.
    pub path: String,
    /// Its content.
    pub content: Bytes,
}

/// What comes out of the sandbox.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Standard output; empty if it was streamed.
    pub stdout: Bytes,
    /// Standard error.
    pub stderr: Bytes,
    /// Whether output was cut off.
    pub truncated: bool,
    /// The files asked for.
    pub files: Vec<OutputFile>,
    /// What the called function returned.
    pub results: Vec<Value>,
    /// What it used.
    pub usage: Usage,
}

impl Outcome {
    /// The outcome of a module that did not get to run.
    pub fn without_run(verdict: Verdict, usage: Usage) -> Self {
        Self {
            verdict,
            stdout: Bytes::new(),
            stderr: Bytes::new(),
            truncated: false,
            files: Vec::new(),
            results: Vec::new(),
            usage,
        }
    }
}

/// Which module ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedModule {
    /// Its id; `None` when its bytes came with the request.
    pub id: Option<Uuid>,
    /// Its name, if it is stored.
    pub name: Option<String>,
    /// Its version, if it is stored.
    pub version: Option<u32>,
    /// The hash of its bytes.
    pub sha256: ModuleHash,
}

/// The record of one execution.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionRecord {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// The key used.
    pub key_id: Option<Uuid>,
    /// What ran.
    pub module: ExecutedModule,
    /// How it ended.
    pub verdict: Verdict,
    /// The limits it had.
    pub limits: StoredLimits,
    /// What it used.
    pub usage: Usage,
    /// Whether output was cut off.
    pub truncated: bool,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// The limits as they are kept in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLimits {
    /// Wall-clock time, in milliseconds.
    pub timeout_ms: u64,
    /// Linear memories and tables together, in bytes.
    pub memory_bytes: u64,
}

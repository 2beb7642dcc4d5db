//! Compilation, in a process of its own.
//!
//! Compilers have had bombs, panics, stack overflows and memory blow-ups. The parent hands the module over as a file
//! and gets a file back; whatever happens in between happens to a child with limits on its memory, processor time and
//! output, which is killed at its deadline.

mod child;

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmwiz_core::{
    Error, Result,
    error::BoxError,
    execution::{Failure, Limit, LimitKind, LimitSource, Status, Termination, Verdict},
    helper,
};

use crate::config::CompileConfig;

/// The name of the helper process.
const HELPER: &str = "compile";
/// How much of what the child says is kept.
const STDERR_KEPT: u64 = 16 * 1024;
/// The child's exit code when the system failed it (`EX_IOERR` of sysexits.h): nothing of it is the module's doing.
const EXIT_SYSTEM: u8 = 74;
/// The child's answer begins with one of these: an artifact follows, or a message. As long as an artifact's alignment,
/// so that it can be used where it was read.
const ANSWER_ARTIFACT: &[u8; 16] = b"wasmwiz artifact";
const ANSWER_REFUSED: &[u8; 16] = b"wasmwiz refused:";

/// What a compilation came to.
pub(crate) enum Compiled {
    /// The artifact.
    Artifact(Bytes),
    /// The module cannot be compiled within the limits; every execution of it gets this verdict.
    Refused(Box<Verdict>),
}

/// Compiles modules, a bounded number at a time.
#[derive(Debug)]
pub(crate) struct Compiler {
    config: CompileConfig,
    running: Semaphore,
    waiting: Arc<Semaphore>,
}

impl Compiler {
    pub(crate) fn new(config: CompileConfig) -> Self {
        let (running, waiting) = (Semaphore::new(config.processes), Arc::new(Semaphore::new(config.queue)));
        Self { config, running, waiting }
    }

    /// Compile `wasm`.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when too many compilations wait, [`Error::Internal`] when no child could be started.
    pub(crate) async fn compile(&self, wasm: Bytes) -> Result<Compiled> {
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(overloaded("too many modules wait to be compiled"));
        };
        let patience = Duration::from_millis(self.config.wait_ms);
        let Ok(turn) = tokio::time::timeout(patience, self.running.acquire()).await else {
            return Err(overloaded("other modules are being compiled"));
        };
        let _turn = turn.map_err(|error| Error::internal("compile", error))?;
        let context = |error: BoxError| Error::internal("run the compiler's process", error);
        let files = tokio::task::spawn_blocking(move || input_and_output(&wasm));
        let (input, output, said) = files.await.map_err(|e| context(e.into()))?.map_err(|e| context(e.into()))?;
        let answer = output.try_clone().map_err(|error| context(error.into()))?;
        let words = said.try_clone().map_err(|error| context(error.into()))?;

        let mut command = tokio::process::Command::from(helper::command(HELPER).map_err(|e| context(e.into()))?);
        command
            .args(child::limits(&self.config))
            .stdin(input)
            .stdout(output)
            .stderr(Stdio::from(said))
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| context(error.into()))?;
        let deadline = Duration::from_millis(self.config.timeout_ms);
        let end = match tokio::time::timeout(deadline, child.wait()).await {
            Ok(status) => Some(status.map_err(|error| context(error.into()))?),
            Err(_) => {
                let used = child.id().and_then(processor_time);
                child.kill().await.map_err(|error| context(error.into()))?;
                // A compiler that hardly got to run says nothing about the module.
                if used.is_some_and(|used| used < deadline / 4) {
                    return Err(overloaded("the machine is too busy to compile the module"));
                }
                None
            }
        };
        let config = self.config.clone();
        let judged = tokio::task::spawn_blocking(move || judge(&config, end, answer, words)).await;
        judged.map_err(|error| context(error.into()))?.map_err(|error| Error::unavailable("the compiler", error))
    }
}

/// Files without names: the module for the child to read, and places for its answer and its last words.
fn input_and_output(wasm: &[u8]) -> io::Result<(File, File, File)> {
    let mut input = tempfile::tempfile()?;
    input.write_all(wasm)?;
    input.rewind()?;
    Ok((input, tempfile::tempfile()?, tempfile::tempfile()?))
}

fn overloaded(what: &str) -> Error {
    Error::Overloaded { what: what.to_owned(), retry_after: Duration::from_secs(5) }
}

/// The processor time that a process used so far (proc(5), `/proc/<pid>/schedstat`).
fn processor_time(process: u32) -> Option<Duration> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let nanos = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(nanos.sum()))
}

/// Tell what became of the child from how it ended and what it left.
fn judge(config: &CompileConfig, end: Option<ExitStatus>, mut answer: File, mut said: File) -> io::Result<Compiled> {
    let Some(status) = end else {
        return Ok(refused(config, LimitKind::CompileMs, config.timeout_ms));
    };
    if status.success() {
        let mut bytes = Vec::new();
        answer.rewind()?;
        answer.read_to_end(&mut bytes)?;
        let answer = Bytes::from(bytes);
        return Ok(match answer.first_chunk() {
            Some(ANSWER_ARTIFACT) => Compiled::Artifact(answer.slice(ANSWER_ARTIFACT.len()..)),
            Some(ANSWER_REFUSED) => {
                failed("compile_error", String::from_utf8_lossy(&answer[ANSWER_REFUSED.len()..]).into_owned())
            }
            _ => failed("compiler_crashed", "the compiler ended without an answer".into()),
        });
    }
    let mut words = Vec::new();
    said.rewind()?;
    said.take(STDERR_KEPT).read_to_end(&mut words)?;
    let words = String::from_utf8_lossy(&words);
    tracing::warn!(%status, stderr = %words.trim(), "the compiler's process failed");
    let signal = status.signal().and_then(rustix::process::Signal::from_named_raw);
    if status.code() == Some(EXIT_SYSTEM.into()) || signal == Some(rustix::process::Signal::KILL) {
        // Killed by the system for its own lack of memory, or without room for its files.
        return Err(io::Error::other(format!("the compiler's process could not work ({status}): {}", words.trim())));
    }
    Ok(match signal {
        Some(rustix::process::Signal::XCPU) => refused(config, LimitKind::CompileMs, config.timeout_ms),
        Some(rustix::process::Signal::XFSZ) => {
            refused(config, LimitKind::CompileOutputBytes, config.max_artifact_bytes.saturating_add(1))
        }
        _ if words.contains("memory allocation of") || words.contains("Cannot allocate memory") => {
            refused(config, LimitKind::CompileMemoryBytes, config.memory_bytes.saturating_add(1))
        }
        _ if words.contains("has overflowed its stack") => {
            failed("compiler_crashed", "the module is nested too deeply for the compiler".into())
        }
        _ => failed("compiler_crashed", format!("the compiler could not cope with the module ({status})")),
    })
}

fn refused(config: &CompileConfig, limit: LimitKind, observed: u64) -> Compiled {
    let value = match limit {
        LimitKind::CompileMs => config.timeout_ms,
        LimitKind::CompileMemoryBytes => config.memory_bytes,
        _ => config.max_artifact_bytes,
    };
    let termination = Termination::new(limit, Limit { value, source: LimitSource::Server }, observed);
    let failure = Failure::new("compile_limit", format!("compiling the module went past the server's limit `{limit}`"));
    let verdict =
        Verdict { status: Status::Rejected, exit_code: None, termination: Some(termination), error: Some(failure) };
    Compiled::Refused(Box::new(verdict))
}

fn failed(code: &str, message: String) -> Compiled {
    Compiled::Refused(Box::new(Verdict::failed(Status::Rejected, Failure::new(code, message))))
}

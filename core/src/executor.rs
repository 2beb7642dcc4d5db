//! Executors: sandboxes that run modules.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Result,
    blobs::BlobStore,
    execution::{Invocation, Limits, Outcome},
    module::{CheckedModule, ModuleHash},
    plugin::plugin_kind,
    system::System,
};

plugin_kind!(dyn Executor, "executor", System);

/// Where a module's bytes are, should the compiled form not be at hand.
#[derive(Clone, Debug)]
pub enum ModuleSource {
    /// Here.
    Inline(Bytes),
    /// In the blob store.
    Stored(Arc<dyn BlobStore>),
}

impl ModuleSource {
    /// Fetch the bytes.
    ///
    /// # Errors
    /// When the store does not answer or has lost them.
    pub async fn load(&self, sha256: &ModuleHash) -> Result<Bytes> {
        match self {
            Self::Inline(bytes) => Ok(bytes.clone()),
            Self::Stored(blobs) => blobs
                .get(sha256)
                .await?
                .ok_or_else(|| crate::Error::internal("load the module's bytes", format!("blob {sha256} is missing"))),
        }
    }
}

/// One execution to be done.
#[derive(Debug)]
pub struct Job {
    /// The hash of the module's bytes.
    pub sha256: ModuleHash,
    /// Where they are.
    pub source: ModuleSource,
    /// The program's name, its `argv[0]`.
    pub program: String,
    /// What the caller asks for.
    pub invocation: Invocation,
    /// What it may use.
    pub limits: Limits,
    /// Where standard output goes while it runs, when it is to be streamed.
    pub live_stdout: Option<mpsc::Sender<Bytes>>,
    /// Ends the execution early.
    pub cancel: CancellationToken,
}

/// Figures of an executor, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutorStats {
    /// Threads that run guests.
    pub workers: usize,
    /// Threads that run one now.
    pub busy: usize,
    /// Executions that wait for a thread.
    pub queued: usize,
    /// Most executions that may wait.
    pub queue_capacity: usize,
    /// Modules compiled since the start.
    pub compilations: u64,
    /// Bytes of compiled modules in memory.
    pub cached_bytes: u64,
}

/// Runs modules.
///
/// # Behavior
/// - Every execution gets a fresh sandbox; nothing of it is left for the next one.
/// - The verdict tells how it ended; an error means it did not run: [`crate::Error::Overloaded`] when no more
///   executions can wait, [`crate::Error::Internal`] when the module's bytes cannot be had.
/// - Every limit of the job holds whatever the guest does; a guest is stopped within 100 ms of its deadline.
/// - Dropping the future of [`Executor::execute`] cancels the execution.
#[async_trait]
pub trait Executor: Debug + Send + Sync + 'static {
    /// Check bytes that are to be a module: WebAssembly's binary format, or its text format.
    ///
    /// # Errors
    /// [`crate::Error::InvalidModule`] with the byte at which it is wrong.
    async fn inspect(&self, bytes: Bytes) -> Result<CheckedModule>;

    /// Run a module.
    async fn execute(&self, job: Job) -> Result<Outcome>;

    /// Say how busy it is.
    fn stats(&self) -> ExecutorStats;

    /// Check that modules can be run.
    async fn ping(&self) -> Result<()>;

    /// Cancel what runs and wait for it, before the program ends.
    async fn close(&self);
}

//! The executor: from a job to an outcome.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use wasmwiz_core::{
    Error, Result,
    execution::{Failure, Outcome, Status, Usage, Verdict},
    executor::{Executor, ExecutorStats, Job},
    module::CheckedModule,
    system::System,
};

use crate::{
    artifacts::Artifacts,
    config::WasmerConfig,
    disk_cache::DiskCache,
    inspect::inspect,
    pool_memory::MemoryPool,
    sandbox::{Request, Sandbox, micros},
    wasix,
    workers::Workers,
};

/// Runs modules with Wasmer.
pub struct WasmerExecutor {
    artifacts: Artifacts,
    sandbox: Arc<Sandbox>,
    workers: Workers,
    queue: usize,
    /// Modules are checked so many at a time; it is work for a core.
    checking: Arc<Semaphore>,
}

impl fmt::Debug for WasmerExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmerExecutor").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl WasmerExecutor {
    /// Start the threads and open the cache.
    ///
    /// # Errors
    /// A folder that cannot be used, or threads that cannot be started.
    pub fn start(config: WasmerConfig, system: System) -> std::result::Result<Self, wasmwiz_core::error::BoxError> {
        let config = config.resolved();
        let disk = match &system.data_dir {
            None => None,
            Some(data_dir) => {
                let folder = match config.cache_dir.as_str() {
                    "" => data_dir.join("artifacts"),
                    folder => folder.into(),
                };
                std::fs::create_dir_all(data_dir)?;
                let key = data_dir.join("artifact.key");
                let opened = DiskCache::open(folder.clone(), &key, config.cache_bytes, &*system.random);
                Some(opened.map_err(|error| format!("cannot use the cache folder {}: {error}", folder.display()))?)
            }
        };
        let patience = Duration::from_millis(config.memory_wait_ms);
        let pool = MemoryPool::new(config.memory_pool_bytes, config.small_memory_bytes, patience);
        let sandbox = Sandbox { pool: Arc::new(pool), wasix: wasix::Shared::new(), system };
        Ok(Self {
            artifacts: Artifacts::new(&config, disk),
            sandbox: Arc::new(sandbox),
            workers: Workers::start(config.workers, config.queue)?,
            queue: config.queue,
            checking: Arc::new(Semaphore::new(config.compile.processes)),
        })
    }
}

#[async_trait]
impl Executor for WasmerExecutor {
    async fn inspect(&self, bytes: Bytes) -> Result<CheckedModule> {
        /// Tells the check that nobody waits for it any more.
        struct Gone(Arc<AtomicBool>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let gone = Gone(Arc::new(AtomicBool::new(false)));
        let turn = self.checking.clone().acquire_owned().await;
        let turn = turn.map_err(|error| Error::internal("check the module", error))?;
        let seen = gone.0.clone();
        // Large modules take a while to check, which would hold up other requests on this thread.
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inspect(bytes, &seen)
        })
        .await;
        checked.unwrap_or_else(|error| Err(Error::internal("check the module", error)))
    }

    async fn execute(&self, job: Job) -> Result<Outcome> {
        let asked = Instant::now();
        // Whoever stops waiting for the answer ends the execution.
        let _cancel = job.cancel.clone().drop_guard();
        let artifact = tokio::select! {
            artifact = self.artifacts.get(job.sha256, &job.source) => artifact?,
            () = job.cancel.cancelled() => return Ok(cancelled(asked)),
        };
        let compile = asked.elapsed();
        let artifact = match artifact {
            Ok(artifact) => artifact,
            Err(verdict) => {
                let usage = Usage { compile_us: micros(compile), ..Usage::default() };
                return Ok(Outcome::without_run((*verdict).clone(), usage));
            }
        };
        let request = Request {
            artifact,
            program: job.program,
            invocation: job.invocation,
            limits: job.limits,
            live_stdout: job.live_stdout,
            cancel: job.cancel.clone(),
            queued_at: Instant::now(),
            compile,
        };
        let (answer, outcome) = oneshot::channel();
        let sandbox = self.sandbox.clone();
        let task = Box::new(move |slot: &crate::workers::Slot| {
            let outcome = if request.cancel.is_cancelled() {
                Ok(cancelled(asked))
            } else {
                let run = std::panic::AssertUnwindSafe(|| sandbox.run(request, slot));
                std::panic::catch_unwind(run).unwrap_or_else(|_| Ok(panicked(asked)))
            };
            let _ = answer.send(outcome);
        });
        self.workers.submit(task).map_err(|_| Error::Overloaded {
            what: "too many executions wait for a free thread".into(),
            retry_after: Duration::from_secs(1),
        })?;
        outcome.await.map_err(|error| Error::internal("run the module", error))?
    }

    fn stats(&self) -> ExecutorStats {
        let (workers, busy, queued) = self.workers.load();
        ExecutorStats {
            workers,
            busy,
            queued,
            queue_capacity: self.queue,
            compilations: self.artifacts.compilations(),
            cached_bytes: self.artifacts.cached_bytes(),
        }
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn close(&self) {
        self.workers.close();
    }
}

fn cancelled(asked: Instant) -> Outcome {
    let failure = Failure::new("cancelled", "the caller or the server gave up before it ran");
    ended(asked, Verdict::failed(Status::Cancelled, failure))
}

fn panicked(asked: Instant) -> Outcome {
    let failure = Failure::new("host_failed", "the host failed while it ran the module; the server's log says more");
    ended(asked, Verdict::failed(Status::InternalError, failure))
}

fn ended(asked: Instant, verdict: Verdict) -> Outcome {
    Outcome::without_run(verdict, Usage { queued_us: micros(asked.elapsed()), ..Usage::default() })
}

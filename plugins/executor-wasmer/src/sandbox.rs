//! One execution: a fresh store, instance, memory and file system, and a verdict.

use std::{
    ptr::NonNull,
    sync::{Arc, atomic::AtomicI32},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wasmer::{Imports, Instance, InstantiationError, RuntimeError, Store, WASM_PAGE_SIZE};
use wasmwiz_core::{
    Error, Result,
    execution::{
        Failure, Input, Invocation, Limit, LimitKind, Limits, Outcome, OutputFile, Status, Termination, Usage, Value,
        Verdict,
    },
    module::Abi,
    system::System,
};

use crate::{
    artifacts::Artifact,
    entry::{Entry, INITIALIZE, Refusal},
    guest::{Guest, Prepared, World},
    interrupt::START_EXPORT,
    memory::{Budget, Instantiation, charged},
    pool_memory::MemoryPool,
    stdio::{Output, Stdin},
    stop::{Stop, StopReason},
    trap, wasix,
    workers::{Slot, Watched},
};

/// The most memories of a module. Each reserves 6 GiB of addresses, of which a process has 128 TiB.
const MAX_MEMORIES: usize = 8;
/// The most that an instance may need besides memories and tables, in bytes. Initialising it cannot be interrupted, and
/// this much takes some 30 ms; a program of 100,000 functions needs a quarter of it.
const MAX_INSTANCE_BYTES: u64 = 32 << 20;
/// What of it is not charged to the memory limit, in bytes: ordinary programs need less, and their limit is then what
/// they see.
const FREE_INSTANCE_BYTES: u64 = 1 << 20;

/// What executions share. Nothing in it remembers a guest.
pub(crate) struct Sandbox {
    pub(crate) pool: Arc<MemoryPool>,
    pub(crate) wasix: wasix::Shared,
    pub(crate) system: System,
}

/// One execution to be done.
pub(crate) struct Request {
    pub(crate) artifact: Artifact,
    pub(crate) program: String,
    pub(crate) invocation: Invocation,
    pub(crate) limits: Limits,
    pub(crate) live_stdout: Option<mpsc::Sender<Bytes>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) queued_at: Instant,
    pub(crate) compile: Duration,
}

/// What the host has in hand while a guest runs.
struct Run<'a> {
    sandbox: &'a Sandbox,
    artifact: &'a Artifact,
    limits: &'a Limits,
    stop: Arc<Stop>,
    budget: Arc<Budget>,
    output: Output,
    started: Instant,
}

impl Sandbox {
    /// Run a module on the calling thread.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the entry point asked for is not there or its arguments do not fit, and
    /// [`Error::Overloaded`] when the machine had no memory left for it.
    pub(crate) fn run(&self, request: Request, slot: &Slot) -> Result<Outcome> {
        let started = Instant::now();
        let cpu_started = cpu_time();
        let Request { artifact, program, invocation, limits, live_stdout, cancel, queued_at, compile } = request;
        let stop = Arc::new(Stop::new(started + Duration::from_millis(limits.timeout_ms.value)));
        let _watch = slot.watch(Watched { stop: stop.clone(), cancel });
        let budget = Arc::new(Budget::new(limits.memory_bytes.value, self.pool.clone(), stop.clone()));
        let output = Output::new(limits.output_bytes.value, live_stdout, stop.clone());
        let run = Run {
            sandbox: self,
            artifact: &artifact,
            limits: &limits,
            stop,
            budget: budget.clone(),
            output: output.clone(),
            started,
        };
        let Finished { verdict, results, files } = match run.guest(program, invocation) {
            Ok(finished) => finished,
            Err(Ended::Verdict(verdict)) => Finished { verdict: *verdict, results: Vec::new(), files: Vec::new() },
            Err(Ended::Error(error)) => return Err(error),
        };
        if budget.overloaded() {
            let what = "the machine's memory is in use by other executions".to_owned();
            return Err(Error::Overloaded { what, retry_after: Duration::from_secs(1) });
        }
        let written = output.take();
        let usage = Usage {
            wall_us: micros(started.elapsed()),
            cpu_us: micros(cpu_time().saturating_sub(cpu_started)),
            queued_us: micros(started.duration_since(queued_at) + budget.waited()),
            compile_us: micros(compile),
            peak_memory_bytes: budget.peak(),
            stdout_bytes: written.stdout_bytes,
            stderr_bytes: written.stderr.len() as u64,
            memory_limit_hit: budget.refused().is_some(),
        };
        let (stdout, stderr, truncated) = (written.stdout.into(), written.stderr.into(), written.truncated);
        Ok(Outcome { verdict, stdout, stderr, truncated, files, results, usage })
    }
}

/// What a guest that ran left behind.
struct Finished {
    verdict: Verdict,
    results: Vec<Value>,
    files: Vec<OutputFile>,
}

/// Why a guest did not get to run.
enum Ended {
    Verdict(Box<Verdict>),
    Error(Error),
}

impl From<Verdict> for Ended {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(Box::new(verdict))
    }
}

impl Run<'_> {
    /// Make the guest's world, run it, and give what is left of it.
    fn guest(&self, program: String, invocation: Invocation) -> Result<Finished, Ended> {
        let module = &self.artifact.module;
        self.check_minimum()?;
        let entry = Entry::choose(module, invocation.entrypoint.as_ref()).map_err(|refusal| match refusal {
            Refusal::Verdict(verdict) => Ended::Verdict(verdict),
            Refusal::Invalid(error) => Ended::Error(error),
        })?;
        if self.artifact.abi == Abi::Unknown {
            return Err(self.missing_imports().into());
        }
        let wanted = invocation.collect_files.clone();
        let mut store = Store::new(self.artifact.engine.clone());
        let (made, Instantiation { memories, globals, .. }) = charged(&self.budget, &self.stop, || {
            let Prepared { imports, mut guest } = self.prepare(&mut store, program, invocation)?;
            let instance = self.instantiate(&mut store, &imports)?;
            let connected = guest.connect(&mut store, &instance);
            connected.map_err(|failure| Verdict::failed(Status::Rejected, failure))?;
            Ok::<_, Ended>((guest, instance))
        });
        let (mut guest, instance) = made?;
        guest.set_memory(&mut store, module, &memories);
        // SAFETY: the global is an i32 that `interrupt` added. It lives in the instance, which the store keeps, and the
        // store is dropped after the guard.
        let attached = globals.stop.map(|flag| unsafe { Attached::new(self.stop.clone(), flag.cast()) });
        let called = self.call(&mut store, &instance, &entry);
        // SAFETY: as above, and the guest does not run.
        if globals.table_refused.is_some_and(|refused| unsafe { refused.cast::<i32>().read() } != 0) {
            self.budget.table_refused();
        }
        let (verdict, results) = match called {
            Ok(results) => (Verdict::exited(0), results),
            Err(error) => (self.judge(&guest, error), Vec::new()),
        };
        drop(attached);
        let files = guest.files(&wanted);
        guest.finish(store);
        Ok(Finished { verdict, results, files })
    }

    fn prepare(&self, store: &mut Store, program: String, invocation: Invocation) -> Result<Prepared, Ended> {
        let stdin = match invocation.input {
            Input::Empty => Stdin::bytes(Bytes::new()),
            Input::Bytes(bytes) => Stdin::bytes(bytes),
            Input::Stream(stream) => Stdin::stream(stream),
        };
        let mut args = Vec::with_capacity(invocation.args.len() + 1);
        args.push(program);
        args.extend(invocation.args);
        let world = World {
            args,
            env: invocation.env,
            files: invocation.files,
            stdin,
            output: self.output.clone(),
            stop: self.stop.clone(),
            system: &self.sandbox.system,
            limits: self.limits,
        };
        Guest::prepare(self.artifact, &self.sandbox.wasix, store, world).map_err(|refusal| {
            let over = self.stopped().or_else(|| self.budget.refused().map(|bytes| self.memory_exceeded(bytes)));
            Ended::Verdict(over.map_or(refusal, Box::new))
        })
    }

    fn instantiate(&self, store: &mut Store, imports: &Imports) -> Result<Instance, Ended> {
        Instance::new(store, &self.artifact.module, imports).map_err(|error| {
            let over = self.budget.refused().map(|bytes| self.memory_exceeded(bytes));
            if let Some(verdict) = self.stopped().or(over) {
                return verdict.into();
            }
            match error {
                InstantiationError::Start(error) => self.trapped(&error).into(),
                error => {
                    Verdict::failed(Status::Rejected, Failure::new("cannot_instantiate", error.to_string())).into()
                }
            }
        })
    }

    /// Call what is to be called: the start function, a reactor's `_initialize`, and the entry point.
    fn call(&self, store: &mut Store, instance: &Instance, entry: &Entry) -> Result<Vec<Value>, RuntimeError> {
        let initialize = if entry.initializes() { None } else { Some(INITIALIZE) };
        for name in [Some(START_EXPORT), initialize].into_iter().flatten() {
            if let Ok(function) = instance.exports.get_typed_function::<(), ()>(store, name) {
                function.call(store)?;
            }
        }
        entry.call(store, instance)
    }

    fn judge(&self, guest: &Guest, error: RuntimeError) -> Verdict {
        if let Some(code) = guest.exit_code(&error) {
            return Verdict::exited(code);
        }
        if let Some(verdict) = self.stopped() {
            return verdict;
        }
        match (guest.host_failure(&error), self.budget.refused()) {
            (Some(failure), _) => Verdict::failed(Status::InternalError, failure),
            (None, Some(bytes)) => self.memory_exceeded(bytes),
            (None, None) => self.trapped(&error),
        }
    }

    /// The verdict of an execution that was told to end.
    fn stopped(&self) -> Option<Verdict> {
        Some(match self.stop.reason()? {
            StopReason::Deadline => {
                let observed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
                let observed = observed.max(self.limits.timeout_ms.value);
                self.limited(Status::TimedOut, LimitKind::TimeoutMs, self.limits.timeout_ms, observed)
            }
            StopReason::Output => {
                let limit = self.limits.output_bytes;
                self.limited(Status::OutputExceeded, LimitKind::OutputBytes, limit, limit.value.saturating_add(1))
            }
            StopReason::Cancelled => {
                let failure = Failure::new("cancelled", "the caller or the server gave up on the execution");
                Verdict::failed(Status::Cancelled, failure)
            }
        })
    }

    fn trapped(&self, error: &RuntimeError) -> Verdict {
        Verdict::failed(Status::Trapped, trap::describe(error))
    }

    fn limited(&self, status: Status, kind: LimitKind, limit: Limit, observed: u64) -> Verdict {
        Verdict::limited(status, Termination::new(kind, limit, observed))
    }

    fn memory_exceeded(&self, observed: u64) -> Verdict {
        self.limited(Status::MemoryExceeded, LimitKind::MemoryBytes, self.limits.memory_bytes, observed)
    }

    /// Refuse a module that would have more memory at its start than it may ever have.
    fn check_minimum(&self) -> Result<(), Ended> {
        let memories = self.artifact.module.info().memories.values();
        let bytes: u64 = memories.map(|memory| u64::from(memory.minimum.0) * WASM_PAGE_SIZE as u64).sum();
        if !self.budget.allows(bytes) {
            return Err(self.memory_exceeded(bytes).into());
        }
        let (count, instance) = (self.artifact.module.info().memories.len(), self.artifact.instance_bytes);
        if count > MAX_MEMORIES || instance > MAX_INSTANCE_BYTES {
            let message = format!(
                "the module has {count} memories and needs {instance} bytes of the host for its functions, globals and \
                 tables' contents; at most {MAX_MEMORIES} and {MAX_INSTANCE_BYTES} are given"
            );
            return Err(Verdict::failed(Status::Rejected, Failure::new("too_large", message)).into());
        }
        let charged = instance.saturating_sub(FREE_INSTANCE_BYTES);
        if !self.budget.charge_host(charged) {
            return Err(self.budget_verdict().into());
        }
        Ok(())
    }

    /// The verdict of an execution that was refused memory before its guest ran.
    fn budget_verdict(&self) -> Verdict {
        self.stopped().unwrap_or_else(|| self.memory_exceeded(self.budget.refused().unwrap_or_default()))
    }

    fn missing_imports(&self) -> Verdict {
        let imports = self.artifact.module.info().imports.keys();
        let names: Vec<String> = imports.map(|key| format!("{}.{}", key.module, key.field)).take(20).collect();
        let message = format!(
            "the module imports from outside wasi_snapshot_preview1, wasi_unstable and wasix_32v1: {}",
            names.join(", ")
        );
        Verdict::failed(Status::Rejected, Failure::new("missing_import", message))
    }
}

/// The guest's stop flag in the hands of [`Stop`], for as long as the instance lives.
struct Attached(Arc<Stop>);

impl Attached {
    /// # Safety
    /// `flag` must stay valid as long as the guard.
    unsafe fn new(stop: Arc<Stop>, flag: NonNull<AtomicI32>) -> Self {
        // SAFETY: the caller's promise; `drop` detaches.
        unsafe { stop.attach(flag) };
        Self(stop)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.detach();
    }
}

/// The processor time of the calling thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

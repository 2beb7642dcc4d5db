//! Compiled modules: in memory, on disk, or to be made.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use moka::future::Cache;
use tokio::sync::Semaphore;
use wasmer::{Engine, Module};
use wasmer_types::ModuleInfo;
use wasmwiz_core::{
    Error, Result,
    execution::Verdict,
    executor::ModuleSource,
    module::{Abi, ModuleHash},
};

use crate::{
    compile::{Compiled, Compiler},
    config::WasmerConfig,
    disk_cache::DiskCache,
    engine,
};

/// The most modules remembered for not compiling. An entry is a verdict: a few hundred bytes.
const MAX_FAILURES: u64 = 10_000;

/// A module ready to run.
#[derive(Clone)]
pub(crate) struct Artifact {
    pub(crate) module: Module,
    /// The engine that holds its machine code. One for each module, because an engine never frees code that it was
    /// given, and because it panics for good when two of its function types have the same hash (a CRC-32), which a
    /// module can bring about: so it can only hurt itself.
    pub(crate) engine: Engine,
    /// Bytes that the host needs for an instance, besides memories and tables.
    pub(crate) instance_bytes: u64,
    pub(crate) abi: Abi,
    bytes: u32,
}

/// Gives compiled modules, and compiles each at most once at a time.
pub(crate) struct Artifacts {
    stack_bytes: usize,
    compiler: Compiler,
    memory: Cache<ModuleHash, Artifact>,
    failures: Cache<ModuleHash, Arc<Verdict>>,
    disk: Option<Arc<DiskCache>>,
    /// Artifacts are loaded so many at a time: one may have `max_artifact_bytes`, and has them twice while it is loaded.
    loading: Semaphore,
    compilations: AtomicU64,
}

/// Why there is no artifact: the module's verdict, or an error of ours. Shared by all who waited for it.
#[derive(Clone)]
enum Missing {
    Refused(Arc<Verdict>),
    Failed(Arc<Error>),
}

impl Artifacts {
    pub(crate) fn new(config: &WasmerConfig, disk: Option<DiskCache>) -> Self {
        Self {
            stack_bytes: config.stack_bytes,
            compiler: Compiler::new(config.compile.clone()),
            memory: Cache::builder()
                .max_capacity(config.memory_cache_bytes)
                .weigher(|_, artifact: &Artifact| artifact.bytes)
                .build(),
            failures: Cache::builder()
                .max_capacity(MAX_FAILURES)
                .time_to_live(Duration::from_millis(config.compile.failure_ttl_ms))
                .build(),
            disk: disk.map(Arc::new),
            loading: Semaphore::new(config.compile.threads),
            compilations: AtomicU64::new(0),
        }
    }

    /// Give the compiled form of a module, or the verdict of a module that has none.
    ///
    /// # Errors
    /// When the module's bytes cannot be had or the compiler cannot be started.
    pub(crate) async fn get(
        &self,
        sha256: ModuleHash,
        source: &ModuleSource,
    ) -> Result<std::result::Result<Artifact, Arc<Verdict>>> {
        if let Some(artifact) = self.memory.get(&sha256).await {
            return Ok(Ok(artifact));
        }
        if let Some(verdict) = self.failures.get(&sha256).await {
            return Ok(Err(verdict));
        }
        match self.memory.try_get_with(sha256, self.load_or_compile(sha256, source)).await {
            Ok(artifact) => Ok(Ok(artifact)),
            Err(missing) => match &*missing {
                Missing::Refused(verdict) => Ok(Err(verdict.clone())),
                Missing::Failed(error) => Err(shared(error)),
            },
        }
    }

    pub(crate) fn compilations(&self) -> u64 {
        self.compilations.load(Ordering::Relaxed)
    }

    pub(crate) fn cached_bytes(&self) -> u64 {
        self.memory.weighted_size()
    }

    async fn load_or_compile(
        &self,
        sha256: ModuleHash,
        source: &ModuleSource,
    ) -> std::result::Result<Artifact, Missing> {
        let failed = |error| Missing::Failed(Arc::new(error));
        if let Some(disk) = self.disk.clone() {
            let _turn = self.loading.acquire().await;
            let read = tokio::task::spawn_blocking(move || disk.read(&sha256)).await;
            if let Ok(Some(bytes)) = read
                && let Ok(artifact) = self.deserialize(bytes).await
            {
                return Ok(artifact);
            }
        }
        let wasm = source.load(&sha256).await.map_err(failed)?;
        self.compilations.fetch_add(1, Ordering::Relaxed);
        match self.compiler.compile(wasm).await.map_err(failed)? {
            Compiled::Refused(verdict) => {
                let verdict: Arc<Verdict> = Arc::from(verdict);
                self.failures.insert(sha256, verdict.clone()).await;
                Err(Missing::Refused(verdict))
            }
            Compiled::Artifact(bytes) => {
                if let Some(disk) = self.disk.clone() {
                    let bytes = bytes.clone();
                    // Whoever waits for the artifact need not wait for the disk.
                    tokio::task::spawn_blocking(move || disk.write(&sha256, &bytes));
                }
                self.deserialize(bytes).await.map_err(failed)
            }
        }
    }

    async fn deserialize(&self, bytes: Bytes) -> Result<Artifact> {
        let engine = engine::running(self.stack_bytes);
        let load = move || {
            let weight = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            // SAFETY: the bytes come from our own compiler's process, or from the disk under a MAC that only this
            // server can make.
            let module = unsafe { Module::deserialize_unchecked(&engine, bytes) };
            module.map(|module| {
                let spaces = module.info().imports.keys().map(|key| (key.module.as_str(), key.field.as_str()));
                let (abi, instance_bytes) = (crate::inspect::abi(spaces), instance_bytes(module.info()));
                Artifact { module, engine, instance_bytes, abi, bytes: weight }
            })
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        let loaded = loaded.map_err(|error| Error::internal("load the compiled module", error))?;
        loaded.map_err(|error| Error::internal("load the compiled module", error))
    }
}

/// What Wasmer allocates for each instance of a module: a record for every function, global, export and passive
/// segment, and a reference for every passive element (wasmer-vm `VMInstance::new`), rounded up.
fn instance_bytes(module: &ModuleInfo) -> u64 {
    let elements: usize = module.passive_elements.values().map(|elements| elements.len()).sum();
    [
        (elements, 8),
        (module.functions.len(), 64),
        (module.globals.len(), 96),
        (module.exports.len(), 200),
        (module.passive_data.len(), 48),
        (module.signatures.len(), 16),
    ]
    .iter()
    .map(|(count, bytes)| *count as u64 * bytes)
    .sum()
}

/// Give an error to one more of those who waited for the same thing.
fn shared(error: &Arc<Error>) -> Error {
    match &**error {
        Error::Overloaded { what, retry_after } => Error::Overloaded { what: what.clone(), retry_after: *retry_after },
        Error::Unavailable { what, .. } => Error::unavailable(what.clone(), wasmwiz_core::error::chain(error)),
        _ => Error::internal("prepare the module", wasmwiz_core::error::chain(error)),
    }
}

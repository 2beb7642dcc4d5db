//! Running WASIX guests on wasmer-wasix, denied everything but memory.
//!
//! wasmer-wasix keeps the descriptors, paths, arguments and signals of a guest. Between it and the guest stands a
//! function of ours for every import ([`calls`]), which lets a call through, answers it, or refuses it ([`rules`]).
//! Three things rest on that:
//!
//! - **Nothing is granted by default.** A function that [`rules`] does not name answers `ENOTSUP`.
//! - **Every wait is ours.** Sleeping, polling, futexes, and reads and writes of what can wait ([`waits`],
//!   [`streams`]) go through [`Stop`], so that nobody has to wake a guest: no watchdog, signal or async runtime is
//!   needed beside [`Stop::request`]. No function that is let through waits for anything.
//! - **A panic of wasmer-wasix** ends the guest's execution ([`Outcome::HostFailed`]) and nothing else.
//!
//! The order of a run: [`prepare`], `Instance::new` with the imports, [`Session::initialize`], then the caller
//! calls `_start` (or `_initialize` and another export) itself and asks [`Session::outcome`] about an error; then
//! [`Session::files`] and [`Session::finish`]. All of it happens on the calling thread.

mod calls;
mod descriptors;
mod files;
mod guest;
mod handle;
mod rules;
mod runtime;
mod streams;
#[cfg(test)]
mod tests;
mod waits;

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use thiserror::Error;
use wasmer::{
    AsStoreMut, Extern, ExternType, FunctionEnv, Imports, Instance, Memory, MemoryError, MemoryType, Module,
    RuntimeError, Store,
};
use wasmer_wasix::{
    Fd, FsError, Runtime, VIRTUAL_ROOT_FD, WasiEnvBuilder, WasiError, WasiFs, WasiFunctionEnv,
    WasiModuleInstanceHandles, WasiModuleTreeHandles, WasiVersion,
    capabilities::Capabilities,
    fs::Kind,
    generate_import_object_from_env,
    virtual_fs::{FileSystem, null_file::NullFile},
};
use wasmwiz_core::system::{Clock, Random};

pub use self::files::Quota;
use self::{
    calls::{Exited, Panicked},
    descriptors::Descriptors,
    files::Files,
    guest::Kept,
    runtime::Bare,
};
use crate::{
    stdio::{Output, Stdin},
    stop::{Stop, StopReason, Stopped},
};

/// What executions share: a runtime without state.
#[derive(Clone, Debug)]
pub struct Shared {
    runtime: Arc<dyn Runtime + Send + Sync>,
}

impl Shared {
    /// Make what executions share, once a process.
    pub fn new() -> Self {
        Self { runtime: Arc::new(Bare::new()) }
    }
}

/// What one execution is given.
pub struct Config {
    /// Arguments; the first is the program's name.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Files by path, and directories where there are no contents.
    pub files: Vec<(String, Option<Bytes>)>,
    /// Standard input.
    pub stdin: Stdin,
    /// Standard output and error.
    pub output: Output,
    /// The switch that ends the execution.
    pub stop: Arc<Stop>,
    /// The time the guest is told.
    pub clock: Arc<dyn Clock>,
    /// The random bytes the guest is given.
    pub random: Arc<dyn Random>,
    /// What the guest may keep in files.
    pub quota: Quota,
    /// Open descriptors, the four that a guest starts with included.
    pub max_descriptors: usize,
}

/// Why a guest cannot run.
#[derive(Debug, Error)]
pub enum Error {
    /// An argument or variable that WASI cannot express.
    #[error("arguments or environment cannot be given to the guest: {0}")]
    Environment(String),
    /// An input file that the file system does not take.
    #[error("cannot put `{path}` into the guest's file system")]
    File {
        /// The path as it was given.
        path: String,
        /// What is wrong with it.
        source: FsError,
    },
    /// The module imports something that there is not.
    #[error("unknown import `{module}.{name}`")]
    UnknownImport {
        /// The module's name for where it comes from.
        module: String,
        /// What it asks for.
        name: String,
    },
    /// The memory that the module imports cannot be made, or is over the limit.
    #[error("cannot make the guest's memory")]
    Memory(#[from] MemoryError),
    /// wasmer-wasix refused or failed.
    #[error("wasmer-wasix failed: {0}")]
    Host(String),
}

/// How a call of the guest ended that ended with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest exited by itself.
    Exited(i32),
    /// The host ended it.
    Stopped(StopReason),
    /// wasmer-wasix panicked in the named function.
    HostFailed(String),
    /// The guest trapped; the error says how.
    Trapped,
}

/// One execution.
pub struct Session {
    kept: FunctionEnv<Kept>,
    wasi: WasiFunctionEnv,
    memory: Option<Memory>,
    files: Files,
    stop: Arc<Stop>,
}

/// Make the imports of `module`, which is to run in `store`.
///
/// The memory that the module imports, if it does, is made here, through the store's engine and its tunables.
///
/// # Errors
/// [`Error`] when the module or the configuration asks for what there is not.
pub fn prepare(
    shared: &Shared,
    store: &mut Store,
    module: &Module,
    config: Config,
) -> Result<(Imports, Session), Error> {
    let files = Files::new(config.quota, config.clock.clone());
    for (path, contents) in config.files {
        files.add(&path, contents).map_err(|source| Error::File { path, source })?;
    }
    let wasi = environment(shared, store, config.args, config.env, files.clone())?;
    let kept = Kept {
        stop: config.stop.clone(),
        stdin: config.stdin,
        output: config.output,
        started: config.clock.monotonic(),
        clock: config.clock,
        random: config.random,
        files: files.clone(),
        descriptors: Descriptors::new(config.max_descriptors),
        memory: None,
        exited: None,
        nested: 0,
    };
    let kept = FunctionEnv::new(store, kept);
    let (imports, memory) = imports(store, module, &wasi, &kept)?;
    Ok((imports, Session { kept, wasi, memory, files, stop: config.stop }))
}

/// Make wasmer-wasix's side of an execution.
fn environment(
    shared: &Shared,
    store: &mut Store,
    mut args: Vec<String>,
    env: Vec<(String, String)>,
    files: Files,
) -> Result<WasiFunctionEnv, Error> {
    let mut capabilities = Capabilities::new();
    capabilities.threading.max_threads = Some(1);
    capabilities.threading.enable_asynchronous_threading = false;
    let mut builder = WasiEnvBuilder::new("")
        .runtime(shared.runtime.clone())
        .capabilities(capabilities)
        .disable_default_builtins(true)
        .fs(Arc::new(files) as Arc<dyn FileSystem + Send + Sync>)
        // These only hold the descriptors' places; see `streams`.
        .stdin(Box::<NullFile>::default())
        .stdout(Box::<NullFile>::default())
        .stderr(Box::<NullFile>::default())
        .envs(env)
        .setup_fs(Box::new(|_, fs| one_root(fs)));
    builder.get_args_mut().clear();
    builder.get_args_mut().append(&mut args);
    builder.add_preopen_dir("/").map_err(|error| Error::Host(error.to_string()))?;
    builder.finalize(store).map_err(|error| Error::Environment(error.to_string()))
}

/// Leave one directory open, the one where files can be made, under the number of the root.
///
/// By itself wasmer-wasix opens a virtual root that holds nothing but other open directories, and programs take the
/// first directory they find for the root.
fn one_root(fs: &mut WasiFs) -> Result<(), String> {
    let descriptors = fs.fd_map.get_mut().map_err(|error| error.to_string())?;
    let last = descriptors.keys().max().unwrap_or(0);
    let inode = descriptors.remove(last).ok_or("no directory is open")?.inode;
    let root = descriptors.get(VIRTUAL_ROOT_FD).ok_or("no root is open")?.clone();
    if let Kind::Dir { parent, .. } = &mut *inode.write() {
        *parent = inode.downgrade();
    }
    descriptors.insert(false, VIRTUAL_ROOT_FD, Fd { inode: inode.clone(), ..root });
    fs.root_inode = inode;
    Ok(())
}

/// Make what `module` imports, and nothing else.
fn imports(
    store: &mut Store,
    module: &Module,
    wasi: &WasiFunctionEnv,
    kept: &FunctionEnv<Kept>,
) -> Result<(Imports, Option<Memory>), Error> {
    let mut originals: HashMap<String, Imports> = HashMap::new();
    let mut imports = Imports::new();
    let mut memory = None;
    for import in module.imports() {
        let (space, name) = (import.module(), import.name());
        let unknown = || Error::UnknownImport { module: space.to_owned(), name: name.to_owned() };
        if let ExternType::Memory(ty) = import.ty() {
            if memory.is_some() {
                return Err(unknown());
            }
            imports.define(space, name, memory.insert(Memory::new(store, *ty)?).clone());
            continue;
        }
        let version = match space {
            "wasix_32v1" | "wasi" => WasiVersion::Wasix32v1,
            "wasi_snapshot_preview1" => WasiVersion::Snapshot1,
            _ => return Err(unknown()),
        };
        let all = originals
            .entry(space.to_owned())
            .or_insert_with(|| generate_import_object_from_env(store, &wasi.env, version));
        let Some(Extern::Function(original)) = all.get_export(space, name) else { return Err(unknown()) };
        imports.define(space, name, calls::bind(store, kept, name, original));
    }
    Ok((imports, memory))
}

impl Session {
    /// Connect the guest's memory. To be called once, before any function of the instance is.
    ///
    /// # Errors
    /// [`Error::Host`] when wasmer-wasix cannot use the instance, [`Error::Memory`] when there is no memory to be had.
    pub fn initialize(&mut self, store: &mut Store, instance: &Instance) -> Result<(), Error> {
        let exported = || instance.exports.iter().memories().next().map(|(_, memory)| memory.clone());
        let memory = match self.memory.clone().or_else(exported) {
            Some(memory) => memory,
            // A guest without memory may still exit, and every pointer it gives is a bad one.
            None => Memory::new(store, MemoryType::new(0, Some(0), false))?,
        };
        let handles = WasiModuleInstanceHandles::new(memory.clone(), store, instance.clone(), None);
        // The layout of the stack is for threads and forks, which there are not.
        self.wasi
            .initialize_handles_and_layout(store, instance.clone(), WasiModuleTreeHandles::Static(handles), None, false)
            .map_err(|error| Error::Host(error.to_string()))?;
        self.kept.as_mut(&mut store.as_store_mut()).memory = Some(memory);
        Ok(())
    }

    /// Say how a call into the guest ended.
    pub fn outcome(&self, error: &RuntimeError) -> Outcome {
        // The switch comes first: a signal handler that was stopped looks like an exit.
        if let Some(reason) = self.stop.reason() {
            return Outcome::Stopped(reason);
        }
        if let Some(Stopped(reason)) = error.downcast_ref() {
            return Outcome::Stopped(*reason);
        }
        if let Some(Exited(code)) = error.downcast_ref() {
            return Outcome::Exited(*code);
        }
        if let Some(Panicked(function)) = error.downcast_ref() {
            return Outcome::HostFailed(function.clone());
        }
        match error.downcast_ref() {
            Some(WasiError::Exit(code)) => Outcome::Exited(code.raw()),
            _ => Outcome::Trapped,
        }
    }

    /// Take the regular files, by path, as the guest left them.
    pub fn files(&self) -> Vec<(String, Bytes)> {
        self.files.collect()
    }

    /// Free the execution: its store, its memory, its files.
    ///
    /// The store goes this way and not out of scope: after [`Outcome::HostFailed`] dropping it may panic again.
    ///
    /// # Errors
    /// [`Error::Host`] when wasmer-wasix panicked while it was torn down; what it could not free is lost.
    pub fn finish(self, store: Store) -> Result<(), Error> {
        catch_unwind(AssertUnwindSafe(move || drop((store, self))))
            .map_err(|_| Error::Host("cannot be torn down".to_owned()))
    }
}

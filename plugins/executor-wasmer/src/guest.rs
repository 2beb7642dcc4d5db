//! The world a guest lives in: our own preview-1 host, or wasmer-wasix.

use std::{collections::BTreeMap, ptr::NonNull, sync::Arc};

use wasmer::{ExportIndex, FunctionEnv, Imports, Instance, Module, RuntimeError, Store, sys::vm::VMMemoryDefinition};
use wasmwiz_core::{
    execution::{Failure, Limits, OutputFile, Status, Verdict},
    files::{FileGlobs, InputFile},
    module::Abi,
    system::System,
};

use crate::{
    artifacts::Artifact,
    fs::{FileSystem, Quota},
    preview1::{self, GuestMemory, Host},
    stdio::{Output, Stdin},
    stop::Stop,
    wasix,
};

/// What a guest is given.
pub(crate) struct World<'a> {
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) files: Vec<InputFile>,
    pub(crate) stdin: Stdin,
    pub(crate) output: Output,
    pub(crate) stop: Arc<Stop>,
    pub(crate) system: &'a System,
    pub(crate) limits: &'a Limits,
}

/// A guest's host, and what is left when the guest is gone.
pub(crate) enum Guest {
    Preview1 { host: FunctionEnv<Host>, files: FileSystem },
    Wasix(Box<wasix::Session>),
}

/// A guest about to be instantiated.
pub(crate) struct Prepared {
    pub(crate) imports: Imports,
    pub(crate) guest: Guest,
}

type Refused = Box<Verdict>;

fn rejected(code: &str, message: String) -> Refused {
    Box::new(Verdict::failed(Status::Rejected, Failure::new(code, message)))
}

impl Guest {
    /// Make a world and the imports that lead to it.
    pub(crate) fn prepare(
        artifact: &Artifact,
        shared: &wasix::Shared,
        store: &mut Store,
        world: World<'_>,
    ) -> Result<Prepared, Refused> {
        match artifact.abi {
            Abi::Wasix => Self::prepare_wasix(artifact, shared, store, world),
            _ => Self::prepare_preview1(artifact, store, world),
        }
    }

    fn prepare_preview1(artifact: &Artifact, store: &mut Store, world: World<'_>) -> Result<Prepared, Refused> {
        let quota = quota(world.limits);
        let now = u64::try_from(world.system.clock.now().timestamp_nanos_opt().unwrap_or_default()).unwrap_or_default();
        let files = FileSystem::new(quota, now);
        for file in world.files {
            let path = file.path;
            let added = match file.content {
                Some(content) => files.add_file(&path, content, now),
                None => files.add_directory(&path, now),
            };
            added.map_err(|error| cannot_add(&path, &error))?;
        }
        let host = Host::new(preview1::Config {
            args: world.args,
            env: world.env.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            fs: files.clone(),
            stdin: world.stdin,
            output: world.output,
            stop: world.stop,
            clock: world.system.clock.clone(),
            random: world.system.random.clone(),
            max_descriptors: usize::try_from(world.limits.open_files.value).unwrap_or(usize::MAX),
            max_subscriptions: MAX_SUBSCRIPTIONS,
        });
        let host = FunctionEnv::new(store, host);
        let imports = preview1::imports(store, &artifact.module, &host)
            .map_err(|missing| rejected("missing_import", missing.to_string()))?;
        Ok(Prepared { imports, guest: Self::Preview1 { host, files } })
    }

    fn prepare_wasix(
        artifact: &Artifact,
        shared: &wasix::Shared,
        store: &mut Store,
        world: World<'_>,
    ) -> Result<Prepared, Refused> {
        let quota = quota(world.limits);
        let config = wasix::Config {
            args: world.args,
            env: world.env.into_iter().collect(),
            files: world.files.into_iter().map(|file| (file.path, file.content)).collect(),
            stdin: world.stdin,
            output: world.output,
            stop: world.stop,
            clock: world.system.clock.clone(),
            random: world.system.random.clone(),
            quota: wasix::Quota { bytes: quota.bytes, entries: quota.entries / 2 },
            max_descriptors: usize::try_from(world.limits.open_files.value).unwrap_or(usize::MAX),
        };
        match wasix::prepare(shared, store, &artifact.module, config) {
            Ok((imports, session)) => Ok(Prepared { imports, guest: Self::Wasix(Box::new(session)) }),
            Err(wasix::Error::File { path, source }) => Err(cannot_add(&path, &source)),
            Err(error @ wasix::Error::UnknownImport { .. }) => Err(rejected("missing_import", error.to_string())),
            Err(error) => Err(rejected("cannot_instantiate", wasmwiz_core::error::chain(&error))),
        }
    }

    /// Introduce the instance to its host.
    pub(crate) fn connect(&mut self, store: &mut Store, instance: &Instance) -> Result<(), Failure> {
        match self {
            Self::Preview1 { .. } => Ok(()),
            Self::Wasix(session) => session
                .initialize(store, instance)
                .map_err(|error| Failure::new("cannot_instantiate", wasmwiz_core::error::chain(&error))),
        }
    }

    /// Show the host the guest's memory: the one it exports as `memory`, among those that were made.
    pub(crate) fn set_memory(&mut self, store: &mut Store, module: &Module, made: &[NonNull<VMMemoryDefinition>]) {
        let Self::Preview1 { host, .. } = self else { return };
        let info = module.info();
        let Some(ExportIndex::Memory(index)) = info.exports.get("memory") else { return };
        let local = info.local_memory_index(*index);
        if let Some(place) = local.and_then(|local| made.get(local.as_u32() as usize)) {
            // SAFETY: the definition lives in the instance, which the store keeps as long as the host.
            let memory = unsafe { GuestMemory::new(*place) };
            host.as_mut(store).set_memory(memory);
        }
    }

    /// Take the guest's world down.
    pub(crate) fn finish(self, store: Store) {
        match self {
            Self::Preview1 { .. } => drop(store),
            Self::Wasix(session) => {
                if let Err(error) = session.finish(store) {
                    tracing::error!(error = wasmwiz_core::error::chain(&error), "a WASIX guest's host leaked");
                }
            }
        }
    }

    /// The exit code, if the call ended by the guest's own exit.
    pub(crate) fn exit_code(&self, error: &RuntimeError) -> Option<i32> {
        match self {
            Self::Preview1 { .. } => error.downcast_ref::<preview1::Exit>().map(|exit| exit.0),
            Self::Wasix(session) => match session.outcome(error) {
                wasix::Outcome::Exited(code) => Some(code),
                _ => None,
            },
        }
    }

    /// What went wrong on the host's side, if that is what ended the call.
    pub(crate) fn host_failure(&self, error: &RuntimeError) -> Option<Failure> {
        match self {
            Self::Preview1 { .. } => None,
            Self::Wasix(session) => match session.outcome(error) {
                wasix::Outcome::HostFailed(function) => {
                    Some(Failure::new("host_failed", format!("the host failed in `{function}`")))
                }
                _ => None,
            },
        }
    }

    /// Give the files asked for, by path.
    pub(crate) fn files(&self, wanted: &FileGlobs) -> Vec<OutputFile> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let all: Vec<_> = match self {
            Self::Preview1 { files, .. } => files.files().collect(),
            Self::Wasix(session) => session.files(),
        };
        let wanted = all.into_iter().filter(|(path, _)| wanted.matches(path));
        wanted.map(|(path, content)| OutputFile { path, content }).collect()
    }
}

/// The most events one poll may wait for (as Linux's default RLIMIT_NOFILE, the most descriptors there could be).
const MAX_SUBSCRIPTIONS: usize = 1024;

fn quota(limits: &Limits) -> Quota {
    Quota { bytes: limits.file_bytes.value, entries: usize::try_from(limits.file_entries.value).unwrap_or(usize::MAX) }
}

fn cannot_add(path: &str, error: &dyn std::error::Error) -> Refused {
    rejected("cannot_add_file", format!("`{path}` cannot be given to the guest: {}", wasmwiz_core::error::chain(error)))
}

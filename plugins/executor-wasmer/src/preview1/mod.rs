//! WASI preview 1 (`wasi_snapshot_preview1` and `wasi_unstable`) over a file system in memory.
//!
//! A [`Host`] is what one execution sees: arguments, environment, clocks, randomness, standard streams and
//! a [`FileSystem`], all passed in by [`Config`]. [`imports`] makes the functions that a module imports,
//! and only those. The embedder
//! 1. makes the host and puts it into a `FunctionEnv`;
//! 2. calls [`imports`], and refuses the module if something is missing;
//! 3. gives the host the guest's memory with [`Host::set_memory`] while the instance is made, from its
//!    tunables' `create_vm_memory`, so that a start function can already call the host;
//! 4. runs the guest. [`Exit`] and [`Stopped`](crate::stop::Stopped) come back as user errors
//!    (`RuntimeError::downcast`); anything else is a trap.
//!
//! What a guest makes the host allocate is bounded: files and names by the file system's quota,
//! descriptors by [`Config::max_descriptors`], subscriptions by [`Config::max_subscriptions`], output by
//! [`Output`]. Every call looks at the [`Stop`] switch first, and those that wait do so through it.
//!
//! # Where the specification leaves room
//! - A pointer out of bounds is `fault`. (Recent Wasmtime traps; older versions, Wasmer and kernels answer.)
//! - Descriptor 3 is the preopened directory `/` with all rights a directory can have. 0, 1 and 2 are of
//!   type `unknown`, so that C libraries buffer them as they do pipes.
//! - Rights are enforced. To read or write without the right is `badf`, to truncate by `path_open` is
//!   `perm`, everything else `notcapable`.
//! - A path that leaves its directory, by `..`, an absolute path or an absolute link target, is `perm`; a
//!   path that is not UTF-8 is `ilseq`, one with NUL in it `inval`.
//! - A descriptor of the wrong kind is `badf`; but to seek in a stream is `spipe`, to open a path in a file
//!   `notdir`, and to ask for the name of what is not preopened `notdir` too.
//! - `fd_pwrite` with the `append` flag writes at the end, whatever the offset.
//! - To open a symbolic link that may not be followed is `loop`, also when a directory was asked for. To open
//!   `directory` with `creat`, `excl` or `trunc` is `inval`, `creat` with a slash at the end `isdir`.
//! - New descriptors get the lowest free number. A preopened directory may be closed or renumbered over.
//! - Of a list of more than 1024 buffers the first 1024 are used.
//! - There are no sockets (`notsock`), signals (`notsup`) or CPU-time clocks (`inval`).

mod abi;
mod descriptors;
mod files;
mod imports;
mod memory;
mod paths;
mod poll;
mod process;
mod sockets;
mod streams;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use wasmwiz_core::system::{Clock, Random};

use self::{abi::Errno, descriptors::Descriptors};
pub(crate) use self::{imports::imports, memory::GuestMemory};
use crate::{
    fs::{FileSystem, Timestamp},
    stdio::{Output, Stdin},
    stop::Stop,
};

/// What an execution is started with.
pub(crate) struct Config {
    /// The arguments, the program's name first. None may have a NUL in it: it would end there.
    pub(crate) args: Vec<String>,
    /// The environment, each entry `NAME=value`, none with a NUL in it.
    pub(crate) env: Vec<String>,
    /// The file system whose root is the guest's `/`.
    pub(crate) fs: FileSystem,
    /// File descriptor 0.
    pub(crate) stdin: Stdin,
    /// File descriptors 1 and 2.
    pub(crate) output: Output,
    /// The switch that ends the execution.
    pub(crate) stop: Arc<Stop>,
    /// What time it is.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub(crate) random: Arc<dyn Random>,
    /// How many file descriptors may be open at once, the first four included.
    pub(crate) max_descriptors: usize,
    /// How many subscriptions one `poll_oneoff` may have.
    pub(crate) max_subscriptions: usize,
}

/// The guest called `proc_exit`: it is over, with this exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) i32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// One execution's side of the host functions.
pub(crate) struct Host {
    memory: Option<GuestMemory>,
    args: Vec<String>,
    env: Vec<String>,
    descriptors: Descriptors,
    stdin: Stdin,
    output: Output,
    stop: Arc<Stop>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    max_subscriptions: usize,
}

impl Host {
    /// Make a host. Until it is given a memory, every function that needs one answers `fault`.
    pub(crate) fn new(config: Config) -> Self {
        Self {
            memory: None,
            args: config.args,
            env: config.env,
            descriptors: Descriptors::new(config.fs.root(), config.max_descriptors),
            stdin: config.stdin,
            output: config.output,
            stop: config.stop,
            clock: config.clock,
            random: config.random,
            max_subscriptions: config.max_subscriptions,
        }
    }

    /// Name the guest's memory.
    pub(crate) fn set_memory(&mut self, memory: GuestMemory) {
        self.memory = Some(memory);
    }

    fn memory_mut(&mut self) -> Result<&mut GuestMemory, Errno> {
        self.memory.as_mut().ok_or(Errno::Fault)
    }

    /// The wall-clock time; 0 before 1970, and the largest number after 2554.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(now.timestamp_subsec_nanos().into())
    }
}

//! A call of the guest: its arguments, its memory, and what the host keeps for it.

use std::{sync::Arc, time::Duration};

use wasmer::{Memory, MemoryView, RuntimeError, Value};
use wasmer_wasix::wasmer_wasix_types::wasi::Errno;
use wasmwiz_core::system::{Clock, Random};

use super::{calls::Exited, descriptors::Descriptors, files::Files};
use crate::{
    stdio::{Output, Stdin},
    stop::{Stop, Stopped},
};

/// What the host keeps for one execution; the environment of its host functions.
pub(super) struct Kept {
    pub(super) stop: Arc<Stop>,
    pub(super) stdin: Stdin,
    pub(super) output: Output,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) started: Duration,
    pub(super) files: Files,
    pub(super) descriptors: Descriptors,
    /// The guest's memory; none before its instance is ready.
    pub(super) memory: Option<Memory>,
    /// How the guest ended itself, if it did.
    pub(super) exited: Option<Exited>,
    /// How many calls of wasmer-wasix are on the stack.
    pub(super) nested: u8,
}

/// Why a host call gives no answer.
pub(super) enum Failure {
    /// The guest is told this error number.
    Errno(Errno),
    /// The guest is ended.
    Trap(RuntimeError),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        Self::Trap(RuntimeError::user(Box::new(stopped)))
    }
}

/// The result of a host call, or of a part of it.
pub(super) type Answer<T> = Result<T, Failure>;

/// The host's view of a guest in a call.
pub(super) struct Guest<'a> {
    pub(super) kept: &'a mut Kept,
    pub(super) memory: MemoryView<'a>,
    pub(super) args: &'a [Value],
}

impl Guest<'_> {
    /// An argument of 32 bits. wasm's types were checked when the module was linked.
    pub(super) fn arg(&self, index: usize) -> u32 {
        match self.args.get(index) {
            Some(Value::I32(value)) => value.cast_unsigned(),
            _ => 0,
        }
    }

    /// An argument of 64 bits.
    pub(super) fn arg64(&self, index: usize) -> u64 {
        match self.args.get(index) {
            Some(Value::I64(value)) => value.cast_unsigned(),
            _ => 0,
        }
    }

    /// Copy bytes out of the guest's memory.
    pub(super) fn read<const N: usize>(&self, at: u64) -> Answer<[u8; N]> {
        let mut bytes = [0; N];
        self.read_into(at, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn read_into(&self, at: u64, bytes: &mut [u8]) -> Answer<()> {
        self.memory.read(at, bytes).map_err(|_| Errno::Memviolation.into())
    }

    pub(super) fn read_u32(&self, at: u64) -> Answer<u32> {
        Ok(u32::from_le_bytes(self.read(at)?))
    }

    /// Copy bytes into the guest's memory.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> Answer<()> {
        self.memory.write(at, bytes).map_err(|_| Errno::Memviolation.into())
    }

    /// Write a result to where an argument points.
    pub(super) fn put<const N: usize>(&self, pointer: usize, bytes: [u8; N]) -> Answer<()> {
        self.write(self.arg(pointer).into(), &bytes)
    }

    /// Fail unless `len` bytes can be written to where an argument points. To be asked before something is made
    /// whose name is to be put there: the guest could not give it back.
    pub(super) fn writable(&self, pointer: usize, len: u64) -> Answer<()> {
        let end = u64::from(self.arg(pointer)) + len;
        if end > self.memory.data_size() { Err(Errno::Memviolation.into()) } else { Ok(()) }
    }

    /// The buffers of a scattered read or gathered write: (address, length).
    pub(super) fn buffers(&self, pointer: usize, count: usize) -> Answer<Vec<(u64, u64)>> {
        /// `IOV_MAX` of POSIX systems. Without a bound, one call could keep the host busy for minutes.
        const MAX: u32 = 1024;
        let (at, count) = (u64::from(self.arg(pointer)), self.arg(count));
        if count > MAX {
            return Err(Errno::Inval.into());
        }
        let mut buffers = Vec::with_capacity(count as usize);
        for index in 0..u64::from(count) {
            let [a, b, c, d, e, f, g, h] = self.read(at + index * 8)?;
            let (address, len) = (u32::from_le_bytes([a, b, c, d]).into(), u32::from_le_bytes([e, f, g, h]).into());
            if address + len > self.memory.data_size() {
                return Err(Errno::Memviolation.into());
            }
            if len > 0 {
                buffers.push((address, len));
            }
        }
        Ok(buffers)
    }
}

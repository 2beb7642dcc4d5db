//! Reading and writing through a descriptor, and the offset that goes with it.

use std::time::Instant;

use super::{
    Host,
    abi::{Abi, Answer, Errno, Failure, fdflags, rights},
    descriptors::Object,
    memory::{Buffers, GuestMemory},
};
use crate::fs::{self, Handle};

/// No offset is larger: `$filesize` is unsigned, but `$filedelta` is not.
const OFFSET_MAX: u64 = i64::MAX as u64;

impl Host {
    pub(super) fn fd_read(&mut self, fd: u32, buffers: u32, count: u32, result: u32) -> Answer {
        let descriptor = self.descriptors.get_mut(fd)?;
        descriptor.need(rights::FD_READ).map_err(|_| Errno::Badf)?;
        let nonblocking = descriptor.nonblocking();
        let memory = self.memory.as_mut().ok_or(Errno::Fault)?;
        let buffers = Buffers::new(memory, buffers, count)?;
        let total = match &mut descriptor.object {
            Object::Stdin => {
                if nonblocking && !self.stdin.wait(Some(Instant::now()), &self.stop)? {
                    return Err(Errno::Again.into());
                }
                let mut total = 0;
                for index in buffers.indices() {
                    let (at, length) = buffers.get(memory, index)?;
                    // What is there is given at once; only the first byte is waited for.
                    if length == 0 || (total > 0 && self.stdin.available() == 0) {
                        continue;
                    }
                    total += self.stdin.read(memory.bytes_mut(at, length)?, &self.stop)?;
                }
                total
            }
            Object::File { handle, offset } => {
                let total = read_file(handle, *offset, memory, buffers)?;
                *offset += total as u64;
                total
            }
            Object::Output(_) | Object::Directory { .. } => return Err(Errno::Badf.into()),
        };
        self.write_count(result, total)
    }

    pub(super) fn fd_pread(&mut self, fd: u32, buffers: u32, count: u32, offset: u64, result: u32) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        descriptor.need(rights::FD_READ).map_err(|_| Errno::Badf)?;
        let handle = positioned(&descriptor.object)?;
        descriptor.need(rights::FD_SEEK)?;
        if offset > OFFSET_MAX {
            return Err(Errno::Inval.into());
        }
        let memory = self.memory.as_mut().ok_or(Errno::Fault)?;
        let buffers = Buffers::new(memory, buffers, count)?;
        let total = read_file(handle, offset, memory, buffers)?;
        self.write_count(result, total)
    }

    pub(super) fn fd_write(&mut self, fd: u32, buffers: u32, count: u32, result: u32) -> Answer {
        let now = self.now();
        let descriptor = self.descriptors.get_mut(fd)?;
        descriptor.need(rights::FD_WRITE).map_err(|_| Errno::Badf)?;
        let append = descriptor.flags & fdflags::APPEND != 0;
        let memory = self.memory.as_ref().ok_or(Errno::Fault)?;
        let buffers = Buffers::new(memory, buffers, count)?;
        let total = match &mut descriptor.object {
            Object::Output(stream) => {
                let mut total = 0;
                for index in buffers.indices() {
                    let (at, length) = buffers.get(memory, index)?;
                    self.output.write(*stream, memory.bytes(at, length)?)?;
                    total += length as usize;
                }
                total
            }
            Object::File { handle, offset } if append => write_all(memory, buffers, |bytes| {
                let (count, end) = handle.append(bytes, now)?;
                *offset = end;
                Ok(count)
            })?,
            Object::File { handle, offset } => write_all(memory, buffers, |bytes| {
                let count = handle.write(*offset, bytes, now)?;
                *offset += count as u64;
                Ok(count)
            })?,
            Object::Stdin | Object::Directory { .. } => return Err(Errno::Badf.into()),
        };
        self.write_count(result, total)
    }

    /// Write at an offset, or at the end with the `append` flag: the specification has such data always go
    /// there, as Linux does it and Wasmtime too (POSIX would have it go to the offset). The descriptor's own
    /// offset stays.
    pub(super) fn fd_pwrite(&mut self, fd: u32, buffers: u32, count: u32, offset: u64, result: u32) -> Answer {
        let now = self.now();
        let descriptor = self.descriptors.get(fd)?;
        descriptor.need(rights::FD_WRITE).map_err(|_| Errno::Badf)?;
        let handle = positioned(&descriptor.object)?;
        descriptor.need(rights::FD_SEEK)?;
        let append = descriptor.flags & fdflags::APPEND != 0;
        if offset > OFFSET_MAX {
            return Err(Errno::Inval.into());
        }
        let memory = self.memory.as_ref().ok_or(Errno::Fault)?;
        let buffers = Buffers::new(memory, buffers, count)?;
        let mut at = offset;
        let total = write_all(memory, buffers, |bytes| {
            if append {
                return Ok(handle.append(bytes, now)?.0);
            }
            let count = handle.write(at, bytes, now)?;
            at += count as u64;
            Ok(count)
        })?;
        self.write_count(result, total)
    }

    pub(super) fn fd_seek(&mut self, fd: u32, delta: i64, whence: u32, result: u32, abi: Abi) -> Answer {
        let descriptor = self.descriptors.get_mut(fd)?;
        positioned(&descriptor.object)?;
        let whence = match (abi, whence) {
            (Abi::Preview1, 0) | (Abi::Unstable, 2) => Whence::Set,
            (Abi::Preview1, 1) | (Abi::Unstable, 0) => Whence::Current,
            (Abi::Preview1, 2) | (Abi::Unstable, 1) => Whence::End,
            _ => return Err(Errno::Inval.into()),
        };
        // Asking where one is, is what `fd_tell` does.
        let only_tell = whence == Whence::Current && delta == 0;
        if !(only_tell && descriptor.need(rights::FD_TELL).is_ok()) {
            descriptor.need(rights::FD_SEEK)?;
        }
        let Object::File { handle, offset } = &mut descriptor.object else { return Err(Errno::Badf.into()) };
        let base = match whence {
            Whence::Set => 0,
            Whence::Current => *offset,
            Whence::End => handle.stat().size,
        };
        let target = base.checked_add_signed(delta).filter(|target| *target <= OFFSET_MAX).ok_or(Errno::Inval)?;
        *offset = target;
        Ok(self.memory_mut()?.write_u64(result, target)?)
    }

    pub(super) fn fd_tell(&mut self, fd: u32, result: u32) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        positioned(&descriptor.object)?;
        if descriptor.need(rights::FD_TELL).is_err() {
            descriptor.need(rights::FD_SEEK)?;
        }
        let Object::File { offset, .. } = descriptor.object else { return Err(Errno::Badf.into()) };
        Ok(self.memory_mut()?.write_u64(result, offset)?)
    }

    fn write_count(&mut self, result: u32, total: usize) -> Answer {
        let total = u32::try_from(total).map_err(|_| Errno::Overflow)?;
        Ok(self.memory_mut()?.write_u32(result, total)?)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whence {
    Set,
    Current,
    End,
}

/// The file that has offsets; a stream has none, and a directory is `badf` as under Wasmtime.
fn positioned(object: &Object) -> Result<&Handle, Errno> {
    match object {
        Object::File { handle, .. } => Ok(handle),
        Object::Stdin | Object::Output(_) => Err(Errno::Spipe),
        Object::Directory { .. } => Err(Errno::Badf),
    }
}

/// Fill the buffers from a file. Says how many bytes it had.
fn read_file(handle: &Handle, offset: u64, memory: &mut GuestMemory, buffers: Buffers) -> Result<usize, Failure> {
    let mut total = 0;
    for index in buffers.indices() {
        let (at, length) = buffers.get(memory, index)?;
        let buffer = memory.bytes_mut(at, length)?;
        let count = handle.read(offset.saturating_add(total as u64), buffer)?;
        total += count;
        if count < length as usize {
            break;
        }
    }
    Ok(total)
}

/// Write the buffers one after the other, until one does not fit whole. An error after the first bytes is
/// told by the next call.
fn write_all(
    memory: &GuestMemory,
    buffers: Buffers,
    mut write: impl FnMut(&[u8]) -> Result<usize, fs::Error>,
) -> Result<usize, Failure> {
    let mut total = 0;
    for index in buffers.indices() {
        let (at, length) = buffers.get(memory, index)?;
        match write(memory.bytes(at, length)?) {
            Ok(count) => {
                total += count;
                if count < length as usize {
                    break;
                }
            }
            Err(error) if total == 0 => return Err(error.into()),
            Err(_) => break,
        }
    }
    Ok(total)
}

//! What a descriptor says of itself, and what can be done with it other than reading and writing.

use std::ops::ControlFlow;

use super::{
    Host,
    abi::{self, Abi, Answer, Errno, Filetype, fdflags, fstflags, put, rights},
    descriptors::{Descriptor, Object},
};
use crate::fs::{DirEntry, Handle, SetTimes, Timestamp};

/// The name of the one preopened directory.
const ROOT_NAME: &[u8] = b"/";

impl Host {
    pub(super) fn fd_advise(&mut self, fd: u32, _offset: u64, length: u64, advice: u32) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        file(descriptor)?;
        descriptor.need(rights::FD_ADVISE)?;
        if advice > 5 || length > i64::MAX as u64 {
            return Err(Errno::Inval.into());
        }
        Ok(())
    }

    pub(super) fn fd_allocate(&mut self, fd: u32, offset: u64, length: u64) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        let handle = file(descriptor)?;
        descriptor.need(rights::FD_ALLOCATE)?;
        if length == 0 {
            return Err(Errno::Inval.into());
        }
        let end = offset.checked_add(length).ok_or(Errno::Fbig)?;
        Ok(handle.reserve(end, self.now())?)
    }

    pub(super) fn fd_close(&mut self, fd: u32) -> Answer {
        self.descriptors.remove(fd)?;
        Ok(())
    }

    pub(super) fn fd_renumber(&mut self, from: u32, to: u32) -> Answer {
        Ok(self.descriptors.renumber(from, to)?)
    }

    pub(super) fn fd_datasync(&mut self, fd: u32) -> Answer {
        self.synchronize(fd, rights::FD_DATASYNC)
    }

    pub(super) fn fd_sync(&mut self, fd: u32) -> Answer {
        self.synchronize(fd, rights::FD_SYNC)
    }

    /// Memory is always in step with itself. A directory may be synchronized, as in POSIX; a stream is `badf`,
    /// as under Wasmtime.
    fn synchronize(&self, fd: u32, right: rights::Rights) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        match descriptor.object {
            Object::Stdin | Object::Output(_) => Err(Errno::Badf.into()),
            Object::File { .. } | Object::Directory { .. } => Ok(descriptor.need(right)?),
        }
    }

    pub(super) fn fd_fdstat_get(&mut self, fd: u32, result: u32) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        let mut record = [0_u8; 24];
        put(&mut record, 0, [descriptor.filetype() as u8]);
        put(&mut record, 2, descriptor.flags.to_le_bytes());
        put(&mut record, 8, descriptor.base.to_le_bytes());
        put(&mut record, 16, descriptor.inheriting.to_le_bytes());
        Ok(self.memory_mut()?.write(result, &record)?)
    }

    pub(super) fn fd_fdstat_set_flags(&mut self, fd: u32, flags: u32) -> Answer {
        let descriptor = self.descriptors.get_mut(fd)?;
        descriptor.need(rights::FD_FDSTAT_SET_FLAGS)?;
        descriptor.flags = bits(flags, fdflags::ALL)?;
        Ok(())
    }

    pub(super) fn fd_fdstat_set_rights(&mut self, fd: u32, base: u64, inheriting: u64) -> Answer {
        let descriptor = self.descriptors.get_mut(fd)?;
        if base & !descriptor.base != 0 || inheriting & !descriptor.inheriting != 0 {
            return Err(Errno::Notcapable.into());
        }
        descriptor.base = base;
        descriptor.inheriting = inheriting;
        Ok(())
    }

    pub(super) fn fd_filestat_get(&mut self, fd: u32, result: u32, abi: Abi) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        descriptor.need(rights::FD_FILESTAT_GET)?;
        let stat = match &descriptor.object {
            Object::Stdin | Object::Output(_) => None,
            Object::File { handle, .. } | Object::Directory { handle, .. } => Some(handle.stat()),
        };
        let (record, length) = abi::filestat(descriptor.filetype(), stat, abi);
        Ok(self.memory_mut()?.write(result, &record[..length])?)
    }

    pub(super) fn fd_filestat_set_size(&mut self, fd: u32, size: u64) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        let handle = file(descriptor)?;
        descriptor.need(rights::FD_FILESTAT_SET_SIZE)?;
        if size > i64::MAX as u64 {
            // A negative length, to ftruncate of POSIX.
            return Err(Errno::Inval.into());
        }
        Ok(handle.resize(size, self.now())?)
    }

    pub(super) fn fd_filestat_set_times(&mut self, fd: u32, accessed: u64, modified: u64, flags: u32) -> Answer {
        let now = self.now();
        let times = times(accessed, modified, flags, now)?;
        let descriptor = self.descriptors.get(fd)?;
        match &descriptor.object {
            Object::Stdin | Object::Output(_) => Err(Errno::Badf.into()),
            Object::File { handle, .. } | Object::Directory { handle, .. } => {
                descriptor.need(rights::FD_FILESTAT_SET_TIMES)?;
                handle.set_times(times, now);
                Ok(())
            }
        }
    }

    pub(super) fn fd_prestat_get(&mut self, fd: u32, result: u32) -> Answer {
        self.preopened(fd)?;
        let mut record = [0_u8; 8];
        put(&mut record, 4, (ROOT_NAME.len() as u32).to_le_bytes());
        Ok(self.memory_mut()?.write(result, &record)?)
    }

    /// Give a preopened directory's name. An open descriptor that is none is `notdir`, as under Wasmtime.
    pub(super) fn fd_prestat_dir_name(&mut self, fd: u32, at: u32, length: u32) -> Answer {
        self.descriptors.get(fd)?;
        self.preopened(fd).map_err(|_| Errno::Notdir)?;
        if (length as usize) < ROOT_NAME.len() {
            return Err(Errno::Nametoolong.into());
        }
        Ok(self.memory_mut()?.write(at, ROOT_NAME)?)
    }

    /// Fail unless the guest was started with the descriptor. C libraries ask from 3 on until it is `badf`.
    fn preopened(&self, fd: u32) -> Result<(), Errno> {
        match self.descriptors.get(fd)?.object {
            Object::Directory { preopened: true, .. } => Ok(()),
            _ => Err(Errno::Badf),
        }
    }

    pub(super) fn fd_readdir(&mut self, fd: u32, at: u32, length: u32, cookie: u64, result: u32) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        let handle = descriptor.directory()?;
        descriptor.need(rights::FD_READDIR)?;
        let memory = self.memory.as_mut().ok_or(Errno::Fault)?;
        let buffer = memory.bytes_mut(at, length)?;
        let mut used = 0;
        handle.read_directory(cookie, |entry| {
            // The last entry is cut off where the buffer ends, which tells the guest that there is more.
            for part in [&dirent(&entry)[..], entry.name.as_bytes()] {
                let count = part.len().min(buffer.len() - used);
                buffer[used..used + count].copy_from_slice(&part[..count]);
                used += count;
            }
            if used < buffer.len() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        // As long as `length`, which is 32 bits.
        Ok(memory.write_u32(result, used as u32)?)
    }
}

/// Lay out a `$dirent`; the name follows it.
fn dirent(entry: &DirEntry<'_>) -> [u8; 24] {
    let mut record = [0; 24];
    put(&mut record, 0, entry.cookie.to_le_bytes());
    put(&mut record, 8, entry.inode.to_le_bytes());
    // Names have at most `fs::NAME_MAX` bytes.
    put(&mut record, 16, (entry.name.len() as u32).to_le_bytes());
    put(&mut record, 20, [Filetype::from(entry.kind) as u8]);
    record
}

/// The file behind a descriptor; anything else is `badf`, as under Wasmtime.
fn file(descriptor: &Descriptor) -> Result<&Handle, Errno> {
    match &descriptor.object {
        Object::File { handle, .. } => Ok(handle),
        Object::Stdin | Object::Output(_) | Object::Directory { .. } => Err(Errno::Badf),
    }
}

/// Check that only the bits of `all` are set.
pub(super) fn bits(value: u32, all: u16) -> Result<u16, Errno> {
    u16::try_from(value).ok().filter(|value| value & !all == 0).ok_or(Errno::Inval)
}

/// Which time stamps to set, and to what.
pub(super) fn times(accessed: u64, modified: u64, flags: u32, now: Timestamp) -> Result<SetTimes, Errno> {
    let flags = bits(flags, fstflags::ALL)?;
    let pick = |set: u16, set_now: u16, value| match (flags & set != 0, flags & set_now != 0) {
        (true, true) => Err(Errno::Inval),
        (true, false) => Ok(Some(value)),
        (false, true) => Ok(Some(now)),
        (false, false) => Ok(None),
    };
    Ok(SetTimes {
        accessed: pick(fstflags::ATIM, fstflags::ATIM_NOW, accessed)?,
        modified: pick(fstflags::MTIM, fstflags::MTIM_NOW, modified)?,
    })
}

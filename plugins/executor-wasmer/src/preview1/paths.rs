//! The functions that take a path.

use super::{
    Host,
    abi::{
        self, Abi, Answer, Errno, Failure, SYMLINK_FOLLOW, fdflags, oflags,
        rights::{self, Rights},
    },
    descriptors::{Descriptor, Object},
    files::{bits, times},
};
use crate::fs::{Handle, Kind, Open};

/// What a guest asks of `path_open`, as it comes.
#[derive(Clone, Copy)]
pub(super) struct OpenRequest {
    pub(crate) lookup: u32,
    pub(crate) oflags: u32,
    pub(crate) base: u64,
    pub(crate) inheriting: u64,
    pub(crate) fdflags: u32,
}

impl Host {
    /// The directory behind `fd`, if it may be used for `needed`, and the path at an address.
    fn directory_and_path(&self, fd: u32, needed: Rights, path: (u32, u32)) -> Result<(&Handle, &str), Errno> {
        let descriptor = self.descriptors.get(fd)?;
        let handle = descriptor.directory()?;
        descriptor.need(needed)?;
        let memory = self.memory.as_ref().ok_or(Errno::Fault)?;
        Ok((handle, memory.path(path.0, path.1)?))
    }

    pub(super) fn path_create_directory(&mut self, fd: u32, path: u32, length: u32) -> Answer {
        let (directory, path) = self.directory_and_path(fd, rights::PATH_CREATE_DIRECTORY, (path, length))?;
        Ok(directory.make_directory(path, self.now())?)
    }

    pub(super) fn path_remove_directory(&mut self, fd: u32, path: u32, length: u32) -> Answer {
        let (directory, path) = self.directory_and_path(fd, rights::PATH_REMOVE_DIRECTORY, (path, length))?;
        Ok(directory.remove_directory(path, self.now())?)
    }

    pub(super) fn path_unlink_file(&mut self, fd: u32, path: u32, length: u32) -> Answer {
        let (directory, path) = self.directory_and_path(fd, rights::PATH_UNLINK_FILE, (path, length))?;
        Ok(directory.remove_file(path, self.now())?)
    }

    pub(super) fn path_filestat_get(
        &mut self,
        fd: u32,
        lookup: u32,
        path: (u32, u32),
        result: u32,
        abi: Abi,
    ) -> Answer {
        let follow = follow(lookup)?;
        let (directory, path) = self.directory_and_path(fd, rights::PATH_FILESTAT_GET, path)?;
        let stat = directory.stat_at(path, follow)?;
        let (record, length) = abi::filestat(stat.kind.into(), Some(stat), abi);
        Ok(self.memory_mut()?.write(result, &record[..length])?)
    }

    pub(super) fn path_filestat_set_times(
        &mut self,
        fd: u32,
        lookup: u32,
        path: (u32, u32),
        (accessed, modified, flags): (u64, u64, u32),
    ) -> Answer {
        let now = self.now();
        let follow = follow(lookup)?;
        let times = times(accessed, modified, flags, now)?;
        let (directory, path) = self.directory_and_path(fd, rights::PATH_FILESTAT_SET_TIMES, path)?;
        Ok(directory.set_times_at(path, follow, times, now)?)
    }

    /// Make a hard link. Asking to follow symbolic links is `inval`, as under Wasmtime.
    pub(super) fn path_link(&mut self, old: (u32, u32, u32), lookup: u32, new: (u32, u32, u32)) -> Answer {
        let (from, old) = self.directory_and_path(old.0, rights::PATH_LINK_SOURCE, (old.1, old.2))?;
        let (to, new) = self.directory_and_path(new.0, rights::PATH_LINK_TARGET, (new.1, new.2))?;
        if follow(lookup)? {
            return Err(Errno::Inval.into());
        }
        Ok(from.make_link(old, to, new, self.now())?)
    }

    pub(super) fn path_rename(&mut self, old: (u32, u32, u32), new: (u32, u32, u32)) -> Answer {
        let (from, old) = self.directory_and_path(old.0, rights::PATH_RENAME_SOURCE, (old.1, old.2))?;
        let (to, new) = self.directory_and_path(new.0, rights::PATH_RENAME_TARGET, (new.1, new.2))?;
        Ok(from.rename(old, to, new, self.now())?)
    }

    pub(super) fn path_symlink(&mut self, target: (u32, u32), fd: u32, path: (u32, u32)) -> Answer {
        let (directory, path) = self.directory_and_path(fd, rights::PATH_SYMLINK, path)?;
        let target = self.memory.as_ref().ok_or(Errno::Fault)?.path(target.0, target.1)?;
        Ok(directory.make_symlink(target, path, self.now())?)
    }

    /// Read a symbolic link, as much of it as there is room for.
    pub(super) fn path_readlink(&mut self, fd: u32, path: (u32, u32), buffer: (u32, u32), result: u32) -> Answer {
        let (directory, path) = self.directory_and_path(fd, rights::PATH_READLINK, path)?;
        let target = directory.read_symlink(path)?;
        // At most `buffer.1`, which is 32 bits.
        let used = target.len().min(buffer.1 as usize) as u32;
        let memory = self.memory_mut()?;
        memory.bytes(buffer.0, buffer.1)?;
        memory.write(buffer.0, &target.as_bytes()[..used as usize])?;
        Ok(memory.write_u32(result, used)?)
    }

    pub(super) fn path_open(&mut self, fd: u32, path: (u32, u32), request: OpenRequest, result: u32) -> Answer {
        let now = self.now();
        // The result has to have a place before anything is made.
        self.memory_mut()?.bytes(result, 4)?;
        let parent = self.descriptors.get(fd)?;
        if matches!(parent.object, Object::File { .. }) {
            // The one function of those with a path for which a file is not just the wrong descriptor.
            return Err(Errno::Notdir.into());
        }
        let (directory, path) = self.directory_and_path(fd, rights::PATH_OPEN, path)?;
        let flags = bits(request.fdflags, fdflags::ALL)?;
        let open = open_options(request)?;
        self.descriptors.check_room()?;
        let (base, inheriting) = grant(parent, directory, path, (open, flags), request)?;
        let handle = directory.open(path, &open, now)?;
        let descriptor = match handle.stat().kind {
            Kind::Directory => Descriptor {
                object: Object::Directory { handle, preopened: false },
                flags,
                base: base & rights::DIRECTORY,
                inheriting: inheriting & rights::INHERITABLE,
            },
            Kind::File | Kind::Symlink => Descriptor {
                object: Object::File { handle, offset: 0 },
                flags,
                base: base & rights::FILE,
                inheriting: 0,
            },
        };
        let opened = self.descriptors.insert(descriptor)?;
        Ok(self.memory_mut()?.write_u32(result, opened)?)
    }
}

fn follow(lookup: u32) -> Result<bool, Errno> {
    if lookup & !SYMLINK_FOLLOW == 0 { Ok(lookup == SYMLINK_FOLLOW) } else { Err(Errno::Inval) }
}

fn open_options(request: OpenRequest) -> Result<Open, Errno> {
    let oflags = bits(request.oflags, oflags::ALL)?;
    let has = |flag| oflags & flag != 0;
    // A directory is neither made nor emptied by opening it.
    if has(oflags::DIRECTORY) && has(oflags::CREAT | oflags::EXCL | oflags::TRUNC) {
        return Err(Errno::Inval);
    }
    Ok(Open {
        follow: follow(request.lookup)?,
        create: has(oflags::CREAT),
        exclusive: has(oflags::EXCL),
        truncate: has(oflags::TRUNC),
        directory: has(oflags::DIRECTORY),
        write: request.base & rights::FD_WRITE != 0,
    })
}

/// The rights that a new descriptor gets, of those asked for.
///
/// Rights that mean nothing for the kind of file are dropped without a word, as the specification allows;
/// of the others, those that `parent` may not hand on are `notcapable`.
fn grant(
    parent: &Descriptor,
    directory: &Handle,
    path: &str,
    (open, flags): (Open, u16),
    request: OpenRequest,
) -> Result<(Rights, Rights), Failure> {
    if open.create {
        parent.need(rights::PATH_CREATE_FILE)?;
    }
    if open.truncate {
        // The one place where guests were taught to expect `perm`.
        parent.need(rights::PATH_FILESTAT_SET_SIZE).map_err(|_| Errno::Perm)?;
    }
    let mut needed = 0;
    if flags & fdflags::DSYNC != 0 {
        needed |= rights::FD_DATASYNC;
    }
    if flags & (fdflags::SYNC | fdflags::RSYNC) != 0 {
        needed |= rights::FD_SYNC;
    }
    if needed & !parent.inheriting != 0 {
        return Err(Errno::Notcapable.into());
    }
    let beyond_file = request.base & rights::FILE & !parent.inheriting;
    let beyond_directory =
        (request.base & rights::DIRECTORY | request.inheriting & rights::INHERITABLE) & !parent.inheriting;
    // Only when it matters is it worth a look at what is there.
    if beyond_file | beyond_directory != 0 {
        let beyond = match directory.find(path, open.follow)? {
            Some(Kind::Directory) => beyond_directory,
            Some(Kind::File | Kind::Symlink) | None => beyond_file,
        };
        if beyond != 0 {
            return Err(Errno::Notcapable.into());
        }
    }
    Ok((request.base, request.inheriting))
}

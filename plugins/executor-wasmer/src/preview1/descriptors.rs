//! The table of open file descriptors.

use super::abi::{
    Errno, Filetype, fdflags,
    rights::{self, Rights},
};
use crate::{fs::Handle, stdio::OutputStream};

/// What a descriptor stands for.
pub(crate) enum Object {
    /// Standard input.
    Stdin,
    /// Standard output or error.
    Output(OutputStream),
    /// An open file and the offset in it.
    File { handle: Handle, offset: u64 },
    /// An open directory, and whether the guest was started with it.
    Directory { handle: Handle, preopened: bool },
}

/// An open file descriptor.
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    /// `$fdflags`.
    pub(crate) flags: u16,
    /// What may be done with it.
    pub(crate) base: Rights,
    /// What may at most be done with descriptors made from it.
    pub(crate) inheriting: Rights,
}

impl Descriptor {
    /// The directory, if it is one; `badf` as under Wasmtime if not.
    pub(crate) fn directory(&self) -> Result<&Handle, Errno> {
        match &self.object {
            Object::Directory { handle, .. } => Ok(handle),
            _ => Err(Errno::Badf),
        }
    }

    /// The type the guest is told.
    ///
    /// The standard streams are `unknown`, as pipes are under Wasmtime: as `character_device` they would be
    /// terminals to wasi-libc, which would then write out every line by itself.
    pub(crate) fn filetype(&self) -> Filetype {
        match &self.object {
            Object::Stdin | Object::Output(_) => Filetype::Unknown,
            Object::File { .. } => Filetype::RegularFile,
            Object::Directory { .. } => Filetype::Directory,
        }
    }

    /// Fail unless all of `needed` may be done.
    pub(crate) fn need(&self, needed: Rights) -> Result<(), Errno> {
        if self.base & needed == needed { Ok(()) } else { Err(Errno::Notcapable) }
    }

    /// Whether a read would rather fail than wait.
    pub(crate) fn nonblocking(&self) -> bool {
        self.flags & fdflags::NONBLOCK != 0
    }
}

/// The open file descriptors, by number.
pub(crate) struct Descriptors {
    slots: Vec<Option<Descriptor>>,
    open: usize,
    limit: usize,
    /// No number below it is free.
    lowest: usize,
}

impl Descriptors {
    /// Make a table with the standard streams and `root`, of at most `limit` descriptors in all.
    pub(crate) fn new(root: Handle, limit: usize) -> Self {
        let stream = |object, base| Some(Descriptor { object, flags: 0, base: base | rights::STREAM, inheriting: 0 });
        let root = Descriptor {
            object: Object::Directory { handle: root, preopened: true },
            flags: 0,
            base: rights::DIRECTORY,
            inheriting: rights::INHERITABLE,
        };
        let slots = vec![
            stream(Object::Stdin, rights::FD_READ),
            stream(Object::Output(OutputStream::Stdout), rights::FD_WRITE),
            stream(Object::Output(OutputStream::Stderr), rights::FD_WRITE),
            Some(root),
        ];
        Self { open: slots.len(), lowest: slots.len(), slots, limit }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::Badf)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// Fail when no more descriptors may be opened.
    pub(crate) fn check_room(&self) -> Result<(), Errno> {
        if self.open < self.limit { Ok(()) } else { Err(Errno::Mfile) }
    }

    /// Put a descriptor at the lowest free number.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.check_room()?;
        while self.slots.get(self.lowest).is_some_and(Option::is_some) {
            self.lowest += 1;
        }
        let fd = u32::try_from(self.lowest).map_err(|_| Errno::Mfile)?;
        match self.slots.get_mut(self.lowest) {
            Some(slot) => *slot = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        self.lowest += 1;
        self.open += 1;
        Ok(fd)
    }

    /// Take a descriptor out.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let descriptor = self.slots.get_mut(fd as usize).and_then(Option::take).ok_or(Errno::Badf)?;
        self.open -= 1;
        self.lowest = self.lowest.min(fd as usize);
        Ok(descriptor)
    }

    /// Give the descriptor `from` the number of the open descriptor `to`, which is closed.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let descriptor = self.remove(from)?;
            *self.get_mut(to)? = descriptor;
        }
        Ok(())
    }
}

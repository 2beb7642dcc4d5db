//! A file system in memory, with quotas: what a guest sees as its disk.
//!
//! It has files, directories, symbolic and hard links as POSIX has them, and nothing of the host. One
//! execution owns one [`FileSystem`]; an execution that touches no file costs it one allocation. All work
//! goes through a [`Handle`], an open file or directory, which keeps what it names alive after the last
//! name is gone. Paths are relative to a directory handle and cannot leave it: `..` above it, absolute
//! paths and absolute link targets are [`Error::Escapes`].
//!
//! The module knows no ABI: hosts map [`Error`] to theirs. Times are nanoseconds since 1970, given by the
//! caller. Reading does not update access times (as a disk mounted with `noatime`).

mod contents;
mod entries;
mod handle;
mod inputs;
mod resolve;
mod tree;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use self::handle::{DirEntry, Handle, Open};
use self::{
    resolve::Follow,
    tree::{Id, Tree},
};

/// The longest path, in bytes, as Linux has it (`PATH_MAX`).
pub(crate) const PATH_MAX: usize = 4096;
/// The longest name in a directory, in bytes (`NAME_MAX`).
pub(crate) const NAME_MAX: usize = 255;
/// How many symbolic links a path may lead through (`MAXSYMLINKS` of Linux).
pub(crate) const LINKS_MAX: usize = 40;

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub(crate) type Timestamp = u64;

/// How much a file system may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Bytes of file contents and link targets. Holes count: a file costs its size.
    pub(crate) bytes: u64,
    /// Inodes and names together, the root not counted: a plain file is two, one more link to it is one.
    pub(crate) entries: usize,
}

/// What a file system holds, counted as [`Quota`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Bytes of file contents and link targets.
    pub(crate) bytes: u64,
    /// Inodes and names.
    pub(crate) entries: usize,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// When something last happened to an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// Access; only ever set by request.
    pub(crate) accessed: Timestamp,
    /// Change of the contents.
    pub(crate) modified: Timestamp,
    /// Change of the inode.
    pub(crate) changed: Timestamp,
}

/// What is known of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// A number no other inode of this file system has or had.
    pub(crate) inode: u64,
    /// What it is.
    pub(crate) kind: Kind,
    /// Names that lead to it. A directory counts itself and its subdirectories' `..`, as on Unix.
    pub(crate) links: u64,
    /// Bytes of a file's contents or a link's target; 0 for a directory.
    pub(crate) size: u64,
    /// When it last changed.
    pub(crate) times: Times,
}

/// Why the file system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A name on the way, or the last one, does not exist.
    #[error("no such file or directory")]
    NotFound,
    /// The name is taken.
    #[error("file exists")]
    Exists,
    /// A name that has to be a directory is none.
    #[error("not a directory")]
    NotDirectory,
    /// A directory where something else is needed.
    #[error("is a directory")]
    IsDirectory,
    /// The directory has entries.
    #[error("directory not empty")]
    NotEmpty,
    /// More than [`LINKS_MAX`] symbolic links, or one where none may be followed.
    #[error("too many levels of symbolic links")]
    Loop,
    /// A name over [`NAME_MAX`] or a path over [`PATH_MAX`].
    #[error("file name too long")]
    NameTooLong,
    /// The path leads out of the directory it started in.
    #[error("the path leads out of its directory")]
    Escapes,
    /// The request makes no sense.
    #[error("invalid argument")]
    Invalid,
    /// The quota does not allow it.
    #[error("no space left in the file system")]
    NoSpace,
    /// The directory is in use as `.`.
    #[error("resource busy")]
    Busy,
    /// Not for this kind of file.
    #[error("operation not permitted")]
    NotPermitted,
    /// A file cannot be that large.
    #[error("file too large")]
    TooLarge,
    /// The two handles belong to different file systems.
    #[error("cross-device link")]
    CrossDevice,
}

/// A new value for a time stamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetTimes {
    /// The access time, if it is to change.
    pub(crate) accessed: Option<Timestamp>,
    /// The modification time, if it is to change.
    pub(crate) modified: Option<Timestamp>,
}

/// A file system in memory. Clones share it.
#[derive(Clone)]
pub(crate) struct FileSystem(Arc<Mutex<Tree>>);

impl FileSystem {
    /// Make an empty file system that may grow to `quota`.
    pub(crate) fn new(quota: Quota, now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Tree::new(quota, now))))
    }

    /// Open the root directory.
    pub(crate) fn root(&self) -> Handle {
        let mut tree = self.lock();
        tree.node_mut(Id::ROOT).handles += 1;
        Handle::opened(self.clone(), Id::ROOT)
    }

    /// Say what is in use.
    #[cfg(test)]
    pub(crate) fn usage(&self) -> Usage {
        self.lock().used
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

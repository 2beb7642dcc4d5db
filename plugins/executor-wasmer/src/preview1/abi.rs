//! The numbers of the ABI: errno, rights, flags and layouts.
//!
//! Source: WebAssembly/WASI `legacy/preview1/witx/typenames.witx` and, for `wasi_unstable`,
//! `legacy/preview0/witx/typenames.witx`.

use crate::{fs, stop::Stopped};

/// Why a host function failed, as the guest sees it (`$errno`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Errno {
    /// Resource unavailable, or operation would block.
    Again = 6,
    /// Bad file descriptor.
    Badf = 8,
    /// Device or resource busy.
    Busy = 10,
    /// File exists.
    Exist = 20,
    /// Bad address.
    Fault = 21,
    /// File too large.
    Fbig = 22,
    /// Illegal byte sequence.
    Ilseq = 25,
    /// Invalid argument.
    Inval = 28,
    /// Is a directory.
    Isdir = 31,
    /// Too many levels of symbolic links.
    Loop = 32,
    /// File descriptor value too large.
    Mfile = 33,
    /// Filename too long.
    Nametoolong = 37,
    /// No such file or directory.
    Noent = 44,
    /// No space left on device.
    Nospc = 51,
    /// Not a directory or a symbolic link to a directory.
    Notdir = 54,
    /// Directory not empty.
    Notempty = 55,
    /// Not a socket.
    Notsock = 57,
    /// Not supported, or operation not supported on socket.
    Notsup = 58,
    /// Value too large to be stored in data type.
    Overflow = 61,
    /// Operation not permitted.
    Perm = 63,
    /// Invalid seek.
    Spipe = 70,
    /// Cross-device link.
    Xdev = 75,
    /// Extension: capabilities insufficient.
    Notcapable = 76,
}

impl From<fs::Error> for Errno {
    fn from(error: fs::Error) -> Self {
        match error {
            fs::Error::NotFound => Self::Noent,
            fs::Error::Exists => Self::Exist,
            fs::Error::NotDirectory => Self::Notdir,
            fs::Error::IsDirectory => Self::Isdir,
            fs::Error::NotEmpty => Self::Notempty,
            fs::Error::Loop => Self::Loop,
            fs::Error::NameTooLong => Self::Nametoolong,
            fs::Error::Invalid => Self::Inval,
            fs::Error::NoSpace => Self::Nospc,
            fs::Error::Busy => Self::Busy,
            // Wasmtime answers a path out of the sandbox with `perm`, and guests know it so.
            fs::Error::Escapes | fs::Error::NotPermitted => Self::Perm,
            fs::Error::TooLarge => Self::Fbig,
            fs::Error::CrossDevice => Self::Xdev,
        }
    }
}

/// Why a host function did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The guest is told.
    Errno(Errno),
    /// The guest ends here, with this exit code.
    Exit(u32),
    /// The guest ends here, because the host said so.
    Stopped(Stopped),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<fs::Error> for Failure {
    fn from(error: fs::Error) -> Self {
        Self::Errno(error.into())
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// What a host function answers.
pub(crate) type Answer = Result<(), Failure>;

/// The two generations of the ABI, where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abi {
    /// `wasi_snapshot_preview1`.
    Preview1,
    /// `wasi_unstable`, also called preview 0.
    Unstable,
}

/// `$rights`.
pub(crate) mod rights {
    /// A set of rights.
    pub(crate) type Rights = u64;

    pub(crate) const FD_DATASYNC: Rights = 1 << 0;
    pub(crate) const FD_READ: Rights = 1 << 1;
    pub(crate) const FD_SEEK: Rights = 1 << 2;
    pub(crate) const FD_FDSTAT_SET_FLAGS: Rights = 1 << 3;
    pub(crate) const FD_SYNC: Rights = 1 << 4;
    pub(crate) const FD_TELL: Rights = 1 << 5;
    pub(crate) const FD_WRITE: Rights = 1 << 6;
    pub(crate) const FD_ADVISE: Rights = 1 << 7;
    pub(crate) const FD_ALLOCATE: Rights = 1 << 8;
    pub(crate) const PATH_CREATE_DIRECTORY: Rights = 1 << 9;
    pub(crate) const PATH_CREATE_FILE: Rights = 1 << 10;
    pub(crate) const PATH_LINK_SOURCE: Rights = 1 << 11;
    pub(crate) const PATH_LINK_TARGET: Rights = 1 << 12;
    pub(crate) const PATH_OPEN: Rights = 1 << 13;
    pub(crate) const FD_READDIR: Rights = 1 << 14;
    pub(crate) const PATH_READLINK: Rights = 1 << 15;
    pub(crate) const PATH_RENAME_SOURCE: Rights = 1 << 16;
    pub(crate) const PATH_RENAME_TARGET: Rights = 1 << 17;
    pub(crate) const PATH_FILESTAT_GET: Rights = 1 << 18;
    pub(crate) const PATH_FILESTAT_SET_SIZE: Rights = 1 << 19;
    pub(crate) const PATH_FILESTAT_SET_TIMES: Rights = 1 << 20;
    pub(crate) const FD_FILESTAT_GET: Rights = 1 << 21;
    pub(crate) const FD_FILESTAT_SET_SIZE: Rights = 1 << 22;
    pub(crate) const FD_FILESTAT_SET_TIMES: Rights = 1 << 23;
    pub(crate) const PATH_SYMLINK: Rights = 1 << 24;
    pub(crate) const PATH_REMOVE_DIRECTORY: Rights = 1 << 25;
    pub(crate) const PATH_UNLINK_FILE: Rights = 1 << 26;
    pub(crate) const POLL_FD_READWRITE: Rights = 1 << 27;

    /// What can be done with a regular file.
    pub(crate) const FILE: Rights = FD_DATASYNC
        | FD_READ
        | FD_SEEK
        | FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_TELL
        | FD_WRITE
        | FD_ADVISE
        | FD_ALLOCATE
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_SIZE
        | FD_FILESTAT_SET_TIMES
        | POLL_FD_READWRITE;
    /// What can be done with a directory.
    pub(crate) const DIRECTORY: Rights = FD_DATASYNC
        | FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | PATH_CREATE_DIRECTORY
        | PATH_CREATE_FILE
        | PATH_LINK_SOURCE
        | PATH_LINK_TARGET
        | PATH_OPEN
        | FD_READDIR
        | PATH_READLINK
        | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET
        | PATH_FILESTAT_GET
        | PATH_FILESTAT_SET_SIZE
        | PATH_FILESTAT_SET_TIMES
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_TIMES
        | PATH_SYMLINK
        | PATH_REMOVE_DIRECTORY
        | PATH_UNLINK_FILE;
    /// What a directory can hand on to what is opened in it.
    pub(crate) const INHERITABLE: Rights = FILE | DIRECTORY;
    /// What can be done with the standard streams, beside reading or writing.
    pub(crate) const STREAM: Rights = FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE;
}

/// `$fdflags`.
pub(crate) mod fdflags {
    pub(crate) const APPEND: u16 = 1;
    pub(crate) const DSYNC: u16 = 1 << 1;
    pub(crate) const NONBLOCK: u16 = 1 << 2;
    pub(crate) const RSYNC: u16 = 1 << 3;
    pub(crate) const SYNC: u16 = 1 << 4;
    pub(crate) const ALL: u16 = APPEND | DSYNC | NONBLOCK | RSYNC | SYNC;
}

/// `$oflags`.
pub(crate) mod oflags {
    pub(crate) const CREAT: u16 = 1;
    pub(crate) const DIRECTORY: u16 = 1 << 1;
    pub(crate) const EXCL: u16 = 1 << 2;
    pub(crate) const TRUNC: u16 = 1 << 3;
    pub(crate) const ALL: u16 = CREAT | DIRECTORY | EXCL | TRUNC;
}

/// `$fstflags`.
pub(crate) mod fstflags {
    pub(crate) const ATIM: u16 = 1;
    pub(crate) const ATIM_NOW: u16 = 1 << 1;
    pub(crate) const MTIM: u16 = 1 << 2;
    pub(crate) const MTIM_NOW: u16 = 1 << 3;
    pub(crate) const ALL: u16 = ATIM | ATIM_NOW | MTIM | MTIM_NOW;
}

/// `$lookupflags`: the only one.
pub(crate) const SYMLINK_FOLLOW: u32 = 1;

/// `$clockid`.
pub(crate) mod clockid {
    pub(crate) const REALTIME: u32 = 0;
    pub(crate) const MONOTONIC: u32 = 1;
}

/// `$filetype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Filetype {
    /// None of the others: a pipe, for one.
    Unknown = 0,
    /// A directory.
    Directory = 3,
    /// A regular file.
    RegularFile = 4,
    /// A symbolic link.
    SymbolicLink = 7,
}

impl From<fs::Kind> for Filetype {
    fn from(kind: fs::Kind) -> Self {
        match kind {
            fs::Kind::File => Self::RegularFile,
            fs::Kind::Directory => Self::Directory,
            fs::Kind::Symlink => Self::SymbolicLink,
        }
    }
}

/// Put `bytes` into a record at `offset`.
pub(crate) fn put<const N: usize, const M: usize>(record: &mut [u8; N], offset: usize, bytes: [u8; M]) {
    record[offset..offset + M].copy_from_slice(&bytes);
}

/// Take the bytes at `offset` of a record.
pub(crate) fn get<const M: usize>(record: &[u8], offset: usize) -> [u8; M] {
    let mut bytes = [0; M];
    bytes.copy_from_slice(&record[offset..offset + M]);
    bytes
}

/// The device number of the one file system there is.
const DEVICE: u64 = 1;

/// Lay out a `$filestat`: 64 bytes, of which `wasi_unstable` uses 56, with a shorter link count.
pub(crate) fn filestat(filetype: Filetype, stat: Option<fs::Stat>, abi: Abi) -> ([u8; 64], usize) {
    let mut record = [0; 64];
    put(&mut record, 16, [filetype as u8]);
    let (tail, length) = match abi {
        Abi::Preview1 => (32, 64),
        Abi::Unstable => (24, 56),
    };
    let Some(stat) = stat else { return (record, length) };
    put(&mut record, 0, DEVICE.to_le_bytes());
    put(&mut record, 8, stat.inode.to_le_bytes());
    match abi {
        Abi::Preview1 => put(&mut record, 24, stat.links.to_le_bytes()),
        Abi::Unstable => put(&mut record, 20, u32::try_from(stat.links).unwrap_or(u32::MAX).to_le_bytes()),
    }
    put(&mut record, tail, stat.size.to_le_bytes());
    put(&mut record, tail + 8, stat.times.accessed.to_le_bytes());
    put(&mut record, tail + 16, stat.times.modified.to_le_bytes());
    put(&mut record, tail + 24, stat.times.changed.to_le_bytes());
    (record, length)
}

//! Files of the guest's file system, and what it holds when it has one open.

use std::{
    fmt,
    io::{self, SeekFrom},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use wasmer_wasix::{
    FsError,
    virtual_fs::{self, AsyncRead, AsyncSeek, AsyncWrite, FileType, Metadata, OpenOptionsConfig, ReadBuf, VirtualFile},
};

use super::files::{Files, Space};

/// The contents of a file. They count against the quota until the file's last name and last handle are gone.
pub(super) struct File {
    state: Mutex<State>,
    space: Arc<Space>,
}

struct State {
    contents: Contents,
    accessed: u64,
    created: u64,
    modified: u64,
}

enum Contents {
    /// What the caller gave, as long as the guest only reads it.
    Shared(Bytes),
    Owned(Vec<u8>),
}

impl Contents {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    fn make_mut(&mut self) -> &mut Vec<u8> {
        if let Self::Shared(bytes) = self {
            *self = Self::Owned(bytes.to_vec());
        }
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(_) => unreachable!("made owned above"),
        }
    }
}

impl File {
    pub(super) fn new(contents: Bytes, space: Arc<Space>, now: u64) -> Result<Self, FsError> {
        space.take(contents.len() as u64)?;
        let state = State { contents: Contents::Shared(contents), accessed: now, created: now, modified: now };
        Ok(Self { state: Mutex::new(state), space })
    }

    pub(super) fn metadata(&self) -> Metadata {
        let state = self.lock();
        Metadata {
            ft: FileType::new_file(),
            accessed: state.accessed,
            created: state.created,
            modified: state.modified,
            len: state.contents.bytes().len() as u64,
        }
    }

    /// What is in the file, without copying it.
    pub(super) fn contents(&self) -> Bytes {
        let mut state = self.lock();
        let bytes = match &mut state.contents {
            Contents::Shared(bytes) => bytes.clone(),
            Contents::Owned(bytes) => Bytes::from(std::mem::take(bytes)),
        };
        state.contents = Contents::Shared(bytes.clone());
        bytes
    }

    /// Cut the file, or fill it up with zeros, to `len` bytes.
    pub(super) fn set_len(&self, len: u64, now: u64) -> Result<(), FsError> {
        let mut state = self.lock();
        let old = state.contents.bytes().len() as u64;
        if len > old {
            self.space.take(len - old)?;
        } else {
            self.space.give(old - len);
        }
        let resized = usize::try_from(len).map_err(|_| FsError::WriteZero)?;
        let contents = state.contents.make_mut();
        contents.resize(resized, 0);
        if len == 0 {
            contents.shrink_to_fit();
        }
        state.modified = now;
        Ok(())
    }

    fn read(&self, at: u64, buf: &mut ReadBuf<'_>) -> u64 {
        let state = self.lock();
        let bytes = state.contents.bytes();
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let count = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..count]);
        count as u64
    }

    /// Write all of `bytes` at `at`, or at the end without one. Gives the position after them.
    fn write(&self, at: Option<u64>, bytes: &[u8], now: u64) -> Result<u64, FsError> {
        let mut state = self.lock();
        let old = state.contents.bytes().len() as u64;
        let at = at.unwrap_or(old);
        let end = at.checked_add(bytes.len() as u64).ok_or(FsError::WriteZero)?;
        self.space.take(end.saturating_sub(old))?;
        let (Ok(from), Ok(to)) = (usize::try_from(at), usize::try_from(end)) else { return Err(FsError::WriteZero) };
        let contents = state.contents.make_mut();
        if contents.len() < to {
            contents.resize(to, 0);
        }
        contents[from..to].copy_from_slice(bytes);
        state.modified = now;
        Ok(end)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let len = self.lock().contents.bytes().len();
        self.space.give(len as u64);
    }
}

/// An open file.
pub(super) struct Handle {
    file: Arc<File>,
    files: Files,
    readable: bool,
    writable: bool,
    append: bool,
    position: u64,
}

impl Handle {
    pub(super) fn new(file: Arc<File>, files: Files, conf: &OpenOptionsConfig) -> Self {
        let writable = conf.write || conf.append;
        Self { file, files, readable: conf.read, writable, append: conf.append, position: 0 }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

impl AsyncRead for Handle {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.readable {
            return Poll::Ready(Err(io::ErrorKind::PermissionDenied.into()));
        }
        let count = self.file.read(self.position, buf);
        self.position += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handle {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.writable {
            return Poll::Ready(Err(io::ErrorKind::PermissionDenied.into()));
        }
        let at = (!self.append).then_some(self.position);
        self.position = self.file.write(at, bytes, self.files.now())?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Handle {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

impl VirtualFile for Handle {
    fn last_accessed(&self) -> u64 {
        self.file.lock().accessed
    }

    fn last_modified(&self) -> u64 {
        self.file.lock().modified
    }

    fn created_time(&self) -> u64 {
        self.file.lock().created
    }

    fn set_times(&mut self, accessed: Option<u64>, modified: Option<u64>) -> virtual_fs::Result<()> {
        let mut state = self.file.lock();
        state.accessed = accessed.unwrap_or(state.accessed);
        state.modified = modified.unwrap_or(state.modified);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.file.lock().contents.bytes().len() as u64
    }

    fn set_len(&mut self, len: u64) -> virtual_fs::Result<()> {
        self.file.set_len(len, self.files.now())
    }

    fn unlink(&mut self) -> virtual_fs::Result<()> {
        self.files.unlink(&self.file)
    }

    fn poll_read_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(usize::try_from(self.size().saturating_sub(self.position)).unwrap_or(usize::MAX)))
    }

    fn poll_write_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(64 * 1024))
    }
}

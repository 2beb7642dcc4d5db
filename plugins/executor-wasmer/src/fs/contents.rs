//! What is in a file.

use bytes::Bytes;

use super::{
    Error, Timestamp,
    tree::{Body, Id, Tree},
};

/// The size no file may pass: offsets are signed 64-bit numbers in every guest's C library.
const SIZE_MAX: u64 = i64::MAX as u64;

/// The bytes of a file: shared with whoever gave or takes them until somebody writes.
pub(super) enum Contents {
    Shared(Bytes),
    Own(Vec<u8>),
}

impl Contents {
    pub fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }

    /// The bytes for writing.
    fn own(&mut self) -> &mut Vec<u8> {
        if let Self::Shared(bytes) = self {
            *self = Self::Own(std::mem::take(bytes).into());
        }
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(_) => unreachable!("replaced above"),
        }
    }

    /// The bytes for somebody else, without a copy.
    pub fn share(&mut self) -> Bytes {
        match self {
            Self::Shared(bytes) => bytes.clone(),
            Self::Own(bytes) => {
                let bytes = Bytes::from(std::mem::take(bytes));
                *self = Self::Shared(bytes.clone());
                bytes
            }
        }
    }
}

/// Make room for `size` bytes. Doubles, as `Vec` would, but never past what the quota lets the file become.
fn reserve(bytes: &mut Vec<u8>, size: usize, room: u64) -> Result<(), Error> {
    if size <= bytes.capacity() {
        return Ok(());
    }
    let most = bytes.len().saturating_add(usize::try_from(room).unwrap_or(usize::MAX));
    let wanted = bytes.len().saturating_mul(2).clamp(size, most.max(size));
    bytes.try_reserve_exact(wanted - bytes.len()).map_err(|_| Error::NoSpace)
}

impl Tree {
    pub fn contents(&self, id: Id) -> Result<&Contents, Error> {
        match &self.node(id).body {
            Body::File(contents) => Ok(contents),
            Body::Directory(_) => Err(Error::IsDirectory),
            Body::Symlink(_) | Body::Free => Err(Error::Invalid),
        }
    }

    pub fn contents_mut(&mut self, id: Id) -> Result<&mut Contents, Error> {
        match &mut self.node_mut(id).body {
            Body::File(contents) => Ok(contents),
            Body::Directory(_) => Err(Error::IsDirectory),
            Body::Symlink(_) | Body::Free => Err(Error::Invalid),
        }
    }

    /// Copy bytes at `offset` into `buffer`, as many as there are.
    pub fn read(&self, id: Id, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let bytes = self.contents(id)?.as_slice();
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    /// Write `bytes` at `offset`, as many as the quota has room for, at least one.
    pub fn write(&mut self, id: Id, offset: u64, bytes: &[u8], now: Timestamp) -> Result<usize, Error> {
        let room = self.room();
        let contents = self.contents_mut(id)?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let size = contents.len();
        let wanted = offset.checked_add(bytes.len() as u64).filter(|end| *end <= SIZE_MAX);
        let end = wanted.ok_or(Error::TooLarge)?.min(size.saturating_add(room));
        // Both are at most SIZE_MAX, which is what a usize holds on the 64-bit hosts Wasmer runs on.
        let (Ok(start), Ok(stop)) = (usize::try_from(offset), usize::try_from(end)) else {
            return Err(Error::TooLarge);
        };
        if stop <= start {
            return Err(Error::NoSpace);
        }
        let bytes = &bytes[..stop - start];
        let own = contents.own();
        reserve(own, stop, room)?;
        if start == own.len() {
            own.extend_from_slice(bytes);
        } else {
            if stop > own.len() {
                own.resize(stop, 0);
            }
            own[start..stop].copy_from_slice(bytes);
        }
        self.used.bytes += end.saturating_sub(size);
        self.modified(id, now);
        Ok(bytes.len())
    }

    /// Cut a file off at `size`, or fill it up to there with zeros.
    pub fn resize(&mut self, id: Id, size: u64, now: Timestamp) -> Result<(), Error> {
        let room = self.room();
        let contents = self.contents_mut(id)?;
        let before = contents.len();
        if size > SIZE_MAX {
            return Err(Error::TooLarge);
        }
        if size.saturating_sub(before) > room {
            return Err(Error::NoSpace);
        }
        let length = usize::try_from(size).map_err(|_| Error::TooLarge)?;
        if size == 0 {
            // Gives the memory back, too.
            *contents = Contents::Own(Vec::new());
        } else if let (Contents::Shared(bytes), true) = (&mut *contents, size < before) {
            bytes.truncate(length);
        } else {
            let own = contents.own();
            reserve(own, length, room)?;
            own.resize(length, 0);
            if length < own.capacity() / 2 {
                own.shrink_to_fit();
            }
        }
        self.used.bytes = self.used.bytes - before + size;
        self.modified(id, now);
        Ok(())
    }

    fn modified(&mut self, id: Id, now: Timestamp) {
        let times = &mut self.node_mut(id).times;
        times.modified = now;
        times.changed = now;
    }
}

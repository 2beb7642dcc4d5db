//! What is in a file.

use bytes::Bytes;

use super::{
    Error, Timestamp,
    tree::{Body, Id, Tree},
};

/// The size no file may pass: offsets are signed 64-bit numbers in every guest's C library.
const SIZE_MAX: u64 = i64::MAX as u64;

/// The bytes of a file: shared with whoever gave or takes them until somebody writes.
#[derive(Default)]
pub(super) struct Contents {
    /// The contents, if they are shared; `own` is empty then.
    shared: Option<Bytes>,
    own: Vec<u8>,
}

impl Contents {
    pub(crate) fn shared(bytes: Bytes) -> Self {
        Self { shared: Some(bytes), own: Vec::new() }
    }

    pub(crate) fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn as_slice(&self) -> &[u8] {
        self.shared.as_deref().unwrap_or(&self.own)
    }

    /// The bytes for writing.
    fn own(&mut self) -> &mut Vec<u8> {
        if let Some(bytes) = self.shared.take() {
            self.own = bytes.into();
        }
        &mut self.own
    }

    /// The bytes for somebody else, without a copy.
    pub(crate) fn share(&mut self) -> Bytes {
        let own = &mut self.own;
        self.shared.get_or_insert_with(|| std::mem::take(own).into()).clone()
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
    pub(crate) fn contents(&self, id: Id) -> Result<&Contents, Error> {
        match &self.node(id).body {
            Body::File(contents) => Ok(contents),
            Body::Directory(_) => Err(Error::IsDirectory),
            Body::Symlink(_) | Body::Free => Err(Error::Invalid),
        }
    }

    pub(crate) fn contents_mut(&mut self, id: Id) -> Result<&mut Contents, Error> {
        match &mut self.node_mut(id).body {
            Body::File(contents) => Ok(contents),
            Body::Directory(_) => Err(Error::IsDirectory),
            Body::Symlink(_) | Body::Free => Err(Error::Invalid),
        }
    }

    /// Copy bytes at `offset` into `buffer`, as many as there are.
    pub(crate) fn read(&self, id: Id, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let bytes = self.contents(id)?.as_slice();
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    /// Write `bytes` at `offset`, as many as the quota has room for, at least one.
    pub(crate) fn write(&mut self, id: Id, offset: u64, bytes: &[u8], now: Timestamp) -> Result<usize, Error> {
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
    pub(crate) fn resize(&mut self, id: Id, size: u64, now: Timestamp) -> Result<(), Error> {
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
            *contents = Contents::default();
        } else if let (Some(bytes), true) = (&mut contents.shared, size < before) {
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

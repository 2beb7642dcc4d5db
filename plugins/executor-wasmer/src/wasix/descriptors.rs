//! What the guest's descriptors are, as far as a wait or a limit depends on it.
//!
//! wasmer-wasix has the table of descriptors; this one goes beside it, number by number. Reads and writes of
//! standard streams, pipes and event counters are answered from here: wasmer-wasix's own block where nothing can
//! wake them, and its pipes grow without bound.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::stdio::OutputStream;

/// Bytes a pipe holds, as on Linux.
pub(super) const PIPE_BYTES: usize = 64 * 1024;

/// What a descriptor is.
#[derive(Clone)]
pub(super) enum Kind {
    Stdin,
    Output(OutputStream),
    Reader(End),
    Writer(End),
    Event(Arc<Event>),
    /// A file or directory of wasmer-wasix, which never waits.
    Plain,
}

/// An open descriptor.
#[derive(Clone)]
pub(super) struct Descriptor {
    pub(super) kind: Kind,
    pub(super) nonblocking: bool,
}

impl Descriptor {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, nonblocking: false }
    }
}

/// The open descriptors of a guest.
pub(super) struct Descriptors {
    open: HashMap<u32, Descriptor>,
    max: usize,
}

impl Descriptors {
    /// Start with the standard streams and the root directory.
    pub(super) fn new(max: usize) -> Self {
        let kinds = [Kind::Stdin, Kind::Output(OutputStream::Stdout), Kind::Output(OutputStream::Stderr), Kind::Plain];
        Self { open: (0..).zip(kinds.map(Descriptor::new)).collect(), max }
    }

    /// Whether `count` more may be opened.
    pub(super) fn room_for(&self, count: usize) -> bool {
        self.open.len() + count <= self.max
    }

    /// Whether `fd` is a number that a guest may choose for a descriptor.
    pub(super) fn allows(&self, fd: u32) -> bool {
        usize::try_from(fd).is_ok_and(|fd| fd < self.max)
    }

    pub(super) fn get(&self, fd: u32) -> Option<&Descriptor> {
        self.open.get(&fd)
    }

    pub(super) fn get_mut(&mut self, fd: u32) -> Option<&mut Descriptor> {
        self.open.get_mut(&fd)
    }

    pub(super) fn insert(&mut self, fd: u32, descriptor: Descriptor) {
        self.open.insert(fd, descriptor);
    }

    pub(super) fn remove(&mut self, fd: u32) {
        self.open.remove(&fd);
    }
}

/// One end of a pipe. An end is closed when its last descriptor is.
#[derive(Clone)]
pub(super) struct End {
    pipe: Arc<Pipe>,
    _open: Arc<()>,
}

struct Pipe {
    bytes: Mutex<VecDeque<u8>>,
    readers: Weak<()>,
    writers: Weak<()>,
}

impl End {
    /// Make a pipe: its end to read from and its end to write to.
    pub(super) fn pair() -> (Self, Self) {
        let (reader, writer) = (Arc::new(()), Arc::new(()));
        let pipe = Arc::new(Pipe {
            bytes: Mutex::new(VecDeque::new()),
            readers: Arc::downgrade(&reader),
            writers: Arc::downgrade(&writer),
        });
        (Self { pipe: pipe.clone(), _open: reader }, Self { pipe, _open: writer })
    }

    pub(super) fn has_readers(&self) -> bool {
        self.pipe.readers.strong_count() > 0
    }

    pub(super) fn has_writers(&self) -> bool {
        self.pipe.writers.strong_count() > 0
    }

    pub(super) fn bytes(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.pipe.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn room(&self) -> usize {
        PIPE_BYTES.saturating_sub(self.bytes().len())
    }
}

/// An event counter (`eventfd` of Linux).
pub(super) struct Event {
    count: Mutex<u64>,
    semaphore: bool,
}

impl Event {
    pub(super) fn new(count: u64, semaphore: bool) -> Self {
        Self { count: Mutex::new(count), semaphore }
    }

    /// Take the count, or 1 of a semaphore's. 0 when there is nothing to take.
    pub(super) fn take(&self) -> u64 {
        let mut count = self.lock();
        let taken = if self.semaphore { (*count).min(1) } else { *count };
        *count -= taken;
        taken
    }

    /// Add to the count. Says whether there was room.
    pub(super) fn add(&self, value: u64) -> bool {
        let mut count = self.lock();
        let sum = count.checked_add(value).filter(|sum| *sum < u64::MAX);
        *count = sum.unwrap_or(*count);
        sum.is_some()
    }

    pub(super) fn count(&self) -> u64 {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The host's functions, called as a guest would, on a memory made by hand.

mod guests;
mod paths;
mod poll;
mod process;
mod rights;
mod streams;

use std::{
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use wasmer::sys::vm::VMMemoryDefinition;

use super::{
    abi::{Abi, Answer, Errno, Failure, get, oflags, rights::*},
    paths::OpenRequest,
    *,
};
use crate::fs::Quota;

/// Where results go.
const RESULT: u32 = 0;
/// Where events and other large results go.
const LARGE: u32 = 0x8000;
const PATH: u32 = 0x1000;
const NEW_PATH: u32 = 0x3000;
const SIZE: usize = 0x2_0000;
/// The preopened directory.
const ROOT: u32 = 3;

#[derive(Debug)]
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0.load(Ordering::SeqCst).cast_signed())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(77)
    }
}

#[derive(Debug)]
struct TestRandom;

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0xA5);
    }
}

struct Guest {
    host: Host,
    clock: Arc<TestClock>,
    fs: FileSystem,
    output: Output,
    stop: Arc<Stop>,
    // What the host's memory points to.
    _definition: Box<VMMemoryDefinition>,
    _bytes: Box<[u8]>,
}

impl Guest {
    fn new() -> Self {
        Self::with(Stdin::bytes(Bytes::from_static(b"standard input")), |_| {})
    }

    fn with(stdin: Stdin, change: impl FnOnce(&mut Config)) -> Self {
        let stop = Arc::new(Stop::new(Instant::now() + Duration::from_secs(30)));
        let clock = Arc::new(TestClock(AtomicU64::new(1_000_000)));
        let fs = FileSystem::new(Quota { bytes: 100_000, entries: 3000 }, 1);
        let output = Output::new(1000, None, stop.clone());
        let mut config = Config {
            args: vec!["program".into(), "two words".into()],
            env: vec!["A=1".into()],
            fs: fs.clone(),
            stdin,
            output: output.clone(),
            stop: stop.clone(),
            clock: clock.clone(),
            random: Arc::new(TestRandom),
            max_descriptors: 10,
            max_subscriptions: 8,
        };
        change(&mut config);
        let mut host = Host::new(config);
        let mut bytes = vec![0_u8; SIZE].into_boxed_slice();
        let definition = VMMemoryDefinition { base: bytes.as_mut_ptr(), current_length: SIZE };
        let mut definition = Box::new(definition);
        // SAFETY: both live as long as the host, and are used through it only.
        host.set_memory(unsafe { GuestMemory::new(NonNull::from(&mut *definition)) });
        Self { host, clock, fs, output, stop, _definition: definition, _bytes: bytes }
    }

    fn memory(&mut self) -> &mut GuestMemory {
        self.host.memory.as_mut().unwrap()
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> (u32, u32) {
        self.memory().write(at, bytes).unwrap();
        (at, u32::try_from(bytes.len()).unwrap())
    }

    fn path(&mut self, path: &str) -> (u32, u32) {
        self.put(PATH, path.as_bytes())
    }

    fn new_path(&mut self, path: &str) -> (u32, u32) {
        self.put(NEW_PATH, path.as_bytes())
    }

    fn bytes(&mut self, at: u32, length: u32) -> Vec<u8> {
        self.memory().bytes(at, length).unwrap().to_vec()
    }

    fn u32(&mut self, at: u32) -> u32 {
        u32::from_le_bytes(get(self.memory().bytes(at, 4).unwrap(), 0))
    }

    fn u64(&mut self, at: u32) -> u64 {
        u64::from_le_bytes(get(self.memory().bytes(at, 8).unwrap(), 0))
    }

    /// Lay out buffers of the given lengths one after the other from LARGE on; their list is at 0x100.
    fn buffers(&mut self, lengths: &[u32]) -> (u32, u32) {
        let mut at = LARGE;
        for (index, length) in (0..).zip(lengths) {
            self.memory().write_u32(0x100 + index * 8, at).unwrap();
            self.memory().write_u32(0x104 + index * 8, *length).unwrap();
            at += length;
        }
        (0x100, u32::try_from(lengths.len()).unwrap())
    }

    fn open_as(&mut self, fd: u32, path: &str, request: OpenRequest) -> Result<u32, Errno> {
        let path = self.path(path);
        errno(self.host.path_open(fd, path, request, RESULT))?;
        Ok(self.u32(RESULT))
    }

    /// Open for reading and writing with all a file's rights.
    fn open(&mut self, fd: u32, path: &str, oflags: u16) -> Result<u32, Errno> {
        self.open_as(fd, path, request(oflags, FILE, 0))
    }

    fn open_directory(&mut self, fd: u32, path: &str) -> u32 {
        self.open_as(fd, path, request(oflags::DIRECTORY, DIRECTORY, INHERITABLE)).unwrap()
    }

    fn create(&mut self, path: &str) {
        let fd = self.open(ROOT, path, oflags::CREAT).unwrap();
        self.host.fd_close(fd).unwrap();
    }

    fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        let (path, length) = self.path(path);
        errno(self.host.path_create_directory(ROOT, path, length))
    }

    fn symlink(&mut self, target: &str, path: &str) -> Result<(), Errno> {
        let (target, path) = (self.new_path(target), self.path(path));
        errno(self.host.path_symlink(target, ROOT, path))
    }

    fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32, Errno> {
        self.put(LARGE, bytes);
        let (list, count) = self.buffers(&[u32::try_from(bytes.len()).unwrap()]);
        errno(self.host.fd_write(fd, list, count, RESULT))?;
        Ok(self.u32(RESULT))
    }

    fn read(&mut self, fd: u32, length: u32) -> Result<Vec<u8>, Errno> {
        let (list, count) = self.buffers(&[length]);
        errno(self.host.fd_read(fd, list, count, RESULT))?;
        let length = self.u32(RESULT);
        Ok(self.bytes(LARGE, length))
    }

    fn seek(&mut self, fd: u32, delta: i64, whence: u32) -> Result<u64, Errno> {
        errno(self.host.fd_seek(fd, delta, whence, RESULT, Abi::Preview1))?;
        Ok(self.u64(RESULT))
    }

    /// Size and link count.
    fn stat(&mut self, fd: u32) -> Result<(u64, u64), Errno> {
        errno(self.host.fd_filestat_get(fd, RESULT, Abi::Preview1))?;
        Ok((self.u64(RESULT + 32), self.u64(RESULT + 24)))
    }

    /// Base and inheriting rights.
    fn rights(&mut self, fd: u32) -> (u64, u64) {
        self.host.fd_fdstat_get(fd, RESULT).unwrap();
        (self.u64(RESULT + 8), self.u64(RESULT + 16))
    }
}

fn request(oflags: u16, base: u64, inheriting: u64) -> OpenRequest {
    OpenRequest { lookup: 0, oflags: oflags.into(), base, inheriting, fdflags: 0 }
}

fn errno(answer: Answer) -> Result<(), Errno> {
    answer.map_err(|failure| match failure {
        Failure::Errno(errno) => errno,
        other => panic!("{other:?}"),
    })
}

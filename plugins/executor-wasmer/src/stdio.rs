//! What a guest reads as standard input and what becomes of what it writes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use crate::stop::{Stop, StopReason, Stopped};

/// A guest's standard input: bytes at hand, and perhaps more to come.
pub struct Stdin {
    ready: Bytes,
    more: Option<mpsc::Receiver<Bytes>>,
}

impl Stdin {
    /// Input that is all there.
    pub fn bytes(ready: Bytes) -> Self {
        Self { ready, more: None }
    }

    /// Input that arrives while the guest runs. It ends when the sender is dropped.
    pub fn stream(more: mpsc::Receiver<Bytes>) -> Self {
        Self { ready: Bytes::new(), more: Some(more) }
    }

    /// Read at least one byte into `buffer`, waiting for it; 0 at the end of the input.
    ///
    /// # Errors
    /// [`Stopped`] when the execution is told to end first.
    pub fn read(&mut self, buffer: &mut [u8], stop: &Arc<Stop>) -> Result<usize, Stopped> {
        self.wait(None, stop)?;
        let count = buffer.len().min(self.ready.len());
        self.ready.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }

    /// Wait until a read would not wait, at most until `until`. Says whether it would not.
    ///
    /// # Errors
    /// [`Stopped`] when the execution is told to end first.
    pub fn wait(&mut self, until: Option<Instant>, stop: &Arc<Stop>) -> Result<bool, Stopped> {
        while self.ready.is_empty() {
            let Some(more) = &mut self.more else { return Ok(true) };
            match stop.block_on(until, more.recv())? {
                Some(Some(chunk)) => self.ready = chunk,
                Some(None) => self.more = None,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The bytes that can be read without waiting. 0 with [`Stdin::wait`] saying ready means the end.
    pub fn available(&self) -> usize {
        self.ready.len()
    }
}

/// Which of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// What a guest wrote.
#[derive(Debug, Default)]
pub struct Written {
    /// Standard output; empty when it went to a live receiver.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Bytes of standard output, whether kept or sent on.
    pub stdout_bytes: u64,
    /// Whether the limit cut the output short.
    pub truncated: bool,
}

struct State {
    written: Written,
    limit: u64,
    live: Option<mpsc::Sender<Bytes>>,
}

/// A guest's standard output and error, under one byte limit.
#[derive(Clone)]
pub struct Output {
    state: Arc<Mutex<State>>,
    stop: Arc<Stop>,
}

impl Output {
    /// Make streams that together take `limit` bytes. Standard output goes to `live` when there is one.
    pub fn new(limit: u64, live: Option<mpsc::Sender<Bytes>>, stop: Arc<Stop>) -> Self {
        Self { state: Arc::new(Mutex::new(State { written: Written::default(), limit, live })), stop }
    }

    /// Take `bytes` from the guest: all of them, or what the limit leaves room for and then end the execution.
    ///
    /// # Errors
    /// [`Stopped`] when the limit is reached, a live receiver is gone, or the execution is told to end.
    pub fn write(&self, stream: OutputStream, bytes: &[u8]) -> Result<(), Stopped> {
        let mut state = self.lock();
        let used = state.written.stdout_bytes + state.written.stderr.len() as u64;
        let room = usize::try_from(state.limit.saturating_sub(used)).unwrap_or(usize::MAX);
        let (kept, cut) = bytes.split_at(bytes.len().min(room));
        match stream {
            OutputStream::Stderr => state.written.stderr.extend_from_slice(kept),
            OutputStream::Stdout => {
                state.written.stdout_bytes += kept.len() as u64;
                match state.live.clone() {
                    None => state.written.stdout.extend_from_slice(kept),
                    Some(live) => {
                        drop(state);
                        self.send(&live, kept)?;
                        state = self.lock();
                    }
                }
            }
        }
        if cut.is_empty() {
            return Ok(());
        }
        state.written.truncated = true;
        drop(state);
        self.stop.request(StopReason::Output);
        Err(Stopped(StopReason::Output))
    }

    /// Take what was written, at the end of the execution. Closes a live receiver's stream.
    pub fn take(&self) -> Written {
        let mut state = self.lock();
        state.live = None;
        std::mem::take(&mut state.written)
    }

    fn send(&self, live: &mpsc::Sender<Bytes>, bytes: &[u8]) -> Result<(), Stopped> {
        /// Large writes go out in pieces, so that a slow reader holds back the guest and not our memory.
        const CHUNK: usize = 64 * 1024;
        for chunk in bytes.chunks(CHUNK) {
            if let Some(Err(_)) = self.stop.block_on(None, live.send(Bytes::copy_from_slice(chunk)))? {
                self.stop.request(StopReason::Cancelled);
                return self.stop.check();
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Waiting for time to pass or descriptors to become ready.

use std::time::{Duration, Instant};

use super::{
    Host,
    abi::{Abi, Answer, Errno, Failure, clockid, get, put, rights},
    descriptors::Object,
};

/// Bytes of an `$event`.
const EVENT: u32 = 32;
/// `$eventrwflags`: the other end is closed.
const HANGUP: u16 = 1;

/// `$eventtype`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum EventType {
    Clock = 0,
    Read = 1,
    Write = 2,
}

/// What a subscription waits for.
enum Wait {
    /// An instant; `None` never comes.
    Until(Option<Instant>),
    /// Standard input.
    Input,
    /// Nothing: it is ready, or it failed.
    Done(Event),
}

/// The variable part of an `$event`.
#[derive(Clone, Copy, Default)]
struct Event {
    error: u16,
    bytes: u64,
    flags: u16,
}

impl Event {
    fn failed(errno: Errno) -> Self {
        Self { error: errno as u16, ..Self::default() }
    }

    fn ready(bytes: u64) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// `bytes` can be read; none, when the end is reached.
    fn readable(bytes: u64) -> Self {
        let flags = if bytes == 0 { HANGUP } else { 0 };
        Self { bytes, flags, ..Self::default() }
    }
}

struct Subscription {
    userdata: u64,
    kind: EventType,
    wait: Wait,
}

impl Host {
    pub(super) fn poll_oneoff(&mut self, list: u32, events: u32, count: u32, result: u32, abi: Abi) -> Answer {
        if count == 0 || count as usize > self.max_subscriptions {
            return Err(Errno::Inval.into());
        }
        let size = match abi {
            Abi::Preview1 => 48,
            Abi::Unstable => 56,
        };
        let length = count.checked_mul(EVENT).ok_or(Errno::Inval)?;
        self.memory_mut()?.bytes(events, length)?;
        let mut subscriptions = Vec::with_capacity(count as usize);
        let now = Instant::now();
        for index in 0..count {
            let at = index.checked_mul(size).and_then(|offset| list.checked_add(offset)).ok_or(Errno::Fault)?;
            let record = self.memory.as_ref().ok_or(Errno::Fault)?.bytes(at, size)?;
            subscriptions.push(self.subscription(record, now, abi)?);
        }
        let input = self.wait_for_any(&subscriptions)?;
        let now = Instant::now();
        let mut written = 0;
        for subscription in &subscriptions {
            let event = match subscription.wait {
                Wait::Done(event) => event,
                Wait::Until(Some(until)) if until <= now => Event::default(),
                Wait::Input if input => self.input_event(),
                Wait::Until(_) | Wait::Input => continue,
            };
            let mut record = [0_u8; EVENT as usize];
            put(&mut record, 0, subscription.userdata.to_le_bytes());
            put(&mut record, 8, event.error.to_le_bytes());
            put(&mut record, 10, [subscription.kind as u8]);
            put(&mut record, 16, event.bytes.to_le_bytes());
            put(&mut record, 24, event.flags.to_le_bytes());
            self.memory_mut()?.write(events + written * EVENT, &record)?;
            written += 1;
        }
        Ok(self.memory_mut()?.write_u32(result, written)?)
    }

    /// Wait until one of the subscriptions is ready. Says whether standard input is.
    fn wait_for_any(&mut self, subscriptions: &[Subscription]) -> Result<bool, Failure> {
        let mut until = None;
        let (mut done, mut input) = (false, false);
        for subscription in subscriptions {
            match subscription.wait {
                Wait::Done(_) => done = true,
                Wait::Input => input = true,
                Wait::Until(Some(instant)) => until = Some(until.map_or(instant, |until: Instant| until.min(instant))),
                Wait::Until(None) => {}
            }
        }
        if done {
            until = Some(Instant::now());
        }
        if input {
            return Ok(self.stdin.wait(until, &self.stop)?);
        }
        if !done {
            self.stop.wait(until)?;
        }
        Ok(false)
    }

    fn input_event(&self) -> Event {
        Event::readable(self.stdin.available() as u64)
    }

    fn subscription(&self, record: &[u8], now: Instant, abi: Abi) -> Result<Subscription, Errno> {
        let kind = match record[8] {
            0 => EventType::Clock,
            1 => EventType::Read,
            2 => EventType::Write,
            _ => return Err(Errno::Inval),
        };
        let wait = match kind {
            EventType::Clock => self.clock_wait(record, now, abi),
            EventType::Read | EventType::Write => {
                let fd = u32::from_le_bytes(get(record, 16));
                self.descriptor_wait(fd, kind).unwrap_or_else(|errno| Wait::Done(Event::failed(errno)))
            }
        };
        Ok(Subscription { userdata: u64::from_le_bytes(get(record, 0)), kind, wait })
    }

    fn clock_wait(&self, record: &[u8], now: Instant, abi: Abi) -> Wait {
        // The older layout has an identifier of the guest's own first.
        let at = match abi {
            Abi::Preview1 => 16,
            Abi::Unstable => 24,
        };
        let id = u32::from_le_bytes(get(record, at));
        let timeout = u64::from_le_bytes(get(record, at + 8));
        let absolute = match u16::from_le_bytes(get(record, at + 24)) {
            0 => false,
            1 => true,
            _ => return Wait::Done(Event::failed(Errno::Inval)),
        };
        let time = match id {
            clockid::REALTIME | clockid::MONOTONIC if !absolute => Ok(0),
            _ => self.clock(id),
        };
        match time {
            Ok(time) => Wait::Until(now.checked_add(Duration::from_nanos(timeout.saturating_sub(time)))),
            Err(errno) => Wait::Done(Event::failed(errno)),
        }
    }

    fn descriptor_wait(&self, fd: u32, kind: EventType) -> Result<Wait, Errno> {
        let descriptor = self.descriptors.get(fd)?;
        let right = if kind == EventType::Read { rights::FD_READ } else { rights::FD_WRITE };
        match (&descriptor.object, kind) {
            (Object::Directory { .. }, _) => return Err(Errno::Badf),
            (Object::Stdin, EventType::Write) | (Object::Output(_), EventType::Read) => return Err(Errno::Badf),
            _ => descriptor.need(right | rights::POLL_FD_READWRITE)?,
        }
        Ok(match &descriptor.object {
            Object::Stdin => Wait::Input,
            Object::File { handle, offset } if kind == EventType::Read => {
                Wait::Done(Event::readable(handle.stat().size.saturating_sub(*offset)))
            }
            // At least a byte can be written; how many more nobody knows.
            _ => Wait::Done(Event::ready(1)),
        })
    }
}

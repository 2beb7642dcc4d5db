//! Sleeping, polling, futexes, clocks and random bytes: what goes by the host's time, chance and stop switch.

use std::time::{Duration, Instant};

use wasmer_wasix::wasmer_wasix_types::wasi::Errno;

use super::{
    descriptors::{Descriptor, Kind},
    guest::{Answer, Guest},
    rules::Step,
};

/// Size of a `subscription` in memory (WASI preview 1).
const SUBSCRIPTION: u64 = 48;
/// Size of an `event` in memory.
const EVENT: u64 = 32;
/// Subscriptions in one poll.
const MAX_SUBSCRIPTIONS: u32 = 1024;

/// thread_sleep(nanoseconds)
pub(super) fn thread_sleep(guest: &mut Guest<'_>) -> Answer<Step> {
    let until = Instant::now().checked_add(Duration::from_nanos(guest.arg64(0)));
    guest.kept.stop.wait(until)?;
    Ok(Step::Done)
}

/// sched_yield()
pub(super) fn sched_yield(guest: &mut Guest<'_>) -> Answer<Step> {
    guest.kept.stop.check()?;
    std::thread::yield_now();
    Ok(Step::Done)
}

/// futex_wait(futex, expected, timeout, woken): the guest has one thread, so only its timeout can end the wait.
pub(super) fn futex_wait(guest: &mut Guest<'_>) -> Answer<Step> {
    let value = guest.read_u32(guest.arg(0).into())?;
    let timeout = u64::from(guest.arg(2));
    let [tag] = guest.read(timeout)?;
    let nanoseconds = u64::from_le_bytes(guest.read(timeout + 8)?);
    guest.writable(3, 1)?;
    let changed = value != guest.arg(1);
    if !changed {
        let until = (tag == 1).then(|| Instant::now().checked_add(Duration::from_nanos(nanoseconds))).flatten();
        guest.kept.stop.wait(until)?;
    }
    guest.put(3, [u8::from(changed)])?;
    Ok(Step::Done)
}

/// futex_wake and futex_wake_all(futex, woken): nobody waits.
pub(super) fn futex_wake(guest: &mut Guest<'_>) -> Answer<Step> {
    guest.put(1, [0])?;
    Ok(Step::Done)
}

/// clock_time_get(id, precision, time)
pub(super) fn clock_time_get(guest: &mut Guest<'_>) -> Answer<Step> {
    let time = now(guest, guest.arg(0))?;
    guest.put(2, time.to_le_bytes())?;
    Ok(Step::Done)
}

/// clock_res_get(id, resolution)
pub(super) fn clock_res_get(guest: &mut Guest<'_>) -> Answer<Step> {
    now(guest, guest.arg(0))?;
    guest.put(1, 1_u64.to_le_bytes())?;
    Ok(Step::Done)
}

/// random_get(buffer, len)
pub(super) fn random_get(guest: &mut Guest<'_>) -> Answer<Step> {
    let (mut at, mut rest) = (u64::from(guest.arg(0)), guest.arg(1) as usize);
    guest.writable(0, rest as u64)?;
    let mut chunk = [0; 4096];
    while rest > 0 {
        guest.kept.stop.check()?;
        let bytes = &mut chunk[..rest.min(4096)];
        guest.kept.random.fill(bytes);
        guest.write(at, bytes)?;
        at += bytes.len() as u64;
        rest -= bytes.len();
    }
    Ok(Step::Done)
}

/// Nanoseconds on a clock of WASI: 0 is the wall, 1 never goes back, 2 and 3 are CPU times, here time run.
fn now(guest: &Guest<'_>, id: u32) -> Answer<u64> {
    let since = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    match id {
        0 => Ok(guest.kept.files.now()),
        1 => Ok(since(guest.kept.clock.monotonic())),
        2 | 3 => Ok(since(guest.kept.clock.monotonic().saturating_sub(guest.kept.started))),
        _ => Err(Errno::Inval.into()),
    }
}

/// What a poll found.
struct Event {
    userdata: [u8; 8],
    errno: Errno,
    tag: u8,
    bytes: u64,
    hangup: bool,
}

/// A subscription that may become ready.
enum Waits {
    Until(Option<Instant>),
    Stdin,
}

/// poll_oneoff(in, out, count, events)
pub(super) fn poll_oneoff(guest: &mut Guest<'_>) -> Answer<Step> {
    let (input, count) = (u64::from(guest.arg(0)), guest.arg(2));
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Inval.into());
    }
    guest.writable(1, u64::from(count) * EVENT)?;
    guest.writable(3, 4)?;
    let mut waiting = Vec::new();
    let mut events = Vec::new();
    for index in 0..u64::from(count) {
        let subscription: [u8; SUBSCRIPTION as usize] = guest.read(input + index * SUBSCRIPTION)?;
        match look(guest, &subscription)? {
            Ok(event) => events.push(event),
            Err(wait) => waiting.push((wait, subscription)),
        }
    }
    if events.is_empty() {
        wait(guest, &waiting)?;
    }
    let time = Instant::now();
    for (wait, subscription) in &waiting {
        let due = matches!(wait, Waits::Until(Some(until)) if *until <= time);
        if due {
            events.push(event(subscription, Errno::Success, 0, false));
        } else if matches!(wait, Waits::Stdin)
            && let Ok(event) = look(guest, subscription)?
        {
            events.push(event);
        }
    }
    write_events(guest, &events)
}

/// Sleep until one of `waiting` may be ready.
fn wait(guest: &mut Guest<'_>, waiting: &[(Waits, [u8; SUBSCRIPTION as usize])]) -> Answer<()> {
    let until = waiting.iter().filter_map(|(wait, _)| if let Waits::Until(until) = wait { *until } else { None }).min();
    let kept = &mut *guest.kept;
    if waiting.iter().any(|(wait, _)| matches!(wait, Waits::Stdin)) {
        kept.stdin.wait(until, &kept.stop)?;
    } else {
        kept.stop.wait(until)?;
    }
    Ok(())
}

/// Say what a subscription has to tell now, or what it waits for.
fn look(guest: &mut Guest<'_>, subscription: &[u8; SUBSCRIPTION as usize]) -> Answer<Result<Event, Waits>> {
    let fd = u32::from_le_bytes(field(subscription, 16));
    let ready = |bytes: usize, hangup| Ok(Ok(event(subscription, Errno::Success, bytes as u64, hangup)));
    let error = |errno| Ok(Ok(event(subscription, errno, 0, false)));
    let never = Ok(Err(Waits::Until(None)));
    let tag = subscription[8];
    if tag == 0 {
        return Ok(match deadline(guest, subscription) {
            Some(until) => Err(Waits::Until(until)),
            None => Ok(event(subscription, Errno::Inval, 0, false)),
        });
    }
    let Some(Descriptor { kind, .. }) = guest.kept.descriptors.get(fd).cloned() else { return error(Errno::Badf) };
    match (tag, kind) {
        (1, Kind::Stdin) => {
            let kept = &mut *guest.kept;
            if !kept.stdin.wait(Some(Instant::now()), &kept.stop)? {
                return Ok(Err(Waits::Stdin));
            }
            let bytes = kept.stdin.available();
            ready(bytes, bytes == 0)
        }
        (1, Kind::Reader(end)) => {
            let bytes = end.bytes().len();
            let open = end.has_writers();
            if bytes == 0 && open { never } else { ready(bytes, !open) }
        }
        (1, Kind::Event(event)) if event.count() == 0 => never,
        (2, Kind::Writer(end)) => {
            let (room, open) = (end.room(), end.has_readers());
            if room == 0 && open { never } else { ready(room, !open) }
        }
        (1, Kind::Event(_) | Kind::Plain) | (2, Kind::Output(_) | Kind::Event(_) | Kind::Plain) => ready(8192, false),
        (1 | 2, _) => error(Errno::Badf),
        _ => Err(Errno::Inval.into()),
    }
}

/// When a clock's subscription is due: `None` for a clock that there is not, `Some(None)` for never.
fn deadline(guest: &Guest<'_>, subscription: &[u8; SUBSCRIPTION as usize]) -> Option<Option<Instant>> {
    /// `subclockflags::subscription_clock_abstime`
    const ABSOLUTE: u16 = 1;
    let id = u32::from_le_bytes(field(subscription, 16));
    let timeout = u64::from_le_bytes(field(subscription, 24));
    let now = now(guest, id).ok()?;
    let absolute = u16::from_le_bytes(field(subscription, 40)) & ABSOLUTE != 0;
    let left = if absolute { timeout.saturating_sub(now) } else { timeout };
    Some(Instant::now().checked_add(Duration::from_nanos(left)))
}

fn event(subscription: &[u8; SUBSCRIPTION as usize], errno: Errno, bytes: u64, hangup: bool) -> Event {
    Event { userdata: field(subscription, 0), errno, tag: subscription[8], bytes, hangup }
}

fn field<const N: usize>(from: &[u8; SUBSCRIPTION as usize], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&from[at..at + N]);
    field
}

fn write_events(guest: &Guest<'_>, events: &[Event]) -> Answer<Step> {
    for (index, event) in (0_u64..).zip(events) {
        let mut bytes = [0; EVENT as usize];
        bytes[..8].copy_from_slice(&event.userdata);
        bytes[8..10].copy_from_slice(&(event.errno as u16).to_le_bytes());
        bytes[10] = event.tag;
        bytes[16..24].copy_from_slice(&event.bytes.to_le_bytes());
        bytes[24] = u8::from(event.hangup);
        guest.write(u64::from(guest.arg(1)) + index * EVENT, &bytes)?;
    }
    let count = u32::try_from(events.len()).map_err(|_| Errno::Overflow)?;
    guest.put(3, count.to_le_bytes())?;
    Ok(Step::Done)
}

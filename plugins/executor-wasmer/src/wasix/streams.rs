//! Reading and writing what can wait: standard streams, pipes, event counters.
//!
//! The guest has one thread and no children. Where it waits for itself (an empty pipe, a full one) nobody can ever
//! wake it, and it waits until the execution is told to end.

use wasmer_wasix::wasmer_wasix_types::wasi::Errno;

use super::{
    descriptors::{Descriptor, Kind},
    guest::{Answer, Guest},
    rules::Step,
};

/// Bytes copied at a time between the guest's memory and a stream.
const CHUNK: u64 = 64 * 1024;

/// fd_read(fd, iovs, iovs_len, nread)
pub(super) fn fd_read(guest: &mut Guest<'_>) -> Answer<Step> {
    let buffers = guest.buffers(1, 2)?;
    let Some(Descriptor { kind, nonblocking }) = guest.kept.descriptors.get(guest.arg(0)).cloned() else {
        return Ok(Step::Original);
    };
    let count = match kind {
        Kind::Plain => return Ok(Step::Original),
        Kind::Output(_) | Kind::Writer(_) => return Err(Errno::Badf.into()),
        _ if buffers.is_empty() => 0,
        Kind::Stdin => read_stdin(guest, buffers[0], nonblocking)?,
        Kind::Reader(end) => {
            if end.bytes().is_empty() && end.has_writers() {
                never(guest, nonblocking)?;
            }
            let mut total = 0;
            for (at, len) in buffers {
                let len = usize::try_from(len).unwrap_or(usize::MAX).min(end.bytes().len());
                let bytes: Vec<u8> = end.bytes().drain(..len).collect();
                guest.write(at, &bytes)?;
                total += len;
            }
            total
        }
        Kind::Event(event) => {
            if buffers[0].1 < 8 {
                return Err(Errno::Inval.into());
            }
            if event.count() == 0 {
                never(guest, nonblocking)?;
            }
            guest.write(buffers[0].0, &event.take().to_le_bytes())?;
            8
        }
    };
    done(guest, count)
}

/// fd_write(fd, iovs, iovs_len, nwritten)
pub(super) fn fd_write(guest: &mut Guest<'_>) -> Answer<Step> {
    let buffers = guest.buffers(1, 2)?;
    let Some(Descriptor { kind, nonblocking }) = guest.kept.descriptors.get(guest.arg(0)).cloned() else {
        return Ok(Step::Original);
    };
    let count = match kind {
        Kind::Plain => return Ok(Step::Original),
        Kind::Stdin | Kind::Reader(_) => return Err(Errno::Badf.into()),
        _ if buffers.is_empty() => 0,
        Kind::Output(stream) => {
            let output = guest.kept.output.clone();
            each_chunk(guest, buffers, u64::MAX, |bytes| Ok(output.write(stream, bytes)?))?
        }
        Kind::Writer(end) => {
            if !end.has_readers() {
                return Err(Errno::Pipe.into());
            }
            if end.room() == 0 {
                never(guest, nonblocking)?;
            }
            each_chunk(guest, buffers, end.room() as u64, |bytes| {
                end.bytes().extend(bytes);
                Ok(())
            })?
        }
        Kind::Event(event) => {
            if buffers[0].1 < 8 {
                return Err(Errno::Inval.into());
            }
            if !event.add(u64::from_le_bytes(guest.read(buffers[0].0)?)) {
                never(guest, nonblocking)?;
            }
            8
        }
    };
    done(guest, count)
}

/// fd_pread and fd_pwrite(fd, iovs, iovs_len, offset, ..): streams have no positions.
pub(super) fn positioned(guest: &mut Guest<'_>) -> Answer<Step> {
    guest.buffers(1, 2)?;
    match guest.kept.descriptors.get(guest.arg(0)) {
        Some(Descriptor { kind: Kind::Plain, .. }) | None => Ok(Step::Original),
        Some(_) => Err(Errno::Spipe.into()),
    }
}

/// fd_seek and fd_tell(fd, ..)
pub(super) fn seekable(guest: &mut Guest<'_>) -> Answer<Step> {
    match guest.kept.descriptors.get(guest.arg(0)) {
        Some(Descriptor { kind: Kind::Plain, .. }) | None => Ok(Step::Original),
        Some(_) => Err(Errno::Spipe.into()),
    }
}

fn read_stdin(guest: &mut Guest<'_>, (at, len): (u64, u64), nonblocking: bool) -> Answer<usize> {
    let kept = &mut *guest.kept;
    if nonblocking && !kept.stdin.wait(Some(std::time::Instant::now()), &kept.stop)? {
        return Err(Errno::Again.into());
    }
    let mut bytes = vec![0; len.min(CHUNK) as usize];
    let count = kept.stdin.read(&mut bytes, &kept.stop)?;
    guest.write(at, &bytes[..count])?;
    Ok(count)
}

/// Hand the guest's buffers to `take`, at most `limit` bytes and a chunk at a time.
fn each_chunk(
    guest: &Guest<'_>,
    buffers: Vec<(u64, u64)>,
    limit: u64,
    mut take: impl FnMut(&[u8]) -> Answer<()>,
) -> Answer<usize> {
    let mut chunk = Vec::new();
    let mut left = limit;
    for (mut at, len) in buffers {
        let mut rest = len.min(left);
        left -= rest;
        while rest > 0 {
            let count = rest.min(CHUNK);
            chunk.resize(count as usize, 0);
            guest.read_into(at, &mut chunk)?;
            take(&chunk)?;
            at += count;
            rest -= count;
        }
    }
    Ok(usize::try_from(limit - left).unwrap_or(usize::MAX))
}

/// Wait for what cannot happen.
fn never(guest: &mut Guest<'_>, nonblocking: bool) -> Answer<()> {
    if nonblocking {
        return Err(Errno::Again.into());
    }
    Ok(guest.kept.stop.wait(None)?)
}

fn done(guest: &Guest<'_>, count: usize) -> Answer<Step> {
    let count = u32::try_from(count).map_err(|_| Errno::Overflow)?;
    guest.put(3, count.to_le_bytes())?;
    Ok(Step::Done)
}

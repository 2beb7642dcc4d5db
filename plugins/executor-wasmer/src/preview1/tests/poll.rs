use super::*;
use crate::{
    preview1::abi::put,
    stop::{StopReason, Stopped},
};

const MILLISECOND: u64 = 1_000_000;

fn clock(userdata: u64, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
    let mut record = [0; 48];
    put(&mut record, 0, userdata.to_le_bytes());
    put(&mut record, 16, id.to_le_bytes());
    put(&mut record, 24, timeout.to_le_bytes());
    put(&mut record, 40, flags.to_le_bytes());
    record
}

fn descriptor(userdata: u64, kind: u8, fd: u32) -> [u8; 48] {
    let mut record = [0; 48];
    put(&mut record, 0, userdata.to_le_bytes());
    put(&mut record, 8, [kind]);
    put(&mut record, 16, fd.to_le_bytes());
    record
}

/// Userdata, errno, type, bytes and flags.
type Event = (u64, u16, u8, u64, u16);

fn poll(guest: &mut Guest, list: &[[u8; 48]]) -> Result<Vec<Event>, Failure> {
    let (at, _) = guest.put(PATH, &list.concat());
    guest.host.poll_oneoff(at, LARGE, u32::try_from(list.len()).unwrap(), RESULT, Abi::Preview1)?;
    let count = guest.u32(RESULT);
    let bytes = guest.bytes(LARGE, count * 32);
    let event = |event: &[u8]| {
        let number = |at| u64::from_le_bytes(get(event, at));
        let short = |at| u16::from_le_bytes(get(event, at));
        (number(0), short(8), event[10], number(16), short(24))
    };
    Ok(bytes.chunks(32).map(event).collect())
}

#[test]
fn clocks_wake_the_guest_and_not_before_their_time() {
    let mut guest = Guest::new();
    let started = Instant::now();
    let list = [clock(1, 1, 10 * MILLISECOND, 0), clock(2, 0, 3_600_000 * MILLISECOND, 0)];
    assert_eq!(poll(&mut guest, &list), Ok(vec![(1, 0, 0, 0, 0)]));
    assert!(started.elapsed() >= Duration::from_millis(10));
    // Absolute: the clocks of the test stand at 1 ms and 77 ns.
    let list = [clock(1, 0, 500, 1), clock(2, 1, 77, 1), clock(3, 1, 3_600_000 * MILLISECOND, 1)];
    assert_eq!(poll(&mut guest, &list), Ok(vec![(1, 0, 0, 0, 0), (2, 0, 0, 0, 0)]));
    let list = [clock(1, 2, 0, 0), clock(2, 1, 0, 2), clock(3, 1, u64::MAX, 0)];
    let inval = Errno::Inval as u16;
    assert_eq!(poll(&mut guest, &list), Ok(vec![(1, inval, 0, 0, 0), (2, inval, 0, 0, 0)]));
}

#[test]
fn a_sleep_ends_when_the_execution_does() {
    let mut guest = Guest::new();
    let stop = guest.stop.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || stop.request(StopReason::Deadline));
        let answer = poll(&mut guest, &[clock(1, 1, u64::MAX, 0)]);
        assert_eq!(answer, Err(Failure::Stopped(Stopped(StopReason::Deadline))));
    });
}

#[test]
fn files_and_outputs_are_always_ready() {
    let mut guest = Guest::new();
    let fd = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    guest.write(fd, b"12345").unwrap();
    guest.seek(fd, 2, 0).unwrap();
    let list = [descriptor(1, 2, 1), clock(9, 1, u64::MAX, 0), descriptor(2, 1, fd), descriptor(3, 2, fd)];
    assert_eq!(poll(&mut guest, &list), Ok(vec![(1, 0, 2, 1, 0), (2, 0, 1, 3, 0), (3, 0, 2, 1, 0)]));
    guest.seek(fd, 0, 2).unwrap();
    assert_eq!(poll(&mut guest, &[descriptor(2, 1, fd)]), Ok(vec![(2, 0, 1, 0, 1)]), "at the end");
}

#[test]
fn descriptors_that_cannot_be_waited_for_say_so_each_for_itself() {
    let mut guest = Guest::new();
    let blind = guest.open_as(ROOT, "f", request(oflags::CREAT, FD_READ, 0)).unwrap();
    let list = [descriptor(1, 1, 99), descriptor(2, 1, ROOT), descriptor(3, 2, 0), descriptor(4, 1, blind)];
    let (badf, notcapable) = (Errno::Badf as u16, Errno::Notcapable as u16);
    let events = vec![(1, badf, 1, 0, 0), (2, badf, 1, 0, 0), (3, badf, 2, 0, 0), (4, notcapable, 1, 0, 0)];
    assert_eq!(poll(&mut guest, &list), Ok(events));
}

#[test]
fn standard_input_is_ready_with_data_or_at_its_end() {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let mut guest = Guest::with(Stdin::stream(receiver), |_| {});
    let list = [clock(1, 1, 5 * MILLISECOND, 0), descriptor(2, 1, 0)];
    assert_eq!(poll(&mut guest, &list), Ok(vec![(1, 0, 0, 0, 0)]));
    let list = [descriptor(2, 1, 0), clock(1, 1, 3_600_000 * MILLISECOND, 0)];
    std::thread::scope(|scope| {
        scope.spawn(|| sender.blocking_send(Bytes::from_static(b"abc")).unwrap());
        assert_eq!(poll(&mut guest, &list), Ok(vec![(2, 0, 1, 3, 0)]));
    });
    assert_eq!(guest.read(0, 10), Ok(b"abc".to_vec()));
    drop(sender);
    assert_eq!(poll(&mut guest, &list), Ok(vec![(2, 0, 1, 0, 1)]));
}

#[test]
fn the_list_is_bounded_before_anything_is_allocated() {
    let mut guest = Guest::new();
    for count in [0, 9, u32::MAX] {
        let answer = guest.host.poll_oneoff(PATH, LARGE, count, RESULT, Abi::Preview1);
        assert_eq!(errno(answer), Err(Errno::Inval), "{count}");
    }
    assert_eq!(errno(guest.host.poll_oneoff(u32::MAX, LARGE, 1, RESULT, Abi::Preview1)), Err(Errno::Fault));
    assert_eq!(errno(guest.host.poll_oneoff(PATH, u32::MAX, 1, RESULT, Abi::Preview1)), Err(Errno::Fault));
    assert_eq!(poll(&mut guest, &[descriptor(1, 3, 0)]), Err(Errno::Inval.into()));
}

#[test]
fn the_older_layout_has_an_identifier_before_the_clock() {
    let mut guest = Guest::new();
    let mut record = [0_u8; 56];
    put(&mut record, 0, 5_u64.to_le_bytes());
    put(&mut record, 16, u64::MAX.to_le_bytes());
    put(&mut record, 24, 1_u32.to_le_bytes());
    put(&mut record, 32, MILLISECOND.to_le_bytes());
    let mut second = [0_u8; 56];
    put(&mut second, 0, 6_u64.to_le_bytes());
    put(&mut second, 8, [2]);
    put(&mut second, 16, 1_u32.to_le_bytes());
    let (at, _) = guest.put(PATH, &[record, second].concat());
    guest.host.poll_oneoff(at, LARGE, 2, RESULT, Abi::Unstable).unwrap();
    assert_eq!((guest.u32(RESULT), guest.u64(LARGE)), (1, 6));
    guest.host.poll_oneoff(at, LARGE, 1, RESULT, Abi::Unstable).unwrap();
    assert_eq!((guest.u32(RESULT), guest.u64(LARGE)), (1, 5));
}

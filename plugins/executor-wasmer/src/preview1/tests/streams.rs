use super::*;
use crate::{
    preview1::abi::fdflags,
    stop::{StopReason, Stopped},
};

#[test]
fn standard_streams_are_pipes() {
    let mut guest = Guest::new();
    for fd in 0..3 {
        guest.host.fd_fdstat_get(fd, RESULT).unwrap();
        assert_eq!(guest.bytes(RESULT, 1), [0], "not a terminal");
        guest.host.fd_filestat_get(fd, RESULT, Abi::Preview1).unwrap();
        assert_eq!(guest.bytes(RESULT, 64), [0; 64]);
        assert_eq!(guest.seek(fd, 0, 1), Err(Errno::Spipe));
        assert_eq!(errno(guest.host.fd_tell(fd, RESULT)), Err(Errno::Spipe));
        assert_eq!(errno(guest.host.fd_prestat_get(fd, RESULT)), Err(Errno::Badf));
    }
    assert_eq!(guest.read(0, 8), Ok(b"standard".to_vec()));
    assert_eq!(guest.read(0, 100), Ok(b" input".to_vec()));
    assert_eq!(guest.read(0, 100), Ok(Vec::new()));
    assert_eq!(guest.write(1, b"out"), Ok(3));
    assert_eq!(guest.write(2, b"err"), Ok(3));
    assert_eq!(guest.write(0, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(1, 1), Err(Errno::Badf));
    assert_eq!(guest.write(99, b"x"), Err(Errno::Badf));
    let written = guest.output.take();
    assert_eq!((written.stdout, written.stderr), (b"out".to_vec(), b"err".to_vec()));
}

#[test]
fn several_buffers_are_one_read_or_write() {
    let mut guest = Guest::new();
    guest.put(LARGE, b"abcdef");
    let (list, count) = guest.buffers(&[2, 0, 4]);
    guest.host.fd_write(1, list, count, RESULT).unwrap();
    assert_eq!(guest.u32(RESULT), 6);
    assert_eq!(guest.output.take().stdout, b"abcdef");
    guest.host.fd_read(0, list, count, RESULT).unwrap();
    assert_eq!((guest.u32(RESULT), guest.bytes(LARGE, 6)), (6, b"standa".to_vec()));
    // A list longer than any system takes is used in part.
    guest.put(0x100, &[LARGE.to_le_bytes(), 1_u32.to_le_bytes()].concat().repeat(1100));
    let fd = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    guest.host.fd_write(fd, 0x100, 1100, RESULT).unwrap();
    assert_eq!(guest.u32(RESULT), 1024);
}

#[test]
fn output_over_the_limit_and_a_stop_end_the_guest() {
    let mut guest = Guest::new();
    let (list, count) = guest.buffers(&[2000]);
    assert_eq!(guest.host.fd_write(1, list, count, RESULT), Err(Failure::Stopped(Stopped(StopReason::Output))));
    assert_eq!(guest.output.take().stdout.len(), 1000);
}

#[test]
fn a_read_that_would_wait_fails_if_asked_to() {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let mut guest = Guest::with(Stdin::stream(receiver), |_| {});
    guest.host.fd_fdstat_set_flags(0, fdflags::NONBLOCK.into()).unwrap();
    assert_eq!(guest.read(0, 5), Err(Errno::Again));
    sender.try_send(Bytes::from_static(b"now")).unwrap();
    assert_eq!(guest.read(0, 5), Ok(b"now".to_vec()));
    drop(sender);
    assert_eq!(guest.read(0, 5), Ok(Vec::new()));
}

#[test]
fn files_have_an_offset() {
    let mut guest = Guest::new();
    let fd = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    assert_eq!(fd, 4);
    assert_eq!(guest.write(fd, b"0123456789"), Ok(10));
    guest.host.fd_tell(fd, RESULT).unwrap();
    assert_eq!(guest.u64(RESULT), 10);
    assert_eq!(guest.seek(fd, -4, 2), Ok(6));
    assert_eq!(guest.seek(fd, -2, 1), Ok(4));
    assert_eq!(guest.read(fd, 3), Ok(b"456".to_vec()));
    assert_eq!(guest.seek(fd, 0, 1), Ok(7));
    assert_eq!(guest.seek(fd, 1000, 0), Ok(1000));
    assert_eq!(guest.read(fd, 3), Ok(Vec::new()));
    for (delta, whence) in [(-1, 0), (-2000, 1), (-11, 2), (i64::MIN, 1), (i64::MAX, 1), (0, 3)] {
        assert_eq!(guest.seek(fd, delta, whence), Err(Errno::Inval), "{delta} {whence}");
    }
    // The older numbers: 0 from here, 1 from the end, 2 from the start.
    for (whence, result) in [(2, 1), (0, 2), (1, 11)] {
        guest.host.fd_seek(fd, 1, whence, RESULT, Abi::Unstable).unwrap();
        assert_eq!(guest.u64(RESULT), result);
    }
}

#[test]
fn positioned_reads_and_writes_leave_the_offset_alone() {
    let mut guest = Guest::new();
    let fd = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    guest.write(fd, b"0123").unwrap();
    guest.put(LARGE, b"ABCD");
    let (list, count) = guest.buffers(&[1, 3]);
    guest.host.fd_pwrite(fd, list, count, 2, RESULT).unwrap();
    assert_eq!(guest.u32(RESULT), 4);
    guest.host.fd_pread(fd, list, count, 1, RESULT).unwrap();
    assert_eq!((guest.u32(RESULT), guest.bytes(LARGE, 4)), (4, b"1ABC".to_vec()));
    guest.host.fd_pread(fd, list, count, 5, RESULT).unwrap();
    assert_eq!((guest.u32(RESULT), guest.bytes(LARGE, 1)), (1, b"D".to_vec()));
    assert_eq!(guest.seek(fd, 0, 1), Ok(4));
    assert_eq!(errno(guest.host.fd_pread(fd, list, count, u64::MAX, RESULT)), Err(Errno::Inval));
    assert_eq!(errno(guest.host.fd_pwrite(1, list, count, 0, RESULT)), Err(Errno::Spipe));
    assert_eq!(errno(guest.host.fd_pwrite(0, list, count, 0, RESULT)), Err(Errno::Badf));
    assert_eq!(errno(guest.host.fd_pread(0, list, count, 0, RESULT)), Err(Errno::Spipe));
    assert_eq!(errno(guest.host.fd_pread(1, list, count, 0, RESULT)), Err(Errno::Badf));
    assert_eq!(errno(guest.host.fd_pwrite(fd, list, count, 1 << 40, RESULT)), Err(Errno::Nospc));
}

#[test]
fn appending_writes_at_the_end_wherever_the_offset_is() {
    let mut guest = Guest::new();
    let append = OpenRequest { fdflags: fdflags::APPEND.into(), ..request(oflags::CREAT, FILE, 0) };
    let fd = guest.open_as(ROOT, "f", append).unwrap();
    guest.write(fd, b"ab").unwrap();
    guest.seek(fd, 0, 0).unwrap();
    guest.write(fd, b"cd").unwrap();
    assert_eq!(guest.seek(fd, 0, 1), Ok(4));
    guest.put(LARGE, b"efg");
    let (list, count) = guest.buffers(&[2, 1]);
    guest.host.fd_pwrite(fd, list, count, 0, RESULT).unwrap();
    assert_eq!((guest.u32(RESULT), guest.seek(fd, 0, 1)), (3, Ok(4)), "the offset stays");
    guest.host.fd_fdstat_set_flags(fd, 0).unwrap();
    guest.put(LARGE, b"XYZ");
    guest.host.fd_pwrite(fd, list, count, 0, RESULT).unwrap();
    guest.seek(fd, 1, 0).unwrap();
    guest.write(fd, b"W").unwrap();
    guest.seek(fd, 0, 0).unwrap();
    assert_eq!(guest.read(fd, 10), Ok(b"XWZdefg".to_vec()));
    assert_eq!(errno(guest.host.fd_fdstat_set_flags(fd, 32)), Err(Errno::Inval));
}

#[test]
fn sizes_are_set_within_the_quota() {
    let mut guest = Guest::new();
    let fd = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    guest.host.fd_filestat_set_size(fd, 100).unwrap();
    guest.host.fd_allocate(fd, 10, 10).unwrap();
    assert_eq!(guest.stat(fd), Ok((100, 1)));
    guest.host.fd_allocate(fd, 90, 20).unwrap();
    assert_eq!(guest.stat(fd), Ok((110, 1)));
    assert_eq!(errno(guest.host.fd_allocate(fd, 0, 0)), Err(Errno::Inval));
    assert_eq!(errno(guest.host.fd_allocate(fd, u64::MAX, 1)), Err(Errno::Fbig));
    assert_eq!(errno(guest.host.fd_allocate(fd, 0, 100_001)), Err(Errno::Nospc));
    assert_eq!(errno(guest.host.fd_filestat_set_size(fd, 1 << 40)), Err(Errno::Nospc));
    assert_eq!(errno(guest.host.fd_filestat_set_size(fd, u64::MAX)), Err(Errno::Inval));
    assert_eq!(guest.stat(fd), Ok((110, 1)));
    guest.host.fd_sync(fd).unwrap();
    guest.host.fd_datasync(fd).unwrap();
    guest.host.fd_advise(fd, 0, 10, 5).unwrap();
    guest.host.fd_advise(fd, u64::MAX, 10, 5).unwrap();
    assert_eq!(errno(guest.host.fd_advise(fd, 0, 10, 6)), Err(Errno::Inval));
    assert_eq!(errno(guest.host.fd_advise(fd, 0, u64::MAX, 0)), Err(Errno::Inval));
}

#[test]
fn a_stream_cannot_do_what_only_files_can() {
    let mut guest = Guest::new();
    for fd in 0..3 {
        let host = &mut guest.host;
        let answers = [
            host.fd_sync(fd),
            host.fd_datasync(fd),
            host.fd_allocate(fd, 0, 1),
            host.fd_advise(fd, 0, 1, 0),
            host.fd_filestat_set_size(fd, 0),
            host.fd_filestat_set_times(fd, 1, 1, 5),
            host.fd_readdir(fd, LARGE, 10, 0, RESULT),
        ];
        assert_eq!(answers.map(errno), [Err(Errno::Badf); 7], "{fd}");
        assert_eq!(errno(host.fd_prestat_dir_name(fd, LARGE, 1)), Err(Errno::Notdir));
        assert_eq!(errno(host.fd_filestat_set_times(fd, 1, 1, 3)), Err(Errno::Inval));
    }
}

#[test]
fn a_directory_cannot_be_read_or_written_as_a_file() {
    let mut guest = Guest::new();
    let (list, count) = guest.buffers(&[10]);
    let host = &mut guest.host;
    let answers = [
        host.fd_read(ROOT, list, count, RESULT),
        host.fd_write(ROOT, list, count, RESULT),
        host.fd_pread(ROOT, list, count, 0, RESULT),
        host.fd_pwrite(ROOT, list, count, 0, RESULT),
        host.fd_seek(ROOT, 0, 1, RESULT, Abi::Preview1),
        host.fd_tell(ROOT, RESULT),
        host.fd_allocate(ROOT, 0, 0),
        host.fd_filestat_set_size(ROOT, 0),
        host.fd_advise(ROOT, 0, 0, 0),
    ];
    assert_eq!(answers.map(errno), [Err(Errno::Badf); 9]);
    assert_eq!(errno(host.fd_sync(ROOT)), Ok(()));
}

#[test]
fn descriptors_are_renumbered_closed_and_counted() {
    let mut guest = Guest::new();
    let (a, b) = (guest.open(ROOT, "a", oflags::CREAT).unwrap(), guest.open(ROOT, "b", oflags::CREAT).unwrap());
    guest.write(a, b"a").unwrap();
    guest.host.fd_renumber(a, b).unwrap();
    assert_eq!(guest.stat(b), Ok((1, 1)));
    assert_eq!(guest.stat(a), Err(Errno::Badf));
    assert_eq!(errno(guest.host.fd_renumber(b, a)), Err(Errno::Badf), "only over an open one");
    assert_eq!(errno(guest.host.fd_renumber(b, b)), Ok(()));
    assert_eq!(guest.open(ROOT, "a", 0), Ok(a), "the lowest free number");
    for fd in 6..10 {
        assert_eq!(guest.open(ROOT, "a", 0), Ok(fd));
    }
    assert_eq!(guest.open(ROOT, "new", oflags::CREAT), Err(Errno::Mfile));
    assert_eq!(guest.fs.files().count(), 2, "nothing is made for a descriptor that there is no place for");
    guest.host.fd_close(7).unwrap();
    assert_eq!(errno(guest.host.fd_close(7)), Err(Errno::Badf));
    assert_eq!(guest.open(ROOT, "a", 0), Ok(7));
    guest.host.fd_renumber(8, ROOT).unwrap();
    assert_eq!(guest.stat(ROOT), Ok((1, 1)), "a preopened one may be replaced");
    assert_eq!(errno(guest.host.fd_prestat_get(ROOT, RESULT)), Err(Errno::Badf));
}

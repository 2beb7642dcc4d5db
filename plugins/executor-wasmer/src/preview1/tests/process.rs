use super::*;
use crate::stop::{StopReason, Stopped};

#[test]
fn arguments_and_environment_are_laid_out_as_c_wants_them() {
    let mut guest = Guest::new();
    guest.host.args_sizes_get(0, 4).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (2, 18));
    guest.host.args_get(16, 64).unwrap();
    assert_eq!((guest.u32(16), guest.u32(20)), (64, 72));
    assert_eq!(guest.bytes(64, 18), b"program\0two words\0");
    guest.host.environ_sizes_get(0, 4).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (1, 4));
    guest.host.environ_get(16, 64).unwrap();
    assert_eq!(guest.bytes(64, 4), b"A=1\0");
    let end = SIZE as u32;
    assert_eq!(errno(guest.host.args_get(0, end - 17)), Err(Errno::Fault));
    assert_eq!(errno(guest.host.args_get(u32::MAX, 64)), Err(Errno::Fault));
    guest.host.args_get(0, end - 18).unwrap();
}

#[test]
fn clocks_tell_the_time_that_was_passed_in() {
    let mut guest = Guest::new();
    guest.host.clock_time_get(0, 1, RESULT).unwrap();
    assert_eq!(guest.u64(RESULT), 1_000_000);
    guest.host.clock_time_get(1, 1, RESULT).unwrap();
    assert_eq!(guest.u64(RESULT), 77);
    for clock in 0..2 {
        guest.host.clock_res_get(clock, RESULT).unwrap();
        assert_eq!(guest.u64(RESULT), 1);
    }
    for clock in [2, 3, 4, u32::MAX] {
        assert_eq!(errno(guest.host.clock_time_get(clock, 0, RESULT)), Err(Errno::Inval));
        assert_eq!(errno(guest.host.clock_res_get(clock, RESULT)), Err(Errno::Inval));
    }
}

#[test]
fn random_bytes_fill_exactly_what_was_asked_for() {
    let mut guest = Guest::new();
    guest.host.random_get(LARGE, 1000).unwrap();
    assert_eq!(guest.bytes(LARGE, 1001), [vec![0xA5; 1000], vec![0]].concat());
    guest.host.random_get(LARGE, 0).unwrap();
    assert_eq!(errno(guest.host.random_get(LARGE, SIZE as u32)), Err(Errno::Fault));
    guest.stop.request(StopReason::Cancelled);
    assert_eq!(guest.host.random_get(LARGE, 10), Err(Failure::Stopped(Stopped(StopReason::Cancelled))));
}

#[test]
fn there_are_no_signals_and_no_sockets() {
    let mut guest = Guest::new();
    assert_eq!(errno(guest.host.proc_raise(6)), Err(Errno::Notsup));
    assert_eq!(guest.host.proc_exit(3), Err(Failure::Exit(3)));
    for (fd, error) in [(1, Errno::Notsock), (ROOT, Errno::Notsock), (99, Errno::Badf)] {
        assert_eq!(errno(guest.host.sock_shutdown(fd, 1)), Err(error));
        assert_eq!(errno(guest.host.sock_accept(fd, 0, RESULT)), Err(error));
        assert_eq!(errno(guest.host.sock_recv(fd, 0, 0, 0, 0, 0)), Err(error));
        assert_eq!(errno(guest.host.sock_send(fd, 0, 0, 0, 0)), Err(error));
    }
}

#[test]
fn pointers_are_checked_against_the_memory_as_it_is() {
    let mut guest = Guest::new();
    assert_eq!(errno(guest.host.clock_res_get(0, SIZE as u32 - 7)), Err(Errno::Fault));
    assert_eq!(errno(guest.host.clock_res_get(0, u32::MAX)), Err(Errno::Fault));
    assert_eq!(errno(guest.host.fd_write(1, u32::MAX - 3, 2, RESULT)), Err(Errno::Fault));
    guest.buffers(&[u32::MAX]);
    assert_eq!(errno(guest.host.fd_read(0, 0x100, 1, RESULT)), Err(Errno::Fault));
    assert_eq!(errno(guest.host.path_create_directory(ROOT, u32::MAX, u32::MAX)), Err(Errno::Fault));
    guest.host.memory = None;
    assert_eq!(errno(guest.host.clock_res_get(0, 0)), Err(Errno::Fault));
    assert_eq!(errno(guest.host.fd_close(2)), Ok(()), "what needs no memory works without one");
}

use super::*;
use crate::preview1::abi::fdflags;

#[test]
fn the_root_is_preopened_with_every_right_a_directory_can_have() {
    let mut guest = Guest::new();
    guest.host.fd_prestat_get(ROOT, RESULT).unwrap();
    assert_eq!((guest.u32(RESULT), guest.u32(RESULT + 4)), (0, 1));
    guest.host.fd_prestat_dir_name(ROOT, LARGE, 5).unwrap();
    assert_eq!(guest.bytes(LARGE, 2), b"/\0");
    assert_eq!(errno(guest.host.fd_prestat_dir_name(ROOT, LARGE, 0)), Err(Errno::Nametoolong));
    assert_eq!(errno(guest.host.fd_prestat_get(4, RESULT)), Err(Errno::Badf));
    assert_eq!(errno(guest.host.fd_prestat_dir_name(4, LARGE, 1)), Err(Errno::Badf));
    assert_eq!(guest.rights(ROOT), (DIRECTORY, INHERITABLE));
    let fd = guest.open_as(ROOT, ".", request(0, DIRECTORY, INHERITABLE)).unwrap();
    assert_eq!(guest.rights(fd), (DIRECTORY, INHERITABLE));
    assert_eq!(errno(guest.host.fd_prestat_get(fd, RESULT)), Err(Errno::Badf));
    assert_eq!(errno(guest.host.fd_prestat_dir_name(fd, LARGE, 1)), Err(Errno::Notdir));
    guest.host.fd_close(ROOT).unwrap();
    assert_eq!(errno(guest.host.fd_fdstat_get(ROOT, RESULT)), Err(Errno::Badf));
}

#[test]
fn rights_that_do_not_apply_to_the_kind_of_file_are_dropped() {
    let mut guest = Guest::new();
    let all = INHERITABLE;
    let file = guest.open_as(ROOT, "f", request(oflags::CREAT, all, all)).unwrap();
    assert_eq!(guest.rights(file), (FILE, 0));
    let directory = guest.open_as(ROOT, ".", request(oflags::DIRECTORY, FD_SEEK | FD_READ, 0)).unwrap();
    assert_eq!(guest.rights(directory), (0, 0));
    assert_eq!(guest.seek(directory, 0, 1), Err(Errno::Badf));
    assert_eq!(guest.open_as(ROOT, ".", request(0, FD_READ | FD_WRITE, 0)), Err(Errno::Isdir));
}

#[test]
fn a_descriptor_hands_on_no_more_than_its_inheriting_rights() {
    let mut guest = Guest::new();
    guest.create("f");
    let narrow = request(oflags::DIRECTORY, PATH_OPEN | PATH_FILESTAT_GET, FD_READ | FD_SEEK);
    let directory = guest.open_as(ROOT, ".", narrow).unwrap();
    assert_eq!(guest.rights(directory), (PATH_OPEN | PATH_FILESTAT_GET, FD_READ | FD_SEEK));
    let file = guest.open_as(directory, "f", request(0, FD_READ | PATH_OPEN, 0)).unwrap();
    assert_eq!(guest.rights(file), (FD_READ, 0));
    assert_eq!(guest.open_as(directory, "f", request(0, FD_READ | FD_WRITE, 0)), Err(Errno::Notcapable));
    assert_eq!(guest.open_as(directory, ".", request(0, PATH_OPEN, 0)), Err(Errno::Notcapable));
    assert_eq!(guest.open_as(directory, "g", request(oflags::CREAT, 0, 0)), Err(Errno::Notcapable));
    let synchronous = OpenRequest { fdflags: fdflags::SYNC.into(), ..request(0, FD_READ, 0) };
    assert_eq!(guest.open_as(directory, "f", synchronous), Err(Errno::Notcapable));
    assert!(guest.open_as(ROOT, "f", synchronous).is_ok());
    let (path, length) = guest.path("d");
    assert_eq!(errno(guest.host.path_create_directory(directory, path, length)), Err(Errno::Notcapable));
    assert_eq!(errno(guest.host.path_unlink_file(directory, path, length)), Err(Errno::Notcapable));
    assert_eq!(errno(guest.host.fd_readdir(directory, LARGE, 10, 0, RESULT)), Err(Errno::Notcapable));
}

#[test]
fn rights_can_be_dropped_and_never_regained() {
    let mut guest = Guest::new();
    let fd = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    let kept = FILE & !(FD_READ | FD_WRITE);
    guest.host.fd_fdstat_set_rights(fd, kept, 0).unwrap();
    assert_eq!(guest.rights(fd), (kept, 0));
    assert_eq!(guest.read(fd, 1), Err(Errno::Badf));
    assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
    assert_eq!(guest.seek(fd, 1, 0), Ok(1));
    assert_eq!(errno(guest.host.fd_fdstat_set_rights(fd, FILE, 0)), Err(Errno::Notcapable));
    assert_eq!(errno(guest.host.fd_fdstat_set_rights(fd, kept, FD_READ)), Err(Errno::Notcapable));
    guest.host.fd_fdstat_set_rights(fd, FD_TELL, 0).unwrap();
    assert_eq!(guest.seek(fd, 0, 1), Ok(1), "to tell is enough to ask where one is");
    assert_eq!(guest.seek(fd, 0, 0), Err(Errno::Notcapable));
    let host = &mut guest.host;
    let answers = [
        host.fd_sync(fd),
        host.fd_datasync(fd),
        host.fd_allocate(fd, 0, 1),
        host.fd_advise(fd, 0, 1, 0),
        host.fd_filestat_get(fd, RESULT, Abi::Preview1),
        host.fd_filestat_set_size(fd, 1),
        host.fd_filestat_set_times(fd, 1, 1, 1),
        host.fd_fdstat_set_flags(fd, 0),
    ];
    assert_eq!(answers.map(errno), [Err(Errno::Notcapable); 8]);
}

#[test]
fn truncating_by_path_needs_its_own_right() {
    let mut guest = Guest::new();
    let fd = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    guest.write(fd, b"contents").unwrap();
    let directory = guest.open_directory(ROOT, ".");
    let (base, inheriting) = guest.rights(directory);
    guest.host.fd_fdstat_set_rights(directory, base, inheriting & !FD_FILESTAT_SET_SIZE).unwrap();
    let truncate = request(oflags::TRUNC, 0, 0);
    assert!(guest.open_as(directory, "f", truncate).is_ok());
    assert_eq!(guest.stat(fd), Ok((0, 1)));
    guest.host.fd_fdstat_set_rights(directory, base & !PATH_FILESTAT_SET_SIZE, 0).unwrap();
    assert_eq!(guest.open_as(directory, "f", truncate), Err(Errno::Perm));
}

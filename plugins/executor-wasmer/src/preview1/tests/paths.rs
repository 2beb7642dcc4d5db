use super::*;
use crate::preview1::abi::{SYMLINK_FOLLOW, fdflags};

const FOLLOW: u32 = SYMLINK_FOLLOW;

/// Read a directory with a buffer of `length` bytes a call: cookie, inode, type and name of each entry.
fn entries(guest: &mut Guest, fd: u32, length: u32) -> Vec<(u64, u64, u8, String)> {
    let (mut entries, mut cookie) = (Vec::new(), 0);
    loop {
        guest.host.fd_readdir(fd, LARGE, length, cookie, RESULT).unwrap();
        let used = guest.u32(RESULT);
        let bytes = guest.bytes(LARGE, used);
        let mut rest = &bytes[..];
        while rest.len() >= 24 {
            let size = u32::from_le_bytes(get(rest, 16)) as usize;
            let Some(name) = rest.get(24..24 + size) else { break };
            cookie = u64::from_le_bytes(get(rest, 0));
            let name = String::from_utf8(name.to_vec()).unwrap();
            entries.push((cookie, u64::from_le_bytes(get(rest, 8)), rest[20], name));
            rest = &rest[24 + size..];
        }
        if used < length {
            return entries;
        }
    }
}

#[test]
fn opening_tells_errors_as_posix_does() {
    let mut guest = Guest::new();
    guest.create("f");
    guest.mkdir("d").unwrap();
    guest.symlink("f", "l").unwrap();
    guest.symlink("d", "ld").unwrap();
    let cases = [
        ("none", 0, Errno::Noent),
        ("none/x", oflags::CREAT, Errno::Noent),
        ("f", oflags::CREAT | oflags::EXCL, Errno::Exist),
        ("f/", 0, Errno::Notdir),
        ("f/x", 0, Errno::Notdir),
        ("f", oflags::DIRECTORY, Errno::Notdir),
        ("d", 0, Errno::Isdir),
        ("l", 0, Errno::Loop),
        ("ld", oflags::DIRECTORY, Errno::Loop),
        ("f/", oflags::CREAT, Errno::Isdir),
        ("new/", oflags::CREAT, Errno::Isdir),
        ("ld/", oflags::CREAT | oflags::EXCL, Errno::Isdir),
        ("none/x/", oflags::CREAT, Errno::Noent),
        ("/f", 0, Errno::Perm),
        ("../f", 0, Errno::Perm),
        ("d/../../f", 0, Errno::Perm),
        ("f\0", 0, Errno::Inval),
        ("", 0, Errno::Noent),
        ("f", 16, Errno::Inval),
        ("g", oflags::CREAT | oflags::DIRECTORY, Errno::Inval),
        ("d", oflags::EXCL | oflags::DIRECTORY, Errno::Inval),
        ("d", oflags::TRUNC | oflags::DIRECTORY, Errno::Inval),
    ];
    for (path, flags, error) in cases {
        assert_eq!(guest.open(ROOT, path, flags), Err(error), "{path:?} {flags}");
    }
    let fd = guest.open(ROOT, "d/.././/d/../f", 0).unwrap();
    assert_eq!(guest.open(fd, "x", oflags::CREAT), Err(Errno::Notdir));
    assert_eq!(guest.open(0, "x", 0), Err(Errno::Badf));
    assert_eq!(guest.open(99, "x", 0), Err(Errno::Badf));
    assert_eq!(guest.open(99, "x", oflags::CREAT | oflags::DIRECTORY), Err(Errno::Badf));
    let path = guest.put(PATH, b"\xff\xfe");
    assert_eq!(errno(guest.host.path_open(ROOT, path, request(0, 0, 0), RESULT)), Err(Errno::Ilseq));
    let path = guest.path("unmade");
    let create = request(oflags::CREAT, 0, 0);
    assert_eq!(errno(guest.host.path_open(ROOT, path, create, u32::MAX)), Err(Errno::Fault));
    assert_eq!(guest.fs.files().count(), 1, "nothing is made when the answer has no place");
}

#[test]
fn symbolic_links_are_followed_when_asked_to() {
    let mut guest = Guest::new();
    guest.create("f");
    guest.mkdir("d").unwrap();
    guest.symlink("f", "l").unwrap();
    guest.symlink("d", "ld").unwrap();
    guest.symlink("loop", "loop").unwrap();
    guest.symlink("../f", "d/up").unwrap();
    let following = |oflags, base| OpenRequest { lookup: FOLLOW, ..request(oflags, base, 0) };
    assert!(guest.open_as(ROOT, "l", following(0, FILE)).is_ok());
    assert!(guest.open_as(ROOT, "d/up", following(0, FILE)).is_ok());
    let directory = guest.open_directory(ROOT, "d");
    assert_eq!(guest.open_as(directory, "up", following(0, FILE)), Err(Errno::Perm), "out of `d`");
    assert!(guest.open_as(ROOT, "ld", following(oflags::DIRECTORY, 0)).is_ok());
    assert_eq!(guest.open_as(ROOT, "l", following(oflags::DIRECTORY, 0)), Err(Errno::Notdir));
    assert_eq!(guest.open_as(ROOT, "loop", following(0, 0)), Err(Errno::Loop));
    assert_eq!(guest.symlink("/f", "absolute"), Err(Errno::Perm));
    assert_eq!(guest.symlink("x", "f"), Err(Errno::Exist));
    let bad = OpenRequest { lookup: 2, ..request(0, 0, 0) };
    assert_eq!(guest.open_as(ROOT, "f", bad), Err(Errno::Inval));
}

#[test]
fn readlink_gives_what_there_is_room_for() {
    let mut guest = Guest::new();
    guest.symlink("target", "l").unwrap();
    let path = guest.path("l");
    guest.host.path_readlink(ROOT, path, (LARGE, 10), RESULT).unwrap();
    assert_eq!((guest.u32(RESULT), guest.bytes(LARGE, 10)), (6, b"target\0\0\0\0".to_vec()));
    guest.host.path_readlink(ROOT, path, (LARGE + 20, 4), RESULT).unwrap();
    assert_eq!((guest.u32(RESULT), guest.bytes(LARGE + 20, 5)), (4, b"targ\0".to_vec()));
    let path = guest.path(".");
    assert_eq!(errno(guest.host.path_readlink(ROOT, path, (LARGE, 10), RESULT)), Err(Errno::Inval));
}

#[test]
fn hard_links_share_the_file() {
    let mut guest = Guest::new();
    guest.create("f");
    guest.mkdir("d").unwrap();
    guest.symlink("gone", "dangling").unwrap();
    let mut link = |old: &str, lookup: u32, new: &str| {
        let (old, new) = (guest.path(old), guest.new_path(new));
        errno(guest.host.path_link((ROOT, old.0, old.1), lookup, (ROOT, new.0, new.1)))
    };
    assert_eq!(link("f", 0, "d/g"), Ok(()));
    assert_eq!(link("f", 0, "f"), Err(Errno::Exist));
    assert_eq!(link("f", 0, "d"), Err(Errno::Exist));
    assert_eq!(link("f", 0, "dangling"), Err(Errno::Exist));
    assert_eq!(link("f", 0, "new/"), Err(Errno::Noent));
    assert_eq!(link("d", 0, "e"), Err(Errno::Perm));
    assert_eq!(link("dangling", 0, "dangling2"), Ok(()));
    assert_eq!(link("dangling", FOLLOW, "x"), Err(Errno::Inval));
    let fd = guest.open(ROOT, "d/g", 0).unwrap();
    assert_eq!(guest.stat(fd), Ok((0, 2)));
    let (path, length) = guest.path("f");
    guest.host.path_unlink_file(ROOT, path, length).unwrap();
    assert_eq!(guest.stat(fd), Ok((0, 1)));
}

#[test]
fn an_unlinked_file_stays_usable_and_its_name_is_free() {
    let mut guest = Guest::new();
    let fd = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    let (path, length) = guest.path("f");
    guest.host.path_unlink_file(ROOT, path, length).unwrap();
    assert_eq!(guest.write(fd, b"abc"), Ok(3));
    assert_eq!(guest.stat(fd), Ok((3, 0)));
    assert_eq!(guest.open(ROOT, "f", 0), Err(Errno::Noent));
    assert!(guest.open(ROOT, "f", oflags::CREAT | oflags::EXCL).is_ok());
}

#[test]
fn directories_are_removed_when_empty() {
    let mut guest = Guest::new();
    guest.mkdir("d/").unwrap();
    guest.mkdir("d/e").unwrap();
    guest.create("f");
    guest.symlink("d", "ld").unwrap();
    guest.symlink("f", "lf").unwrap();
    guest.symlink("none", "dangling").unwrap();
    assert_eq!(guest.mkdir("d"), Err(Errno::Exist));
    let mut remove = |path: &str, directory: bool| {
        let (path, length) = guest.path(path);
        let host = &mut guest.host;
        errno(match directory {
            true => host.path_remove_directory(ROOT, path, length),
            false => host.path_unlink_file(ROOT, path, length),
        })
    };
    assert_eq!(remove("d", true), Err(Errno::Notempty));
    assert_eq!(remove("f", true), Err(Errno::Notdir));
    assert_eq!(remove("f/", true), Err(Errno::Notdir));
    assert_eq!(remove("d", false), Err(Errno::Isdir));
    assert_eq!(remove("d/", false), Err(Errno::Isdir));
    assert_eq!(remove("f/", false), Err(Errno::Notdir));
    assert_eq!(remove("ld/", false), Err(Errno::Isdir), "the slash asks for what it leads to");
    assert_eq!(remove("lf/", false), Err(Errno::Notdir));
    assert_eq!(remove("dangling/", false), Err(Errno::Noent));
    assert_eq!(remove("ld", false), Ok(()));
    assert_eq!(remove("d/e/", true), Ok(()));
    assert_eq!(remove("d", true), Ok(()));
    assert_eq!(remove("f", false), Ok(()));
    assert_eq!(remove("f", false), Err(Errno::Noent));
}

#[test]
fn renaming_follows_posix_across_directories() {
    let mut guest = Guest::new();
    guest.create("f");
    guest.mkdir("d").unwrap();
    guest.mkdir("e").unwrap();
    guest.create("e/x");
    let inner = guest.open_directory(ROOT, "e");
    let mut rename = |old: &str, fd: u32, new: &str| {
        let (old, new) = (guest.path(old), guest.new_path(new));
        errno(guest.host.path_rename((ROOT, old.0, old.1), (fd, new.0, new.1)))
    };
    assert_eq!(rename("none", ROOT, "x"), Err(Errno::Noent));
    assert_eq!(rename("f", ROOT, "d"), Err(Errno::Isdir));
    assert_eq!(rename("d", ROOT, "f"), Err(Errno::Notdir));
    assert_eq!(rename("d", ROOT, "e"), Err(Errno::Notempty));
    assert_eq!(rename("e", inner, "below"), Err(Errno::Inval));
    assert_eq!(rename("f/", ROOT, "g"), Err(Errno::Notdir));
    assert_eq!(rename("f", ROOT, "g/"), Err(Errno::Notdir));
    assert_eq!(rename("f", inner, "x"), Ok(()));
    assert_eq!(rename("d/", inner, "d/"), Ok(()));
    assert_eq!(rename("e", inner, "../out"), Err(Errno::Perm));
}

#[test]
fn a_directory_is_read_in_pieces_with_cut_off_entries() {
    let mut guest = Guest::new();
    let empty = entries(&mut guest, ROOT, 256);
    assert_eq!(empty.iter().map(|entry| (entry.2, entry.3.as_str())).collect::<Vec<_>>(), [(3, "."), (3, "..")]);
    for index in 0..1000 {
        guest.create(&format!("file.{index}"));
    }
    for length in [40, 256, 4096] {
        let all = entries(&mut guest, ROOT, length);
        assert_eq!(all.len(), 1002);
        assert_eq!((all[1001].2, all[1001].3.as_str()), (4, "file.999"));
    }
    guest.host.fd_readdir(ROOT, LARGE, 10, 0, RESULT).unwrap();
    assert_eq!(guest.u32(RESULT), 10, "even a part of the header fills the buffer");
    let fd = guest.open(ROOT, "file.7", 0).unwrap();
    guest.host.fd_filestat_get(fd, RESULT, Abi::Preview1).unwrap();
    let inode = guest.u64(RESULT + 8);
    assert_eq!(entries(&mut guest, ROOT, 4096)[9].1, inode);
    assert_eq!(errno(guest.host.fd_readdir(fd, LARGE, 10, 0, RESULT)), Err(Errno::Badf));
}

#[test]
fn a_path_is_not_looked_up_in_what_is_no_directory() {
    let mut guest = Guest::new();
    let file = guest.open(ROOT, "f", oflags::CREAT).unwrap();
    let (path, new) = (guest.path("f"), guest.new_path("g"));
    for fd in [0, 1, file] {
        let host = &mut guest.host;
        let answers = [
            host.path_create_directory(fd, path.0, path.1),
            host.path_remove_directory(fd, path.0, path.1),
            host.path_unlink_file(fd, path.0, path.1),
            host.path_filestat_get(fd, 0, path, RESULT, Abi::Preview1),
            host.path_filestat_set_times(fd, 0, path, (1, 1, 5)),
            host.path_readlink(fd, path, (LARGE, 10), RESULT),
            host.path_symlink(new, fd, path),
            host.path_link((fd, path.0, path.1), 0, (ROOT, new.0, new.1)),
            host.path_link((ROOT, path.0, path.1), 0, (fd, new.0, new.1)),
            host.path_rename((fd, path.0, path.1), (ROOT, new.0, new.1)),
            host.path_rename((ROOT, path.0, path.1), (fd, new.0, new.1)),
        ];
        assert_eq!(answers.map(errno), [Err(Errno::Badf); 11], "{fd}");
    }
}

#[test]
fn stat_is_laid_out_for_both_generations() {
    let mut guest = Guest::new();
    guest.create("f");
    guest.symlink("f", "l").unwrap();
    let fd = guest.open(ROOT, "f", 0).unwrap();
    guest.write(fd, b"12345").unwrap();
    guest.host.fd_filestat_set_times(fd, 11, 22, 5).unwrap();
    let path = guest.path("l");
    guest.host.path_filestat_get(ROOT, FOLLOW, path, RESULT, Abi::Preview1).unwrap();
    let new = guest.bytes(RESULT, 64);
    let number = |at| u64::from_le_bytes(get(&new, at));
    assert_eq!((number(0), new[16], number(24)), (1, 4, 1));
    assert_eq!((number(32), number(40), number(48), number(56)), (5, 11, 22, 1_000_000));
    guest.host.path_filestat_get(ROOT, FOLLOW, path, LARGE, Abi::Unstable).unwrap();
    let old = guest.bytes(LARGE, 56);
    assert_eq!(old, [&new[..17], &[0; 3], &[1, 0, 0, 0], &new[32..]].concat());
    guest.host.path_filestat_get(ROOT, 0, path, RESULT, Abi::Preview1).unwrap();
    assert_eq!((guest.bytes(RESULT + 16, 1), guest.u64(RESULT + 32)), (vec![7], 1));
}

#[test]
fn times_are_set_to_a_value_or_to_now() {
    let mut guest = Guest::new();
    guest.create("f");
    let fd = guest.open(ROOT, "f", 0).unwrap();
    let times = |guest: &mut Guest| {
        guest.host.fd_filestat_get(fd, RESULT, Abi::Preview1).unwrap();
        (guest.u64(RESULT + 40), guest.u64(RESULT + 48))
    };
    guest.host.fd_filestat_set_times(fd, 5, 6, 4).unwrap();
    assert_eq!(times(&mut guest), (1_000_000, 6));
    guest.clock.0.store(2_000_000, std::sync::atomic::Ordering::SeqCst);
    guest.host.fd_filestat_set_times(fd, 5, 6, 1 | 8).unwrap();
    assert_eq!(times(&mut guest), (5, 2_000_000));
    for flags in [3, 12, 15, 16, 1 << 16] {
        assert_eq!(errno(guest.host.fd_filestat_set_times(fd, 5, 6, flags)), Err(Errno::Inval));
        let path = guest.path("f");
        assert_eq!(errno(guest.host.path_filestat_set_times(ROOT, 0, path, (5, 6, flags))), Err(Errno::Inval));
    }
    guest.symlink("f", "l").unwrap();
    let path = guest.path("l");
    guest.host.path_filestat_set_times(ROOT, 0, path, (7, 8, 5)).unwrap();
    assert_eq!(times(&mut guest), (5, 2_000_000), "the link's own");
    guest.host.path_filestat_set_times(ROOT, FOLLOW, path, (7, 8, 5)).unwrap();
    assert_eq!(times(&mut guest), (7, 8));
}

#[test]
fn flags_of_an_open_are_told_again() {
    let mut guest = Guest::new();
    let flags = fdflags::APPEND | fdflags::SYNC;
    let fd = guest.open_as(ROOT, "f", OpenRequest { fdflags: flags.into(), ..request(oflags::CREAT, FILE, 0) });
    guest.host.fd_fdstat_get(fd.unwrap(), RESULT).unwrap();
    assert_eq!(guest.bytes(RESULT, 4), [4, 0, 17, 0]);
    let directory = OpenRequest { fdflags: fdflags::NONBLOCK.into(), ..request(0, 0, 0) };
    assert!(guest.open_as(ROOT, ".", directory).is_ok());
    assert_eq!(guest.open_as(ROOT, ".", OpenRequest { fdflags: 32, ..directory }), Err(Errno::Inval));
}

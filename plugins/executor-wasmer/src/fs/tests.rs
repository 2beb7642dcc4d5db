use std::ops::ControlFlow;

use bytes::Bytes;

use super::{
    inputs::{AddError, PathProblem},
    *,
};

const READ: Open =
    Open { follow: true, create: false, exclusive: false, truncate: false, directory: false, write: false };
const CREATE: Open = Open { create: true, write: true, ..READ };

fn system() -> FileSystem {
    FileSystem::new(Quota { bytes: 1000, entries: 40 }, 1)
}

fn create(root: &Handle, path: &str, bytes: &[u8]) -> Handle {
    let file = root.open(path, &CREATE, 2).unwrap();
    assert_eq!(file.write(0, bytes, 2), Ok(bytes.len()));
    file
}

fn read(handle: &Handle) -> Vec<u8> {
    let mut buffer = vec![0; 2000];
    let count = handle.read(0, &mut buffer).unwrap();
    buffer.truncate(count);
    buffer
}

fn names(directory: &Handle, cookie: u64) -> Vec<(u64, String)> {
    let mut names = Vec::new();
    let visit = |entry: DirEntry<'_>| {
        names.push((entry.cookie, entry.name.to_owned()));
        ControlFlow::Continue(())
    };
    directory.read_directory(cookie, visit).unwrap();
    names
}

#[test]
fn input_files_are_there_with_their_directories_and_come_out_again() {
    let system = system();
    system.add_file("/a/b/c.txt", Bytes::from_static(b"abc"), 1).unwrap();
    system.add_file("a/d", Bytes::from_static(b"d"), 1).unwrap();
    system.add_directory("a/empty", 1).unwrap();
    system.add_directory("a/empty", 1).unwrap();
    let root = system.root();
    assert_eq!(read(&root.open("a/b/c.txt", &READ, 1).unwrap()), b"abc");
    root.make_symlink("a/d", "link", 2).unwrap();
    create(&root, "new", b"12");
    let files: Vec<_> = system.files().collect();
    let files: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), &bytes[..])).collect();
    assert_eq!(files, [("a/b/c.txt", &b"abc"[..]), ("a/d", b"d"), ("new", b"12")]);
}

#[test]
fn input_paths_that_could_mean_something_else_are_refused_with_the_reason() {
    let long = "x".repeat(NAME_MAX + 1);
    let cases = [
        ("", PathProblem::Empty),
        ("/", PathProblem::Empty),
        ("a//b", PathProblem::EmptyComponent),
        ("//a", PathProblem::EmptyComponent),
        ("a/", PathProblem::EmptyComponent),
        ("a/../../b", PathProblem::Dots),
        ("./a", PathProblem::Dots),
        ("a\0b", PathProblem::Nul),
        (&long, PathProblem::LongName),
    ];
    for (path, problem) in cases {
        assert_eq!(system().add_file(path, Bytes::new(), 1), Err(AddError::Path(problem)), "{path:?}");
    }
    let system = system();
    system.add_file("a", Bytes::new(), 1).unwrap();
    assert_eq!(system.add_file("a", Bytes::new(), 1), Err(AddError::Refused(Error::Exists)));
    assert_eq!(system.add_file("a/b", Bytes::new(), 1), Err(AddError::Refused(Error::NotDirectory)));
    let large = Bytes::from(vec![0; 1001]);
    assert_eq!(system.add_file("b", large, 1), Err(AddError::Refused(Error::NoSpace)));
}

#[test]
fn bytes_are_charged_by_size_before_they_are_allocated_and_given_back() {
    let system = system();
    let root = system.root();
    let file = create(&root, "f", b"0123456789");
    assert_eq!(file.resize(u64::MAX, 3), Err(Error::TooLarge));
    assert_eq!(file.resize(1 << 50, 3), Err(Error::NoSpace));
    assert_eq!(file.reserve(1001, 3), Err(Error::NoSpace));
    assert_eq!(file.write(1 << 40, b"x", 3), Err(Error::NoSpace));
    assert_eq!(file.write(u64::MAX, b"x", 3), Err(Error::TooLarge));
    assert_eq!(file.stat().size, 10);
    assert_eq!(file.write(990, b"0123456789AB", 3), Ok(10), "as many as there is room for");
    assert_eq!(file.append(b"x", 3), Err(Error::NoSpace));
    assert_eq!(system.usage().bytes, 1000);
    assert_eq!(file.write(0, b"over", 3), Ok(4), "what is there can be written over");
    file.resize(100, 3).unwrap();
    assert_eq!(system.usage().bytes, 100);
    root.remove_file("f", 3).unwrap();
    assert_eq!(system.usage().bytes, 100, "an open file is still there");
    assert_eq!(read(&file).len(), 100);
    drop(file);
    assert_eq!(system.usage(), Usage::default());
}

#[test]
fn shared_input_bytes_do_not_change_when_the_guest_writes() {
    let system = system();
    let bytes = Bytes::from(b"input".to_vec());
    system.add_file("f", bytes.clone(), 1).unwrap();
    let file = system.root().open("f", &READ, 1).unwrap();
    file.write(0, b"X", 2).unwrap();
    let out = system.files().next().unwrap().1;
    file.write(1, b"Y", 2).unwrap();
    assert_eq!((&bytes[..], &out[..], read(&file)), (&b"input"[..], &b"Xnput"[..], b"XYput".to_vec()));
    file.resize(2, 2).unwrap();
    assert_eq!((read(&file), system.usage().bytes), (b"XY".to_vec(), 2));
}

#[test]
fn entries_are_bounded_and_given_back() {
    let system = system();
    let root = system.root();
    for index in 0..20 {
        root.make_directory(&format!("d{index}"), 2).unwrap();
    }
    assert_eq!(root.make_directory("one-more", 2), Err(Error::NoSpace));
    assert_eq!(root.open("one-more", &CREATE, 2).err(), Some(Error::NoSpace));
    assert_eq!(root.make_symlink("x", "one-more", 2), Err(Error::NoSpace));
    root.remove_directory("d3", 2).unwrap();
    create(&root, "f", b"");
    assert_eq!(root.make_link("f", &root, "g", 2), Err(Error::NoSpace));
    for index in (0..20).filter(|index| *index != 3) {
        root.remove_directory(&format!("d{index}"), 2).unwrap();
    }
    root.make_link("f", &root, "g", 2).unwrap();
    assert_eq!(system.usage().entries, 3);
    root.remove_file("f", 2).unwrap();
    root.remove_file("g", 2).unwrap();
    assert_eq!(system.usage(), Usage::default());
    assert_eq!(root.stat().links, 2);
}

#[test]
fn no_path_leads_out_of_the_directory_it_starts_in() {
    let system = system();
    let root = system.root();
    create(&root, "secret", b"s");
    root.make_directory("box", 2).unwrap();
    root.make_directory("box/in", 2).unwrap();
    let inner = root.open("box", &READ, 2).unwrap();
    for path in ["..", "../secret", "in/../../secret", "/secret", "./.././box", "in/../.."] {
        assert_eq!(inner.open(path, &READ, 2).err(), Some(Error::Escapes), "{path}");
        assert_eq!(inner.make_directory(path, 2), Err(Error::Escapes), "{path}");
        assert_eq!(inner.remove_file(path, 2), Err(Error::Escapes), "{path}");
        assert_eq!(inner.rename("in", &inner, path, 2), Err(Error::Escapes), "{path}");
    }
    inner.make_symlink("../secret", "up", 2).unwrap();
    inner.make_symlink("../../secret", "in/up", 2).unwrap();
    assert_eq!(inner.open("up", &READ, 2).err(), Some(Error::Escapes));
    assert_eq!(inner.open("in/up", &READ, 2).err(), Some(Error::Escapes));
    assert_eq!(read(&root.open("box/up", &READ, 2).unwrap()), b"s", "from the root it stays inside");
    assert_eq!(inner.make_symlink("/secret", "absolute", 2), Err(Error::Escapes));
    assert!(inner.open("in/../in/./..//in", &READ, 2).is_ok());
}

#[test]
fn symbolic_links_are_followed_to_a_bounded_depth() {
    let system = FileSystem::new(Quota { bytes: 10_000, entries: 1000 }, 1);
    let root = system.root();
    create(&root, "l0", b"end");
    for index in 1..=LINKS_MAX + 1 {
        root.make_symlink(&format!("l{}", index - 1), &format!("l{index}"), 2).unwrap();
    }
    assert_eq!(read(&root.open(&format!("l{LINKS_MAX}"), &READ, 2).unwrap()), b"end");
    assert_eq!(root.open(&format!("l{}", LINKS_MAX + 1), &READ, 2).err(), Some(Error::Loop));
    root.make_symlink("self/x", "self", 2).unwrap();
    assert_eq!(root.open("self", &READ, 2).err(), Some(Error::Loop));
    let nofollow = Open { follow: false, ..READ };
    assert_eq!(root.open("l1", &nofollow, 2).err(), Some(Error::Loop));
    let directory = Open { directory: true, ..nofollow };
    assert_eq!(root.open("l1", &directory, 2).err(), Some(Error::Loop));
    assert_eq!(&*root.read_symlink("l1").unwrap(), "l0");
    assert_eq!(root.read_symlink("l0"), Err(Error::Invalid));
    // One that leads nowhere is made where it leads to, unless that was asked to be new.
    root.make_symlink("made", "dangling", 2).unwrap();
    assert_eq!(root.open("dangling", &Open { exclusive: true, ..CREATE }, 2).err(), Some(Error::Exists));
    assert!(root.open("dangling", &CREATE, 2).is_ok());
    assert_eq!(root.stat_at("made", false).unwrap().kind, Kind::File);
    assert_eq!(root.stat_at("dangling", false).unwrap().kind, Kind::Symlink);
    assert_eq!(root.stat_at("dangling", true).unwrap().kind, Kind::File);
}

#[test]
fn names_and_paths_are_bounded() {
    let root = system().root();
    assert_eq!(root.make_directory(&"n".repeat(NAME_MAX + 1), 2), Err(Error::NameTooLong));
    assert_eq!(root.make_directory(&"n".repeat(NAME_MAX), 2), Ok(()));
    assert_eq!(root.stat_at(&"./".repeat(PATH_MAX / 2 + 1), true), Err(Error::NameTooLong));
    assert_eq!(root.make_directory("a\0b", 2), Err(Error::Invalid));
    assert_eq!(root.make_directory("", 2), Err(Error::NotFound));
}

#[test]
fn trailing_slashes_mean_directories() {
    let root = system().root();
    create(&root, "f", b"");
    root.make_directory("d/", 2).unwrap();
    root.make_symlink("d", "l", 2).unwrap();
    assert_eq!(root.open("f/", &READ, 2).err(), Some(Error::NotDirectory));
    assert_eq!(root.stat_at("l/", false).unwrap().kind, Kind::Directory);
    assert_eq!(root.open("new/", &CREATE, 2).err(), Some(Error::IsDirectory));
    assert_eq!(root.open("f/", &CREATE, 2).err(), Some(Error::IsDirectory));
    assert_eq!(root.open("f/new/", &CREATE, 2).err(), Some(Error::NotDirectory));
    assert_eq!(root.remove_file("f/", 2), Err(Error::NotDirectory));
    assert_eq!(root.remove_file("d/", 2), Err(Error::IsDirectory));
    assert_eq!(root.remove_file("l/", 2), Err(Error::IsDirectory));
    assert_eq!(root.remove_directory("f/", 2), Err(Error::NotDirectory));
    assert_eq!(root.remove_directory("l/", 2), Err(Error::NotDirectory));
    assert_eq!(root.make_symlink("x", "new/", 2), Err(Error::NotFound));
    assert_eq!(root.make_symlink("x", "d/", 2), Err(Error::Exists));
    assert_eq!(root.make_symlink("x", "f/", 2), Err(Error::NotDirectory));
    root.make_symlink("none", "dangling", 2).unwrap();
    assert_eq!(root.make_symlink("x", "dangling/", 2), Err(Error::NotFound));
    assert_eq!(root.make_symlink("x", "dangling", 2), Err(Error::Exists));
    assert_eq!(root.make_link("f", &root, "new/", 2), Err(Error::NotFound));
    assert_eq!(root.rename("f/", &root, "g", 2), Err(Error::NotDirectory));
    assert_eq!(root.rename("f", &root, "g/", 2), Err(Error::NotDirectory));
    assert_eq!(root.rename("d/", &root, "e/", 2), Ok(()));
    assert_eq!(root.remove_directory("e/", 2), Ok(()));
}

#[test]
fn the_directory_itself_cannot_be_removed_or_moved() {
    let root = system().root();
    root.make_directory("d", 2).unwrap();
    root.make_directory("d/e", 2).unwrap();
    assert_eq!(root.remove_directory(".", 2), Err(Error::Invalid));
    assert_eq!(root.remove_directory("d/.", 2), Err(Error::Invalid));
    assert_eq!(root.remove_directory("d/e/..", 2), Err(Error::NotEmpty));
    assert_eq!(root.remove_file(".", 2), Err(Error::IsDirectory));
    assert_eq!(root.rename(".", &root, "x", 2), Err(Error::Busy));
    assert_eq!(root.rename("d", &root, ".", 2), Err(Error::Busy));
    assert_eq!(root.make_directory(".", 2), Err(Error::Exists));
}

#[test]
fn rename_follows_posix() {
    let root = system().root();
    let file = create(&root, "f", b"f");
    create(&root, "g", b"g");
    for path in ["d", "d/e", "empty"] {
        root.make_directory(path, 2).unwrap();
    }
    assert_eq!(root.rename("none", &root, "x", 2), Err(Error::NotFound));
    assert_eq!(root.rename("f", &root, "d", 2), Err(Error::IsDirectory));
    assert_eq!(root.rename("d", &root, "f", 2), Err(Error::NotDirectory));
    assert_eq!(root.rename("empty", &root, "d", 2), Err(Error::NotEmpty));
    assert_eq!(root.rename("d", &root, "d/e/x", 2), Err(Error::Invalid));
    assert_eq!(root.rename("d", &root, "d", 2), Ok(()));
    assert_eq!(root.rename("f", &root, "g", 2), Ok(()));
    assert_eq!(read(&root.open("g", &READ, 2).unwrap()), b"f");
    root.make_link("g", &root, "h", 2).unwrap();
    assert_eq!(root.rename("g", &root, "h", 2), Ok(()), "two names of one file");
    assert_eq!(file.stat().links, 2);
    assert_eq!(root.rename("d", &root, "empty", 2), Ok(()));
    assert!(root.stat_at("empty/e", true).is_ok());
    let inner = root.open("empty", &READ, 2).unwrap();
    assert_eq!(root.rename("h", &inner, "moved", 2), Ok(()));
    assert_eq!((root.stat().links, inner.stat().links), (3, 3));
    let other = system();
    assert_eq!(root.rename("g", &other.root(), "g", 2), Err(Error::CrossDevice));
}

#[test]
fn reading_a_directory_goes_on_while_names_come_and_go() {
    let root = system().root();
    for name in ["a", "b", "c", "d"] {
        create(&root, name, b"");
    }
    let all = names(&root, 0);
    assert_eq!(all.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), [".", "..", "a", "b", "c", "d"]);
    let after_b = all[3].0;
    root.remove_file("a", 2).unwrap();
    root.remove_file("b", 2).unwrap();
    root.rename("d", &root, "d2", 2).unwrap();
    create(&root, "a", b"");
    let rest: Vec<_> = names(&root, after_b).into_iter().map(|(_, name)| name).collect();
    assert_eq!(rest, ["c", "d2", "a"]);
    assert_eq!(names(&root, u64::MAX), []);
    assert_eq!(names(&root, 1)[0].1, "..");
}

#[test]
fn a_removed_directory_that_is_open_stays_empty() {
    let system = system();
    let root = system.root();
    root.make_directory("d", 2).unwrap();
    let open = root.open("d", &READ, 2).unwrap();
    root.remove_directory("d", 2).unwrap();
    root.make_directory("d", 2).unwrap();
    assert_eq!(open.open("f", &CREATE, 2).err(), Some(Error::NotFound));
    assert_eq!(open.make_directory("e", 2), Err(Error::NotFound));
    root.open("f", &CREATE, 2).unwrap();
    assert_eq!(root.rename("f", &open, "f", 2), Err(Error::NotFound));
    assert_eq!(root.make_link("f", &open, "f", 2), Err(Error::NotFound));
    assert_eq!(names(&open, 0), []);
    assert_eq!(open.stat().links, 0);
    assert_ne!(open.stat().inode, root.stat_at("d", true).unwrap().inode);
}

#[test]
fn times_say_what_changed_when() {
    let root = system().root();
    let file = root.open("f", &CREATE, 10).unwrap();
    assert_eq!(root.stat().times, Times { accessed: 1, modified: 10, changed: 10 });
    file.write(0, b"x", 20).unwrap();
    root.make_link("f", &root, "g", 30).unwrap();
    assert_eq!(file.stat().times, Times { accessed: 10, modified: 20, changed: 30 });
    file.set_times(SetTimes { accessed: Some(5), modified: None }, 40);
    root.set_times_at("g", true, SetTimes { accessed: None, modified: Some(6) }, 50).unwrap();
    assert_eq!(file.stat().times, Times { accessed: 5, modified: 6, changed: 50 });
}

#[test]
fn deep_trees_are_walked_and_dropped_without_recursion() {
    let system = FileSystem::new(Quota { bytes: 1000, entries: 100_000 }, 1);
    let mut here = system.root();
    for _ in 0..20_000 {
        here.make_directory("d", 2).unwrap();
        here = here.open("d", &READ, 2).unwrap();
    }
    create(&here, "too-deep", b"");
    create(&system.root(), "f", b"");
    let paths: Vec<_> = system.files().map(|(path, _)| path).collect();
    assert_eq!(paths, ["f"]);
    assert_eq!(system.root().rename("d", &here, "x", 2), Err(Error::Invalid));
}

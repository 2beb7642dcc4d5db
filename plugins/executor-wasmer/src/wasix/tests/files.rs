use std::path::Path;

use super::*;

#[test]
fn a_file_is_made_by_absolute_and_relative_path_and_collected() {
    let create = |path: i32, len: i32| {
        format!(
            "(local.set $x (call $path_open2 (local.get $y) (i32.const 0) (i32.const {path}) (i32.const {len})
                (i32.const 1) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 0) (i32.const 0)))
             (if (local.get $x) (then (call $exit (local.get $x))))
             (i32.store (i32.const 8) (i32.const 100)) (i32.store (i32.const 12) (i32.const {len}))
             (local.set $x (call $fd_write (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
             (if (local.get $x) (then (call $exit (local.get $x))))"
        )
    };
    let data = r#"(data (i32.const 100) "/tmp/a") (data (i32.const 200) "b")"#;
    let body = format!("(local.set $y (i32.const 3)) {} {} (i32.const 0)", create(100, 6), create(200, 1));
    let wat = guest(&[("path_open2", OPEN), ("fd_write", FOUR)], data, &body);
    let ran = Run { files: vec![("/tmp".into(), None), ("/in".into(), Some("x".into()))], ..Run::default() }.wat(&wat);
    assert_eq!(ran.exit(), 0);
    let names: Vec<_> = ran.files.iter().map(|(path, bytes)| (path.as_str(), &bytes[..])).collect();
    assert_eq!(names, [("/b", &b"/"[..]), ("/in", b"x"), ("/tmp/a", b"/tmp/a")]);
}

#[test]
fn directories_links_and_names_work_from_the_root_and_above_it() {
    let two = "(param i32 i32 i32) (result i32)";
    let imports = [
        ("path_create_directory", two),
        ("path_symlink", "(param i32 i32 i32 i32 i32) (result i32)"),
        ("path_open2", OPEN),
        ("path_rename", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
        ("path_unlink_file", two),
        ("path_remove_directory", two),
        ("chdir", "(param i32 i32) (result i32)"),
        ("getcwd", "(param i32 i32) (result i32)"),
        ("fd_readdir", "(param i32 i32 i32 i64 i32) (result i32)"),
    ];
    let data = r#"(data (i32.const 100) "dir") (data (i32.const 110) "../link") (data (i32.const 120) "link/../../dir/file")
        (data (i32.const 140) "dir/moved") (data (i32.const 150) "dir/file")"#;
    let steps = [
        "(call $path_create_directory (i32.const 3) (i32.const 100) (i32.const 3))",
        "(call $path_symlink (i32.const 100) (i32.const 3) (i32.const 3) (i32.const 110) (i32.const 7))",
        "(call $path_open2 (i32.const 3) (i32.const 1) (i32.const 120) (i32.const 19) (i32.const 1) (i64.const -1)
            (i64.const -1) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $path_rename (i32.const 3) (i32.const 150) (i32.const 8) (i32.const 3) (i32.const 140) (i32.const 9))",
        "(call $chdir (i32.const 100) (i32.const 3))",
        "(i32.store (i32.const 8) (i32.const 100)) (call $getcwd (i32.const 300) (i32.const 8))",
        "(i32.sub (i32.load8_u (i32.const 303)) (i32.const 114))",
        "(call $fd_readdir (i32.const 3) (i32.const 400) (i32.const 500) (i64.const 0) (i32.const 8))",
        // Entries `.`, `..`, `dir`, `link` of 24 bytes and a name each.
        "(i32.sub (i32.load (i32.const 8)) (i32.const 106))",
        "(call $path_unlink_file (i32.const 3) (i32.const 140) (i32.const 9))",
        "(call $path_remove_directory (i32.const 3) (i32.const 100) (i32.const 3))",
    ];
    let body: String = (1..)
        .zip(steps)
        .map(|(step, code)| {
            format!(
                "(local.set $x (block (result i32) {code}))
         (if (local.get $x) (then (call $exit (i32.add (local.get $x) (i32.const {})))))",
                step * 100
            )
        })
        .collect();
    assert_eq!(run(&imports, data, &format!("{body} (i32.const 0)")).exit(), 0);
}

#[test]
fn bytes_entries_and_descriptors_are_bounded() {
    let open = "(call $path_open2 (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 2)
        (i32.const 1) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 0) (i32.const 0))";
    let next = "(i32.store8 (i32.const 101) (i32.add (i32.load8_u (i32.const 101)) (i32.const 1)))";
    let data = r#"(data (i32.const 100) "/0")"#;
    let until_error = |close: &str| {
        format!(
            "(loop $again {next} (local.set $x {open}) {close} (br_if $again (i32.eqz (local.get $x)))) (local.get $x)"
        )
    };
    let imports = [("path_open2", OPEN), ("fd_close", "(param i32) (result i32)")];
    assert_eq!(run(&imports, data, &until_error("")).exit(), 33, "EMFILE");
    let close = "(if (i32.eqz (local.get $x)) (then (drop (call $fd_close (i32.load (i32.const 0))))))";
    assert_eq!(run(&imports, data, &until_error(close)).exit(), 51, "ENOSPC for an entry too many");
    let size = ("fd_filestat_set_size", "(param i32 i64) (result i32)");
    let grow =
        format!("(drop {open}) (call $fd_filestat_set_size (i32.load (i32.const 0)) (i64.const 0x7fffffffffffffff))");
    assert_eq!(run(&[imports[0], size], data, &grow).exit(), 51, "ENOSPC for a size");
    let write = format!(
        "(drop {open}) (i32.store (i32.const 12) (i32.const 65536))
         (loop $again
            (local.set $x (call $fd_write (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
            (br_if $again (i32.eqz (local.get $x))))
         (local.get $x)"
    );
    let ran = run(&[imports[0], ("fd_write", FOUR)], data, &write);
    assert_eq!(ran.exit(), 51, "ENOSPC for bytes");
    assert_eq!(ran.files[0].1.len(), 1 << 20);
}

#[test]
fn a_descriptor_cannot_get_a_number_that_makes_the_table_long() {
    let renumber = ("fd_renumber", "(param i32 i32) (result i32)");
    let body = "(call $fd_renumber (i32.const 1) (i32.const 60000))";
    assert_eq!(run(&[renumber], "", body).exit(), 8, "EBADF");
    let dup2 = ("fd_dup2", FOUR);
    let body = "(call $fd_dup2 (i32.const 1) (i32.const 60000) (i32.const 0) (i32.const 0))";
    assert_eq!(run(&[dup2], "", body).exit(), 8, "EBADF");
}

#[test]
fn a_renumbered_standard_output_still_is_one() {
    let body = r"
        (drop (call $fd_renumber (i32.const 1) (i32.const 9)))
        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 2))
        (call $fd_write (i32.const 9) (i32.const 0) (i32.const 1) (i32.const 8))";
    let imports = [("fd_renumber", "(param i32 i32) (result i32)"), ("fd_write", FOUR)];
    let ran = run(&imports, r#"(data (i32.const 100) "ok")"#, body);
    assert_eq!((ran.exit(), &ran.written.stdout[..]), (0, &b"ok"[..]));
}

#[test]
fn a_pipe_gives_what_was_written_and_then_its_end() {
    let body = r"
        (drop (call $fd_pipe (i32.const 16) (i32.const 20)))
        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 3))
        (drop (call $fd_write (i32.load (i32.const 20)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 0) (i32.const 200)) (i32.store (i32.const 4) (i32.const 50))
        (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $x (i32.load (i32.const 8)))
        (drop (call $fd_close (i32.load (i32.const 20))))
        (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.add (i32.mul (local.get $x) (i32.const 10)) (i32.load (i32.const 8)))";
    let imports = [
        ("fd_pipe", "(param i32 i32) (result i32)"),
        ("fd_read", FOUR),
        ("fd_write", FOUR),
        ("fd_close", "(param i32) (result i32)"),
    ];
    assert_eq!(run(&imports, "", body).exit(), 30);
}

#[test]
fn directories_do_not_nest_deeper_by_moving_one_into_another() {
    let files = Files::new(Quota { bytes: 0, entries: 1000 }, Arc::new(SystemClock::default()));
    let deep = |name: &str, depth: usize| format!("/{name}{}", "/d".repeat(depth - 1));
    files.add(&deep("a", 128), None).unwrap();
    files.add(&deep("b", 100), None).unwrap();
    assert_eq!(files.create_dir(Path::new(&deep("a", 129))), Err(FsError::InvalidInput));
    let rename = |from: &str, to: &str| {
        let stop = Arc::new(Stop::new(Instant::now() + Duration::from_secs(1)));
        stop.block_on(None, files.rename(Path::new(from), Path::new(to))).unwrap().unwrap()
    };
    assert_eq!(rename("/b", &format!("{}/b", deep("a", 28))), Ok(()));
    files.add(&deep("c", 100), None).unwrap();
    assert_eq!(rename("/c", &format!("{}/c", deep("a", 29))), Err(FsError::InvalidInput));
    assert_eq!(rename("/a", "/a/d/e"), Err(FsError::InvalidInput));
}

#[test]
fn bytes_are_free_again_when_a_file_has_neither_name_nor_handle() {
    let files = Files::new(Quota { bytes: 10, entries: 3 }, Arc::new(SystemClock::default()));
    files.add("/dir/full", Some(Bytes::from_static(&[0; 10]))).unwrap();
    assert_eq!(files.add("/more", Some(Bytes::from_static(b"x"))), Err(FsError::WriteZero));
    let open = files.new_open_options().read(true).open("/dir/full").unwrap();
    files.remove_file(Path::new("/dir/full")).unwrap();
    assert_eq!(files.add("/more", Some(Bytes::from_static(b"x"))), Err(FsError::WriteZero));
    drop(open);
    files.add("/more", Some(Bytes::from_static(b"x"))).unwrap();
    files.add("/less", Some(Bytes::new())).unwrap();
    assert_eq!(files.add("/last", Some(Bytes::new())), Err(FsError::WriteZero), "entries");
}

//! `wasmwiz run`: a module as a program in a pipe

use std::io::{Read, Write};

use serde_json::json;

use crate::support::{Terminal, guest_file};

fn path(guest: &str) -> String {
    guest_file(guest).display().to_string()
}

#[test]
fn a_module_runs_as_a_program_in_a_pipe() {
    let terminal = Terminal::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let ended = terminal.pipe(&["run", &path("samples/echo")], &bytes).well();
    assert!(ended.stdout == bytes);
    assert_eq!(ended.stderr, "");
    assert_eq!(terminal.run(&["run", &path("samples/hello"), "--arg", "Ada"]).well().text(), "Hello, Ada!\n");
    assert_eq!(terminal.run(&["run", &path("samples/hello"), "--", "Ada", "--arg"]).well().text(), "Hello, Ada!\n");
    let left: Vec<_> = std::fs::read_dir(terminal.folder()).expect("the folder").collect();
    assert!(left.is_empty(), "nothing is left behind: {left:?}");
}

#[test]
fn output_comes_as_the_guest_writes_it() {
    let terminal = Terminal::new();
    let mut child = terminal.start(&["run", &path("samples/echo")]);
    let (mut stdin, mut stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    for word in [b"ping", b"pong"] {
        stdin.write_all(word).expect("it reads");
        let mut answer = [0; 4];
        stdout.read_exact(&mut answer).expect("it answers while its input is open");
        assert_eq!(&answer, word);
    }
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn the_exit_code_is_the_guests_or_tells_how_it_was_stopped() {
    let terminal = Terminal::new();
    let exit = path("hostile/exit_code");
    for (arg, code) in [("0", 0), ("7", 7), ("255", 255), ("256", 255)] {
        let ended = terminal.run(&["run", &exit, "--arg", arg]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(code), ""), "{arg}");
    }
    for (guest, code, words) in [
        ("hostile/busy_loop", 124, "its time was up"),
        ("hostile/memory_hog", 137, "more memory"),
        ("hostile/output_flood", 126, "wrote more"),
        ("hostile/trap_unreachable", 134, "(unreachable)"),
        ("hostile/missing_import", 125, "frobnicate"),
        ("hostile/no_entry", 125, "(no_entry_point)"),
    ] {
        let ended = terminal.run(&["run", &path(guest), "--timeout-ms", "2000"]);
        let said = ended.refused(code);
        assert!(said.contains(words), "{guest}: {said}");
    }
    let partial = terminal.run(&["run", &path("hostile/partial_then_loop"), "--timeout-ms", "300"]);
    assert_eq!((partial.code, partial.text().as_str()), (Some(124), "before\n"));
    assert!(partial.stderr.contains("--timeout-ms"), "{}", partial.stderr);
}

#[test]
fn standard_error_is_the_guests_and_separate() {
    let terminal = Terminal::new();
    let ended = terminal.run(&["run", &path("features/stderr_both")]).well();
    assert_eq!(ended.text(), "to stdout 1\nto stdout 2\nto stdout 3\n");
    assert_eq!(ended.stderr, "to stderr 1\nto stderr 2\nto stderr 3\n");
}

#[test]
fn the_guest_sees_only_the_environment_it_is_given() {
    let terminal = Terminal::new().with("HOME", "/root").with("SECRET", "mine");
    let ended =
        terminal.run(&["run", &path("features/args_env"), "--env", "A=b=c", "--env", "EMPTY=", "--", "-x"]).well();
    let text = ended.text();
    assert!(text.contains("arg -x\n") && text.contains("env A=b=c\n") && text.contains("env EMPTY=\n"), "{text}");
    assert!(!text.contains("SECRET") && !text.contains("HOME"), "{text}");
    let wrong = terminal.run(&["run", &path("features/args_env"), "--env", "novalue"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("NAME=VALUE"), "{}", wrong.stderr);
}

#[test]
fn files_go_in_and_come_out_where_asked() {
    let terminal = Terminal::new();
    let input = terminal.file("host.txt", "hello");
    let files = path("features/files_inout");
    let file = format!("{input}:in/a.txt");
    terminal.run(&["run", &files, "--file", &file, "--collect", "out/*", "--out", "result"]).well();
    let read =
        |name: &str| std::fs::read_to_string(terminal.folder().join("result/out").join(name)).expect("it was written");
    assert_eq!(read("b.txt"), "HELLO");
    assert!(read("c.json").contains('5'), "{}", read("c.json"));
    let ended = terminal.run(&["run", &files, "--file", "nowhere.txt"]);
    assert!(ended.refused(125).contains("nowhere.txt"), "{ended:?}");
    let ended = terminal.run(&["run", &files, "--file", &format!("{input}:../../etc/passwd")]);
    assert!(ended.refused(125).contains(".."), "{ended:?}");
    let ended = terminal.run(&["run", &files, "--collect", "[", "--out", "x"]);
    assert!(ended.refused(125).contains("--collect"), "{ended:?}");
}

#[test]
fn functions_are_called_by_name() {
    let terminal = Terminal::new();
    let fibonacci = path("samples/fibonacci");
    assert_eq!(terminal.run(&["run", &fibonacci, "--invoke", "fib", "50"]).well().text(), "12586269025\n");
    assert_eq!(terminal.run(&["run", &fibonacci, "--invoke", "add", "2", "-3"]).well().text(), "-1\n");
    let missing = terminal.run(&["run", &fibonacci, "--invoke", "nothing"]);
    assert!(missing.refused(125).contains("nothing"), "{missing:?}");
    let wrong = terminal.run(&["run", &fibonacci, "--invoke", "fib", "two"]);
    assert!(wrong.refused(125).contains("`two` is no number"), "{wrong:?}");
}

#[test]
fn json_tells_the_whole_execution() {
    let terminal = Terminal::new();
    let ended = terminal.pipe(&["run", &path("samples/echo"), "--json"], b"\xff\xfe").well();
    let execution = ended.json();
    assert_eq!((&execution["stdout"], &execution["stdout_encoding"]), (&json!("//4="), &json!("base64")));
    assert_eq!((&execution["status"], &execution["module"]["id"]), (&json!("succeeded"), &json!(null)));
    let ended = terminal.run(&["run", &path("hostile/busy_loop"), "--json", "--timeout-ms", "200"]);
    assert_eq!(ended.code, Some(124));
    assert_eq!(ended.json()["termination"]["configured"], 200);
}

#[test]
fn text_runs_as_well_as_binary_and_what_is_neither_is_refused() {
    let terminal = Terminal::new();
    let wat = terminal.file("add.wat", "(module (func (export \"two\") (result i32) (i32.const 2)))");
    assert_eq!(terminal.run(&["run", &wat, "--invoke", "two"]).well().text(), "2\n");
    let none = terminal.file("none.wasm", "hello");
    let ended = terminal.run(&["run", &none]);
    assert!(ended.refused(125).contains("none.wasm"), "{ended:?}");
    let ended = terminal.run(&["run", "missing.wasm"]);
    assert_eq!(ended.refused(125), "wasmwiz: cannot read missing.wasm: No such file or directory (os error 2)");
    let ended = terminal.run(&["run", "."]);
    assert!(ended.refused(125).contains("cannot read ."), "{ended:?}");
    assert_eq!(terminal.run(&["run"]).code, Some(2));
}

#[test]
fn a_reader_who_goes_away_ends_the_guest() {
    let terminal = Terminal::new();
    let mut child = terminal.start(&["run", &path("hostile/output_flood"), "--timeout-ms", "30000"]);
    let mut start = [0; 16];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut start).expect("it writes");
    drop(child.stdout.take());
    let begun = std::time::Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert!([Some(141), Some(126)].contains(&output.status.code()), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked at"), "{output:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn limits_of_ones_own_machine_go_beyond_the_tiers() {
    let terminal = Terminal::new();
    let slept = terminal.run(&["run", &path("features/sleep_ms"), "--timeout-ms", "20000", "--", "5500"]);
    slept.well();
    let ended = terminal.run(&["run", &path("hostile/memory_hog"), "--memory-bytes", "2MiB"]);
    assert!(ended.refused(137).contains("2097152 bytes (2.0 MiB)"), "{ended:?}");
    let production = Terminal::new().with("WASMWIZ_PROFILE", "production");
    assert_eq!(
        production.run(&["run", &path("samples/hello")]).well().text(),
        "Hello, world!\n",
        "no login for one's own"
    );
}

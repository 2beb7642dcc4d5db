use std::sync::mpsc;

use super::*;

/// Run a body that is to wait for ever, and see it stopped soon after its deadline.
fn assert_stopped(imports: &[(&str, &str)], data: &str, body: &str, stdin: Stdin) {
    let deadline = Duration::from_millis(100);
    let ran = Run { stdin, deadline, ..Run::default() }.wat(&guest(imports, data, body));
    assert_eq!(ran.end, Ok(Outcome::Stopped(StopReason::Deadline)), "{imports:?}");
    assert!(ran.took < deadline + Duration::from_millis(100), "{imports:?} took {:?}", ran.took);
}

#[test]
fn every_wait_ends_at_the_deadline() {
    let nothing = || Stdin::bytes(Bytes::new());
    assert_stopped(
        &[("thread_sleep", "(param i64) (result i32)")],
        "",
        "(call $thread_sleep (i64.const -1))",
        nothing(),
    );
    let futex = "(call $futex_wait (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 32))";
    assert_stopped(&[("futex_wait", FOUR)], "", futex, nothing());
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let read = "(i32.store (i32.const 4) (i32.const 1))
        (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))";
    assert_stopped(&[("fd_read", FOUR)], "", read, Stdin::stream(receiver));
    drop(sender);
    // A clock (2^63 ns from now), and standard input that never comes.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let poll = r"
        (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 0x7fffffffffffffff))
        (i32.store8 (i32.const 56) (i32.const 1))
        (call $poll_oneoff (i32.const 0) (i32.const 200) (i32.const 2) (i32.const 300))";
    assert_stopped(&[("poll_oneoff", FOUR)], "", poll, Stdin::stream(receiver));
    drop(sender);
}

#[test]
fn waits_on_empty_and_full_pipes_and_counters_end_at_the_deadline() {
    let nothing = || Stdin::bytes(Bytes::new());
    let pipe = ("fd_pipe", "(param i32 i32) (result i32)");
    let read = r"
        (drop (call $fd_pipe (i32.const 16) (i32.const 20)))
        (i32.store (i32.const 4) (i32.const 1))
        (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8))";
    assert_stopped(&[pipe, ("fd_read", FOUR)], "", read, nothing());
    let write = r"
        (drop (call $fd_pipe (i32.const 16) (i32.const 20)))
        (i32.store (i32.const 4) (i32.const 60000))
        (loop $again
            (br_if $again (i32.eqz (call $fd_write (i32.load (i32.const 20)) (i32.const 0) (i32.const 1) (i32.const 8)))))
        (i32.const 1)";
    assert_stopped(&[pipe, ("fd_write", FOUR)], "", write, nothing());
    let event = r"
        (drop (call $fd_event (i64.const 0) (i32.const 0) (i32.const 16)))
        (i32.store (i32.const 4) (i32.const 8))
        (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8))";
    let fd_event = ("fd_event", "(param i64 i32 i32) (result i32)");
    assert_stopped(&[fd_event, ("fd_read", FOUR)], "", event, nothing());
    let poll = r"
        (drop (call $fd_pipe (i32.const 400) (i32.const 404)))
        (i32.store8 (i32.const 8) (i32.const 1)) (i32.store (i32.const 16) (i32.load (i32.const 400)))
        (call $poll_oneoff (i32.const 0) (i32.const 200) (i32.const 1) (i32.const 300))";
    assert_stopped(&[pipe, ("poll_oneoff", FOUR)], "", poll, nothing());
}

#[test]
fn a_cancelled_guest_is_stopped_while_it_sleeps() {
    let wat = guest(&[("thread_sleep", "(param i64) (result i32)")], "", "(call $thread_sleep (i64.const -1))");
    let mut store = store();
    let module = Module::new(&store, wat.as_bytes()).unwrap();
    let stop = Arc::new(Stop::new(Instant::now() + Duration::from_secs(60)));
    let config = Config {
        args: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
        stdin: Stdin::bytes(Bytes::new()),
        output: Output::new(0, None, stop.clone()),
        stop: stop.clone(),
        clock: Arc::new(SystemClock::default()),
        random: Arc::new(SystemRandom),
        quota: QUOTA,
        max_descriptors: 8,
    };
    let (imports, mut session) = prepare(&Shared::new(), &mut store, &module, config).unwrap();
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    session.initialize(&mut store, &instance).unwrap();
    let (running, runs) = mpsc::channel();
    let canceller = std::thread::spawn(move || {
        runs.recv().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        stop.request(StopReason::Cancelled);
    });
    running.send(()).unwrap();
    let start = Instant::now();
    let error = instance.exports.get_typed_function::<(), ()>(&store, "_start").unwrap().call(&mut store).unwrap_err();
    assert_eq!(session.outcome(&error), Outcome::Stopped(StopReason::Cancelled));
    assert!(start.elapsed() < Duration::from_millis(500));
    canceller.join().unwrap();
}

#[test]
fn a_guest_that_writes_too_much_is_stopped_and_keeps_what_fits() {
    let body = r"
        (i32.store (i32.const 4) (i32.const 1000))
        (loop $again (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $again))
        (i32.const 0)";
    let ran = Run { output: 2500, ..Run::default() }.wat(&guest(&[("fd_write", FOUR)], "", body));
    assert_eq!(ran.end, Ok(Outcome::Stopped(StopReason::Output)));
    assert_eq!(ran.written.stdout.len(), 2500);
}

#[test]
fn a_poll_tells_of_clocks_and_of_input() {
    // A clock of 20 ms and standard input: what there is comes at once, what does not come leaves the clock.
    let body = r"
        (i64.store (i32.const 0) (i64.const 7)) (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.const 20000000))
        (i64.store (i32.const 48) (i64.const 9)) (i32.store8 (i32.const 56) (i32.const 1))
        (drop (call $poll_oneoff (i32.const 0) (i32.const 200) (i32.const 2) (i32.const 300)))
        (i32.add (i32.mul (i32.load (i32.const 300)) (i32.const 10)) (i32.load (i32.const 200)))";
    let wat = guest(&[("poll_oneoff", FOUR)], "", body);
    let ran = Run { stdin: Stdin::bytes(Bytes::from_static(b"x")), ..Run::default() }.wat(&wat);
    assert_eq!(ran.exit(), 19);
    let (_sender, receiver) = tokio::sync::mpsc::channel(1);
    let ran = Run { stdin: Stdin::stream(receiver), ..Run::default() }.wat(&wat);
    assert_eq!(ran.exit(), 17);
    assert!(ran.took >= Duration::from_millis(20));
}

//! The contract of [`crate::executor`]: verdicts, limits, and that nothing survives an execution.
//!
//! The guests are written in WebAssembly's text format, so that the suite needs no toolchain.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Result,
    execution::{Entrypoint, Input, Invocation, Limit, LimitKind, LimitSource, Limits, Number, Outcome, Status, Value},
    executor::{Executor, Job, ModuleSource},
    files::{FileGlobs, InputFile},
};

/// How long after its deadline a guest may still run, the time to schedule a busy machine's threads included.
const LATE: Duration = Duration::from_millis(100);

/// Limits as a test wants them: 64 MiB and so on, for `timeout_ms`.
pub fn limits(timeout_ms: u64) -> Limits {
    let limit = |value| Limit { value, source: LimitSource::Tier };
    Limits {
        timeout_ms: limit(timeout_ms),
        memory_bytes: limit(64 << 20),
        output_bytes: limit(1 << 20),
        file_bytes: limit(16 << 20),
        file_entries: limit(1000),
        open_files: limit(64),
    }
}

/// Make the job of running a module written as WAT.
///
/// # Panics
/// When it is no module.
pub async fn job(executor: &dyn Executor, wat: &str, invocation: Invocation, limits: Limits) -> Job {
    let checked = executor.inspect(Bytes::copy_from_slice(wat.as_bytes())).await.expect("the guest is a module");
    Job {
        sha256: checked.sha256,
        source: ModuleSource::Inline(checked.wasm),
        program: "guest".into(),
        invocation,
        limits,
        live_stdout: None,
        cancel: CancellationToken::new(),
    }
}

async fn run(executor: &dyn Executor, wat: &str, invocation: Invocation, timeout_ms: u64) -> Result<Outcome> {
    executor.execute(job(executor, wat, invocation, limits(timeout_ms)).await).await
}

/// Run a guest that needs nothing, which has 10 s.
async fn simply(executor: &dyn Executor, wat: &str) -> Outcome {
    run(executor, wat, Invocation::default(), 10_000).await.expect("it runs")
}

fn call(function: &str, params: &[Number]) -> Invocation {
    let entrypoint = Entrypoint { function: function.into(), params: params.to_vec() };
    Invocation { entrypoint: Some(entrypoint), ..Invocation::default() }
}

/// A preview-1 guest that begins with `start`, has `data` at address 64, and may use `$write`, `$read` and `$exit`.
fn wasi(data: &str, start: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 2)
            (data (i32.const 64) "{data}")
            (func $write (param $fd i32) (param $at i32) (param $length i32)
                (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
                (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
            (func $read (param $at i32) (param $length i32) (result i32)
                (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
                (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
                (i32.load (i32.const 8)))
            (func (export "_start") {start}))"#
    )
}

/// A sentence of the contract and the check of it.
pub type Check = (&'static str, fn(Arc<dyn Executor>) -> futures::future::BoxFuture<'static, ()>);

macro_rules! checks {
    ($($name:ident),+ $(,)?) => { vec![$((stringify!($name), |executor| Box::pin($name(executor)))),+] };
}

/// Every check. Each is run on an executor with at least four threads; they may run side by side.
pub fn checks() -> Vec<Check> {
    checks![
        a_function_is_called_with_numbers_and_gives_numbers,
        arguments_that_do_not_fit_are_refused_with_the_place,
        a_function_that_is_not_there_is_refused_with_those_that_are,
        a_module_without_entry_point_is_rejected,
        a_module_that_imports_something_else_is_rejected,
        bytes_that_are_no_module_are_refused,
        input_output_and_exit_code_come_through,
        a_trap_is_told_and_output_before_it_kept,
        a_reactor_is_initialized_before_its_function_is_called,
        nothing_survives_into_the_next_execution,
        every_kind_of_loop_ends_at_the_deadline,
        a_wait_for_input_that_never_comes_ends_at_the_deadline,
        bulk_instructions_in_a_loop_end_at_the_deadline,
        an_atomic_wait_ends_at_the_deadline,
        deep_recursion_traps,
        memory_past_the_limit_is_refused_and_told,
        memories_and_tables_count_together,
        a_module_that_starts_over_the_limit_is_refused,
        a_refused_guest_that_ends_well_has_failed_or_succeeded_by_itself,
        output_past_the_limit_is_cut_and_told,
        files_go_in_and_come_out,
        a_guest_out_of_stack_in_an_instruction_of_the_host_harms_nobody,
        modules_with_types_of_one_hash_harm_nobody,
        what_the_host_needs_for_an_instance_counts,
        a_cancelled_execution_ends_at_once,
        streamed_input_and_output_flow_while_the_guest_runs,
    ]
}

async fn a_function_is_called_with_numbers_and_gives_numbers(executor: Arc<dyn Executor>) {
    let wat = r#"(module
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func (export "all") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
            (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"#;
    let added = call("add", &[Number::Integer(2), Number::Integer(3)]);
    let outcome = run(&*executor, wat, added, 5000).await.expect("it runs");
    assert_eq!((outcome.verdict.status, outcome.results), (Status::Succeeded, vec![Value::I32(5)]));
    let params = [Number::Integer(-1), Number::Integer(i128::from(u64::MAX)), Number::Float(0.5), Number::Integer(3)];
    let outcome = run(&*executor, wat, call("all", &params), 5000).await.expect("it runs");
    assert_eq!(outcome.results, [Value::I32(-1), Value::I64(-1), Value::F32(0.5), Value::F64(3.0)]);
}

async fn arguments_that_do_not_fit_are_refused_with_the_place(executor: Arc<dyn Executor>) {
    let wat = r#"(module (func (export "f") (param i32)))"#;
    for params in [vec![], vec![Number::Float(1.5)], vec![Number::Integer(1 << 40)], vec![Number::Integer(1); 2]] {
        let error = run(&*executor, wat, call("f", &params), 5000).await.expect_err("it does not fit");
        assert!(matches!(&error, Error::Invalid(at) if at[0].location.starts_with("entrypoint.params")), "{error}");
    }
}

async fn a_function_that_is_not_there_is_refused_with_those_that_are(executor: Arc<dyn Executor>) {
    let wat = r#"(module (func (export "there")) (global (export "number") i32 (i32.const 1)))"#;
    for name in ["missing", "number", "", "\0wasmwiz.start"] {
        let error = run(&*executor, wat, call(name, &[]), 5000).await.expect_err("it is no function").to_string();
        assert!(error.contains("there"), "{error}");
    }
}

async fn a_module_without_entry_point_is_rejected(executor: Arc<dyn Executor>) {
    let outcome = simply(&*executor, r#"(module (func (export "other")))"#).await;
    let error = outcome.verdict.error.expect("it says why");
    assert_eq!((outcome.verdict.status, error.code.as_str()), (Status::Rejected, "no_entry_point"));
    assert!(error.message.contains("other"), "{}", error.message);
}

async fn a_module_that_imports_something_else_is_rejected(executor: Arc<dyn Executor>) {
    for import in [r#""env" "frobnicate""#, r#""wasi_snapshot_preview1" "frobnicate""#] {
        let outcome =
            simply(&*executor, &format!("(module (import {import} (func)) (func (export \"_start\")))")).await;
        let error = outcome.verdict.error.expect("it says why");
        assert_eq!((outcome.verdict.status, error.code.as_str()), (Status::Rejected, "missing_import"));
        assert!(error.message.contains("frobnicate"), "{}", error.message);
    }
}

async fn bytes_that_are_no_module_are_refused(executor: Arc<dyn Executor>) {
    for bytes in [&b""[..], b"\0", b"\0asm", b"\0asm\x01\0\0\0\xff", b"(module", b"hello"] {
        let error = executor.inspect(Bytes::from_static(bytes)).await.expect_err("it is no module");
        assert!(matches!(error, Error::InvalidModule(_)), "{error}");
    }
}

async fn input_output_and_exit_code_come_through(executor: Arc<dyn Executor>) {
    let wat = wasi(
        "",
        "(call $write (i32.const 1) (i32.const 64) (call $read (i32.const 64) (i32.const 100)))
        (call $write (i32.const 2) (i32.const 64) (i32.const 2)) (call $exit (i32.const 7))",
    );
    let input = Invocation { input: Input::Bytes(Bytes::from_static(b"\xff\x00in")), ..Invocation::default() };
    let outcome = run(&*executor, &wat, input, 5000).await.expect("it runs");
    assert_eq!((outcome.verdict.status, outcome.verdict.exit_code), (Status::Failed, Some(7)));
    assert_eq!((&outcome.stdout[..], &outcome.stderr[..]), (&b"\xff\x00in"[..], &b"\xff\x00"[..]));
    assert_eq!((outcome.usage.stdout_bytes, outcome.usage.stderr_bytes), (4, 2));
    assert_eq!(outcome.usage.peak_memory_bytes, 2 * 65536);
    let outcome = simply(&*executor, &wasi("", "(call $exit (i32.const 0))")).await;
    assert_eq!((outcome.verdict.status, outcome.verdict.exit_code), (Status::Succeeded, Some(0)));
}

async fn a_trap_is_told_and_output_before_it_kept(executor: Arc<dyn Executor>) {
    let traps = [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_u (i32.const 1) (i32.load (i32.const 1000))))", "integer_divide_by_zero"),
        ("(drop (i32.load (i32.const -4)))", "memory_out_of_bounds"),
    ];
    for (code, word) in traps {
        let wat = wasi("before", &format!("(call $write (i32.const 1) (i32.const 64) (i32.const 6)) {code}"));
        let outcome = simply(&*executor, &wat).await;
        assert_eq!(outcome.verdict.status, Status::Trapped);
        assert_eq!(outcome.verdict.error.expect("it says why").code, word);
        assert_eq!(outcome.stdout, "before");
    }
}

async fn a_reactor_is_initialized_before_its_function_is_called(executor: Arc<dyn Executor>) {
    let wat = r#"(module (global $g (mut i32) (i32.const 1)) (start $s) (func $s (global.set $g (i32.const 20)))
        (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 22))))
        (func (export "get") (result i32) (global.get $g)))"#;
    let outcome = run(&*executor, wat, call("get", &[]), 5000).await.expect("it runs");
    assert_eq!(outcome.results, [Value::I32(42)]);
    let once = r#"(module (global $g (mut i32) (i32.const 0)) (func (export "_initialize")
        (if (global.get $g) (then unreachable)) (global.set $g (i32.const 1))))"#;
    let outcome = run(&*executor, once, call("_initialize", &[]), 5000).await.expect("it runs");
    assert_eq!(outcome.verdict.status, Status::Succeeded, "it is called once");
}

async fn nothing_survives_into_the_next_execution(executor: Arc<dyn Executor>) {
    let wat = r#"(module (memory 1) (global $g (mut i32) (i32.const 0)) (table $t 1 funcref) (elem declare func $f)
        (func $f (export "f") (result i32) (local $seen i32)
            (local.set $seen (i32.add (i32.load (i32.const 5000)) (i32.add (global.get $g) (memory.size))))
            (local.set $seen (i32.add (local.get $seen) (i32.eqz (ref.is_null (table.get $t (i32.const 0))))))
            (i32.store (i32.const 5000) (i32.const 1)) (global.set $g (i32.const 1))
            (drop (memory.grow (i32.const 1))) (table.set $t (i32.const 0) (ref.func $f))
            (local.get $seen)))"#;
    for _ in 0..20 {
        let outcome = run(&*executor, wat, call("f", &[]), 5000).await.expect("it runs");
        assert_eq!(outcome.results, [Value::I32(1)], "1 page, and zero everywhere");
    }
}

/// Assert that a guest is ended by its deadline of 300 ms, and soon after it.
async fn assert_timed_out(executor: &dyn Executor, what: &str, wat: &str, invocation: Invocation) {
    let job = job(executor, wat, invocation, limits(300)).await;
    // Compiling is not part of the deadline.
    let asked = Instant::now();
    let outcome = executor.execute(job).await.expect("it runs");
    assert_eq!(outcome.verdict.status, Status::TimedOut, "{what}: {:?}", outcome.verdict);
    let termination = outcome.verdict.termination.expect("it says which limit");
    assert_eq!((termination.limit, termination.configured), (LimitKind::TimeoutMs, 300));
    assert!(termination.observed >= 300, "{what}: {}", termination.observed);
    let wall = Duration::from_micros(outcome.usage.wall_us);
    assert!(wall < Duration::from_millis(300) + LATE, "{what} ran {wall:?} of {:?}", asked.elapsed());
}

async fn every_kind_of_loop_ends_at_the_deadline(executor: Arc<dyn Executor>) {
    let empty = "(loop $l (br $l))";
    let guests = [
        ("_start", wasi("", empty)),
        ("the start function", format!(r#"(module (start $s) (func $s {empty}) (func (export "_start")))"#)),
        ("a host call", wasi("", "(loop $l (call $write (i32.const 1) (i32.const 64) (i32.const 0)) (br $l))")),
        (
            "calls",
            r#"(module (func $f (param i32) (if (local.get 0) (then
            (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))
            (func (export "_start") (call $f (i32.const 90))))"#
                .to_owned(),
        ),
        (
            "memory.grow",
            r#"(module (memory 1) (func (export "_start") (loop $l (drop (memory.grow (i32.const 0))) (br $l))))"#
                .to_owned(),
        ),
    ];
    for (what, wat) in guests {
        assert_timed_out(&*executor, what, &wat, Invocation::default()).await;
    }
    let reactor = format!(r#"(module (func (export "_initialize") {empty}) (func (export "f")))"#);
    assert_timed_out(&*executor, "_initialize", &reactor, call("f", &[])).await;
}

async fn a_wait_for_input_that_never_comes_ends_at_the_deadline(executor: Arc<dyn Executor>) {
    let (_sender, receiver) = tokio::sync::mpsc::channel(1);
    let input = Invocation { input: Input::Stream(receiver), ..Invocation::default() };
    let wat = wasi("", "(drop (call $read (i32.const 64) (i32.const 1)))");
    assert_timed_out(&*executor, "fd_read", &wat, input).await;
}

async fn bulk_instructions_in_a_loop_end_at_the_deadline(executor: Arc<dyn Executor>) {
    let guests = [
        ("memory.fill", "(memory 512)", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 33554432))"),
        ("memory.copy", "(memory 512)", "(memory.copy (i32.const 0) (i32.const 9) (i32.const 33554000))"),
        ("table.fill", "(table $t 100000 funcref)", "(table.fill $t (i32.const 0) (ref.null func) (i32.const 100000))"),
    ];
    for (what, declared, instruction) in guests {
        let wat = format!(r#"(module {declared} (func (export "_start") (loop $l {instruction} (br $l))))"#);
        assert_timed_out(&*executor, what, &wat, Invocation::default()).await;
    }
}

async fn an_atomic_wait_ends_at_the_deadline(executor: Arc<dyn Executor>) {
    let wat = r#"(module (memory 1 1 shared) (func (export "_start")
        (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))"#;
    assert_timed_out(&*executor, "memory.atomic.wait32", wat, Invocation::default()).await;
    let in_turns = r#"(module (memory 1 1 shared) (func (export "_start") (loop $l
        (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 1000000))) (br $l))))"#;
    assert_timed_out(&*executor, "memory.atomic.wait32 in a loop", in_turns, Invocation::default()).await;
}

async fn deep_recursion_traps(executor: Arc<dyn Executor>) {
    let outcome = simply(&*executor, r#"(module (func $f (export "_start") (call $f) (call $f)))"#).await;
    assert_eq!(outcome.verdict.status, Status::Trapped);
    assert_eq!(outcome.verdict.error.expect("it says why").code, "stack_overflow");
}

fn assert_memory_exceeded(outcome: &Outcome, least: u64) {
    assert_eq!(outcome.verdict.status, Status::MemoryExceeded, "{:?}", outcome.verdict);
    let termination = outcome.verdict.termination.as_ref().expect("it says which limit");
    assert_eq!((termination.limit, termination.configured), (LimitKind::MemoryBytes, 64 << 20));
    assert!(termination.observed >= least, "{}", termination.observed);
    assert!(outcome.usage.memory_limit_hit);
    assert!(outcome.usage.peak_memory_bytes <= 64 << 20);
}

async fn memory_past_the_limit_is_refused_and_told(executor: Arc<dyn Executor>) {
    let wat = r#"(module (memory 1) (func (export "_start")
        (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))"#;
    let outcome = simply(&*executor, wat).await;
    assert_memory_exceeded(&outcome, (64 << 20) + 1);
    assert!(outcome.usage.peak_memory_bytes > 62 << 20, "it had nearly all before");
    let at_once = r#"(module (memory 1) (func (export "_start")
        (if (i32.eq (memory.grow (i32.const 60000)) (i32.const -1)) (then unreachable))))"#;
    assert_memory_exceeded(&simply(&*executor, at_once).await, 60_001 * 65536);
}

async fn memories_and_tables_count_together(executor: Arc<dyn Executor>) {
    let two = r#"(module (memory 600) (memory 600) (func (export "_start")))"#;
    assert_memory_exceeded(&simply(&*executor, two).await, 1200 * 65536);
    let table = r#"(module (table 9000000 funcref) (func (export "_start")))"#;
    assert_memory_exceeded(&simply(&*executor, table).await, 9_000_000 * 8);
    let growing = r#"(module (memory 1) (table $t 1 externref) (func (export "_start")
        (loop $l (br_if $l (i32.ne (table.grow $t (ref.null extern) (i32.const 100000)) (i32.const -1))))
        (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))"#;
    assert_memory_exceeded(&simply(&*executor, growing).await, 64 << 20);
    let hog = r#"(module (table $t 1 externref) (func (export "_start")
        (loop $l (br_if $l (i32.ne (table.grow $t (ref.null extern) (i32.const 1000)) (i32.const -1)))) unreachable))"#;
    assert_memory_exceeded(&simply(&*executor, hog).await, (64 << 20) + 1);
    let own_maximum = r#"(module (table $t 1 2 externref) (func (export "_start")
        (if (i32.eq (table.grow $t (ref.null extern) (i32.const 5)) (i32.const -1)) (then unreachable))))"#;
    assert_eq!(simply(&*executor, own_maximum).await.verdict.status, Status::Trapped);
}

async fn a_module_that_starts_over_the_limit_is_refused(executor: Arc<dyn Executor>) {
    let outcome = simply(&*executor, r#"(module (memory 40000) (func (export "_start")))"#).await;
    assert_memory_exceeded(&outcome, 40_000 * 65536);
    assert_eq!(outcome.usage.peak_memory_bytes, 0);
}

async fn a_refused_guest_that_ends_well_has_failed_or_succeeded_by_itself(executor: Arc<dyn Executor>) {
    for (code, status) in [(0, Status::Succeeded), (3, Status::Failed)] {
        let wat = wasi("", &format!("(drop (memory.grow (i32.const 60000))) (call $exit (i32.const {code}))"));
        let outcome = simply(&*executor, &wat).await;
        assert_eq!((outcome.verdict.status, outcome.verdict.exit_code), (status, Some(code)));
        assert!(outcome.usage.memory_limit_hit);
    }
}

async fn output_past_the_limit_is_cut_and_told(executor: Arc<dyn Executor>) {
    for fd in [1, 2] {
        let write = format!("(loop $l (call $write (i32.const {fd}) (i32.const 64) (i32.const 1000)) (br $l))");
        let outcome = simply(&*executor, &wasi("", &write)).await;
        assert_eq!(outcome.verdict.status, Status::OutputExceeded, "{:?}", outcome.verdict);
        assert!(outcome.truncated);
        assert_eq!(outcome.stdout.len() + outcome.stderr.len(), 1 << 20);
        assert_eq!(outcome.verdict.termination.expect("it says which limit").limit, LimitKind::OutputBytes);
    }
}

async fn files_go_in_and_come_out(executor: Arc<dyn Executor>) {
    // Renames in/a to b, below the first directory that is open.
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 0) "in/a") (data (i32.const 16) "b")
        (func (export "_start") (call $exit
            (call $rename (i32.const 3) (i32.const 0) (i32.const 4) (i32.const 3) (i32.const 16) (i32.const 1)))))"#;
    let file = InputFile::new("/in/a", Bytes::from_static(b"content")).expect("a path");
    let collect_files = FileGlobs::new(&["**".into()]).expect("a pattern");
    let invocation = Invocation { files: vec![file], collect_files, ..Invocation::default() };
    let outcome = run(&*executor, wat, invocation, 5000).await.expect("it runs");
    assert_eq!(outcome.verdict.exit_code, Some(0));
    let files: Vec<_> = outcome.files.iter().map(|file| (file.path.as_str(), &file.content[..])).collect();
    assert_eq!(files, [("b", &b"content"[..])]);
}

async fn a_guest_out_of_stack_in_an_instruction_of_the_host_harms_nobody(executor: Arc<dyn Executor>) {
    // Goes down as far as it is told, and then lets an instruction fail that the host carries out.
    let wat = r#"(module (memory 1) (func $f (export "f") (param i32)
        (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))
            (else (memory.fill (i32.const -1) (i32.const 0) (i32.const 2))))))"#;
    let deep = async |depth: i128| {
        let outcome = run(&*executor, wat, call("f", &[Number::Integer(depth)]), 10_000).await.expect("it runs");
        assert_eq!(outcome.verdict.status, Status::Trapped, "depth {depth}");
        outcome.verdict.error.expect("it says why").code == "stack_overflow"
    };
    let (mut fits, mut overflows) = (0, 1 << 20);
    while overflows - fits > 1 {
        let middle = fits + (overflows - fits) / 2;
        if deep(middle).await { overflows = middle } else { fits = middle }
    }
    for depth in (fits - 400)..=overflows {
        deep(depth).await;
    }
    let after = simply(&*executor, r#"(module (func (export "_start") unreachable))"#).await;
    assert_eq!(after.verdict.status, Status::Trapped);
}

async fn modules_with_types_of_one_hash_harm_nobody(executor: Arc<dyn Executor>) {
    // Two types of one CRC-32, by which an engine may tell types apart.
    let types = [
        "i32 f32 f64 f32 f32 i64 i32 i32 f64 f64 i64 i32 f64 f32 f64 i32 i32 i64 f64 i32 i32 f32 i64 f32",
        "f32 i32 f64 i32 f32 i64 i64 f32 i64 f32 f32 i32 f32 f64 i64 i32 i32 f64 f64 i64 f32 f32 i32 i32",
    ];
    for types in types {
        let wat = format!("(module (type (func (param {types}))) (func (export \"_start\")))");
        assert_eq!(simply(&*executor, &wat).await.verdict.status, Status::Succeeded);
    }
    assert_eq!(simply(&*executor, r#"(module (func (export "_start")))"#).await.verdict.status, Status::Succeeded);
}

async fn what_the_host_needs_for_an_instance_counts(executor: Arc<dyn Executor>) {
    let elements = format!("(module (func $f) (elem func {}) (func (export \"_start\")))", "$f ".repeat(900_000));
    let globals = format!("(module {} (func (export \"_start\")))", "(global i64 (i64.const 0))".repeat(150_000));
    for wat in [elements, globals] {
        let outcome = simply(&*executor, &wat).await;
        // 7 and 14 MB are within the limit, and are not the guest's own.
        assert_eq!(outcome.verdict.status, Status::Succeeded, "{:?}", outcome.verdict);
        assert_eq!(outcome.usage.peak_memory_bytes, 0);
        let mut small = limits(5000);
        small.memory_bytes.value = 2 << 20;
        let outcome = executor.execute(job(&*executor, &wat, Invocation::default(), small).await).await;
        assert_eq!(outcome.expect("it runs").verdict.status, Status::MemoryExceeded);
    }
}

async fn a_cancelled_execution_ends_at_once(executor: Arc<dyn Executor>) {
    let job = job(&*executor, &wasi("", "(loop $l (br $l))"), Invocation::default(), limits(60_000)).await;
    let cancel = job.cancel.clone();
    let running = tokio::spawn(async move { executor.execute(job).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = Instant::now();
    cancel.cancel();
    let outcome = running.await.expect("no panic").expect("it runs");
    assert_eq!(outcome.verdict.status, Status::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

async fn streamed_input_and_output_flow_while_the_guest_runs(executor: Arc<dyn Executor>) {
    let wat = wasi(
        "",
        "(local $n i32) (loop $l (local.set $n (call $read (i32.const 64) (i32.const 100)))
        (if (local.get $n) (then (call $write (i32.const 1) (i32.const 64) (local.get $n)) (br $l))))",
    );
    let (input, stream) = tokio::sync::mpsc::channel(1);
    let (live, mut output) = tokio::sync::mpsc::channel(1);
    let invocation = Invocation { input: Input::Stream(stream), ..Invocation::default() };
    let mut job = job(&*executor, &wat, invocation, limits(20_000)).await;
    job.live_stdout = Some(live);
    let running = tokio::spawn(async move { executor.execute(job).await });
    for word in ["one", "two", "three"] {
        input.send(Bytes::from(word)).await.expect("the guest listens");
        assert_eq!(output.recv().await.as_deref(), Some(word.as_bytes()));
    }
    drop(input);
    let outcome = running.await.expect("no panic").expect("it runs");
    assert_eq!((outcome.verdict.status, outcome.usage.stdout_bytes), (Status::Succeeded, 11));
    assert!(outcome.stdout.is_empty());
    assert_eq!(output.recv().await, None);
}

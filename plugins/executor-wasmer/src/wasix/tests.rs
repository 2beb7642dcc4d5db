mod files;
mod waits;

use std::time::{Duration, Instant};

use wasmer::sys::{Cranelift, EngineBuilder};
use wasmwiz_core::system::{SystemClock, SystemRandom};

use super::*;
use crate::stdio::Written;

const QUOTA: Quota = Quota { bytes: 1 << 20, entries: 64 };

/// What a run left.
struct Ran {
    end: Result<Outcome, String>,
    written: Written,
    files: Vec<(String, Bytes)>,
    took: Duration,
}

impl Ran {
    fn exit(&self) -> i32 {
        match &self.end {
            Ok(Outcome::Exited(code)) => *code,
            other => panic!("did not exit: {other:?}, wrote {:?}", self.written),
        }
    }
}

struct Run {
    stdin: Stdin,
    files: Vec<(String, Option<Bytes>)>,
    deadline: Duration,
    output: u64,
    max_descriptors: usize,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            stdin: Stdin::bytes(Bytes::new()),
            files: Vec::new(),
            deadline: Duration::from_secs(10),
            output: 1 << 16,
            max_descriptors: 32,
        }
    }
}

fn store() -> Store {
    Store::new(EngineBuilder::new(Cranelift::default()))
}

impl Run {
    fn wat(self, wat: &str) -> Ran {
        let store = store();
        let module = Module::new(&store, wat.as_bytes()).unwrap();
        self.module(store, &module)
    }

    fn module(self, mut store: Store, module: &Module) -> Ran {
        let start = Instant::now();
        let stop = Arc::new(Stop::new(start + self.deadline));
        let output = Output::new(self.output, None, stop.clone());
        let config = Config {
            args: vec!["guest".into(), "one".into()],
            env: vec![("KEY".into(), "value".into())],
            files: self.files,
            stdin: self.stdin,
            output: output.clone(),
            stop,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom),
            quota: QUOTA,
            max_descriptors: self.max_descriptors,
        };
        let (imports, mut session) = match prepare(&Shared::new(), &mut store, module, config) {
            Ok(ready) => ready,
            Err(error) => {
                return Ran {
                    end: Err(error.to_string()),
                    written: Written::default(),
                    files: Vec::new(),
                    took: start.elapsed(),
                };
            }
        };
        let end = match Instance::new(&mut store, module, &imports) {
            Err(error) => Err(error.to_string()),
            Ok(instance) => {
                session.initialize(&mut store, &instance).unwrap();
                let main = instance.exports.get_typed_function::<(), ()>(&store, "_start").unwrap();
                match main.call(&mut store) {
                    Ok(()) => Ok(Outcome::Exited(0)),
                    Err(error) => match session.outcome(&error) {
                        Outcome::Trapped => Err(error.to_string()),
                        outcome => Ok(outcome),
                    },
                }
            }
        };
        let took = start.elapsed();
        let files = session.files();
        let tree = session.files.downgrade();
        drop(imports);
        session.finish(store).unwrap();
        assert!(tree.upgrade().is_none(), "the guest's files outlive its execution");
        Ran { end, written: output.take(), files, took }
    }
}

/// A guest that imports `imports` (name, type) from WASIX, runs `body`, and exits with what it leaves.
fn guest(imports: &[(&str, &str)], data: &str, body: &str) -> String {
    let imports: String =
        imports.iter().map(|(name, ty)| format!("(import \"wasix_32v1\" \"{name}\" (func ${name} {ty}))\n")).collect();
    format!(
        r#"(module {imports}
            (import "wasix_32v1" "proc_exit2" (func $exit (param i32)))
            (memory (export "memory") 2)
            {data}
            (func (export "_start") (local $x i32) (local $y i32) (call $exit (block (result i32) {body}))))"#
    )
}

const FOUR: &str = "(param i32 i32 i32 i32) (result i32)";
const OPEN: &str = "(param i32 i32 i32 i32 i32 i64 i64 i32 i32 i32) (result i32)";

fn run(imports: &[(&str, &str)], data: &str, body: &str) -> Ran {
    Run::default().wat(&guest(imports, data, body))
}

#[test]
fn a_guest_writes_what_it_reads_and_exits_with_its_code() {
    let body = r"
        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 64))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.const 7)";
    let stdin = Stdin::bytes(Bytes::from_static(b"hello"));
    let ran = Run { stdin, ..Run::default() }.wat(&guest(&[("fd_read", FOUR), ("fd_write", FOUR)], "", body));
    assert_eq!(ran.exit(), 7);
    assert_eq!((&ran.written.stdout[..], &ran.written.stderr[..]), (&b"hello"[..], &b"hello"[..]));
}

#[test]
fn a_shared_memory_may_be_imported_and_preview_1_used_beside_wasix() {
    let ran = Run::default().wat(
        r#"(module
            (import "env" "memory" (memory 1 4 shared))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasix_32v1" "thread_id" (func $id (param i32) (result i32)))
            (import "wasix_32v1" "proc_exit2" (func $exit (param i32)))
            (data (i32.const 16) "shared")
            (func (export "_start")
                (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (call $exit (call $id (i32.const 12)))))"#,
    );
    assert_eq!(ran.exit(), 0);
    assert_eq!(ran.written.stdout, b"shared");
}

#[test]
fn everything_that_no_policy_grants_is_refused_with_an_errno() {
    let store = &mut store();
    let wasi =
        environment(&Shared::new(), store, Vec::new(), Vec::new(), Files::new(QUOTA, Arc::new(SystemClock::default())));
    let all = generate_import_object_from_env(store, &wasi.unwrap().env, WasiVersion::Wasix32v1);
    let mut denied = 0;
    for ((space, name), export) in &all {
        let Extern::Function(function) = export else { panic!("{name} is no function") };
        let ty = function.ty(store);
        if rules::rule(&name).is_some() || ty.results().is_empty() {
            continue;
        }
        denied += 1;
        let kinds: Vec<_> = ty.params().iter().map(|kind| kind.to_string().to_lowercase()).collect();
        let zeros: String = kinds.iter().map(|kind| format!("({kind}.const 0)")).collect();
        let ran = Run::default().wat(&format!(
            r#"(module
                (import "{space}" "{name}" (func $denied (param {}) (result i32)))
                (import "wasix_32v1" "proc_exit2" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_start") (call $exit (call $denied {zeros}))))"#,
            kinds.join(" "),
        ));
        assert_eq!(ran.exit(), if space == "wasi" { -58 } else { 58 }, "{name}");
    }
    assert!(denied > 60, "only {denied} functions are denied");
}

#[test]
fn a_child_or_thread_that_is_not_there_cannot_be_waited_for() {
    let join = "(call $proc_join (i32.const 0) (i32.const 0) (i32.const 16))";
    assert_eq!(run(&[("proc_join", "(param i32 i32 i32) (result i32)")], "", join).exit(), 12);
    let join = "(call $thread_join (i32.const 1))";
    assert_eq!(run(&[("thread_join", "(param i32) (result i32)")], "", join).exit(), 71);
}

#[test]
fn a_handler_that_raises_its_own_signal_comes_to_an_end() {
    let ran = Run::default().wat(
        r#"(module
            (import "wasix_32v1" "callback_signal" (func $callback (param i32 i32)))
            (import "wasix_32v1" "proc_raise" (func $raise (param i32) (result i32)))
            (import "wasix_32v1" "thread_signal" (func $signal (param i32 i32) (result i32)))
            (import "wasix_32v1" "proc_exit2" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "__wasm_signal")
            (global $count (mut i32) (i32.const 0))
            (func (export "__wasm_signal") (param i32)
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                (drop (call $signal (i32.const 1) (i32.const 10)))
                (drop (call $raise (i32.const 12))))
            (func (export "_start")
                (call $callback (i32.const 0) (i32.const 13))
                (drop (call $raise (i32.const 10)))
                (call $exit (global.get $count))))"#,
    );
    // Two signals in each handler, and four handlers deep.
    assert_eq!(ran.exit(), 1 + 2 + 4 + 8);
}

#[test]
fn a_panic_of_wasmer_wasix_ends_the_guest_and_nothing_else() {
    let body = "(call $path_symlink (i32.const 100) (i32.const 1) (i32.const 3) (i32.const 100) (i32.const 3))";
    let symlink = ("path_symlink", "(param i32 i32 i32 i32 i32) (result i32)");
    let wat = guest(&[symlink], r#"(data (i32.const 100) "f/x")"#, body);
    let ran = Run { files: vec![("/f".into(), Some(Bytes::new()))], ..Run::default() }.wat(&wat);
    assert_eq!(ran.end, Ok(Outcome::HostFailed("path_symlink".into())));
    assert_eq!(run(&[], "", "(i32.const 5)").exit(), 5);
}

#[test]
fn a_handler_that_exits_gives_its_own_code() {
    let ran = Run::default().wat(
        r#"(module
            (import "wasix_32v1" "callback_signal" (func $callback (param i32 i32)))
            (import "wasix_32v1" "proc_raise" (func $raise (param i32) (result i32)))
            (import "wasix_32v1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "__wasm_signal")
            (func (export "__wasm_signal") (param i32) (call $exit (i32.const -3)))
            (func (export "_start")
                (call $callback (i32.const 0) (i32.const 13))
                (drop (call $raise (i32.const 10)))))"#,
    );
    assert_eq!(ran.exit(), -3);
}

#[test]
fn a_call_from_the_start_function_is_refused_and_panics_nobody() {
    let ran = Run::default().wat(
        r#"(module
            (import "wasix_32v1" "getcwd" (func $cwd (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func $init (drop (call $cwd (i32.const 0) (i32.const 8))))
            (start $init)
            (func (export "_start")))"#,
    );
    assert!(ran.end.unwrap_err().contains("before the instance was ready"));
}

#[test]
fn an_unknown_import_is_named() {
    let ran = Run::default().wat(
        r#"(module (import "wasix_32v1" "launch_missiles" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
    );
    assert_eq!(ran.end.unwrap_err(), "unknown import `wasix_32v1.launch_missiles`");
}

#[test]
fn a_guest_without_memory_may_exit() {
    let ran = Run::default().wat(
        r#"(module (import "wasix_32v1" "proc_exit" (func $exit (param i32))) (func (export "_start") (call $exit (i32.const 3))))"#,
    );
    assert_eq!(ran.exit(), 3);
}

#[test]
fn a_thousand_executions_leave_no_thread() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let store = store();
    let wat = guest(&[("fd_write", FOUR)], "", "(i32.const 0)");
    let module = Module::new(&store, wat.as_bytes()).unwrap();
    let run = || Run::default().module(Store::new(store.engine().clone()), &module).exit();
    run();
    let before = threads();
    for _ in 0..1000 {
        assert_eq!(run(), 0);
    }
    // Other tests run beside this one, on a thread each.
    assert!(threads() <= before + 32);
}

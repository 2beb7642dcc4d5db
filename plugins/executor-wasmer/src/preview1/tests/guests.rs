use wasmer::{FunctionEnv, Instance, Module, RuntimeError, Store};

use super::{
    super::imports::{ImportProblem, MissingImports},
    *,
};
use crate::stop::{StopReason, Stopped};

/// A guest of WebAssembly text, run with its exported memory.
fn run(wat: &str, prepare: impl FnOnce(&Stop)) -> Result<(Vec<u8>, Result<(), RuntimeError>), MissingImports> {
    let Guest { mut host, output, stop, .. } = Guest::new();
    host.memory = None;
    let mut store = Store::default();
    let module = Module::new(&store, wat).unwrap();
    let env = FunctionEnv::new(&mut store, host);
    let imports = imports(&mut store, &module, &env)?;
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    let view = instance.exports.get_memory("memory").unwrap().view(&store);
    let length = usize::try_from(view.data_size()).unwrap();
    let mut definition = VMMemoryDefinition { base: view.data_ptr(), current_length: length };
    // SAFETY: these guests do not grow their memory, and it lives as long as the store.
    env.as_mut(&mut store).set_memory(unsafe { GuestMemory::new(NonNull::from(&mut definition)) });
    prepare(&stop);
    let ended = instance.exports.get_function("_start").unwrap().call(&mut store, &[]).map(drop);
    Ok((output.take().stdout, ended))
}

const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_unstable" "fd_write" (func $old_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "\10\00\00\00\03\00\00\00hi\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))
        (drop (call $old_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))
        (call $exit (call $write (i32.const 77) (i32.const 8) (i32.const 1) (i32.const 0)))))"#;

#[test]
fn a_guest_writes_and_exits() {
    let (stdout, ended) = run(HELLO, |_| {}).unwrap();
    assert_eq!(stdout, b"hi\nhi\n");
    assert_eq!(ended.unwrap_err().downcast::<Exit>().unwrap(), Exit(8), "badf");
}

#[test]
fn a_loop_of_host_calls_ends_when_the_execution_is_stopped() {
    let spin = r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (loop (drop (call $yield)) (br 0))))"#;
    let (_, ended) = run(spin, |stop| stop.request(StopReason::Cancelled)).unwrap();
    assert_eq!(ended.unwrap_err().downcast::<Stopped>().unwrap(), Stopped(StopReason::Cancelled));
}

#[test]
fn every_missing_import_is_named_with_the_reason() {
    let MissingImports(missing) = run(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "thread_spawn" (func))
            (import "wasi_snapshot_preview1" "fd_read" (global i32))
            (import "wasi_unstable" "sock_accept" (func (param i32 i32 i32) (result i32)))
            (import "env" "print" (func)))"#,
        |_| {},
    )
    .unwrap_err();
    assert!(matches!(missing[0].problem, ImportProblem::Signature { .. }));
    let problems: Vec<_> = missing[1..].iter().map(|import| (import.name.as_str(), import.problem.clone())).collect();
    assert_eq!(
        problems,
        [
            ("thread_spawn", ImportProblem::UnknownName),
            ("fd_read", ImportProblem::NotFunction),
            ("sock_accept", ImportProblem::UnknownName),
            ("print", ImportProblem::UnknownModule),
        ]
    );
    let text = MissingImports(missing).to_string();
    assert!(text.contains("`wasi_snapshot_preview1.fd_write` (has type"), "{text}");
    assert!(text.ends_with("`env.print` (no such module)"), "{text}");
}

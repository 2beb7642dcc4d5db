;; wasix_thread: a WASIX module that starts a thread with an endless loop and exits with the errno of thread_spawn_v2.
;; Limit: threads are denied. Verdict: failed, and the exit code is the errno; 0 would be a thread; rejected where
;; shared memories are not permitted.
;; Flags: --enable-threads
(module
  (import "env" "memory" (memory 2 16 shared))
  (import "wasix_32v1" "thread_spawn_v2" (func $thread_spawn (param i32 i32) (result i32)))
  (import "wasix_32v1" "proc_exit" (func $proc_exit (param i32)))
  (export "memory" (memory 0))
  (global $__stack_pointer (export "__stack_pointer") (mut i32) (i32.const 65536))
  (func (export "wasi_thread_start") (param $tid i32) (param $start i32)
    (loop $again (br $again)))
  (func (export "_start")
    ;; the thread's start structure at 1024: stack_upper at 0, stack_size at 56
    (i32.store (i32.const 1024) (i32.const 131072))
    (i32.store offset=56 (i32.const 1024) (i32.const 32768))
    (call $proc_exit (call $thread_spawn (i32.const 1024) (i32.const 2048)))))

;; unstable_hello: prints "Hello from wasi_unstable" through the older name of preview 1 and exits with 0.
(module
  (import "wasi_unstable" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; one iovec at 0: 25 bytes at 32
  (data (i32.const 0) "\20\00\00\00\19\00\00\00")
  (data (i32.const 32) "Hello from wasi_unstable\n")
  (func (export "_start")
    (call $proc_exit (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))

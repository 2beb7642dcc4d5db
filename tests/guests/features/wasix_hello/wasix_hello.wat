;; wasix_hello: a WASIX module prints "Hello from WASIX" by wasix_32v1.fd_write and exits with 0.
(module
  (import "wasix_32v1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasix_32v1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; one iovec at 0: 17 bytes at 32
  (data (i32.const 0) "\20\00\00\00\11\00\00\00")
  (data (i32.const 32) "Hello from WASIX\n")
  (func (export "_start")
    (call $proc_exit (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))

;; iov_hog: fd_write with 2^32 - 1 buffers, a list far larger than the memory that it is said to be in.
;; Limit: bounds of memory. Verdict: succeeded: the call answers with an errno; exit code 1 when it was accepted.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit
      (i32.eqz (call $fd_write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 64))))))

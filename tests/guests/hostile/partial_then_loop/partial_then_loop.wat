;; partial_then_loop: writes "before" to stdout and then loops for ever.
;; Limit: wall clock. Verdict: timed_out, and stdout is "before\n".
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; one iovec at 0: 7 bytes at 32
  (data (i32.const 0) "\20\00\00\00\07\00\00\00")
  (data (i32.const 32) "before\n")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (loop $again (br $again))))

;; blocking_read: waits for a byte of stdin that never comes: blocks while the input is open and asks again at its end.
;; To be called with an empty (or never sent) input.
;; Limit: wall clock. Verdict: timed_out.
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; one iovec at 0: 1 byte at 64
  (data (i32.const 0) "\40\00\00\00\01\00\00\00")
  (func (export "_start")
    (loop $again
      (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
      (br_if $again (i32.eqz (i32.load (i32.const 16)))))))

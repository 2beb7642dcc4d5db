;; poll_stdin: polls descriptor 0 for reading for ever, whether it waits, is ready or has ended.
;; Limit: wall clock. Verdict: timed_out.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; subscription at 0: tag 1 (fd_read) at 8, descriptor 0 at 16
  (data (i32.const 8) "\01")
  (func (export "_start")
    (loop $again
      (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
      (br $again))))

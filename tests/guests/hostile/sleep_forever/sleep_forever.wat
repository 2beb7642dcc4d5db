;; sleep_forever: one poll_oneoff on a relative clock of 2^64 - 1 ns; whoever adds that to "now" overflows.
;; Limit: wall clock. Verdict: timed_out.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; subscription at 0: userdata, tag 0 (clock) at 8, clock id 1 (monotonic) at 16, timeout at 24
  (data (i32.const 16) "\01\00\00\00")
  (data (i32.const 24) "\ff\ff\ff\ff\ff\ff\ff\ff")
  (func (export "_start")
    (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))

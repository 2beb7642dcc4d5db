;; hostcall_loop: cheap host calls for ever, so that an interrupt is likely to arrive while the host's code runs.
;; Limit: wall clock. Verdict: timed_out.
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get"
    (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get"
    (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again
      (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))
      (drop (call $fd_fdstat_get (i32.const 1) (i32.const 64)))
      (drop (call $random_get (i32.const 128) (i32.const 16)))
      (br $again))))

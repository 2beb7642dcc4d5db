;; poll_hog: poll_oneoff with 2^32 - 1 subscriptions, which would make a careless host allocate 200 GB.
;; Limit: poll subscriptions. Verdict: succeeded: the call answers with an errno; exit code 1 when it was accepted.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit
      (i32.eqz (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 64))))))

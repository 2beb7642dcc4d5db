;; wasix_busy: a WASIX module with an endless loop in _start.
;; Limit: wall clock. Verdict: timed_out.
(module
  (import "wasix_32v1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again (br $again))
    (call $proc_exit (i32.const 0))))

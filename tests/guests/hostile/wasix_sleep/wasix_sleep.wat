;; wasix_sleep: a WASIX module that asks to sleep for 292 years, again and again.
;; Limit: wall clock. Verdict: timed_out.
(module
  (import "wasix_32v1" "thread_sleep" (func $thread_sleep (param i64) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again
      (drop (call $thread_sleep (i64.const 0x7fffffffffffffff)))
      (br $again))))

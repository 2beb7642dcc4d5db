;; busy_loop_start: the start section loops, which is inside instantiation and before any entry point.
;; Limit: wall clock. Verdict: timed_out.
(module
  (memory (export "memory") 1)
  (func $spin
    (loop $again (br $again)))
  (start $spin)
  (func (export "_start")))

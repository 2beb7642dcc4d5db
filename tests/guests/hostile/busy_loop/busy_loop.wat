;; busy_loop: an empty loop in _start.
;; Limit: wall clock. Verdict: timed_out.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again (br $again))))

;; busy_loop_init: a reactor whose _initialize never returns, so that no export is ever reached.
;; Limit: wall clock. Verdict: timed_out.
;; Call: get
(module
  (memory (export "memory") 1)
  (func (export "_initialize")
    (loop $again (br $again)))
  (func (export "get") (result i32)
    (i32.const 42)))

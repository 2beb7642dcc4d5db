;; trap_unreachable: executes `unreachable`, which is how an abort or a panic ends.
;; Limit: none. Verdict: trapped.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (unreachable)))

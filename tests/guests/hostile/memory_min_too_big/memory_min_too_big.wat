;; memory_min_too_big: declares a memory of at least 3 GiB, so that it cannot even be instantiated.
;; Limit: memory. Verdict: memory_exceeded.
(module
  (memory (export "memory") 49152)
  (func (export "_start")))

;; table_min_too_big: declares a table of at least 20,000,000 entries (160 MB at 8 bytes an entry).
;; Limit: memory, which counts tables. Verdict: memory_exceeded.
(module
  (memory (export "memory") 1)
  (table 20000000 funcref)
  (func (export "_start")))

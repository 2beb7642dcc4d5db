;; table_hog: grows a table by 10,000 entries at a time until the grow is refused, then traps.
;; Limit: memory, which counts tables. Verdict: memory_exceeded.
(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func (export "_start")
    (loop $more
      (br_if $more
        (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1))))
    (unreachable)))

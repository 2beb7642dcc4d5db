;; table_fill_loop: table.fill of 65,536 entries over and over: the time is spent in the engine's own code.
;; Limit: wall clock. Verdict: timed_out.
(module
  (memory (export "memory") 1)
  (table $t 65536 funcref)
  (elem declare func $f)
  (func $f)
  (func (export "_start")
    (loop $again
      (table.fill $t (i32.const 0) (ref.func $f) (i32.const 65536))
      (br $again))))

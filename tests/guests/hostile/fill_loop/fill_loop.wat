;; fill_loop: memory.fill of 64 MiB over and over: the time is spent in the engine's own code, not in the guest's.
;; Limit: wall clock. Verdict: timed_out.
(module
  (memory (export "memory") 1025)
  (func (export "_start")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 0x4000000))
      (br $again))))

;; atomic_wait: waits without a timeout on an address of a shared memory that nobody will ever notify.
;; Limit: wall clock. Verdict: timed_out, or rejected where shared memories are not permitted.
;; Flags: --enable-threads
(module
  (memory (export "memory") 1 1 shared)
  (func (export "_start")
    (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))

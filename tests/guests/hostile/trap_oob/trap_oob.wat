;; trap_oob: loads from the last address of a memory of one page, the farthest reach of a 32-bit pointer plus offset.
;; Limit: bounds of memory. Verdict: trapped.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (i32.load offset=0xfffffffc (i32.const 0xfffffffc)))))

;; call_indirect_null: calls through a table entry that was never filled.
;; Limit: none. Verdict: trapped.
(module
  (memory (export "memory") 1)
  (table $t 4 funcref)
  (type $void (func))
  (func (export "_start")
    (call_indirect $t (type $void) (i32.const 2))))

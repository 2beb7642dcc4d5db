;; bulk_memory: check() returns 1 when memory.fill, memory.copy (overlapping), memory.init with data.drop, and
;; table.copy with table.init do what they should.
;; Call: check
(module
  (memory 1)
  (data $text "bulk")
  (table $t 4 funcref)
  (elem $functions func $seven)
  (func $seven (result i32) (i32.const 7))
  (func (export "check") (result i32)
    (memory.init $text (i32.const 16) (i32.const 0) (i32.const 4))
    (data.drop $text)
    (memory.fill (i32.const 32) (i32.const 0xab) (i32.const 4))
    (memory.copy (i32.const 18) (i32.const 16) (i32.const 4))
    (table.init $t $functions (i32.const 0) (i32.const 0) (i32.const 1))
    (elem.drop $functions)
    (table.copy $t $t (i32.const 3) (i32.const 0) (i32.const 1))
    (i32.and
      (i32.and
        ;; "bubulk"
        (i64.eq (i64.load (i32.const 16)) (i64.const 0x00006b6c75627562))
        (i32.eq (i32.load (i32.const 32)) (i32.const 0xabababab)))
      (i32.eq (call_indirect $t (result i32) (i32.const 3)) (i32.const 7)))))

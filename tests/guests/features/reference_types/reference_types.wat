;; reference_types: check() returns 1 when table.get, table.set, table.grow, table.size and ref.is_null work on funcref.
;; Call: check
(module
  (table $t 1 10 funcref)
  (elem declare func $seven)
  (func $seven (result i32) (i32.const 7))
  (func (export "check") (result i32)
    (table.set $t (i32.const 0) (ref.func $seven))
    (i32.and
      (i32.and
        (i32.eq (table.grow $t (ref.null func) (i32.const 2)) (i32.const 1))
        (i32.eq (table.size $t) (i32.const 3)))
      (i32.and
        (i32.and
          (ref.is_null (table.get $t (i32.const 2)))
          (i32.eqz (ref.is_null (table.get $t (i32.const 0)))))
        (i32.eq (call_indirect $t (result i32) (i32.const 0)) (i32.const 7))))))

;; start_section: a start function sets a global to 7 before any call; get() returns it.
;; Call: get
(module
  (global $value (mut i32) (i32.const 0))
  (func $start
    (global.set $value (i32.const 7)))
  (start $start)
  (func (export "get") (result i32)
    (global.get $value)))

;; reactor: _initialize sets a global to 42; get() returns it, bump() adds 1 and returns it. 42 again in every
;; execution.
;; Call: get
(module
  (memory (export "memory") 1)
  (global $value (mut i32) (i32.const 0))
  (func (export "_initialize")
    (global.set $value (i32.const 42)))
  (func (export "get") (result i32)
    (global.get $value))
  (func (export "bump") (result i32)
    (global.set $value (i32.add (global.get $value) (i32.const 1)))
    (global.get $value)))

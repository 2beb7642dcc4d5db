;; deep_recursion: calls itself without end; the guest's stack is used up, the host's must not be.
;; Limit: stack. Verdict: trapped.
(module
  (memory (export "memory") 1)
  (func $down (param $depth i32) (result i32)
    (i32.add (i32.const 1) (call $down (i32.add (local.get $depth) (i32.const 1)))))
  (func (export "_start")
    (drop (call $down (i32.const 0)))))

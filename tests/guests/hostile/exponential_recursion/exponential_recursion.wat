;; exponential_recursion: the naive fib(90): no loop to count and no deep stack, yet it takes years.
;; Limit: wall clock. Verdict: timed_out.
(module
  (memory (export "memory") 1)
  (func $fib (param $n i32) (result i64)
    (if (result i64) (i32.lt_u (local.get $n) (i32.const 2))
      (then (i64.extend_i32_u (local.get $n)))
      (else
        (i64.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "_start")
    (drop (call $fib (i32.const 90)))))

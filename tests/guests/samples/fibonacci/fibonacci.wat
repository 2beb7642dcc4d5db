;; fibonacci: exports fib(n), the n-th Fibonacci number, and add(a, b); no WASI: called by the name of the export.
;; Example: entry point "fib" with 50 returns 12586269025; beyond 92 the sum no longer fits in an i64 and wraps around.
;; Call: fib 50
(module
  (func (export "fib") (param $n i32) (result i64)
    (local $a i64) (local $b i64) (local $sum i64)
    (local.set $b (i64.const 1))
    (block $done
      (loop $more
        (br_if $done (i32.le_s (local.get $n) (i32.const 0)))
        (local.set $sum (i64.add (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $sum))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $more)))
    (local.get $a))
  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $a) (local.get $b))))

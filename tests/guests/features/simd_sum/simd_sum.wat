;; simd_sum: sum(n) adds the numbers 1 to 4n with 128-bit vectors of four lanes: 4n(4n + 1)/2, modulo 2^32.
;; Call: sum 10
(module
  (func (export "sum") (param $n i32) (result i32)
    (local $total v128) (local $next v128)
    (local.set $next (v128.const i32x4 1 2 3 4))
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $total (i32x4.add (local.get $total) (local.get $next)))
        (local.set $next (i32x4.add (local.get $next) (i32x4.splat (i32.const 4))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $more)))
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $total)) (i32x4.extract_lane 1 (local.get $total)))
      (i32.add (i32x4.extract_lane 2 (local.get $total)) (i32x4.extract_lane 3 (local.get $total))))))

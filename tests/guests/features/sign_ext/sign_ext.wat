;; sign_ext: check() returns 1 when the sign extensions and the saturating conversions of floats do what they should.
;; Call: check
(module
  (func (export "check") (result i32)
    (i32.and
      (i32.and
        (i32.eq (i32.extend8_s (i32.const 0x80)) (i32.const -128))
        (i32.eq (i32.extend16_s (i32.const 0x18000)) (i32.const -32768)))
      (i32.and
        (i64.eq (i64.extend32_s (i64.const 0x180000000)) (i64.const -2147483648))
        (i32.and
          (i32.eq (i32.trunc_sat_f64_s (f64.const 1e300)) (i32.const 0x7fffffff))
          (i64.eqz (i64.trunc_sat_f32_u (f32.const nan))))))))

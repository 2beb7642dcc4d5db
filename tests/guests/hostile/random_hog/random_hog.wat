;; random_hog: asks for 64 MiB of random bytes in one host call, over and over; one call alone takes a while.
;; Limit: wall clock, which must hold inside the host call too. Verdict: timed_out.
(module
  (import "wasi_snapshot_preview1" "random_get"
    (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 1025)
  (func (export "_start")
    (loop $again
      (drop (call $random_get (i32.const 0) (i32.const 0x4000000)))
      (br $again))))

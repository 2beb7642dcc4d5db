;; iov_amplify: one fd_write of 500 buffers that are all the same 8 MiB: 4 GB from a small memory, each buffer valid.
;; Limit: output, which must hold inside one call. Verdict: output_exceeded; exit code 1 when all was accepted or an
;; errno came.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 130)
  (func (export "_start")
    (local $at i32)
    (local.set $at (i32.const 64))
    (loop $next
      (i32.store (local.get $at) (i32.const 0x10000))
      (i32.store offset=4 (local.get $at) (i32.const 0x800000))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 4064))))
    (drop (call $fd_write (i32.const 1) (i32.const 64) (i32.const 500) (i32.const 0)))
    (call $proc_exit (i32.const 1))))

;; secret_writer: fills 16 MiB of memory with the marker "TENANT-SECRET-1\n" and prints "planted".
;; Limit: isolation. Verdict: succeeded; secret_seeker, run afterwards by another tenant, must not find the marker.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 257)
  ;; one iovec at 0: 8 bytes at 64; the marker at 32
  (data (i32.const 0) "\40\00\00\00\08\00\00\00")
  (data (i32.const 32) "TENANT-SECRET-1\n")
  (data (i32.const 64) "planted\n")
  (func (export "_start")
    (local $at i32)
    (local.set $at (i32.const 0x10000))
    (loop $next
      (memory.copy (local.get $at) (i32.const 32) (i32.const 16))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 0x1010000))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))

;; secret_seeker: grows its memory to 32 MiB and prints "found" when it holds secret_writer's marker, "dirty" when it
;; holds anything but zeros, "clean" otherwise.
;; Limit: isolation. Verdict: succeeded, and stdout is "clean\n"; exit code 1 for "dirty", 2 for "found".
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "clean\n  dirty\n  found\n")
  ;; prints the word number $code and exits with it
  (func $finish (param $code i32)
    (i32.store (i32.const 0) (i32.add (i32.const 32) (i32.shl (local.get $code) (i32.const 3))))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (call $proc_exit (local.get $code)))
  (func (export "_start")
    (local $at i32) (local $word i64) (local $code i32)
    ;; exit code 9: the room for the search was refused
    (if (i32.eq (memory.grow (i32.const 511)) (i32.const -1))
      (then (call $proc_exit (i32.const 9))))
    ;; the guest's own data is all below 64; the first page is searched too
    (local.set $at (i32.const 64))
    (loop $next
      (local.set $word (i64.load (local.get $at)))
      (if (i64.ne (local.get $word) (i64.const 0)) (then (local.set $code (i32.const 1))))
      ;; "TENANT-S" as a little-endian word: the text itself must not be in this memory
      (if (i64.eq (local.get $word) (i64.const 0x532d544e414e4554)) (then (call $finish (i32.const 2))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 0x2000000))))
    (call $finish (local.get $code))))

;; stderr_flood: writes to stderr for ever, 64 KiB at a time.
;; Limit: output. Verdict: output_exceeded.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  ;; one iovec at 0: 64 KiB at 65536
  (data (i32.const 0) "\00\00\01\00\00\00\01\00")
  (func (export "_start")
    (memory.fill (i32.const 0x10000) (i32.const 0x2e) (i32.const 0x10000))
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
      (br $again))))

;; unstable_abi: fd_seek and fd_filestat_get differ between wasi_unstable and preview 1: whence is 0 = current, 1 = end,
;; 2 = set, and a filestat has 56 bytes with a 32-bit link count. Writes 5 bytes to a file in descriptor 3, then exits
;; with 0 when a seek to 2 from the start answers 2 and the size, found at offset 24 of the filestat, is 5; with 10 or
;; 11 when not, otherwise with an errno.
(module
  (import "wasi_unstable" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_filestat_get" (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_unstable" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; one iovec at 0: 5 bytes at 32; the path at 48
  (data (i32.const 0) "\20\00\00\00\05\00\00\00")
  (data (i32.const 32) "hello")
  (data (i32.const 48) "unstable.txt")
  ;; the byte behind a filestat of 56 bytes, which a filestat of preview 1 would overwrite
  (data (i32.const 184) "\aa")
  (func $check (param $errno i32)
    (if (local.get $errno) (then (call $proc_exit (local.get $errno)))))
  (func (export "_start")
    (local $fd i32)
    ;; flags 1 (create); rights read, seek, tell, write, filestat_get
    (call $check
      (call $path_open (i32.const 3) (i32.const 0) (i32.const 48) (i32.const 12) (i32.const 1)
        (i64.const 0x200066) (i64.const 0) (i32.const 0) (i32.const 16)))
    (local.set $fd (i32.load (i32.const 16)))
    (call $check (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 20)))
    (call $check (call $fd_seek (local.get $fd) (i64.const 2) (i32.const 2) (i32.const 24)))
    (if (i64.ne (i64.load (i32.const 24)) (i64.const 2)) (then (call $proc_exit (i32.const 10))))
    (call $check (call $fd_filestat_get (local.get $fd) (i32.const 128)))
    (if (i64.ne (i64.load (i32.const 152)) (i64.const 5)) (then (call $proc_exit (i32.const 11))))
    (if (i32.ne (i32.load8_u (i32.const 184)) (i32.const 0xaa)) (then (call $proc_exit (i32.const 11))))))

;; wasix_socket: a WASIX module that connects a TCP socket to 127.0.0.1:80 and exits with the errno.
;; Limit: isolation: no network. Verdict: failed, and the exit code is the errno of sock_open or sock_connect; 0 would
;; be a connection.
(module
  (import "wasix_32v1" "sock_open" (func $sock_open (param i32 i32 i32 i32) (result i32)))
  (import "wasix_32v1" "sock_connect" (func $sock_connect (param i32 i32) (result i32)))
  (import "wasix_32v1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; the address at 64: family 1 (IPv4), a byte of padding, the port in little endian, the four bytes of the address
  (data (i32.const 64) "\01\00\50\00\7f\00\00\01")
  (func (export "_start")
    (local $errno i32)
    ;; family 1 (IPv4), type 1 (stream), protocol 6 (TCP), the descriptor goes to 16
    (local.set $errno (call $sock_open (i32.const 1) (i32.const 1) (i32.const 6) (i32.const 16)))
    (if (i32.eqz (local.get $errno))
      (then (local.set $errno (call $sock_connect (i32.load (i32.const 16)) (i32.const 64)))))
    (call $proc_exit (local.get $errno))))

;; wasix_exec: a WASIX module that replaces itself by /bin/sh and exits with the errno of proc_exec3.
;; Limit: processes are denied. Verdict: failed, and the exit code is the errno; exit 0 and "pwned" would be a shell.
(module
  (import "wasix_32v1" "proc_exec3"
    (func $proc_exec (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasix_32v1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "/bin/sh")
  (data (i32.const 1040) "sh\n-c\necho pwned")
  (func (export "_start")
    (call $proc_exit
      (call $proc_exec
        (i32.const 1024) (i32.const 7)    ;; name
        (i32.const 1040) (i32.const 16)   ;; arguments, one a line
        (i32.const 0) (i32.const 0)       ;; environment: kept
        (i32.const 0)                     ;; no search on a path
        (i32.const 0) (i32.const 0)))))

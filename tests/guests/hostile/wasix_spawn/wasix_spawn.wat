;; wasix_spawn: a WASIX module that starts /bin/sh as a child and exits with the errno of proc_spawn2.
;; Limit: processes are denied. Verdict: failed, and the exit code is the errno; exit 0 would be a child process.
(module
  (import "wasix_32v1" "proc_spawn2"
    (func $proc_spawn
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasix_32v1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "/bin/sh")
  (data (i32.const 1040) "sh\n-c\necho pwned")
  (func (export "_start")
    (call $proc_exit
      (call $proc_spawn
        (i32.const 1024) (i32.const 7)    ;; name
        (i32.const 1040) (i32.const 16)   ;; arguments, one a line
        (i32.const 0) (i32.const 0)       ;; environment: inherited
        (i32.const 0) (i32.const 0)       ;; descriptor operations: none
        (i32.const 0) (i32.const 0)       ;; signal dispositions: none
        (i32.const 0)                     ;; no search on a path
        (i32.const 0) (i32.const 0)
        (i32.const 16)))))                ;; where the child's id goes

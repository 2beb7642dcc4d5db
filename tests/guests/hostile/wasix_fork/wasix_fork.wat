;; wasix_fork: a WASIX module that forks and exits with the errno of proc_fork.
;; Limit: processes are denied. Verdict: failed, and the exit code is the errno, or trapped; 0 would be a process.
(module
  (import "wasix_32v1" "proc_fork" (func $proc_fork (param i32 i32) (result i32)))
  (import "wasix_32v1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $proc_exit (call $proc_fork (i32.const 1) (i32.const 16)))))

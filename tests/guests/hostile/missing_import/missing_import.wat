;; missing_import: needs env.frobnicate, which no host has.
;; Limit: none. Verdict: rejected, and the message names the import.
(module
  (import "env" "frobnicate" (func $frobnicate (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $frobnicate (i32.const 1)))))

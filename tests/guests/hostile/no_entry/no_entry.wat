;; no_entry: a valid module with no export at all, so there is nothing to call.
;; Limit: none. Verdict: rejected.
(module
  (memory 1)
  (func (result i32) (i32.const 42)))

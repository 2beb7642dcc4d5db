;; start_section_trap: the start section traps, so instantiation fails before any entry point.
;; Limit: none. Verdict: trapped.
(module
  (memory (export "memory") 1)
  (func $start (unreachable))
  (start $start)
  (func (export "_start")))

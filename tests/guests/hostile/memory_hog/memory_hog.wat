;; memory_hog: grows by 1 MiB at a time and writes to every page until the grow is refused, then traps.
;; Limit: memory. Verdict: memory_exceeded.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (local $old i32) (local $at i32) (local $end i32)
    (loop $more
      (local.set $old (memory.grow (i32.const 16)))
      (if (i32.eq (local.get $old) (i32.const -1)) (then (unreachable)))
      (local.set $at (i32.shl (local.get $old) (i32.const 16)))
      (local.set $end (i32.add (local.get $at) (i32.const 0x100000)))
      (loop $touch
        (i32.store (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $touch (i32.ne (local.get $at) (local.get $end))))
      (br $more))))

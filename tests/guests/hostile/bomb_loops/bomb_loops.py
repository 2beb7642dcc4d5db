# bomb_loops: one function of 15,000 loops nested in one another around one local: compile time grows with the cube of
# their number (2,000 take Cranelift 3 s, 4,000 take 22 s), so 200 KB take it the better part of an hour.
# Limit: compile time. Verdict: that of a failed compilation; nothing of it ever runs.
"""Prints the module as text."""

COUNT = 15_000

print("(module")
print('  (memory (export "memory") 1)')
print('  (func (export "_start")')
print("    (local $x i32) (local $y i32)")
for _ in range(COUNT):
    print("loop local.get $x i32.const 1 i32.add local.set $x")
for _ in range(COUNT):
    print("local.get $y br_if 0 end")
print("  ))")

# bomb_blocks: one function of 15,000 blocks in a chain, each with a branch over its body: compile time grows with the
# square of their number, so 200 KB take Cranelift seconds.
# Limit: compile time. Verdict: succeeded when compiled in time, else the verdict of a failed compilation.
"""Prints the module as text."""

COUNT = 15_000

print("(module")
print('  (memory (export "memory") 1)')
print('  (func (export "_start")')
print("    (local $x i32)")
for _ in range(COUNT):
    print("block local.get $x br_if 0 local.get $x i32.const 1 i32.add local.set $x end")
print("  ))")

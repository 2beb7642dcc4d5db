# bomb_blocks: one function of 15,000 blocks nested in one another, each left by a branch of its own: a compiler whose work
# grows with the square of the blocks takes seconds for 150 KB.
# Limit: compile time. Verdict: succeeded (exit 0) when compiled in time, else the verdict of a failed compilation.
"""Prints the module as text."""

DEPTH = 15_000

print("(module")
print('  (memory (export "memory") 1)')
print('  (func (export "_start")')
print("    (local $x i32)")
for _ in range(DEPTH):
    print("block")
for _ in range(DEPTH):
    print("local.get $x i32.const 1 i32.add local.tee $x i32.eqz br_if 0 end")
print("  ))")

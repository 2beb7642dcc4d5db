# bomb_brtable: br_tables of 1,000 targets over 1,000 nested blocks, 500 times: half a million edges in one function.
# Limit: compile time and memory. Verdict: succeeded (exit 0) when compiled in time, else the verdict of a failed compilation.
"""Prints the module as text."""

DEPTH = 1_000
TABLES = 500

print("(module")
print('  (memory (export "memory") 1)')
print('  (func (export "_start")')
print("    (local $x i32)")
targets = " ".join(str(depth) for depth in range(DEPTH))
for index in range(DEPTH):
    print("block")
for index in range(TABLES):
    # Inside a block of its own, entered only when $x is not 0, so that all of it can be reached but none of it runs.
    print(f"local.get $x if local.get $x br_table {' '.join(str(d + 1) for d in range(DEPTH))} 0 end")
for index in range(DEPTH):
    print("local.get $x i32.const 3 i32.mul local.set $x end")
print("  ))")

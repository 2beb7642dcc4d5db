# bomb_brtable: 500 br_tables of 1,000 targets each over 1,000 nested blocks: half a million edges in one function. 60
# of the tables take Cranelift 18 s, all of them minutes and hundreds of megabytes.
# Limit: compile time and memory. Verdict: that of a failed compilation; nothing of it ever runs.
"""Prints the module as text. The loads keep the compiler from seeing that none of the tables is ever reached."""

DEPTH = 1_000
TABLES = 500

print("(module")
print('  (memory (export "memory") 1)')
print('  (func (export "_start")')
print("    (local $x i32)")
targets = " ".join(str(depth + 1) for depth in range(DEPTH))
for _ in range(DEPTH):
    print("block")
for index in range(TABLES):
    print(f"(i32.load offset={index} (i32.const 0)) if (i32.load offset={index} (i32.const 8)) br_table {targets} end")
for index in range(DEPTH):
    print(f"(local.set $x (i32.add (local.get $x) (i32.load offset={index} (i32.const 0)))) end")
print("    (i32.store (i32.const 16) (local.get $x))))")

# bomb_functions: 100,000 small functions, each with its fixed cost: 1 MB becomes 22 MB of machine code in 2 to 3 s.
# Limit: compile time and compiled size. Verdict: succeeded when compiled in time, else the verdict of a failed
# compilation.
"""Prints the module as text."""

COUNT = 100_000

print("(module")
print('  (memory (export "memory") 1)')
print('  (func (export "_start"))')
for index in range(COUNT):
    print(f"  (func (param i32) (result i32) local.get 0 i32.const {index} i32.xor)")
print(")")

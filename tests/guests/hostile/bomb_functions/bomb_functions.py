# bomb_functions: 100,000 small functions: the fixed cost of a function, 100,000 times.
# Limit: compile time and memory. Verdict: succeeded (exit 0) when compiled in time, else the verdict of a failed compilation.
"""Prints the module as text."""

COUNT = 100_000

print("(module")
print('  (memory (export "memory") 1)')
print('  (func (export "_start"))')
for index in range(COUNT):
    print(f"  (func (param i32) (result i32) local.get 0 i32.const {index} i32.xor)")
print(")")

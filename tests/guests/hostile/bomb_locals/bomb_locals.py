# bomb_locals: one function with 50,000 locals (the most that validators accept), all carried around one loop: register
# allocation takes Cranelift minutes for 750 KB.
# Limit: compile time. Verdict: that of a failed compilation; nothing of it ever runs.
"""Prints the module as text."""

COUNT = 50_000

print("(module")
print('  (memory (export "memory") 1)')
print('  (func (export "_start")')
for _ in range(COUNT):
    print("(local i64)")
print("loop")
for index in range(COUNT):
    other = (index * 7919 + 1) % COUNT
    print(f"local.get {index} local.get {other} i64.const {index % 50 + 1} i64.add i64.xor local.set {index}")
print(f"local.get {COUNT - 1} i64.eqz br_if 0 end")
print("  ))")

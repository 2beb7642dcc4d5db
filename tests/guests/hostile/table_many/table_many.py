# table_many: 20 tables of 1,000,000 entries, each valid and below the limit, together 160 MB at 8 bytes an entry.
# Limit: memory, which counts all tables together. Verdict: memory_exceeded.
"""Prints the module as text."""

print("(module")
print('  (memory (export "memory") 1)')
for index in range(20):
    print(f"  (table $t{index} 1000000 funcref)")
print('  (func (export "_start")))')

# memory_many: 100 memories of 2 MiB, each far below the limit, together 200 MiB.
# Limit: memory, over all memories together. Verdict: memory_exceeded, or rejected where several memories are not
# permitted.
# Flags: --enable-multi-memory
"""Prints the module as text. One hundred is the most memories that validators accept."""

COUNT = 100

print("(module")
for index in range(COUNT):
    export = '(export "memory") ' if index == 0 else ""
    print(f"  (memory $m{index} {export}32)")
print('  (func (export "_start")')
for index in range(COUNT):
    print(f"    (memory.fill $m{index} (i32.const 0) (i32.const 1) (i32.const 0x200000))")
print("  ))")

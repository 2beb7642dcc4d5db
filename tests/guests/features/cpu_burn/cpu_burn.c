// cpu_burn: runs as many million rounds of a xorshift generator as its first argument says and prints a checksum.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    uint64_t rounds = (argc > 1 ? strtoull(argv[1], NULL, 10) : 10) * 1000000;
    uint64_t state = 0x9e3779b97f4a7c15;
    for (uint64_t i = 0; i < rounds; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    printf("%016llx\n", (unsigned long long)state);
    return 0;
}

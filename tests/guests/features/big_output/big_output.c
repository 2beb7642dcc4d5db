// big_output: prints as many bytes as its first argument says: the lower-case alphabet over and over. Exit code 1 when
// a write fails.
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static char block[26 * 1024];
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (char)('a' + i % 26);
    }
    unsigned long long left = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    size_t at = 0;
    while (left > 0) {
        size_t length = sizeof block - at;
        ssize_t written = write(STDOUT_FILENO, block + at, left < length ? (size_t)left : length);
        if (written < 0) {
            return 1;
        }
        left -= (unsigned long long)written;
        at = (at + (size_t)written) % sizeof block;
    }
    return 0;
}

// stderr_both: writes "to stdout N" and "to stderr N" in turn, three times, each to its own stream.
#include <stdio.h>

int main(void) {
    for (int i = 1; i <= 3; i++) {
        printf("to stdout %d\n", i);
        fflush(stdout);
        fprintf(stderr, "to stderr %d\n", i);
    }
    return 0;
}

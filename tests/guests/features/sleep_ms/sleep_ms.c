// sleep_ms: sleeps as many milliseconds as its first argument says (100 without one) and exits with 0.
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
    long milliseconds = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    return nanosleep(&time, NULL) != 0;
}

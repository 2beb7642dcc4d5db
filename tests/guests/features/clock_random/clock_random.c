// clock_random: prints the wall clock, the monotonic clock and their resolutions in nanoseconds, and 16 random bytes.
// Exit code 1 when a call fails or the monotonic clock goes backwards.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static unsigned long long nanoseconds(const struct timespec *time) {
    return (unsigned long long)time->tv_sec * 1000000000ull + (unsigned long long)time->tv_nsec;
}

int main(void) {
    struct timespec wall, before, after, resolution;
    unsigned char bytes[16];
    if (clock_gettime(CLOCK_REALTIME, &wall) != 0 || clock_gettime(CLOCK_MONOTONIC, &before) != 0 ||
        clock_gettime(CLOCK_MONOTONIC, &after) != 0 || clock_getres(CLOCK_MONOTONIC, &resolution) != 0 ||
        getentropy(bytes, sizeof bytes) != 0) {
        return 1;
    }
    printf("realtime %llu\n", nanoseconds(&wall));
    printf("monotonic %llu\n", nanoseconds(&before));
    printf("resolution %llu\n", nanoseconds(&resolution));
    printf("random ");
    for (size_t i = 0; i < sizeof bytes; i++) {
        printf("%02x", bytes[i]);
    }
    putchar('\n');
    return nanoseconds(&after) < nanoseconds(&before);
}

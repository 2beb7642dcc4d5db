// symlink_loop: opens a symbolic link that leads to itself by way of another one.
// Limit: symbolic links followed. Verdict: succeeded: open answers ELOOP; exit code 1 for anything else.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    if (symlink("loop_b", "/loop_a") != 0 || symlink("loop_a", "/loop_b") != 0) {
        printf("symlink: errno %d (%s)\n", errno, strerror(errno));
        return 1;
    }
    int fd = open("/loop_a", O_RDONLY);
    int error = fd < 0 ? errno : 0;
    printf("open: errno %d (%s)\n", error, strerror(error));
    return error == ELOOP ? 0 : 1;
}

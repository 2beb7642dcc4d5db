// dir_deep: makes directories inside one another until the file system refuses: a host that walks or frees such a tree
// by recursion uses up its stack.
// Limit: directory entries. Verdict: succeeded: the limit is an errno for the guest; exit code 1 for any other errno.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    unsigned long depth = 0;
    int at = open("/", O_RDONLY | O_DIRECTORY);
    while (at >= 0 && mkdirat(at, "d", 0755) == 0) {
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY);
        int error = errno;
        close(at);
        errno = error;
        at = next;
        depth++;
    }
    int error = errno;
    printf("refused at depth %lu: errno %d (%s)\n", depth, error, strerror(error));
    return error == ENOSPC || error == EDQUOT || error == EMLINK || error == ENAMETOOLONG ? 0 : 1;
}

// fs_hog: writes one file, 64 KiB at a time, until the file system refuses, and prints the errno.
// Limit: file bytes. Verdict: succeeded: the limit is an errno for the guest; exit code 1 for any other errno.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char block[64 * 1024];

int main(void) {
    memset(block, '.', sizeof block);
    int fd = open("/fs_hog.bin", O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (fd < 0) {
        printf("open: errno %d (%s)\n", errno, strerror(errno));
        return 1;
    }
    unsigned long long written = 0;
    for (;;) {
        ssize_t count = write(fd, block, sizeof block);
        if (count <= 0) {
            break;
        }
        written += (unsigned long long)count;
    }
    int error = errno;
    printf("refused after %llu bytes: errno %d (%s)\n", written, error, strerror(error));
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? 0 : 1;
}

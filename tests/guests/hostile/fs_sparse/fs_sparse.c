// fs_sparse: asks for a file of 8 EiB by ftruncate, by posix_fallocate and by a write far behind its end.
// Limit: file bytes. Verdict: succeeded when each is refused with an errno; exit code 1 when one was accepted.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const off_t HUGE = 0x7ffffffffffff000;
static int accepted;

static void report(const char *what, int failed, int error) {
    if (failed) {
        printf("%s: errno %d (%s)\n", what, error, strerror(error));
    } else {
        printf("%s: accepted\n", what);
        accepted = 1;
    }
}

int main(void) {
    int fd = open("/fs_sparse.bin", O_CREAT | O_RDWR | O_TRUNC, 0644);
    if (fd < 0) {
        printf("open: errno %d (%s)\n", errno, strerror(errno));
        return 1;
    }
    int failed = ftruncate(fd, HUGE) != 0;
    report("ftruncate", failed, errno);
    int error = posix_fallocate(fd, 0, HUGE);
    report("posix_fallocate", error != 0, error);
    failed = pwrite(fd, "x", 1, HUGE) < 0;
    report("pwrite", failed, errno);
    return accepted;
}

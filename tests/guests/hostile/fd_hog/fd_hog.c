// fd_hog: opens one file again and again, never closes it, until no descriptor is left, and prints the errno.
// Limit: open descriptors. Verdict: succeeded: the limit is an errno for the guest; exit code 1 for any other errno.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    unsigned long opened = 0;
    while (open("/fd_hog.txt", O_CREAT | O_RDWR, 0644) >= 0) {
        opened++;
    }
    int error = errno;
    printf("refused after %lu descriptors: errno %d (%s)\n", opened, error, strerror(error));
    return error == EMFILE || error == ENFILE ? 0 : 1;
}

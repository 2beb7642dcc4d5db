// dir_hog: makes directories beside one another until the file system refuses, and prints the errno.
// Limit: directory entries. Verdict: succeeded: the limit is an errno for the guest; exit code 1 for any other errno.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int main(void) {
    unsigned long made = 0;
    for (;;) {
        char path[32];
        snprintf(path, sizeof path, "/dir_hog_%lu", made);
        if (mkdir(path, 0755) != 0) {
            break;
        }
        made++;
    }
    int error = errno;
    printf("refused after %lu directories: errno %d (%s)\n", made, error, strerror(error));
    return error == ENOSPC || error == EDQUOT || error == EMLINK ? 0 : 1;
}

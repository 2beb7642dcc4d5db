// host_files: tries to open files of the host: by absolute path, by "..", through a symbolic link, and past wasi-libc
// by path_open on each descriptor that could be a directory. Prints the errno of each.
// Limit: isolation. Verdict: succeeded when every attempt fails; exit code 1 when one was opened.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

static const char *const PATHS[] = {
    "/etc/passwd",
    "/etc/shadow",
    "../../etc/passwd",
    "../../../../../../../../etc/passwd",
    "/../../../etc/passwd",
    "//etc/passwd",
    "/./etc/../etc/passwd",
    "/proc/self/environ",
    "/proc/self/root/etc/passwd",
    "/dev/sda",
};

int main(void) {
    int opened = 0;
    size_t count = sizeof PATHS / sizeof PATHS[0];
    for (size_t i = 0; i < count; i++) {
        int fd = open(PATHS[i], O_RDONLY);
        printf("open %s: errno %d\n", PATHS[i], fd < 0 ? errno : 0);
        opened |= fd >= 0;
    }
    for (size_t i = 0; i < count; i++) {
        char link[32];
        snprintf(link, sizeof link, "/way_out_%zu", i);
        int made = symlink(PATHS[i], link) == 0;
        int fd = made ? open(link, O_RDONLY) : -1;
        printf("%s to %s: errno %d\n", made ? "symlink" : "no symlink", PATHS[i], fd < 0 ? errno : 0);
        opened |= fd >= 0;
    }
    for (__wasi_fd_t dir = 0; dir < 8; dir++) {
        for (size_t i = 0; i < count; i++) {
            __wasi_fd_t fd;
            __wasi_errno_t error = __wasi_path_open(dir, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, PATHS[i], 0,
                                                    __WASI_RIGHTS_FD_READ, 0, 0, &fd);
            if (error == 0) {
                printf("path_open of %s at descriptor %u: opened\n", PATHS[i], (unsigned)dir);
                opened = 1;
            }
        }
    }
    puts(opened ? "FOUND A WAY OUT" : "no way out");
    return opened;
}

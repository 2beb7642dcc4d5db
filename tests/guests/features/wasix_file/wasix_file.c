// wasix_file: a WASIX module creates /wasix.txt, writes to it, reads it back and prints what it read; exit code 0 when
// all of it worked, otherwise the errno.
// Flags: -nostdlib
//
// Without a libc: every import is of wasix_32v1, as in a module that WASIX's own toolchain makes.
#define WASIX(name) __attribute__((import_module("wasix_32v1"), import_name(#name))) extern

typedef struct {
    void *bytes;
    unsigned length;
} buffer;

WASIX(fd_prestat_get) int fd_prestat_get(int fd, void *prestat);
WASIX(path_open2)
int path_open2(int dir, int lookup, const char *path, unsigned length, int flags, unsigned long long rights,
               unsigned long long inherited, int fd_flags, int fd_flags_ext, int *fd);
WASIX(fd_write) int fd_write(int fd, const buffer *buffers, unsigned count, unsigned *written);
WASIX(fd_read) int fd_read(int fd, const buffer *buffers, unsigned count, unsigned *read);
WASIX(fd_seek) int fd_seek(int fd, long long offset, int whence, unsigned long long *position);
WASIX(proc_exit) _Noreturn void proc_exit(int code);

enum { CREATE = 1, TRUNCATE = 8, SET = 0 };
static const unsigned long long RIGHTS = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6; // read, seek, tell, write
static char text[] = "written and read by WASIX\n";
static char copy[sizeof text - 1];

static void check(int error) {
    if (error != 0) {
        proc_exit(error);
    }
}

// Opens the file in the first preopened directory that lets it be created: descriptor 3 may be a virtual root.
static int create(void) {
    int error = 8; // EBADF: there was no preopened directory at all
    for (int dir = 3; dir < 16; dir++) {
        unsigned prestat[2];
        int fd;
        if (fd_prestat_get(dir, prestat) != 0) {
            continue;
        }
        error = path_open2(dir, 1, "wasix.txt", 9, CREATE | TRUNCATE, RIGHTS, 0, 0, 0, &fd);
        if (error == 0) {
            return fd;
        }
    }
    proc_exit(error);
}

void _start(void) {
    buffer out = {text, sizeof copy};
    buffer in = {copy, sizeof copy};
    unsigned count;
    unsigned long long position;
    int fd = create();
    check(fd_write(fd, &out, 1, &count));
    check(fd_seek(fd, 0, SET, &position));
    check(fd_read(fd, &in, 1, &count));
    in.length = count;
    check(fd_write(1, &in, 1, &count));
    proc_exit(count == sizeof copy ? 0 : 1);
}

// net_try: calls all four socket functions of preview 1 on descriptors 0 to 15 and prints every answer but EBADF.
// Limit: isolation. Verdict: succeeded when every call fails; exit code 1 when one succeeded.
#include <stdio.h>
#include <wasi/api.h>

// Debian's wasi-libc is older than sock_accept, which joined preview 1 in 2022.
__attribute__((import_module("wasi_snapshot_preview1"), import_name("sock_accept"))) extern int
sock_accept(int fd, int flags, __wasi_fd_t *accepted);

static int succeeded;

static void report(const char *what, __wasi_fd_t fd, int error) {
    if (error != __WASI_ERRNO_BADF) {
        printf("%s(%u): errno %d\n", what, (unsigned)fd, error);
    }
    succeeded |= error == 0;
}

int main(void) {
    for (__wasi_fd_t fd = 0; fd < 16; fd++) {
        char byte = 0;
        __wasi_size_t size = 0;
        __wasi_roflags_t flags = 0;
        __wasi_fd_t accepted = 0;
        __wasi_iovec_t in = {(uint8_t *)&byte, 1};
        __wasi_ciovec_t out = {(const uint8_t *)&byte, 1};
        report("sock_accept", fd, sock_accept((int)fd, 0, &accepted));
        report("sock_recv", fd, __wasi_sock_recv(fd, &in, 1, 0, &size, &flags));
        report("sock_send", fd, __wasi_sock_send(fd, &out, 1, 0, &size));
        report("sock_shutdown", fd, __wasi_sock_shutdown(fd, __WASI_SDFLAGS_RD | __WASI_SDFLAGS_WR));
    }
    puts(succeeded ? "FOUND A SOCKET" : "no sockets");
    return succeeded;
}

// exit_code: ends by proc_exit with the number in its first argument (1 without one).
// Limit: none. Verdict: failed with that exit code, succeeded for 0.
#include <stdlib.h>
#include <wasi/api.h>

int main(int argc, char **argv) {
    __wasi_proc_exit(argc > 1 ? (__wasi_exitcode_t)strtoul(argv[1], NULL, 10) : 1);
}

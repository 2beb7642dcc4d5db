// env_peek: prints all arguments and the whole environment, to show that only the invocation's own are there.
// Limit: isolation. Verdict: succeeded, and stdout has nothing but what the invocation carried.
#include <stdio.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        printf("arg %s\n", argv[i]);
    }
    for (char **entry = environ; *entry != NULL; entry++) {
        printf("env %s\n", *entry);
    }
    return 0;
}

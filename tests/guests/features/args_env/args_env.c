// args_env: prints the arguments and the environment, one a line: "arg VALUE" and "env NAME=VALUE".
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

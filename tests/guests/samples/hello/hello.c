// hello: greets the name in the first argument, or else the first line of stdin, or else the world.
// Example: hello Ada          prints "Hello, Ada!"
// Example: echo Ada | hello   prints the same
#include <string.h>
#include <unistd.h>

static void say(const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written < 0) {
            _exit(1);
        }
        text += written;
        length -= (size_t)written;
    }
}

// Reads the first line of stdin without its line end; returns its length.
static size_t read_line(char *line, size_t room) {
    size_t length = 0;
    ssize_t count;
    while (length < room && (count = read(STDIN_FILENO, line + length, room - length)) > 0) {
        length += (size_t)count;
    }
    size_t end = 0;
    while (end < length && line[end] != '\n' && line[end] != '\r') {
        end++;
    }
    return end;
}

int main(int argc, char **argv) {
    static char line[256];
    const char *name = line;
    size_t length = argc > 1 ? 0 : read_line(line, sizeof line);
    if (argc > 1) {
        name = argv[1];
        length = strlen(name);
    } else if (length == 0) {
        name = "world";
        length = strlen(name);
    }
    say("Hello, ", 7);
    say(name, length);
    say("!\n", 2);
    return 0;
}

// files_inout: reads in/a.txt, writes it in upper case to out/b.txt and its size to out/c.json; makes out/ when
// missing.
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static FILE *open_or_say(const char *path, const char *mode) {
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    return file;
}

int main(void) {
    if (mkdir("out", 0755) != 0 && errno != EEXIST) {
        fprintf(stderr, "out: %s\n", strerror(errno));
        return 1;
    }
    FILE *in = open_or_say("in/a.txt", "rb");
    FILE *out = open_or_say("out/b.txt", "wb");
    FILE *json = open_or_say("out/c.json", "wb");
    if (in == NULL || out == NULL || json == NULL) {
        return 1;
    }
    unsigned long bytes = 0;
    unsigned long lines = 0;
    for (int byte = fgetc(in); byte != EOF; byte = fgetc(in)) {
        fputc(toupper(byte), out);
        bytes++;
        lines += byte == '\n';
    }
    fprintf(json, "{\"bytes\":%lu,\"lines\":%lu}\n", bytes, lines);
    int failed = ferror(in) || fclose(out) != 0 || fclose(json) != 0;
    printf("%lu bytes\n", bytes);
    return failed;
}

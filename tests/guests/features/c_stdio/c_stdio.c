// c_stdio: checks what C programs expect of a file system. Prints "ok NAME" or "FAIL NAME ERRNO" for each check; exit
// code 1 when one failed.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failures;

// Every check is one expression; errno is cleared before it, so that a FAIL shows the errno of that check alone.
#define CHECK(name, expression) (errno = 0, report(name, (expression)))

static void report(const char *name, int good) {
    if (good) {
        printf("ok %s\n", name);
    } else {
        printf("FAIL %s %d\n", name, errno);
        failures = 1;
    }
}

static int holds(const char *path, const char *text) {
    char found[64] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    size_t length = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    return length == strlen(text) && memcmp(found, text, length) == 0;
}

static int put(const char *path, const char *mode, const char *text) {
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        return 0;
    }
    int wrote = fputs(text, file) >= 0;
    return fclose(file) == 0 && wrote;
}

static int entries(const char *path) {
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(dir);
    return count;
}

static void streams(void) {
    char line[32] = "";
    CHECK("fopen_missing", fopen("t/missing", "r") == NULL && errno == ENOENT);
    CHECK("fopen_write", put("t/a", "w", "one\ntwo\n"));
    CHECK("fopen_append", put("t/a", "a", "three\n"));
    CHECK("fread", holds("t/a", "one\ntwo\nthree\n"));
    FILE *file = fopen("t/a", "r+");
    CHECK("fopen_update", file != NULL);
    if (file == NULL) {
        return;
    }
    CHECK("fgets", fgets(line, sizeof line, file) != NULL && strcmp(line, "one\n") == 0);
    CHECK("ftell", ftell(file) == 4);
    CHECK("fseek_set", fseek(file, 8, SEEK_SET) == 0 && fgetc(file) == 't');
    CHECK("fseek_end", fseek(file, -6, SEEK_END) == 0 && ftell(file) == 8);
    CHECK("fprintf", fprintf(file, "%05d", 42) == 5);
    CHECK("fseek_cur", fseek(file, -5, SEEK_CUR) == 0 && fgetc(file) == '0');
    CHECK("fseek_negative", fseek(file, -1, SEEK_SET) != 0 && errno == EINVAL);
    CHECK("fclose", fclose(file) == 0);
    CHECK("fprintf_result", holds("t/a", "one\ntwo\n00042\n"));
    CHECK("fopen_truncate", put("t/a", "w", "") && holds("t/a", ""));
    CHECK("fopen_exclusive", fopen("t/a", "wx") == NULL && errno == EEXIST);
}

static void descriptors(void) {
    char bytes[8] = "";
    struct stat status;
    int fd = open("t/d", O_CREAT | O_RDWR | O_EXCL, 0644);
    CHECK("open_create", fd >= 0);
    CHECK("write", write(fd, "0123456789", 10) == 10);
    CHECK("pwrite", pwrite(fd, "XY", 2, 4) == 2);
    CHECK("pread", pread(fd, bytes, 4, 3) == 4 && memcmp(bytes, "3XY6", 4) == 0);
    CHECK("lseek_kept", lseek(fd, 0, SEEK_CUR) == 10);
    CHECK("read_at_end", read(fd, bytes, 4) == 0);
    CHECK("ftruncate", ftruncate(fd, 3) == 0 && fstat(fd, &status) == 0 && status.st_size == 3);
    CHECK("write_behind_end", lseek(fd, 5, SEEK_SET) == 5 && write(fd, "Z", 1) == 1);
    CHECK("hole_is_zero", pread(fd, bytes, 6, 0) == 6 && memcmp(bytes, "012\0\0Z", 6) == 0);
    CHECK("fsync", fsync(fd) == 0);
    CHECK("close", close(fd) == 0);
    CHECK("close_twice", close(fd) != 0 && errno == EBADF);
    fd = open("t/d", O_RDONLY);
    CHECK("write_to_read_only", write(fd, "x", 1) < 0 && errno == EBADF);
    close(fd);
    CHECK("open_exists", open("t/d", O_CREAT | O_RDWR | O_EXCL, 0644) < 0 && errno == EEXIST);
    CHECK("open_dir_to_write", open("t", O_RDWR) < 0 && errno == EISDIR);
    CHECK("open_file_as_dir", open("t/d", O_RDONLY | O_DIRECTORY) < 0 && errno == ENOTDIR);
    CHECK("open_trailing_slash", open("t/d/", O_RDONLY) < 0 && errno == ENOTDIR);
}

static void directories(void) {
    struct stat status;
    CHECK("mkdir", mkdir("t/sub", 0755) == 0);
    CHECK("mkdir_exists", mkdir("t/sub", 0755) != 0 && errno == EEXIST);
    CHECK("mkdir_no_parent", mkdir("t/none/sub", 0755) != 0 && errno == ENOENT);
    CHECK("mkdir_below_file", mkdir("t/d/sub", 0755) != 0 && errno == ENOTDIR);
    CHECK("stat_dir", stat("t/sub", &status) == 0 && S_ISDIR(status.st_mode));
    CHECK("stat_file", stat("t/d", &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 6);
    CHECK("stat_missing", stat("t/none", &status) != 0 && errno == ENOENT);
    CHECK("dotdot", stat("t/sub/../d", &status) == 0 && S_ISREG(status.st_mode));
    CHECK("access", access("t/d", F_OK) == 0 && access("t/none", F_OK) != 0 && errno == ENOENT);
    CHECK("readdir", entries("t") == 3 && entries("t/sub") == 0);
    CHECK("opendir_file", opendir("t/d") == NULL && errno == ENOTDIR);
    int made = 0;
    for (int i = 0; i < 500; i++) {
        char path[32];
        snprintf(path, sizeof path, "t/sub/entry_%03d", i);
        made += put(path, "w", "");
    }
    CHECK("readdir_500", made == 500 && entries("t/sub") == 500);
    CHECK("rmdir_not_empty", rmdir("t/sub") != 0 && errno == ENOTEMPTY);
    for (int i = 0; i < 500; i++) {
        char path[32];
        snprintf(path, sizeof path, "t/sub/entry_%03d", i);
        made -= unlink(path) == 0;
    }
    CHECK("unlink_500", made == 0 && entries("t/sub") == 0);
}

static void names(void) {
    char target[16] = "";
    struct stat status;
    CHECK("rename", put("t/r", "w", "r") && rename("t/r", "t/sub/r") == 0 && holds("t/sub/r", "r"));
    CHECK("rename_gone", access("t/r", F_OK) != 0 && errno == ENOENT);
    CHECK("rename_over", put("t/s", "w", "s") && rename("t/s", "t/sub/r") == 0 && holds("t/sub/r", "s"));
    CHECK("rename_missing", rename("t/none", "t/other") != 0 && errno == ENOENT);
    CHECK("rename_into_itself", rename("t/sub", "t/sub/sub") != 0 && errno == EINVAL);
    CHECK("symlink", symlink("sub/r", "t/link") == 0);
    CHECK("readlink", readlink("t/link", target, sizeof target) == 5 && memcmp(target, "sub/r", 5) == 0);
    CHECK("symlink_followed", holds("t/link", "s"));
    CHECK("lstat", lstat("t/link", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK("stat_follows", stat("t/link", &status) == 0 && S_ISREG(status.st_mode));
    CHECK("open_nofollow", open("t/link", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
    CHECK("link", link("t/d", "t/hard") == 0 && stat("t/hard", &status) == 0 && status.st_nlink == 2);
    CHECK("link_shares", put("t/hard", "a", "!") && stat("t/d", &status) == 0 && status.st_size == 7);
    struct timespec times[2] = {{1000, 0}, {1234567890, 5}};
    CHECK("utimensat", utimensat(AT_FDCWD, "t/d", times, 0) == 0);
    CHECK("mtime", stat("t/d", &status) == 0 && status.st_mtim.tv_sec == 1234567890 && status.st_mtim.tv_nsec == 5);
    CHECK("unlink_dir", unlink("t/sub") != 0 && (errno == EISDIR || errno == EPERM));
    CHECK("rmdir_file", rmdir("t/d") != 0 && errno == ENOTDIR);
    CHECK("remove", remove("t/link") == 0 && remove("t/hard") == 0 && remove("t/sub/r") == 0);
    CHECK("unlink_open", put("t/u", "w", "u") && unlink("t/u") == 0 && access("t/u", F_OK) != 0);
    CHECK("rmdir", rmdir("t/sub") == 0 && remove("t/a") == 0 && remove("t/d") == 0 && rmdir("t") == 0);
}

int main(void) {
    CHECK("mkdir_root", mkdir("t", 0755) == 0);
    streams();
    descriptors();
    directories();
    names();
    return failures;
}

// echo: copies stdin to stdout, byte for byte.
// Example: echo < photo.jpg > copy.jpg
#include <unistd.h>

int main(void) {
    static char block[16 * 1024];
    ssize_t count;
    while ((count = read(STDIN_FILENO, block, sizeof block)) > 0) {
        for (ssize_t done = 0; done < count;) {
            ssize_t written = write(STDOUT_FILENO, block + done, (size_t)(count - done));
            if (written < 0) {
                return 1;
            }
            done += written;
        }
    }
    return count < 0;
}

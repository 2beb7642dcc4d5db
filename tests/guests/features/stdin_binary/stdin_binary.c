// stdin_binary: copies stdin to stdout with every byte XORed with 0x5a: all 256 values pass both ways unharmed.
#include <unistd.h>

int main(void) {
    static unsigned char block[16 * 1024];
    ssize_t count;
    while ((count = read(STDIN_FILENO, block, sizeof block)) > 0) {
        for (ssize_t i = 0; i < count; i++) {
            block[i] ^= 0x5a;
        }
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

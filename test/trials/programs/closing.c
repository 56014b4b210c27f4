/* Closes numbers from C, where no function of Python's is in the way. */
#include <unistd.h>

void close_all(int first, int last);

void close_all(int first, int last)
{
    for (int fd = first; fd < last; fd++) {
        close(fd);
    }
}

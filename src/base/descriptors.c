#include "base/descriptors.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

/* The limit is the process's, and so is what it was. */
static struct rlimit before;
static bool raised;

void vf_descriptors_raise(void)
{
    if (raised || getrlimit(RLIMIT_NOFILE, &before) != 0)
        return;
    struct rlimit most = {before.rlim_max, before.rlim_max};
    raised = setrlimit(RLIMIT_NOFILE, &most) == 0;
}

void vf_descriptors_give_back(void)
{
    if (raised)
        setrlimit(RLIMIT_NOFILE, &before);
    raised = false;
}

/* The kernel gives the lowest number that is free. */
int vf_descriptors_spare(int fd)
{
    struct rlimit limit;
    if (fd < 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        (rlim_t)fd + VF_DESCRIPTORS_RESERVE < limit.rlim_cur)
        return fd;
    close(fd);
    errno = EMFILE;
    return -1;
}

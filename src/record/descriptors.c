#include "record/descriptors.h"

#include <errno.h>
#include <unistd.h>

void vf_descriptors_raise(struct vf_descriptors *descriptors)
{
    struct rlimit *before = &descriptors->before;
    if (getrlimit(RLIMIT_NOFILE, before) != 0)
        return;
    struct rlimit most = {before->rlim_max, before->rlim_max};
    descriptors->raised = setrlimit(RLIMIT_NOFILE, &most) == 0;
}

void vf_descriptors_give_back(const struct vf_descriptors *descriptors)
{
    if (descriptors->raised)
        setrlimit(RLIMIT_NOFILE, &descriptors->before);
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

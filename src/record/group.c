#include "record/group.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void stand_by(pid_t recorder)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (syscall(SYS_close_range, 0u, ~0u, 0u) != 0) /* Linux before 5.9 */
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
    while (getppid() == recorder)
        pause();
    _exit(0);
}

void vf_group_open(struct vf_group *group)
{
    sigset_t all, before;
    pid_t recorder = getpid();
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        stand_by(recorder);
    sigprocmask(SIG_SETMASK, &before, NULL);
    group->witness = pid > 0 ? pid : 0;
}

/* The signals that wait for the process (/proc/PID/status, see proc(5)), a bit each. */
static unsigned long long waiting(pid_t pid)
{
    char path[64], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "ShdPnd: %llx", &mask) == 1)
            break;
    if (file)
        fclose(file);
    return mask;
}

bool vf_group_has(struct vf_group *group, int number, pid_t program)
{
    enum { SETTLE_MS = 2 }; /* the kernel gives it to one process of the group after the other */
    if (!group->witness || getpgid(program) != getpgrp())
        return false;
    poll(NULL, 0, SETTLE_MS);
    if (!(waiting(group->witness) >> (number - 1) & 1))
        return false;
    vf_group_close(group); /* that one has seen it; the next signal is another one's to see */
    vf_group_open(group);
    return true;
}

void vf_group_close(struct vf_group *group)
{
    if (!group->witness)
        return;
    kill(group->witness, SIGKILL);
    while (waitpid(group->witness, NULL, 0) < 0 && errno == EINTR)
        continue;
    group->witness = 0;
}

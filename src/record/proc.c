#include "record/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void vf_proc_open(struct vf_proc *proc, pid_t pid)
{
    char path[32];
    vf_proc_close(proc);
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int folder = pid > 0 ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder < 0)
        return;
    *proc = (struct vf_proc){.pid = pid, .folder = folder};
    int tasks = openat(proc->folder, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    proc->tasks = tasks >= 0 ? fdopendir(tasks) : NULL;
    if (tasks >= 0 && !proc->tasks)
        close(tasks);
}

void vf_proc_close(struct vf_proc *proc)
{
    if (vf_proc_is_held(proc) && proc->tasks)
        closedir(proc->tasks);
    if (vf_proc_is_held(proc))
        close(proc->folder);
    *proc = (struct vf_proc){0};
}

/* ---- threads --------------------------------------------------------------------------------- */

bool vf_proc_is_there(const struct vf_proc *proc)
{
    return vf_proc_is_held(proc) && faccessat(proc->folder, "stat", F_OK, 0) == 0;
}

bool vf_proc_has_thread(const struct vf_proc *proc, pid_t tid)
{
    char name[32];
    snprintf(name, sizeof name, "task/%d", (int)tid);
    return vf_proc_is_held(proc) && tid > 0 && faccessat(proc->folder, name, F_OK, 0) == 0;
}

bool vf_proc_list(struct vf_proc *proc)
{
    if (proc->tasks)
        rewinddir(proc->tasks);
    return proc->tasks != NULL;
}

pid_t vf_proc_next(struct vf_proc *proc)
{
    struct dirent *entry;
    uint64_t tid;
    while ((entry = readdir(proc->tasks)))
        if (vf_str_to_u64(vf_str_from(entry->d_name), 10, &tid) && tid > 0 && tid <= INT32_MAX)
            return (pid_t)tid;
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

int vf_proc_file(const struct vf_proc *proc, const char *name)
{
    return vf_proc_is_held(proc) ? openat(proc->folder, name, O_RDONLY | O_CLOEXEC) : -1;
}

void vf_proc_read(const struct vf_proc *proc, const char *name, struct vf_buf *out)
{
    enum { STEP = 65536 }; /* its size is not known before */
    int fd = vf_proc_file(proc, name);
    out->len = 0;
    if (fd < 0)
        return;
    for (;;) {
        ssize_t got = read(fd, vf_buf_reserve(out, STEP), STEP);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        out->len += (size_t)got;
    }
    close(fd);
}

uint64_t vf_proc_stat(const struct vf_proc *proc, int number)
{
    struct vf_buf text = {0};
    uint64_t value = 0;
    vf_proc_read(proc, "stat", &text);
    const char *bracket = text.len ? memrchr(text.ptr, ')', text.len) : NULL;
    if (bracket) {
        struct vf_str rest = {bracket + 1, (size_t)(text.ptr + text.len - bracket - 1)};
        vf_str_cut(&rest, ' ');
        for (int i = 3; i < number; i++)
            vf_str_cut(&rest, ' ');
        vf_str_to_u64(vf_str_cut(&rest, ' '), 10, &value);
    }
    vf_buf_release(&text);
    return value;
}

/* The clock goes by the number: it is the process's if that is there before and behind. */
bool vf_proc_cpu_ns(const struct vf_proc *proc, int64_t *out_ns)
{
    clockid_t clock;
    struct timespec used;
    if (!vf_proc_is_there(proc) || clock_getcpuclockid(proc->pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0 || !vf_proc_is_there(proc))
        return false;
    *out_ns = (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
    return true;
}

#include "record/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Reads a file of /proc as a whole; its size is not known before. */
static void read_all(const char *path, struct vf_buf *out)
{
    enum { STEP = 65536 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
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

/* False where the process is gone, or another program runs in it by now (exec), whose memory tells
 * nothing of what was sampled.  Of the first the name is kept. */
static bool is_still_there(struct vf_session *s)
{
    char path[64], exe[4096];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)s->python_pid);
    ssize_t length = readlink(path, exe, sizeof exe);
    struct vf_str name = {exe, length > 0 ? (size_t)length : 0};
    if (name.len && s->exe.len == 0)
        s->exe = vf_arena_str(&s->arena, name);
    return name.len && vf_str_eq(name, s->exe);
}

void vf_session_read_maps(struct vf_session *s)
{
    char path[64];
    struct vf_buf fresh = {0};
    s->maps_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    s->told = true;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)s->python_pid);
    read_all(path, &fresh);
    if (fresh.len == 0 || !is_still_there(s)) { /* what was read before stays */
        vf_buf_release(&fresh);
        return;
    }
    vf_maps_keep_old(&fresh, vf_buf_view(&s->maps));
    vf_maps_release(&s->known_maps);
    vf_buf_release(&s->maps);
    s->maps = fresh;
    vf_maps_parse(&s->known_maps, vf_buf_view(&s->maps));
    s->maps_stale = false;
}

/* Field `number` (from 3, behind the command's closing bracket) of /proc/PID/stat; see proc(5). */
static uint64_t stat_field(pid_t pid, int number)
{
    char path[64];
    struct vf_buf text = {0};
    uint64_t value = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    read_all(path, &text);
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

/* Processes the program has started and waited for have left page faults in its record (cminflt);
 * those that still run are its threads' children. */
void vf_session_see_children(struct vf_session *s)
{
    enum { FIELD_CMINFLT = 11 };
    char path[64 + 256];
    if (s->forked || stat_field(s->python_pid, FIELD_CMINFLT) > 0)
        s->children = true;
    snprintf(path, sizeof path, "/proc/%d/task", (int)s->python_pid);
    DIR *tasks = s->children ? NULL : opendir(path);
    struct dirent *entry;
    while (tasks && (entry = readdir(tasks))) {
        struct vf_buf text = {0};
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)s->pid, entry->d_name);
        read_all(path, &text);
        s->children |= text.len > 0;
        vf_buf_release(&text);
    }
    if (tasks)
        closedir(tasks);
}

bool vf_session_has_started(const struct vf_session *s, pid_t pid)
{
    enum { FIELD_PPID = 4, GENERATIONS_MAX = 100 };
    for (int i = 0; i < GENERATIONS_MAX && pid > 1 && pid != s->pid; i++)
        pid = (pid_t)stat_field(pid, FIELD_PPID);
    return pid == s->pid;
}

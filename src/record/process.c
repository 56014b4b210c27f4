#include "record/session.h"

#include <stdio.h>
#include <unistd.h>

/* False where the process is gone, or another program runs in it by now (exec), whose memory tells
 * nothing of what was sampled.  Of the first the name is kept. */
static bool is_still_there(struct vf_session *s)
{
    char exe[4096];
    ssize_t length =
        vf_proc_is_held(&s->python) ? readlinkat(s->python.folder, "exe", exe, sizeof exe) : -1;
    struct vf_str name = {exe, length > 0 ? (size_t)length : 0};
    if (name.len && s->exe.len == 0)
        s->exe = vf_arena_str(&s->arena, name);
    return name.len && vf_str_eq(name, s->exe);
}

void vf_session_read_maps(struct vf_session *s)
{
    struct vf_buf fresh = {0};
    s->maps_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    s->told = true;
    vf_proc_read(&s->python, "maps", &fresh);
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

/* Processes the program has started and waited for have left page faults in its record (cminflt);
 * those that still run are its threads' children, as long as it lives itself.  This is asked again
 * and again, so of very many threads not all are. */
void vf_session_see_children(struct vf_session *s)
{
    enum { FIELD_CMINFLT = 11, THREADS_MAX = 256 };
    int left = THREADS_MAX;
    char name[64];
    pid_t tid;
    if (s->forked || vf_proc_stat(&s->python, FIELD_CMINFLT) > 0)
        s->children = true;
    if (s->children || !vf_proc_list(&s->python))
        return;
    while (!s->children && left-- && (tid = vf_proc_next(&s->python))) {
        struct vf_buf text = {0};
        snprintf(name, sizeof name, "task/%d/children", (int)tid);
        vf_proc_read(&s->python, name, &text);
        s->children = text.len > 0;
        vf_buf_release(&text);
    }
}

void vf_session_see_cpu(struct vf_session *s)
{
    int64_t used_ns;
    if (vf_proc_cpu_ns(&s->python, &used_ns))
        s->program_cpu_ns = used_ns;
}

bool vf_session_has_started(const struct vf_session *s, pid_t pid)
{
    enum { FIELD_PPID = 4, GENERATIONS_MAX = 100 };
    struct vf_proc proc = {0};
    for (int i = 0; i < GENERATIONS_MAX && pid > 1 && pid != s->pid; i++) {
        vf_proc_open(&proc, pid);
        pid = (pid_t)vf_proc_stat(&proc, FIELD_PPID);
    }
    vf_proc_close(&proc);
    return pid == s->pid;
}

void vf_session_stop_looking(struct vf_session *s)
{
    s->sampling = false;
    vf_timers_close(&s->timers);
    vf_cpu_end(&s->cpu, &s->cpu_rows);
    vf_session_add_rows(s, VF_SPOOL_CPU, &s->cpu_rows);
    vf_cpu_close(&s->cpu);
    vf_proc_close(&s->python);
}

#include "record/session.h"

/* No word holds a NUL: readers of capture.json refuse it. */
static struct vf_str keep(struct vf_session *s, struct vf_str text)
{
    return vf_arena_str(&s->arena, vf_str_cut(&text, 0));
}

/* ---- threads --------------------------------------------------------------------------------- */

/* `tid`, `name`: false where there is none. */
static bool read_thread(struct vf_str *words, uint64_t *tid)
{
    bool good = vf_str_to_u64(vf_str_cut(words, 0), 10, tid) && *tid <= INT32_MAX;
    *words = vf_str_cut(words, 0);
    return good;
}

/* A thread that begins. */
static void tell_thread(struct vf_session *s, struct vf_str words)
{
    uint64_t tid;
    if (!read_thread(&words, &tid))
        return;
    int64_t now_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    vf_told_begin(&s->threads, tid, words, now_ns);
    vf_timers_begin(&s->timers, &s->ring, &s->python, (pid_t)tid);
}

/* Another name for one, or the first one for the main thread. */
static void tell_name(struct vf_session *s, struct vf_str words)
{
    uint64_t tid;
    if (read_thread(&words, &tid))
        vf_told_name(&s->threads, tid, words, vf_clock_now_ns(CLOCK_MONOTONIC));
}

/* ---- how CPython lays out its objects -------------------------------------------------------- */

static void tell_layout(struct vf_session *s, struct vf_str words)
{
    uint64_t code, name_at, file_at, line;
    struct vf_str code_text = vf_str_cut(&words, 0);
    struct vf_str name_at_text = vf_str_cut(&words, 0);
    struct vf_str name = vf_str_cut(&words, 0);
    struct vf_str file_at_text = vf_str_cut(&words, 0);
    struct vf_str file = vf_str_cut(&words, 0);
    if (vf_str_to_u64(code_text, 10, &code) && vf_str_to_u64(name_at_text, 10, &name_at) &&
        vf_str_to_u64(file_at_text, 10, &file_at) &&
        vf_str_to_u64(vf_str_cut(&words, 0), 10, &line) && name.len && file.len)
        vf_layout_find(&s->layout, s->python.pid, code, name_at, name, file_at, file,
                       (uint32_t)line);
}

static void tell_string(struct vf_session *s, struct vf_str words)
{
    uint64_t at;
    if (vf_str_to_u64(vf_str_cut(&words, 0), 10, &at) && words.len)
        vf_layout_find_string(&s->layout, s->python.pid, at, words);
}

/* ---- the interpreter ------------------------------------------------------------------------- */

/* A second interpreter: a script ran one before it became the program.  The program is what comes
 * last, so all that was taken is forgotten. */
static void start_anew(struct vf_session *s)
{
    vf_session_stop_looking(s);
    vf_session_forget_records(s);
    vf_told_release(&s->threads);
    s->cpu_rows.len = s->pc_rows.len = 0;
    vf_cpu_release(&s->cpu);
    s->maps.len = 0; /* of another program */
    vf_maps_release(&s->known_maps);
    s->exe = VF_STR("");
    s->innermost = s->ended = s->children = s->forked = false;
    s->program_cpu_ns = 0;
    vf_timers_anew(&s->timers, &s->ring);
    vf_rate_anew(&s->rate, &s->timers, vf_clock_now_ns(CLOCK_MONOTONIC));
    s->pc.lost = 0;
}

/* Events that were opened on a script which has started the interpreter do not follow it.  A number
 * that is not of what was started is another namespace's: nothing is asked of a stranger. */
static void follow(struct vf_session *s, pid_t pid)
{
    if (!vf_session_has_started(s, pid)) {
        vf_timers_unknown(&s->timers, &s->ring);
        pid = -1;
    }
    if (s->options->pc_thread && pid > 0 && (pid != s->python_pid || !vf_pc_is_open(&s->pc))) {
        vf_pc_close(&s->pc);
        vf_pc_open(&s->pc, pid, false);
    }
    vf_pc_switch(&s->pc, true); /* the program before it has come here by exec, perhaps */
    vf_timers_close(&s->timers);
    s->python_pid = pid;
    vf_proc_open(&s->python, pid);
}

static void take_hello(struct vf_session *s, struct vf_str words)
{
    uint64_t pid;
    if (s->connected)
        start_anew(s);
    s->connected = true;
    s->implementation = keep(s, vf_str_cut(&words, 0));
    s->version = keep(s, vf_str_cut(&words, 0));
    s->python_version = keep(s, vf_str_cut(&words, 0));
    if (vf_str_to_u64(vf_str_cut(&words, 0), 10, &pid) && pid > 0 && pid <= INT32_MAX)
        follow(s, (pid_t)pid);
    vf_session_read_maps(s);
}

static void take_sampling(struct vf_session *s)
{
    s->sampling = true;
    vf_timers_follow(&s->timers, &s->ring, &s->python, s->python.pid);
}

static void take_exec(struct vf_session *s, struct vf_str words)
{
    vf_pc_switch(&s->pc, false);
    vf_pc_drain(&s->pc, s->python_pid, &s->pc_rows);
    vf_timers_close(&s->timers);
    vf_session_see_cpu(s);
    s->became = keep(s, words);
    s->sampling = false;
}

static void take_exec_failed(struct vf_session *s)
{
    s->became = VF_STR("");
    vf_pc_switch(&s->pc, true);
}

/* The last time that the program can be looked at, if it still lives. */
static void take_ended(struct vf_session *s)
{
    s->ended = true;
    s->sampling = false;
    vf_timers_close(&s->timers);
    vf_session_read_maps(s);
    vf_session_see_children(s);
    vf_session_see_cpu(s);
}

void vf_session_message(struct vf_session *s, struct vf_str words)
{
    struct vf_str what = vf_str_cut(&words, 0);
    s->told = true;
    if (vf_str_eq(what, VF_STR("hello")))
        take_hello(s, words);
    else if (vf_str_eq(what, VF_STR("sampling")))
        take_sampling(s);
    else if (vf_str_eq(what, VF_STR("innermost")))
        s->innermost = true;
    else if (vf_str_eq(what, VF_STR("layout")))
        tell_layout(s, words);
    else if (vf_str_eq(what, VF_STR("string")))
        tell_string(s, words);
    else if (vf_str_eq(what, VF_STR("thread")))
        tell_thread(s, words);
    else if (vf_str_eq(what, VF_STR("name")))
        tell_name(s, words);
    else if (vf_str_eq(what, VF_STR("file")))
        VF_APPEND(&s->long_files, keep(s, words));
    else if (vf_str_eq(what, VF_STR("forked")))
        s->forked = true;
    else if (vf_str_eq(what, VF_STR("ended")))
        take_ended(s);
    else if (vf_str_eq(what, VF_STR("exec")))
        take_exec(s, words);
    else if (vf_str_eq(what, VF_STR("exec-failed")))
        take_exec_failed(s);
    else if (vf_str_eq(what, VF_STR("trouble")))
        vf_warn(s->warnings, "in the program: %.*s", VF_STR_ARG(words));
}

void vf_session_read_failure(struct vf_session *s)
{
    enum { LIMIT = 16384 };
    struct vf_buf text = {0};
    vf_spool_get(&s->spool, "failed", LIMIT, &text);
    struct vf_str words = vf_buf_view(&text);
    if (words.len) {
        s->failure = keep(s, vf_str_cut(&words, 0));
        s->failure_text = keep(s, vf_str_cut(&words, 0));
        s->failure_python = keep(s, words);
    }
    vf_buf_release(&text);
}

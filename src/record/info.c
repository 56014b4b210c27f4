#include "record/session.h"

#include "capture/capture.h"
#include "record/info.h"
#include "record/machine.h"
#include "record/sources.h"

#include <stdio.h>
#include <unistd.h>

static void text(struct vf_json *json, const char *key, struct vf_str value)
{
    if (value.len == 0)
        return;
    vf_json_key(json, key);
    vf_json_str(json, value);
}

static void number(struct vf_json *json, const char *key, int64_t value)
{
    vf_json_key(json, key);
    vf_json_int(json, value);
}

/* A number that the program counts; what can't be one is what it has written over it. */
static void counted(struct vf_json *json, const char *key, uint64_t value)
{
    const uint64_t most = UINT64_C(1) << 53;
    number(json, key, value <= most ? (int64_t)value : 0);
}

/* All signals are timed but those that were put aside by the kernel meanwhile. */
static uint64_t handler_ns(const struct vf_ring *ring)
{
    uint64_t timed = __atomic_load_n(&ring->timed, __ATOMIC_RELAXED);
    uint64_t timed_ns = __atomic_load_n(&ring->timed_ns, __ATOMIC_RELAXED);
    uint64_t samples = __atomic_load_n(&ring->samples, __ATOMIC_RELAXED) +
                       __atomic_load_n(&ring->skipped, __ATOMIC_RELAXED);
    double ns = timed ? (double)timed_ns / (double)timed * (double)samples : 0;
    return ns < 9e15 ? (uint64_t)ns : 0;
}

static struct vf_str interpreter_line(const struct vf_session *s, struct vf_arena *arena)
{
    if (vf_str_eq(s->implementation, VF_STR("pypy")))
        return vf_arena_printf(arena, "PyPy %.*s (Python %.*s)", VF_STR_ARG(s->version),
                               VF_STR_ARG(s->python_version));
    return vf_arena_printf(arena, "CPython %.*s", VF_STR_ARG(s->version));
}

static void write_machine(struct vf_json *json, struct vf_session *s)
{
    const struct vf_machine *machine = &s->machine;
    if (!s->knows_machine)
        vf_machine_read(&s->machine, &s->arena);
    s->knows_machine = true;
    text(json, "host", machine->host);
    text(json, "cpu", machine->cpu);
    text(json, "os", machine->os);
    text(json, "arch", machine->arch);
    number(json, "cpu_count", (int64_t)machine->cpu_count);
    number(json, "memory_bytes", (int64_t)machine->memory_bytes);
    if (s->pairs.len)
        number(json, "counter_unsteady", !machine->steady_counter);
}

static void write_threads(struct vf_json *json, const struct vf_told *told)
{
    if (told->idle)
        number(json, "threads_idle", (int64_t)told->idle);
    if (told->left_out)
        number(json, "threads_left_out", (int64_t)told->left_out);
    vf_json_key(json, "threads");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < told->threads.len; i++) {
        const struct vf_told_thread *thread = &told->threads.items[i];
        vf_json_begin(json, '{');
        number(json, "number", 0);
        number(json, "tid", (int64_t)thread->tid);
        number(json, "from_ns", thread->from_ns);
        if (thread->until_ns)
            number(json, "until_ns", thread->until_ns);
        text(json, "name", vf_str_from(thread->name ? thread->name : ""));
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

static void write_modules(struct vf_json *json, const struct vf_session *s)
{
    vf_json_key(json, "modules");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < s->modules.len; i++) {
        vf_json_begin(json, '{');
        text(json, "path", s->modules.items[i].path);
        text(json, "build_id", s->modules.items[i].build_id);
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

void vf_source_member(char name[64], const struct vf_found_sources *sources, size_t i)
{
    snprintf(name, 64, "sources/%05zu.%s", i, sources->v.items[i].is_native ? "c" : "py");
}

static void write_source_list(struct vf_json *json, const struct vf_found_sources *sources)
{
    char member[64];
    vf_json_key(json, "sources");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < sources->v.len; i++) {
        vf_json_begin(json, '{');
        text(json, "path", sources->v.items[i].path);
        text(json, "real_path", sources->v.items[i].real_path);
        vf_source_member(member, sources, i);
        text(json, "member", vf_str_from(member));
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

static void write_jitlog(struct vf_json *json, struct vf_session *s)
{
    static const char *const modes[] = {
        [VF_JITLOG_NONE] = "none", [VF_JITLOG_AUTO] = "auto", [VF_JITLOG_FULL] = "full"};
    const struct vf_ring *ring = s->ring.shared;
    text(json, "jitlog_mode", vf_str_from(modes[s->options->jitlog]));
    if (ring->jitlog_brief == 0)
        return;
    number(json, "jitlog_detail_until_ns", ring->jitlog_brief_ns);
    counted(json, "jitlog_traces", ring->jitlog_traces);
    counted(json, "jitlog_traces_brief", ring->jitlog_brief);
}

/* How samples were taken, and what that has cost. */
static void write_sampling(struct vf_json *json, struct vf_session *s)
{
    const struct vf_ring *ring = s->ring.shared;
    char note[600];
    if (!ring)
        return;
    text(json, "channel", VF_STR("ring"));
    text(json, "stamps", VF_STR("program"));
    text(json, "timer", vf_str_from(vf_timers_name(&s->timers, &s->ring)));
    snprintf(note, sizeof note, "%s", s->timers.note);
    vf_timers_note(&s->timers, note, sizeof note);
    vf_rate_note(&s->rate, s->start_monotonic_ns, note, sizeof note);
    text(json, "timer_note", vf_str_from(note));
    counted(json, "records_left_out", vf_ring_left_out(&s->ring, VF_RING_KINDS));
    counted(json, "samples_skipped", ring->skipped);
    counted(json, "stacks_unreadable", ring->faults);
    if (vf_str_eq(s->implementation, VF_STR("pypy")))
        write_jitlog(json, s);
    vf_json_key(json, "cost");
    vf_json_begin(json, '{');
    counted(json, "samples", ring->samples);
    counted(json, "handler_ns", handler_ns(ring));
    counted(json, "jitlog_ns", ring->jitlog_ns);
    counted(json, "runtime_log_ns", ring->pypylog_ns);
    counted(json, "runtime_log_bytes", vf_spool_size(&s->spool, VF_SPOOL_PYPYLOG));
    number(json, "recorder_cpu_ns", vf_clock_now_ns(CLOCK_PROCESS_CPUTIME_ID));
    number(json, "program_cpu_ns", s->program_cpu_ns);
    vf_json_end(json, '}');
}

/* All but what is found at the end. */
static void write_run(struct vf_json *json, struct vf_session *s)
{
    struct vf_str command;
    char folder[4096];
    struct vf_arena once = {0}; /* this is called again and again */
    vf_target_command(s->target, &once, &command);
    number(json, "version", VF_CAPTURE_VERSION);
    text(json, "recorder", VF_STR("vmfox " VF_VERSION));
    text(json, "command", command);
    text(json, "program", vf_target_name(s->target));
    text(json, "interpreter", interpreter_line(s, &once));
    text(json, "interpreter_path", s->exe);
    vf_arena_release(&once);
    if (getcwd(folder, sizeof folder))
        text(json, "working_dir", vf_str_from(folder));
    write_machine(json, s);
    number(json, "pid", s->python_pid > 0 ? s->python_pid : s->pid);
    number(json, "children", s->children);
    number(json, "start_realtime_ns", s->start_realtime_ns);
    number(json, "start_monotonic_ns", s->start_monotonic_ns);
    number(json, "end_realtime_ns", s->end_realtime_ns);
    number(json, "end_monotonic_ns", s->end_monotonic_ns);
    number(json, "main_cpu_first_ns", s->cpu.main_first_ns);
    number(json, "exit_code", s->exit_code);
    number(json, "exit_signal", s->exit_signal);
    if (s->native)
        number(json, "native_innermost", s->innermost);
    if (s->options->pc_thread) {
        number(json, "pc_period_ns", s->pc.missing[0] ? 0 : (int64_t)s->pc.period_ns);
        number(json, "pc_lost", (int64_t)s->pc.lost);
        text(json, "pc_missing", vf_str_from(s->pc.missing));
    }
    write_sampling(json, s);
    write_threads(json, &s->threads);
}

void vf_session_write_info(struct vf_buf *out, struct vf_session *s,
                           const struct vf_found_sources *sources)
{
    struct vf_json writer = {.out = out}, *json = &writer;
    if (s->known_info.len) {
        vf_buf_add(out, s->known_info.ptr, s->known_info.len - 1); /* all but the last bracket */
        json->comma = true;
    } else {
        vf_json_begin(json, '{');
        write_run(json, s);
    }
    write_modules(json, s);
    if (sources) {
        number(json, "sources_left_out", (int64_t)sources->left_out);
        write_source_list(json, sources);
    }
    vf_json_end(json, '}');
    vf_buf_add(out, "\n", 1);
}

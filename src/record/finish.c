#include "record/bytecode.h"
#include "record/session.h"

#include <stdio.h>

/* ---- what the program did -------------------------------------------------------------------- */

static bool is_failure(const struct vf_session *s, const char *word)
{
    return vf_str_eq(s->failure, vf_str_from(word));
}

/* Why the interpreter can't be recorded, in words that say what to do. */
static struct vf_str failure_words(struct vf_session *s, const char *python)
{
    bool shut_off = s->target->no_site || s->target->ignores_environment;
    if (is_failure(s, "no-vmprof") && shut_off)
        return vf_arena_printf(&s->arena,
                               "%s finds no vmprof with -S, -E or -I; try without, or install it: "
                               "%s -m pip install vmprof",
                               python, python);
    if (is_failure(s, "no-vmprof"))
        return vf_arena_printf(&s->arena,
                               "%s has no vmprof; install it: %s -m pip install vmprof (or use "
                               "PyPy, which needs nothing)",
                               python, python);
    if (is_failure(s, "broken-vmprof"))
        return vf_arena_printf(&s->arena,
                               "%s can't load its vmprof (%.*s); install it anew: %s -m pip "
                               "install --force-reinstall vmprof",
                               python, VF_STR_ARG(s->failure_text), python);
    if (is_failure(s, "pypy-without"))
        return vf_arena_printf(&s->arena, "%s was built without VMProf (%.*s); try another PyPy",
                               python, VF_STR_ARG(s->failure_text));
    if (is_failure(s, "old-python"))
        return vf_arena_printf(&s->arena, "%s is Python %.*s; Python 3.6 or later is needed",
                               python, VF_STR_ARG(s->failure_text));
    return vf_arena_printf(&s->arena,
                           "%s can't be led to vmfox without touching what is the program's "
                           "(%.*s)",
                           python, VF_STR_ARG(s->failure_text));
}

/* Why there is no recording. */
static enum vf_status explain_failure(struct vf_session *s, struct vf_error *error)
{
    if (s->failure_python.len == 0)
        return vf_fail(error, "%s", failure_words(s, s->target->interpreter).ptr);
    struct vf_str words = failure_words(s, s->failure_python.ptr);
    return vf_fail(error, "the program ran as ever, but nothing was recorded: %s", words.ptr);
}

/* What the program has done that leaves something out. */
static void say_of_program(struct vf_session *s)
{
    if (s->children)
        vf_warn(s->warnings,
                "the program started other processes; only the first one is in the profile");
    if (s->became.len)
        vf_warn(s->warnings,
                "the program was replaced by another one (exec %.*s); from there on nothing is in "
                "the profile",
                VF_STR_ARG(s->became));
    if (s->ring.broken)
        vf_warn(s->warnings, "the program has written over the memory that it shares with vmfox; "
                             "from there on nothing is in the profile");
    if (s->ring.shared && s->ring.shared->gave_up)
        vf_warn(s->warnings, "vmfox stood still for more than 5 minutes, and the program took it "
                             "for gone; from there on nothing is in the profile");
    if (s->ring.shared && s->ring.shared->faults)
        vf_warn(s->warnings, "%llu stacks could not be read and were left out",
                (unsigned long long)s->ring.shared->faults);
    if (s->damaged_log_bytes)
        vf_warn(s->warnings,
                "%llu bytes from the program are no words of PyPy's log and were left out",
                (unsigned long long)s->damaged_log_bytes);
    uint64_t left_out = vf_ring_left_out(&s->ring, VF_RING_KINDS);
    if (left_out)
        vf_warn(s->warnings,
                "vmfox came too late for %llu records, which were left out (the machine was too "
                "busy)",
                (unsigned long long)left_out);
}

static void say_what_is_missing(struct vf_session *s)
{
    bool pypy = vf_str_eq(s->implementation, VF_STR("pypy"));
    if (s->options->native && !s->native)
        vf_warn(s->warnings, "no native frames: VMProf has them on x86-64 alone");
    else if (s->native && s->connected && !s->innermost)
        vf_warn(s->warnings, "no native frames: vmfox's libunwind.so could not be loaded into the "
                             "program, or can't work there (C libraries before glibc 2.35)");
    if (pypy && s->options->pypylog && !s->pypylog)
        vf_warn(s->warnings, "PYPYLOG is set in the environment and was left alone; the capture "
                             "has no log");
    if (s->options->pc_thread && s->pc.missing[0])
        vf_warn(s->warnings, "no thread of instruction addresses: %s", s->pc.missing);
    say_of_program(s);
}

/* Of a program that had no time to begin with anything. */
static enum vf_status explain_nothing(const struct vf_session *s, struct vf_error *error)
{
    const char *python = s->target->interpreter;
    if (s->exit_signal)
        return vf_fail(error, "%s was ended by SIG%s before %s; nothing was recorded", python,
                       sigabbrev_np(s->exit_signal) ? sigabbrev_np(s->exit_signal) : "?",
                       s->connected ? "sampling had begun" : "Python had started");
    if (!s->connected)
        return vf_fail(error,
                       "%s did not load vmfox's bootstrap, so nothing was recorded; is it a "
                       "Python 3 interpreter?",
                       python);
    return vf_fail(error, "VMProf wrote nothing");
}

/* ---- where there is no room ------------------------------------------------------------------ */

/* What had no room in the temporary folder. */
static void say_what_had_no_room(struct vf_session *s)
{
    const struct vf_spool *spool = &s->spool;
    bool logs = vf_str_eq(s->implementation, VF_STR("pypy")) &&
                (s->pypylog || s->options->jitlog != VF_JITLOG_NONE);
    bool addresses = s->options->pc_thread && !s->pc.missing[0];
    if (spool->logs_given_up && (logs || addresses))
        vf_warn(
            s->warnings,
            "%s are left out: files in %s %s; name another folder with TMPDIR, or record %s%s%s",
            vf_session_logs_text(logs, addresses), s->temp, spool->error.text,
            logs ? "with --no-pypylog --no-jitlog" : "", logs && addresses ? " and " : "",
            addresses ? "without --pc-thread" : "");
    if (s->left_out_ns)
        vf_warn(s->warnings, "samples from second %.1f on are not in the recording: files in %s %s",
                (double)(s->left_out_ns - s->start_monotonic_ns) / 1e9, s->temp, spool->error.text);
}

/* The folder stays for `vmfox recover`, with all that there is room for.  Beside a recording that
 * has the less in it only where it has more. */
static void keep_folder(struct vf_session *s, struct vf_record_result *result)
{
    bool all = vf_spool_flush_again(&s->spool);
    s->told = true;
    s->info_ns = 0;
    vf_session_flush(s);
    if (s->bytecode.len)
        vf_spool_put(&s->spool, "bytecode.txt", vf_buf_view(&s->bytecode));
    bool more = result->detail == VF_DETAIL_NONE || result->detail == VF_DETAIL_SHORT || all;
    if (s->spool.written[VF_SPOOL_PROF] == 0 || !more)
        return;
    s->spool.keeps_folder = true;
    result->remains = vf_strdup(vf_str_from(s->spool.folder));
    result->remains_part = !all || s->told; /* not even session.json had room */
    if (!all && s->waiting_ns > s->start_monotonic_ns)
        result->remains_until_ns = s->waiting_ns - s->start_monotonic_ns;
}

/* Where nothing takes all of the recording, what it was to be made of stays. */
static enum vf_status save(struct vf_session *s, struct vf_record_result *result,
                           struct vf_error *error)
{
    struct vf_error why;
    enum vf_status status = vf_session_save(s, s->place, result, &why);
    if (result->detail != VF_DETAIL_ALL)
        keep_folder(s, result);
    if (status != VF_FATAL)
        return VF_OK;
    return vf_fail(error, "the recording %s, and no other folder takes it%s: %s", why.text,
                   result->remains ? "" : ", so it is lost", s->place->path);
}

enum vf_status vf_session_finish(struct vf_session *s, struct vf_record_result *result,
                                 struct vf_error *error)
{
    result->exit_code = s->exit_signal ? 128 + s->exit_signal : s->exit_code;
    result->exit_signal = s->exit_signal;
    if (!s->has_stream) /* else it is of one that ran before */
        vf_session_read_failure(s);
    result->started = s->failure.len == 0 || s->failure_python.len > 0;
    if (s->failure.len)
        return explain_failure(s, error);
    say_what_is_missing(s);
    if (!s->connected || !s->has_stream)
        return explain_nothing(s, error);
    vf_session_finish_stream(s);
    s->info_ns = 0;
    vf_session_flush(s);
    say_what_had_no_room(s);
    vf_session_bytecode(s);
    return save(s, result, error);
}

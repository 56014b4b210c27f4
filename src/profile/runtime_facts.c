#include "profile/runtime.h"

static const char PYPY[] = "PyPy", CLOCK[] = "Clock";

static void add_clock(struct vf_runtime *r)
{
    struct vf_profile *p = r->profile;
    vf_profile_extra(p, CLOCK, "Source", "%s", vf_ticks_describe(r->ticks.source));
    if (vf_ticks_measured(&r->ticks))
        vf_profile_extra(p, CLOCK, "Readings of both clocks", "%zu", r->ticks.knots.len);
    vf_profile_extra(p, CLOCK, "Rate", "%.6f MHz", r->ticks.ticks_per_ms / 1e3);
    if (r->ticks.source == VF_TICKS_PAIRS)
        vf_profile_extra(p, CLOCK, "Error", "%.2f µs (%s)%s", r->ticks.error_ms * 1e3,
                         r->ticks.knots.len > 2 ? "largest residual, and the readings' own"
                                                : "the readings' own",
                         r->ticks.unsteady ? ", and more if the processor's cores count apart: it "
                                             "does not say that they don't"
                                           : "");
    else if (r->ticks.source == VF_TICKS_THREAD_CPU)
        vf_profile_extra(p, CLOCK, "Error",
                         "%.0f µs (a tick of the kernel, and the longest sleep between readings)",
                         r->ticks.error_ms * 1e3);
    else
        vf_profile_extra(p, CLOCK, "Error", "not known: nothing was measured");
}

static double share(const struct vf_runtime *r, double ms)
{
    return r->profile->run_ms > 0 ? 100 * ms / r->profile->run_ms : 0;
}

static void add_sums(struct vf_runtime *r)
{
    static const char *const labels[VF_RUNTIME_CLASSES] = {
        [VF_RUNTIME_RUNNING] = "Interpreter, compiled code, waiting",
        [VF_RUNTIME_TRACING] = "Tracing",
        [VF_RUNTIME_OPTIMIZING] = "Optimising",
        [VF_RUNTIME_BACKEND] = "Backend",
        [VF_RUNTIME_MINOR] = "Minor collections",
        [VF_RUNTIME_MAJOR] = "Major collections",
        [VF_RUNTIME_OTHER] = "Other work of the runtime",
    };
    double sum = 0;
    for (int i = 0; i < VF_RUNTIME_CLASSES; i++) {
        vf_profile_extra(r->profile, PYPY, labels[i], "%.3f ms (%.2f %%)", r->class_ms[i],
                         share(r, r->class_ms[i]));
        sum += r->class_ms[i];
    }
    vf_profile_extra(r->profile, PYPY, "Together: the run", "%.3f ms", sum);
    if (r->whole_tracing_ms > 0)
        vf_profile_extra(r->profile, PYPY, "Tracing and all that happens meanwhile",
                         "%.3f ms (%.2f %%)", r->whole_tracing_ms, share(r, r->whole_tracing_ms));
}

static bool is_shown(struct vf_runtime *r, uint32_t section)
{
    double start, end;
    return vf_runtime_span(r, section, &start, &end);
}

static size_t count_minors(struct vf_runtime *r)
{
    size_t count = 0;
    for (size_t i = 0; i < r->log.minors.len; i++)
        count += is_shown(r, r->log.minors.items[i].section);
    return count;
}

static void add_counts(struct vf_runtime *r)
{
    const struct vf_log_summary *s = &r->part.summary;
    size_t steps = 0, done = 0, traces = 0, aborted = 0;
    for (size_t i = 0; i < r->log.steps.len; i++) {
        bool shown = is_shown(r, r->log.steps.items[i].section);
        steps += shown;
        done += shown && r->log.steps.items[i].done;
    }
    for (size_t i = 0; i < r->log.traces.len; i++) {
        bool shown = is_shown(r, r->log.traces.items[i].section);
        traces += shown;
        aborted += shown && r->log.traces.items[i].aborted.len > 0;
    }
    vf_profile_extra(r->profile, PYPY, "Collections", "%zu minor, %zu major (in %zu steps)",
                     count_minors(r), done, steps);
    vf_profile_extra(r->profile, PYPY, "Traces", "%zu begun, %zu of them aborted", traces, aborted);
    if (s->has_text && is_shown(r, s->section))
        vf_profile_extra(r->profile, PYPY, "By the JIT's own stopwatch",
                         "%.3f ms tracing and optimising, %.3f ms backend (collections "
                         "included), of %.3f ms since its first trace",
                         s->tracing_s * 1e3, s->backend_s * 1e3, s->total_s * 1e3);
}

/* What the figures leave out, so that nobody takes a part for the whole. */
static void add_limits(struct vf_runtime *r)
{
    bool made = false;
    for (uint32_t i = r->part.first; i < r->part.end && !made; i++)
        made = r->log.sections.items[i].made;
    if (r->class_ms[VF_RUNTIME_TRACING] > 0)
        vf_profile_extra(r->profile, PYPY, "Tracing includes",
                         "what the traced code calls meanwhile: the log does not tell it apart");
    if (made)
        vf_profile_extra(r->profile, PYPY, "Backend is",
                         "the time from a trace's number to its address in the log: PyPy's own "
                         "section for it is not in this log");
    if (r->has_jitlog)
        vf_profile_extra(r->profile, PYPY, "The JIT's own log",
                         "was on: the time it takes to write counts as tracing; for times of "
                         "compilation without it record with --no-jitlog");
    if (count_minors(r) == 0)
        vf_profile_extra(r->profile, PYPY, "Not in the log", "minor collections");
    if (r->labelled || r->ambiguous || r->elsewhere)
        vf_profile_extra(r->profile, PYPY, "Samples taken inside a section",
                         "%llu have it as their leaf; %llu have not, being in another library (a "
                         "thread without the interpreter's lock, or what a trace calls), and %llu "
                         "as their section holds samples of several threads",
                         (unsigned long long)r->labelled, (unsigned long long)r->elsewhere,
                         (unsigned long long)r->ambiguous);
    else if (r->not_labelled)
        vf_profile_extra(r->profile, PYPY, "Samples taken inside a section", "%s", r->not_labelled);
}

void vf_runtime_add_facts(struct vf_runtime *r)
{
    if (!r->shown)
        return;
    add_clock(r);
    add_sums(r);
    add_counts(r);
    add_limits(r);
}

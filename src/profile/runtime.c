#include "profile/runtime.h"

#include "profile/jit.h"
#include "profile/window.h"

#include "capture/vmprof.h"

/* ---- which part -------------------------------------------------------------------------------
 */

static uint32_t sections_within(const struct vf_runtime_log *log, const struct vf_log_part *part,
                                uint64_t first, uint64_t last)
{
    uint32_t count = 0;
    for (uint32_t i = part->first; i < part->end; i++)
        count += log->sections.items[i].start >= first && log->sections.items[i].start <= last;
    return count;
}

/* Of several logs in one file the one with most in it; with readings of the counter, most within
 * the recording. */
static void choose_part(struct vf_runtime *r, const struct vf_capture *capture,
                        struct vf_warnings *warnings)
{
    uint64_t first = 0, last = UINT64_MAX;
    uint32_t most = 0;
    size_t chosen = 0;
    vf_ticks_range(capture, &first, &last);
    for (size_t i = 0; i < r->log.parts.len; i++) {
        uint32_t count = sections_within(&r->log, &r->log.parts.items[i], first, last);
        if (count > most) {
            most = count;
            chosen = i;
        }
    }
    r->part = r->log.parts.items[chosen];
    if (r->log.parts.len > 1 && most > 0)
        vf_warn(warnings,
                "PYPYLOG: %zu logs stand in the file, the second from line %llu on; the one in "
                "lines %llu to %llu is shown",
                r->log.parts.len, (unsigned long long)r->log.parts.items[1].first_line,
                (unsigned long long)r->part.first_line, (unsigned long long)r->part.last_line);
}

/* ---- phases -----------------------------------------------------------------------------------
 */

static double within(const struct vf_runtime *r, double ms)
{
    if (ms < 0)
        return 0;
    return ms < r->profile->run_ms ? ms : r->profile->run_ms;
}

bool vf_runtime_span(struct vf_runtime *r, uint32_t section, double *start_ms, double *end_ms)
{
    const double slack_ms = 1e-6; /* for rounding where the log's end is laid on the profile's */
    if (section < r->part.first || section >= r->part.end)
        return false;
    const struct vf_log_section *s = &r->log.sections.items[section];
    *start_ms = vf_ticks_ms(&r->ticks, s->start);
    *end_ms = vf_ticks_ms(&r->ticks, s->stop);
    if (*start_ms > r->profile->run_ms + slack_ms || *end_ms < -slack_ms)
        return false;
    *start_ms = within(r, *start_ms);
    *end_ms = within(r, *end_ms);
    return true;
}

static void add_phase(struct vf_runtime *r, double time_ms, uint32_t section)
{
    struct vf_phase *last = r->phases.len ? &r->phases.items[r->phases.len - 1] : NULL;
    if (last && time_ms <= last->time_ms)
        last->section = section;
    else
        VF_APPEND(&r->phases, ((struct vf_phase){time_ms, section}));
}

static void close_until(struct vf_runtime *r, uint32_t *open, uint32_t *depth, uint64_t start)
{
    const struct vf_log_section *sections = r->log.sections.items;
    while (*depth && sections[open[*depth - 1]].stop <= start) {
        uint64_t stop = sections[open[--*depth]].stop;
        add_phase(r, within(r, vf_ticks_ms(&r->ticks, stop)),
                  *depth ? open[*depth - 1] : VF_LOG_NONE);
    }
}

/* Where the i-th phase ends. */
static double phase_end(const struct vf_runtime *r, size_t i)
{
    return i + 1 < r->phases.len ? r->phases.items[i + 1].time_ms : r->profile->run_ms;
}

/* Sections come in the order in which they open, and lie inside each other or apart. */
static void make_phases(struct vf_runtime *r)
{
    uint32_t open[VF_LOG_DEPTH_MAX], depth = 0;
    add_phase(r, 0, VF_LOG_NONE);
    for (uint32_t i = r->part.first; i < r->part.end; i++) {
        const struct vf_log_section *section = &r->log.sections.items[i];
        double start, end;
        if (!vf_runtime_span(r, i, &start, &end)) {
            if (r->outside.count++ == 0)
                r->outside.line = section->line;
            continue;
        }
        close_until(r, open, &depth, section->start);
        add_phase(r, start, i);
        open[depth++] = i;
    }
    close_until(r, open, &depth, UINT64_MAX);
}

/* ---- sums -------------------------------------------------------------------------------------
 */

static enum vf_runtime_class class_of(enum vf_log_kind kind)
{
    switch ((int)kind) {
    case VF_LOG_MINOR:
    case VF_LOG_WALKROOTS:
        return VF_RUNTIME_MINOR;
    case VF_LOG_STEP:
    case VF_LOG_DONE:
        return VF_RUNTIME_MAJOR;
    case VF_LOG_TRACING:
        return VF_RUNTIME_TRACING;
    case VF_LOG_OPTIMIZE:
        return VF_RUNTIME_OPTIMIZING;
    case VF_LOG_BACKEND:
        return VF_RUNTIME_BACKEND;
    case VF_LOG_OTHER:
        return VF_RUNTIME_RUNNING;
    default:
        return VF_RUNTIME_OTHER;
    }
}

/* The class of the innermost section that has one of its own, the innermost trace (VF_LOG_NONE:
 * none), and whether jit-tracing is open. */
static enum vf_runtime_class classify(const struct vf_runtime_log *log, uint32_t section,
                                      uint32_t *trace, bool *tracing)
{
    enum vf_runtime_class found = VF_RUNTIME_RUNNING;
    *trace = VF_LOG_NONE;
    *tracing = false;
    for (; section != VF_LOG_NONE; section = log->sections.items[section].parent) {
        enum vf_log_kind kind = vf_log_section_kind(log, section);
        enum vf_runtime_class own = class_of(kind);
        if (found == VF_RUNTIME_RUNNING || found == VF_RUNTIME_OTHER)
            found = own == VF_RUNTIME_RUNNING ? found : own;
        if (kind == VF_LOG_TRACING || kind == VF_LOG_BACKEND || kind == VF_LOG_ALLOC) {
            if (*trace == VF_LOG_NONE)
                *trace = log->sections.items[section].record;
        }
        *tracing |= kind == VF_LOG_TRACING;
    }
    return found;
}

static void add_up(struct vf_runtime *r)
{
    r->trace_ms = vf_alloc_zeroed(r->log.traces.len + 1, sizeof *r->trace_ms);
    for (size_t i = 0; i < r->phases.len; i++) {
        uint32_t trace;
        bool tracing;
        double ms = phase_end(r, i) - r->phases.items[i].time_ms;
        enum vf_runtime_class class =
            classify(&r->log, r->phases.items[i].section, &trace, &tracing);
        r->class_ms[class] += ms;
        if (tracing)
            r->whole_tracing_ms += ms;
        if (trace != VF_LOG_NONE)
            r->trace_ms[trace][class] += ms;
    }
}

/* ---- frames -----------------------------------------------------------------------------------
 */

static enum vf_category category_of(enum vf_log_kind kind)
{
    switch ((int)kind) {
    case VF_LOG_MINOR:
    case VF_LOG_WALKROOTS:
    case VF_LOG_STEP:
    case VF_LOG_DONE:
    case VF_LOG_NURSERY:
    case VF_LOG_GC:
        return VF_CATEGORY_GC;
    case VF_LOG_OTHER:
        return VF_CATEGORY_OTHER;
    default:
        return VF_CATEGORY_JIT_COMPILATION;
    }
}

/* A frame of the runtime: in no library of the program, but one of its own, so that it is not
 * drawn as a label. */
static vf_frame_id runtime_frame(struct vf_profile *p, struct vf_str name,
                                 enum vf_category category)
{
    vf_string_id lib = vf_strings_add(&p->strings, VF_STR("PyPy runtime"));
    struct vf_func func = {.name = vf_strings_add(&p->strings, name),
                           .source = {VF_NONE},
                           .lib = vf_funcs_lib(&p->funcs, lib, lib)};
    return vf_stacks_frame(&p->stacks, (struct vf_frame_row){.func = vf_funcs_func(&p->funcs, func),
                                                             .native = {VF_NONE},
                                                             .address = -1,
                                                             .category = (uint8_t)category});
}

static vf_frame_id frame_of(struct vf_runtime *r, uint32_t section)
{
    uint32_t name = r->log.sections.items[section].name;
    if (r->frames[name].i == VF_NONE)
        r->frames[name] = runtime_frame(r->profile, r->log.names.items[name].text,
                                        category_of(r->log.names.items[name].kind));
    return r->frames[name];
}

/* `stack` with the open sections on it; those of the program itself only where they are asked for:
 * they hold Python code, and are no leaves. */
static vf_stack_id push_sections(struct vf_runtime *r, vf_stack_id stack, uint32_t section,
                                 bool with_program)
{
    uint32_t open[VF_LOG_DEPTH_MAX], depth = 0;
    for (; section != VF_LOG_NONE && depth < VF_LOG_DEPTH_MAX;
         section = r->log.sections.items[section].parent)
        if (with_program || vf_log_section_kind(&r->log, section) != VF_LOG_OTHER)
            open[depth++] = section;
    while (depth)
        stack = vf_stacks_push(&r->profile->stacks, stack, frame_of(r, open[--depth]));
    return stack;
}

/* The outermost section of the runtime's own that was open; VF_LOG_NONE: none. */
static uint32_t root_of(const struct vf_runtime_log *log, uint32_t section)
{
    uint32_t root = VF_LOG_NONE;
    for (; section != VF_LOG_NONE; section = log->sections.items[section].parent)
        if (vf_log_section_kind(log, section) != VF_LOG_OTHER)
            root = section;
    return root;
}

static uint8_t leaf_category(const struct vf_profile *p, vf_stack_id stack)
{
    return p->stacks.frames.items[p->stacks.stacks.items[stack.i].frame.i].category;
}

/* The timeline gives a sample the time from halfway to the one before to halfway to the one behind,
 * as high as the CPU time in it.  So that work of the runtime is as long as it was and in its own
 * colour, it ends with a sample of its own, which weighs nothing. */
static bool add_end(const struct vf_profile *p, struct vf_thread *thread,
                    const struct vf_sample_row *next)
{
    struct vf_sample_row end = thread->samples.items[thread->samples.len - 1];
    if (leaf_category(p, end.stack) == leaf_category(p, next->stack))
        return false;
    end.cpu_ns = next->cpu_ns;
    end.time_ms = next->time_ms;
    end.weight = 0;
    VF_APPEND(&thread->samples, end);
    return true;
}

void vf_runtime_add_thread(struct vf_runtime *r)
{
    struct vf_profile *p = r->profile;
    struct vf_thread *thread = VF_PUSH(&p->threads);
    vf_stack_id running =
        vf_stacks_push(&p->stacks, (vf_stack_id){VF_NONE},
                       runtime_frame(p, VF_STR("running"), VF_CATEGORY_INTERPRETER));
    thread->name = vf_strings_add(&p->strings, VF_STR("PyPy runtime"));
    thread->is_runtime = true;
    thread->weighted = true;
    thread->has_cpu = true;
    for (size_t i = 0; i < r->phases.len; i++) {
        const struct vf_phase *phase = &r->phases.items[i];
        struct vf_sample_row row = {.time_ms = phase->time_ms,
                                    .stack = running,
                                    .weight = (float)(phase_end(r, i) - phase->time_ms)};
        if (phase->section != VF_LOG_NONE)
            row.stack = push_sections(r, (vf_stack_id){VF_NONE}, phase->section, true);
        /* The timeline's height: how much of the time since the sample before was the runtime's. */
        if (i && root_of(&r->log, phase[-1].section) != VF_LOG_NONE) {
            row.cpu_ns = (float)((phase->time_ms - phase[-1].time_ms) * 1e6);
            if (add_end(p, thread, &row))
                row.cpu_ns = 0;
        }
        VF_APPEND(&thread->samples, row);
    }
}

/* ---- leaves of samples ------------------------------------------------------------------------
 */

/* Where a library's code can run: in the runtime, below it (the collector clears memory), or only
 * elsewhere. */
enum where { ELSEWHERE, BELOW, INSIDE };

static enum where place_of(const struct vf_runtime *r, vf_stack_id stack)
{
    const struct vf_profile *p = r->profile;
    if (stack.i == VF_NONE)
        return INSIDE;
    const struct vf_frame_row *frame =
        &p->stacks.frames.items[p->stacks.stacks.items[stack.i].frame.i];
    vf_lib_id lib = p->funcs.funcs.items[frame->func.i].lib;
    if (p->jit && lib.i == p->jit->lib.i) /* a trace, or nothing at all */
        return INSIDE;
    if (lib.i == VF_NONE) /* a Python frame: the JIT's code below it has none of its own */
        return INSIDE;
    struct vf_str name = vf_strings_get(&p->strings, p->funcs.libs.items[lib.i].name);
    if (name.len == 0 || memmem(name.ptr, name.len, "pypy", 4))
        return INSIDE;
    return vf_str_starts(name, VF_STR("libc.so")) || vf_str_starts(name, VF_STR("libc-")) ||
                   vf_str_starts(name, VF_STR("ld-"))
               ? BELOW
               : ELSEWHERE;
}

/* True for a sample that can be of the section's own work. */
static bool is_inside(const struct vf_runtime *r, vf_stack_id stack, uint32_t section, bool several)
{
    enum where where = place_of(r, stack);
    bool gc = category_of(vf_log_section_kind(&r->log, section)) == VF_CATEGORY_GC;
    return where == INSIDE || (where == BELOW && gc && !several);
}

/* Walks a thread's samples along the phases.  First pass (`label` false): notes in `owners`, by
 * outermost section, which thread has samples in it.  Second: labels those of one thread. */
static void walk_samples(struct vf_runtime *r, uint32_t thread, uint32_t *owners, bool label)
{
    const uint32_t several = UINT32_MAX;
    struct vf_thread *t = &r->profile->threads.items[thread];
    size_t at = 0;
    for (size_t i = 0; i < t->samples.len; i++) {
        struct vf_sample_row *sample = &t->samples.items[i];
        while (at + 1 < r->phases.len && r->phases.items[at + 1].time_ms <= sample->time_ms)
            at++;
        uint32_t section = r->phases.items[at].section, root = root_of(&r->log, section);
        if (root == VF_LOG_NONE || sample->stack.i == VF_OUTSIDE)
            continue;
        uint32_t *owner = &owners[root - r->part.first];
        if (!is_inside(r, sample->stack, section, r->profile->threads.len > 1)) {
            r->elsewhere += label;
        } else if (!label) {
            *owner = *owner == 0 || *owner == thread + 1 ? thread + 1 : several;
        } else if (*owner == several) {
            r->ambiguous++;
        } else {
            sample->stack = push_sections(r, sample->stack, section, false);
            r->labelled++;
        }
    }
}

/* NULL: samples can be said to lie in a section or not. */
static const char *why_not(const struct vf_runtime *r, const struct vf_capture *capture,
                           const struct vf_clock *clock, unsigned mode)
{
    const double error_max_ms = 0.1;
    if (clock->source == VF_CLOCK_CPU || clock->source == VF_CLOCK_SPREAD)
        return "not shown in the stacks: the times of the samples are not measured";
    if (r->ticks.error_ms < 0 || r->ticks.error_ms > error_max_ms || r->ticks.unsteady)
        return "not shown in the stacks: the times of the sections are too rough for it";
    if ((mode & VF_MODE_REAL_TIME) &&
        (r->profile->threads.len > 1 || capture->info.threads.len > 1))
        return "not shown in the stacks: there are several threads, and samples of waiting ones";
    if (r->profile->threads.len > 1 && !(mode & VF_MODE_NATIVE))
        return "not shown in the stacks: there are several threads, and without native frames "
               "nothing says which one held the interpreter's lock";
    return NULL;
}

void vf_runtime_label_samples(struct vf_runtime *r, const struct vf_capture *capture,
                              const struct vf_clock *clock, unsigned mode)
{
    size_t threads = r->profile->threads.len;
    r->not_labelled = why_not(r, capture, clock, mode);
    if (!r->shown || r->not_labelled)
        return;
    uint32_t *owners = vf_alloc_zeroed(r->part.end - r->part.first + 1, sizeof *owners);
    for (uint32_t i = 0; i < threads; i++)
        walk_samples(r, i, owners, false);
    for (uint32_t i = 0; i < threads; i++)
        walk_samples(r, i, owners, true);
    free(owners);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static void place(struct vf_runtime *r, const struct vf_capture *capture,
                  const struct vf_clock *clock, struct vf_warnings *warnings)
{
    uint32_t count = r->part.end - r->part.first;
    vf_ticks_init(&r->ticks, capture, clock, &r->log, &r->part, r->profile->run_ms);
    if (r->ticks.source == VF_TICKS_NONE) {
        vf_warn(warnings, "PYPYLOG: nothing says when its lines were written; it is not shown");
        return;
    }
    make_phases(r);
    if (vf_ticks_measured(&r->ticks) && r->outside.count * 2 > count) {
        vf_warn(warnings,
                "PYPYLOG: %llu of its %u sections lie outside the recording: it is the log of "
                "another run, and is not shown",
                (unsigned long long)r->outside.count, count);
        return;
    }
    if (!vf_ticks_measured(&r->ticks))
        vf_warn(warnings, "PYPYLOG: the times of its lines are an %s",
                vf_ticks_describe(r->ticks.source));
    if (r->outside.count)
        vf_warn(warnings,
                "PYPYLOG: line %llu: %llu sections lie before the profile's start or behind its "
                "end; they are left out",
                (unsigned long long)r->outside.line, (unsigned long long)r->outside.count);
    r->shown = true;
    r->frames = vf_alloc(r->log.names.len + 1, sizeof *r->frames);
    for (size_t i = 0; i < r->log.names.len; i++)
        r->frames[i].i = VF_NONE;
    add_up(r);
}

void vf_runtime_init(struct vf_runtime *r, struct vf_profile *profile,
                     const struct vf_capture *capture, const struct vf_clock *clock,
                     struct vf_warnings *warnings)
{
    *r = (struct vf_runtime){.profile = profile};
    if (!capture->pypylog.ptr)
        return;
    vf_runtime_log_read(&r->log, capture->pypylog);
    vf_runtime_log_warn(&r->log, warnings);
    if (r->log.sections.len == 0) {
        vf_warn(warnings, "PYPYLOG: there are no sections in it");
        return;
    }
    vf_runtime_join_jitlog(r);
    choose_part(r, capture, warnings);
    place(r, capture, clock, warnings);
}

void vf_runtime_release(struct vf_runtime *r)
{
    vf_runtime_log_release(&r->log);
    vf_ticks_release(&r->ticks);
    free(r->phases.items);
    free(r->frames);
    free(r->trace_ms);
    *r = (struct vf_runtime){0};
}

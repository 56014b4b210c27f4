#include "profile/runtime.h"

#include <stdio.h>

static vf_string_id text_id(struct vf_runtime *r, struct vf_str text)
{
    return vf_strings_add(&r->profile->strings, text);
}

/* ---- counters ---------------------------------------------------------------------------------
 */

enum { HEAP, SURVIVORS, CODE, LOOPS, BRIDGES };

static const struct vf_counter counters[] = {
    [HEAP] = {.name = "Heap in use",
              .category = "Memory",
              .description = "The collector's figure behind each collection, without the nursery",
              .unit = "bytes",
              .color = "orange",
              .rows_label = "in use behind the collection"},
    [SURVIVORS] = {.name = "Survivors",
                   .category = "Memory",
                   .description = "What each minor collection moved out of the nursery",
                   .unit = "bytes",
                   .color = "yellow",
                   .rows_label = "survived"},
    [CODE] = {.name = "Machine code",
              .category = "JIT",
              .description = "Bytes of machine code the JIT has written so far",
              .unit = "bytes",
              .color = "purple",
              .rows_label = "written so far"},
    [LOOPS] = {.name = "Loops alive",
               .category = "JIT",
               .description = "Compiled loops and functions, less those the JIT has freed",
               .unit = "number",
               .color = "magenta",
               .rows_label = "loops"},
    [BRIDGES] = {.name = "Bridges alive",
                 .category = "JIT",
                 .description = "Compiled bridges; those freed together with their loop are known, "
                                "and taken off, at the end only",
                 .unit = "number",
                 .color = "blue",
                 .rows_label = "bridges"},
};

static void add_row(struct vf_counter *counter, double time_ms, double value)
{
    VF_APPEND(&counter->rows, ((struct vf_counter_row){time_ms, value}));
}

/* A level that holds until it changes. */
static void step_to(struct vf_counter *counter, double time_ms, double value)
{
    double before = counter->rows.len ? counter->rows.items[counter->rows.len - 1].value : 0;
    if (before == value)
        return;
    add_row(counter, time_ms, before);
    add_row(counter, time_ms, value);
}

/* A level lasts until the end of the run. */
static void keep(struct vf_runtime *r, struct vf_counter counter, bool level)
{
    size_t n = counter.rows.len;
    if (n && level)
        add_row(&counter, r->profile->run_ms, counter.rows.items[n - 1].value);
    if (n)
        VF_APPEND(&r->profile->counters, counter);
}

/* ---- collections ------------------------------------------------------------------------------
 */

static uint64_t heap_after(const struct vf_log_step *step)
{
    return step->arena_bytes + step->raw_after_bytes;
}

/* Steps in front of `section`: the heap as they left it, which stays in `*heap_bytes`. */
static void take_steps(struct vf_runtime *r, size_t *at, uint32_t section, struct vf_counter *heap,
                       uint64_t *heap_bytes)
{
    double start, end;
    for (; *at < r->log.steps.len && r->log.steps.items[*at].section < section; ++*at) {
        const struct vf_log_step *step = &r->log.steps.items[*at];
        if (heap_after(step) == 0 || step->section < r->part.first)
            continue;
        *heap_bytes = heap_after(step);
        if (vf_runtime_span(r, step->section, &start, &end))
            add_row(heap, end, (double)heap_after(step));
    }
}

static void add_minor(struct vf_markers *markers, const struct vf_log_minor *minor,
                      uint64_t heap_before)
{
    vf_markers_number(markers, "survivors", (double)minor->surviving_bytes);
    if (minor->nursery_bytes) {
        vf_markers_number(markers, "share",
                          (double)minor->surviving_bytes / (double)minor->nursery_bytes);
        vf_markers_number(markers, "nursery", (double)minor->nursery_bytes);
    }
    if (heap_before)
        vf_markers_number(markers, "before", (double)heap_before);
    vf_markers_number(markers, "heap", (double)minor->memory_bytes);
    vf_markers_number(markers, "pinned", (double)minor->pinned);
}

/* Minor collections, and the two counters of memory. */
static void add_minors(struct vf_runtime *r, struct vf_markers *markers)
{
    struct vf_counter heap = counters[HEAP], survivors = counters[SURVIVORS];
    double start, end;
    size_t step = 0;
    uint64_t heap_bytes = 0;
    for (size_t i = 0; i < r->log.minors.len; i++) {
        const struct vf_log_minor *minor = &r->log.minors.items[i];
        take_steps(r, &step, minor->section, &heap, &heap_bytes);
        if (!vf_runtime_span(r, minor->section, &start, &end))
            continue;
        vf_markers_add(markers, minor->has_text ? VF_MARKER_MINOR : VF_MARKER_MINOR_PLAIN, start,
                       end);
        if (!minor->has_text)
            continue;
        add_minor(markers, minor, heap_bytes);
        heap_bytes = minor->memory_bytes;
        add_row(&heap, end, (double)minor->memory_bytes);
        add_row(&survivors, end, (double)minor->surviving_bytes);
    }
    take_steps(r, &step, VF_LOG_NONE, &heap, &heap_bytes);
    keep(r, heap, false);
    keep(r, survivors, false);
}

/* A major collection on its way. */
struct major {
    uint64_t steps;
    double start_ms, end_ms, pause_ms, longest_ms;
    struct vf_str state; /* of the run of steps that is counted */
    uint64_t in_state;
    char states[200]; /* "MARKING 12, SWEEPING 3" */
    size_t states_len;
};

static void end_state(struct major *major)
{
    size_t left = sizeof major->states - major->states_len;
    if (major->in_state && major->state.len) {
        int len = snprintf(major->states + major->states_len, left, "%s%.*s %llu",
                           major->states_len ? ", " : "", VF_STR_ARG(major->state),
                           (unsigned long long)major->in_state);
        if (len > 0 && (size_t)len < left)
            major->states_len += (size_t)len;
        else
            major->states[major->states_len] = 0;
    }
    major->in_state = 0;
}

static void end_major(struct vf_runtime *r, struct vf_markers *markers, struct major *major,
                      const struct vf_log_step *last)
{
    if (major->steps == 0)
        return;
    end_state(major);
    vf_markers_add(markers, VF_MARKER_MAJOR, major->start_ms, major->end_ms);
    vf_markers_number(markers, "steps", (double)major->steps);
    vf_markers_number(markers, "pause", major->pause_ms);
    vf_markers_number(markers, "longest", major->longest_ms);
    if (major->states_len)
        vf_markers_text(markers, "states",
                        text_id(r, (struct vf_str){major->states, major->states_len}));
    if (last && heap_after(last)) {
        vf_markers_number(markers, "after", (double)heap_after(last));
        vf_markers_number(markers, "arenas", (double)last->arena_bytes);
        vf_markers_number(markers, "rawBefore", (double)last->raw_before_bytes);
        vf_markers_number(markers, "rawAfter", (double)last->raw_after_bytes);
        vf_markers_number(markers, "threshold", (double)last->threshold_bytes);
    }
    if (!last)
        vf_markers_text(markers, "unfinished",
                        text_id(r, VF_STR("the log ends before the collection does")));
    *major = (struct major){0};
}

static void add_step(struct vf_runtime *r, struct vf_markers *markers,
                     const struct vf_log_step *step, double start, double end)
{
    vf_markers_add(markers, VF_MARKER_STEP, start, end);
    if (step->from.len)
        vf_markers_text(markers, "from", text_id(r, step->from));
    if (step->to.len)
        vf_markers_text(markers, "to", text_id(r, step->to));
}

/* A step that begins in FINALIZING belongs to no collection: the sweep was over before it.  In a
 * log without texts it is the one behind the end of a sweep. */
static bool is_finalizing(const struct vf_runtime *r, size_t i)
{
    const struct vf_log_step *step = &r->log.steps.items[i];
    if (step->done)
        return false;
    if (step->from.len)
        return vf_str_eq(step->from, VF_STR("FINALIZING"));
    return i > 0 && step[-1].done;
}

static void add_majors(struct vf_runtime *r, struct vf_markers *markers)
{
    struct major major = {0};
    double start, end;
    for (size_t i = 0; i < r->log.steps.len; i++) {
        const struct vf_log_step *step = &r->log.steps.items[i];
        if (!vf_runtime_span(r, step->section, &start, &end))
            continue;
        add_step(r, markers, step, start, end);
        if (major.steps == 0 && is_finalizing(r, i))
            continue;
        if (major.steps++ == 0)
            major.start_ms = start;
        if (!vf_str_eq(major.state, step->from))
            end_state(&major);
        major.state = step->from;
        major.in_state++;
        major.end_ms = end;
        major.pause_ms += end - start;
        if (end - start > major.longest_ms)
            major.longest_ms = end - start;
        if (step->done)
            end_major(r, markers, &major, step);
    }
    end_major(r, markers, &major, NULL);
}

/* ---- traces -----------------------------------------------------------------------------------
 */

/* What stands behind "~~~ ABORTING TRACING", in jit-summary's words (rlib/jit.py, Counters). */
static struct vf_str reason_words(struct vf_str reason)
{
    static const struct {
        struct vf_str name, words;
    } known[] = {
        {{"ABORT_TOO_LONG", 14}, {"trace too long", 14}},
        {{"ABORT_BRIDGE", 12}, {"compiling", 9}},
        {{"ABORT_ESCAPE", 12}, {"vable escape", 12}},
        {{"ABORT_BAD_LOOP", 14}, {"bad loop", 8}},
        {{"ABORT_FORCE_QUASIIMMUT", 22}, {"force quasi-immut", 17}},
        {{"ABORT_SEGMENTED_TRACE", 21}, {"segmenting trace", 16}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (vf_str_eq(known[i].name, reason))
            return known[i].words;
    return reason;
}

/* "loop 12: main simple.py:4", "bridge 3 of loop 12: ...", or what of this is known. */
static vf_string_id what_of(struct vf_runtime *r, const struct vf_log_trace *trace,
                            const struct vf_log_where *where, bool is_python)
{
    enum { WHERE_MAX = 100 };
    struct vf_buf text = {0};
    if (trace->bridge && trace->loop)
        vf_buf_printf(&text, "bridge %llu of loop %llu", (unsigned long long)trace->bridge,
                      (unsigned long long)trace->loop);
    else if (trace->loop)
        vf_buf_printf(&text, "loop %llu", (unsigned long long)trace->loop);
    else if (trace->kind == VF_LOG_TRACE_BRIDGE)
        vf_buf_printf(&text, "bridge");
    const char *colon = text.len && (is_python || trace->where.len) ? ": " : "";
    vf_buf_str(&text, vf_str_from(colon));
    struct vf_str name = vf_str_basename(where->file), free_form = trace->where;
    if (free_form.len > WHERE_MAX) {
        free_form.len = WHERE_MAX;
        while (free_form.len && ((unsigned char)free_form.ptr[free_form.len] & 0xc0) == 0x80)
            free_form.len--; /* not within a character of UTF-8 */
    }
    if (is_python)
        vf_buf_printf(&text, "%.*s %.*s:%llu", VF_STR_ARG(where->function), VF_STR_ARG(name),
                      (unsigned long long)where->line);
    else
        vf_buf_str(&text, free_form);
    vf_string_id id = text_id(r, text.len ? vf_buf_view(&text) : VF_STR("trace"));
    vf_buf_release(&text);
    return id;
}

static enum vf_marker_kind kind_of(const struct vf_log_trace *trace)
{
    if (trace->aborted.len)
        return VF_MARKER_ABORT;
    if (trace->kind == VF_LOG_TRACE_UNKNOWN)
        return VF_MARKER_TRACING;
    return trace->kind == VF_LOG_TRACE_BRIDGE ? VF_MARKER_BRIDGE : VF_MARKER_TRACE;
}

static void add_number(struct vf_markers *markers, const char *key, uint64_t value)
{
    if (value)
        vf_markers_number(markers, key, (double)value);
}

static void add_trace(struct vf_runtime *r, struct vf_markers *markers, size_t row)
{
    static const char compiled[] = "compiled new ";
    const struct vf_log_trace *trace = &r->log.traces.items[row];
    const double *ms = r->trace_ms[row];
    struct vf_log_where where;
    bool is_python = vf_log_where_parse(trace->where, &where);
    vf_markers_text(markers, "what", what_of(r, trace, &where, is_python));
    if (is_python) {
        vf_markers_text(markers, "function", text_id(r, where.function));
        vf_markers_text(markers, "file", text_id(r, where.file));
        add_number(markers, "line", where.line);
    }
    if (vf_str_starts(trace->result, vf_str_from(compiled)))
        vf_markers_text(markers, "result",
                        text_id(r, (struct vf_str){trace->result.ptr + strlen(compiled),
                                                   trace->result.len - strlen(compiled)}));
    add_number(markers, "recorded", trace->recorded);
    add_number(markers, "optimized", trace->optimized);
    add_number(markers, "guards", trace->guards);
    if (trace->code_end > trace->code_start)
        vf_markers_number(markers, "code", (double)(trace->code_end - trace->code_start));
    if (trace->has_runs)
        vf_markers_number(markers, "runs", (double)trace->runs);
    vf_markers_number(markers, "tracing", ms[VF_RUNTIME_TRACING]);
    vf_markers_number(markers, "optimizing", ms[VF_RUNTIME_OPTIMIZING]);
    vf_markers_number(markers, "backend", ms[VF_RUNTIME_BACKEND]);
    vf_markers_number(markers, "collecting", ms[VF_RUNTIME_MINOR] + ms[VF_RUNTIME_MAJOR]);
    if (trace->aborted.len)
        vf_markers_text(markers, "reason", text_id(r, reason_words(trace->aborted)));
    if (trace->never_works.len)
        vf_markers_text(markers, "note", text_id(r, trace->never_works));
}

static void add_traces(struct vf_runtime *r, struct vf_markers *markers)
{
    double start, end;
    for (size_t i = 0; i < r->log.traces.len; i++)
        if (vf_runtime_span(r, r->log.traces.items[i].section, &start, &end)) {
            vf_markers_add(markers, kind_of(&r->log.traces.items[i]), start, end);
            add_trace(r, markers, i);
        }
}

static void add_invalidations(struct vf_runtime *r, struct vf_markers *markers)
{
    double start, end;
    for (size_t i = 0; i < r->log.invalidations.len; i++) {
        const struct vf_log_invalidation *row = &r->log.invalidations.items[i];
        if (!vf_runtime_span(r, row->section, &start, &end))
            continue;
        vf_markers_add(markers, VF_MARKER_INVALIDATION, start, end);
        if (row->field.len) {
            vf_markers_text(markers, "field", text_id(r, row->field));
            vf_markers_number(markers, "loops", (double)row->loops);
        }
    }
}

/* ---- code -------------------------------------------------------------------------------------
 */

/* The JIT's own looks at its loops before `stamp`: which are left. */
static void take_looks(struct vf_runtime *r, struct vf_counter *loops, size_t *at, uint64_t stamp)
{
    double start, end;
    for (; *at < r->log.loops.len; ++*at) {
        const struct vf_log_loops *look = &r->log.loops.items[*at];
        if (r->log.sections.items[look->section].start >= stamp)
            break;
        if (look->freed && vf_runtime_span(r, look->section, &start, &end))
            step_to(loops, end, (double)look->left);
    }
}

struct ended {
    uint64_t stop;
    size_t trace;
};

static int by_stop(const void *a, const void *b)
{
    const struct ended *x = a, *y = b;
    if (x->stop != y->stop)
        return x->stop > y->stop ? 1 : -1;
    return (x->trace > y->trace) - (x->trace < y->trace);
}

/* Traces in the order in which they end: one may lie within another.  To be freed. */
static struct ended *traces_by_end(const struct vf_runtime *r)
{
    size_t n = r->log.traces.len;
    struct ended *order = vf_alloc(n + 1, sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = (struct ended){r->log.sections.items[r->log.traces.items[i].section].stop, i};
    if (n)
        qsort(order, n, sizeof *order, by_stop);
    return order;
}

static void add_code(struct vf_runtime *r)
{
    struct vf_counter code = counters[CODE], loops = counters[LOOPS], bridges = counters[BRIDGES];
    const struct vf_log_summary *summary = &r->part.summary;
    double start, end, bytes = 0;
    size_t look = 0;
    uint64_t bridge_count = 0;
    struct ended *order = traces_by_end(r);
    for (size_t i = 0; i < r->log.traces.len; i++) {
        const struct vf_log_trace *trace = &r->log.traces.items[order[i].trace];
        take_looks(r, &loops, &look, order[i].stop); /* it looks before it traces */
        if (trace->code_end <= trace->code_start ||
            !vf_runtime_span(r, trace->section, &start, &end))
            continue;
        bytes += (double)(trace->code_end - trace->code_start);
        step_to(&code, end, bytes);
        struct vf_counter *counter = trace->kind == VF_LOG_TRACE_BRIDGE ? &bridges : &loops;
        size_t n = counter->rows.len;
        step_to(counter, end, (n ? counter->rows.items[n - 1].value : 0) + 1);
        bridge_count += trace->kind == VF_LOG_TRACE_BRIDGE;
    }
    free(order);
    take_looks(r, &loops, &look, UINT64_MAX);
    if (summary->freed_bridges <= bridge_count && bridges.rows.len &&
        vf_runtime_span(r, summary->section, &start, &end))
        step_to(&bridges, start, (double)(bridge_count - summary->freed_bridges));
    keep(r, code, true);
    keep(r, loops, true);
    keep(r, bridges, true);
}

void vf_runtime_add_markers(struct vf_runtime *r, struct vf_markers *markers)
{
    add_minors(r, markers);
    add_majors(r, markers);
    add_traces(r, markers);
    add_invalidations(r, markers);
    vf_markers_sort(markers);
    add_code(r);
}

#include "capture/jitlog.h"
#include "profile/jit_find.h"

#include <math.h>

/* ---- groups ---------------------------------------------------------------------------------- */

/* Traces that are counted together. */
struct group {
    struct vf_str file, function, reason;
    uint64_t line;
    uint64_t guard; /* of bridges that were given up; else 0 */
    uint32_t count, first, loops;
    double ms;
};

struct groups {
    VF_VEC(struct group) v;
    struct vf_table index;
};

static uint64_t hash_group(const struct group *g)
{
    uint64_t file = vf_hash_bytes(g->file.ptr, g->file.len);
    uint64_t function = vf_hash_bytes(g->function.ptr, g->function.len);
    return vf_hash_u64(vf_hash_u64(g->guard, g->line), vf_hash_u64(file, function));
}

static bool is_same(const struct group *a, const struct group *b)
{
    return a->guard == b->guard && a->line == b->line && vf_str_eq(a->function, b->function) &&
           vf_str_eq(a->file, b->file) && vf_str_eq(a->reason, b->reason);
}

static struct group *group_of(struct groups *groups, const struct group *key)
{
    uint64_t hash = hash_group(key);
    struct vf_probe probe = vf_table_probe(&groups->index, hash);
    uint32_t row;
    while (vf_table_next(&groups->index, &probe, &row))
        if (is_same(&groups->v.items[row], key))
            return &groups->v.items[row];
    vf_table_insert(&groups->index, hash, (uint32_t)groups->v.len);
    VF_APPEND(&groups->v, *key);
    return &groups->v.items[groups->v.len - 1];
}

static struct group key_of(const struct vf_jit_place *place, uint32_t row)
{
    struct group key = {.first = row};
    if (place) {
        key.file = place->file;
        key.function = place->function;
        key.line = place->line;
    }
    return key;
}

static int by_count(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static size_t sort_groups(struct groups *groups)
{
    if (groups->v.len)
        qsort(groups->v.items, groups->v.len, sizeof *groups->v.items, by_count);
    return groups->v.len < VF_JIT_CANDIDATES_MAX ? groups->v.len : VF_JIT_CANDIDATES_MAX;
}

static void release_groups(struct groups *groups)
{
    free(groups->v.items);
    vf_table_release(&groups->index);
}

static bool has_code(const struct vf_jit_trace *trace)
{
    return trace->code_end > trace->code_start;
}

/* ---- given up -------------------------------------------------------------------------------- */

/* Ids of descrs are given out again: a bridge from before is that of another guard. */
static bool has_later_bridge(const struct vf_jit_traces *traces, const struct group *g)
{
    for (size_t i = g->first; i < traces->traces.len; i++)
        if (traces->traces.items[i].guard == g->guard)
            return true;
    return false;
}

/* The log gives a bridge that was given up the descr of its guard as its number. */
void vf_jit_find_given_up(struct vf_jit_find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    struct groups groups = {0};
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        if (!trace->aborted)
            continue;
        struct group key = key_of(vf_jit_trace_place(traces, trace), i);
        key.guard = trace->kind == VF_JIT_LOOP ? 0 : trace->number;
        group_of(&groups, &key)->count++;
    }
    size_t count = sort_groups(&groups);
    for (size_t i = 0; i < count; i++) {
        const struct group *g = &groups.v.items[i];
        struct vf_str where = vf_jit_find_where_text(f, g->function, g->line);
        struct vf_str times = vf_jit_find_times(f, g->count);
        if (g->guard && !has_later_bridge(traces, g))
            vf_jit_find_add(f, 1 + log10(g->count), g->count,
                            VF_JIT_TEXT(f,
                                        "%.*s: a bridge was begun %.*s at a guard and given up; "
                                        "the guard has none",
                                        VF_STR_ARG(where), VF_STR_ARG(times)));
        else
            vf_jit_find_add(f, 0.3 + log10(g->count), g->count,
                            VF_JIT_TEXT(f, "%.*s: a trace was given up %.*s as it was optimised",
                                        VF_STR_ARG(where), VF_STR_ARG(times)));
    }
    release_groups(&groups);
}

/* ---- tracing that was given up --------------------------------------------------------------- */

static struct vf_str text_of(const struct vf_jit_find *f, const struct vf_markers *markers,
                             const struct vf_marker_row *row, const char *key)
{
    const struct vf_marker_value *value = vf_markers_value(markers, row, key);
    bool known = value && value->text.i != VF_NONE;
    return known ? vf_strings_get(&f->b->profile->strings, value->text) : VF_STR("");
}

static double number_of(const struct vf_markers *markers, const struct vf_marker_row *row,
                        const char *key)
{
    const struct vf_marker_value *value = vf_markers_value(markers, row, key);
    return value ? value->number : 0;
}

static void count_abort(const struct vf_jit_find *f, struct groups *groups,
                        const struct vf_markers *markers, const struct vf_marker_row *row)
{
    struct group key = {.file = text_of(f, markers, row, "file"),
                        .function = text_of(f, markers, row, "function"),
                        .reason = text_of(f, markers, row, "reason"),
                        .first = (uint32_t)groups->v.len};
    struct group *group = group_of(groups, &key);
    group->count++;
    group->ms += number_of(markers, row, "tracing") + number_of(markers, row, "optimizing") +
                 number_of(markers, row, "backend");
}

/* What is compiled in pieces counts as given up with PyPy, but has code. */
static struct vf_str abort_text(struct vf_jit_find *f, const struct group *g)
{
    struct vf_str where = vf_jit_find_where_text(f, g->function, 0);
    struct vf_str times = vf_jit_find_times(f, g->count);
    if (vf_str_eq(g->reason, VF_STR("segmenting trace")))
        return VF_JIT_TEXT(f, "%.*s: too long for one trace, compiled in pieces %.*s (%.1f ms)",
                           VF_STR_ARG(where), VF_STR_ARG(times), g->ms);
    return VF_JIT_TEXT(f, "%.*s: tracing was given up %.*s (%.*s), which took %.1f ms",
                       VF_STR_ARG(where), VF_STR_ARG(times), VF_STR_ARG(g->reason), g->ms);
}

void vf_jit_find_aborts(struct vf_jit_find *f)
{
    const struct vf_profile *p = f->b->profile;
    struct groups groups = {0};
    for (size_t i = 0; i < p->threads.len; i++) {
        const struct vf_markers *markers = &p->threads.items[i].markers;
        for (size_t k = 0; p->threads.items[i].is_runtime && k < markers->rows.len; k++)
            if (markers->rows.items[k].kind == VF_MARKER_ABORT)
                count_abort(f, &groups, markers, &markers->rows.items[k]);
    }
    size_t count = sort_groups(&groups);
    for (size_t i = 0; i < count; i++) {
        const struct group *g = &groups.v.items[i];
        double shown_ms = p->end_ms - p->begin_ms;
        double share = shown_ms > 0 ? 100 * g->ms / shown_ms : 0;
        vf_jit_find_add(f, share + 0.3 + log10(g->count), g->count, abort_text(f, g));
    }
    release_groups(&groups);
}

/* ---- again and again ------------------------------------------------------------------------- */

void vf_jit_find_again(struct vf_jit_find *f)
{
    enum { LEAST = 3 };
    const struct vf_jit_traces *traces = &f->jit->traces;
    struct groups groups = {0};
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        const struct vf_jit_place *place = vf_jit_trace_place(traces, trace);
        if (trace->kind == VF_JIT_BRIDGE || !has_code(trace) || !place)
            continue;
        struct group key = key_of(place, i), *group = group_of(&groups, &key);
        group->count++;
        group->loops += trace->kind == VF_JIT_LOOP;
    }
    size_t count = sort_groups(&groups);
    for (size_t i = 0; i < count; i++) {
        const struct group *g = &groups.v.items[i];
        uint32_t entries = g->count - g->loops;
        if (g->count < LEAST)
            break;
        vf_jit_find_add(f, log10(g->count), g->count,
                        VF_JIT_TEXT(f, "%.*s: compiled from the start %u times (%u %s, %u %s)",
                                    VF_STR_ARG(vf_jit_find_where_text(f, g->function, g->line)),
                                    g->count, g->loops, g->loops == 1 ? "loop" : "loops", entries,
                                    entries == 1 ? "entry bridge" : "entry bridges"));
    }
    release_groups(&groups);
}

/* ---- never entered --------------------------------------------------------------------------- */

/* Bridges and other loops jump to a loop's labels; only its own entry counts as a run of it. */
static void mark_passed_labels(const struct vf_jit_traces *traces, bool *entered)
{
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    size_t next = 0;
    bool inside = false;
    uint64_t passes;
    if (vf_jitlog_open(&log, traces->log, NULL) != VF_OK)
        return;
    while (vf_jitlog_next(&log, &record)) {
        if (record.type == VF_JITLOG_START_TRACE) {
            inside =
                next < traces->traces.len && traces->traces.items[next].log_start == record.offset;
            next += inside;
        } else if (record.type == VF_JITLOG_OPERATION && inside && record.operation.has_descr &&
                   !entered[next - 1]) {
            const struct vf_jit_name *name = vf_jit_traces_name(traces, record.operation.opnum);
            entered[next - 1] = name && vf_str_eq(name->name, VF_STR("label")) &&
                                vf_jit_traces_label(traces, record.operation.descr_id, &passes) &&
                                passes;
        }
    }
}

static bool *list_entered(const struct vf_jit *jit)
{
    const struct vf_jit_traces *traces = &jit->traces;
    bool *entered = vf_alloc_zeroed(traces->traces.len, sizeof *entered), open = false;
    for (size_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        entered[i] = trace->run_count || jit->rows.items[i].pcs || jit->rows.items[i].samples > 0;
        open = open || (!entered[i] && trace->kind == VF_JIT_LOOP && has_code(trace));
    }
    if (open && traces->labels.len)
        mark_passed_labels(traces, entered);
    return entered;
}

void vf_jit_find_never_entered(struct vf_jit_find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    uint32_t compiled = 0, never = 0, largest = 0;
    uint64_t bytes = 0, most = 0;
    if (!traces->has_counters)
        return;
    bool *entered = list_entered(f->jit);
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        uint64_t size = has_code(trace) ? trace->code_end - trace->code_start : 0;
        compiled += size > 0;
        if (size == 0 || entered[i])
            continue;
        never++;
        if (__builtin_add_overflow(bytes, size, &bytes))
            bytes = UINT64_MAX;
        if (size > most) {
            most = size;
            largest = i;
        }
    }
    free(entered);
    if (never)
        vf_jit_find_add(
            f, (double)never / compiled, never,
            VF_JIT_TEXT(
                f, "%u of %u compiled traces %s never entered: %.*s bytes of code%s %.*s", never,
                compiled, never == 1 ? "was" : "were", VF_STR_ARG(vf_jit_find_count(f, bytes)),
                never == 1 ? "," : "; the largest is", VF_STR_ARG(vf_jit_find_name(f, largest))));
}

/* ---- long ------------------------------------------------------------------------------------ */

struct size {
    uint64_t bytes;
    uint32_t row;
};

static int by_size(const void *a, const void *b)
{
    const struct size *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

void vf_jit_find_long(struct vf_jit_find *f)
{
    enum { LONG_OPERATIONS = 5000, LONG_BYTES = 64 << 10 };
    const struct vf_jit_traces *traces = &f->jit->traces;
    struct size *sizes = vf_alloc(traces->traces.len, sizeof *sizes);
    size_t count = 0;
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        uint64_t bytes = has_code(trace) ? trace->code_end - trace->code_start : 0;
        if (bytes && (trace->assembled >= LONG_OPERATIONS || bytes > LONG_BYTES))
            sizes[count++] = (struct size){bytes, i};
    }
    if (count)
        qsort(sizes, count, sizeof *sizes, by_size);
    for (size_t i = 0; i < count && i < VF_JIT_CANDIDATES_MAX; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[sizes[i].row];
        vf_jit_find_add(f, 0.5 + vf_jit_find_share(f, sizes[i].row) / 100, trace->assembled,
                        VF_JIT_TEXT(f, "%.*s is long: %.*s operations in %.*s bytes of code",
                                    VF_STR_ARG(vf_jit_find_name(f, sizes[i].row)),
                                    VF_STR_ARG(vf_jit_find_count(f, trace->assembled)),
                                    VF_STR_ARG(vf_jit_find_count(f, sizes[i].bytes))));
    }
    free(sizes);
}

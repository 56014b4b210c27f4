#include "profile/jit_findings.h"

#include <math.h>

/* Candidates of one kind that are looked into. */
enum { CANDIDATES_MAX = 20, AGAIN_LEAST = 3, LONG_TRACE = 5000 };

struct group {
    const struct vf_jit_place *place;
    uint64_t guard; /* of bridges that were given up; else 0 */
    uint32_t count;
    uint32_t first; /* row of the first trace */
};

struct find {
    struct vf_jit_build *b;
    struct vf_jit *jit;
    double whole; /* addresses, or samples where there are none, in all traces and outside */
    VF_VEC(struct vf_jit_finding) all;
};

static void add(struct find *f, double score, double count, struct vf_str text)
{
    VF_APPEND(&f->all, ((struct vf_jit_finding){text, count, score}));
}

#define TEXT(f, ...) vf_arena_printf(&(f)->b->profile->arena, __VA_ARGS__)

/* The share of the run, in percent, that was spent in a trace. */
static double share_of(const struct find *f, uint32_t trace)
{
    const struct vf_jit_row *row = &f->jit->rows.items[trace];
    double part = f->jit->pcs.len ? (double)row->pcs : row->samples;
    return f->whole > 0 ? 100 * part / f->whole : 0;
}

static const char *measure(const struct find *f)
{
    return f->jit->pcs.len ? "instruction addresses" : "samples";
}

static struct vf_str count_text(struct find *f, uint64_t count)
{
    struct vf_buf text = {0};
    vf_buf_count(&text, count);
    struct vf_str kept = vf_arena_str(&f->b->profile->arena, vf_buf_view(&text));
    vf_buf_release(&text);
    return kept;
}

static struct vf_str name_of(struct find *f, uint32_t trace)
{
    struct vf_buf text = {0};
    vf_jit_trace_name(&text, &f->jit->traces, &f->jit->traces.traces.items[trace]);
    struct vf_str kept = vf_arena_str(&f->b->profile->arena, vf_buf_view(&text));
    vf_buf_release(&text);
    return kept;
}

static struct vf_str place_text(struct find *f, const struct vf_jit_place *place)
{
    if (!place)
        return VF_STR("(unknown place)");
    return TEXT(f, "`%.*s` line %u", VF_STR_ARG(place->function), place->line);
}

/* ---- bridges --------------------------------------------------------------------------------- */

static int by_runs(const void *a, const void *b, void *context)
{
    const struct vf_jit_trace *rows = context;
    uint64_t x = rows[*(const uint32_t *)a].run_count, y = rows[*(const uint32_t *)b].run_count;
    return (x < y) - (x > y);
}

static void add_bridge(struct find *f, uint32_t row)
{
    const struct vf_jit_trace *bridge = &f->jit->traces.traces.items[row];
    const struct vf_jit_code *code = vf_jit_build_code(f->b, bridge->parent1 - 1);
    const struct vf_jit_op *guard = vf_jit_code_guard(code, bridge->guard);
    const struct vf_jit_point *point = guard ? vf_jit_code_point(code, guard) : NULL;
    struct vf_str name = guard ? vf_jit_code_op(code, guard).name : VF_STR("a guard");
    double share = share_of(f, row);
    add(f, share + log10((double)bridge->run_count + 1) / 10, (double)bridge->run_count,
        TEXT(f, "%.*s: %.*s failed %.*s times into bridge %llu (%.1f %% of the %s are in it)",
             VF_STR_ARG(place_text(f, point ? &point->place : NULL)), VF_STR_ARG(name),
             VF_STR_ARG(count_text(f, bridge->run_count)), (unsigned long long)bridge->id, share,
             measure(f)));
}

static void find_bridges(struct find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    uint32_t *rows = vf_alloc(traces->traces.len, sizeof *rows);
    size_t count = 0;
    for (uint32_t i = 0; traces->has_counters && i < traces->traces.len; i++)
        if (traces->traces.items[i].parent1 && traces->traces.items[i].run_count)
            rows[count++] = i;
    if (count)
        qsort_r(rows, count, sizeof *rows, by_runs, traces->traces.items);
    for (size_t i = 0; i < count && i < CANDIDATES_MAX; i++)
        add_bridge(f, rows[i]);
    free(rows);
}

/* ---- again and again, and given up ----------------------------------------------------------- */

static bool same_place(const struct vf_jit_place *a, const struct vf_jit_place *b)
{
    return a && b && a->line == b->line && vf_str_eq(a->function, b->function) &&
           vf_str_eq(a->file, b->file);
}

static uint64_t hash_group(const struct group *g)
{
    uint64_t hash = vf_hash_u64(g->guard, g->place ? g->place->line : 0);
    return g->place ? hash ^ vf_hash_bytes(g->place->function.ptr, g->place->function.len) : hash;
}

struct groups {
    VF_VEC(struct group) v;
    struct vf_table index;
};

static void count_in(struct groups *groups, struct group g)
{
    struct vf_probe probe = vf_table_probe(&groups->index, hash_group(&g));
    uint32_t row;
    while (vf_table_next(&groups->index, &probe, &row)) {
        struct group *had = &groups->v.items[row];
        if (had->guard == g.guard && same_place(had->place, g.place)) {
            had->count++;
            return;
        }
    }
    vf_table_insert(&groups->index, hash_group(&g), (uint32_t)groups->v.len);
    g.count = 1;
    VF_APPEND(&groups->v, g);
}

static int by_count(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static void sort_groups(struct groups *groups)
{
    if (groups->v.len)
        qsort(groups->v.items, groups->v.len, sizeof *groups->v.items, by_count);
}

static void release_groups(struct groups *groups)
{
    free(groups->v.items);
    vf_table_release(&groups->index);
}

static bool has_bridge(const struct vf_jit_traces *traces, uint64_t guard)
{
    for (size_t i = 0; i < traces->traces.len; i++)
        if (traces->traces.items[i].guard == guard)
            return true;
    return false;
}

/* The log gives a bridge that was given up the descr of its guard as its number. */
static void find_given_up(struct find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    struct groups groups = {0};
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        if (trace->aborted)
            count_in(&groups,
                     (struct group){.place = vf_jit_trace_place(traces, trace),
                                    .guard = trace->kind == VF_JIT_LOOP ? 0 : trace->number,
                                    .first = i});
    }
    sort_groups(&groups);
    for (size_t i = 0; i < groups.v.len && i < CANDIDATES_MAX; i++) {
        const struct group *g = &groups.v.items[i];
        struct vf_str place = place_text(f, g->place);
        if (g->guard && !has_bridge(traces, g->guard))
            add(f, 1 + log10(g->count), g->count,
                TEXT(f, "%.*s: %u bridges were begun at a guard and given up; it still has none",
                     VF_STR_ARG(place), g->count));
        else
            add(f, 0.5 + log10(g->count), g->count,
                TEXT(f, "%.*s: compiling it was given up %u times", VF_STR_ARG(place), g->count));
    }
    release_groups(&groups);
}

static void find_again(struct find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    struct groups groups = {0};
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        if (trace->parent1 == 0 && !trace->aborted && trace->place1)
            count_in(&groups,
                     (struct group){.place = vf_jit_trace_place(traces, trace), .first = i});
    }
    sort_groups(&groups);
    for (size_t i = 0; i < groups.v.len && i < CANDIDATES_MAX; i++) {
        const struct group *g = &groups.v.items[i];
        if (g->count < AGAIN_LEAST)
            break;
        add(f, log10(g->count), g->count,
            TEXT(f, "%.*s: traced %u times from the start", VF_STR_ARG(place_text(f, g->place)),
                 g->count));
    }
    release_groups(&groups);
}

/* ---- whole traces ---------------------------------------------------------------------------- */

static void find_never_entered(struct find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    uint32_t compiled = 0, never = 0, first = 0;
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        compiled += trace->code_end > trace->code_start;
        if (trace->code_end > trace->code_start && trace->run_count == 0 && never++ == 0)
            first = i;
    }
    if (traces->has_counters && never)
        add(f, (double)never / compiled, never,
            TEXT(f, "%u of %u compiled traces were never entered; the first is %.*s", never,
                 compiled, VF_STR_ARG(name_of(f, first))));
}

static uint64_t hits_in_exits(struct find *f, uint32_t trace)
{
    struct vf_jit_hits hits = vf_jit_row_hits(f->jit, trace);
    uint32_t exits = vf_jit_build_code(f->b, trace)->exits_start;
    uint64_t sum = 0;
    for (size_t i = hits.count; i > 0 && hits.items[i - 1].offset >= exits; i--)
        sum += hits.items[i - 1].count;
    return sum;
}

static void find_in_traces(struct find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        uint64_t exits = f->jit->rows.items[i].pcs ? hits_in_exits(f, i) : 0;
        double share = f->whole > 0 ? 100 * (double)exits / f->whole : 0;
        if (share >= 1)
            add(f, share + 1, (double)exits,
                TEXT(f,
                     "%.*s: %.1f %% of the instruction addresses are in the exits of its "
                     "guards: one fails often and has no bridge",
                     VF_STR_ARG(name_of(f, i)), share));
        if (trace->assembled >= LONG_TRACE)
            add(f, 0.5, trace->assembled,
                TEXT(f, "%.*s: %.*s operations", VF_STR_ARG(name_of(f, i)),
                     VF_STR_ARG(count_text(f, trace->assembled))));
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int by_score(const void *a, const void *b)
{
    const struct vf_jit_finding *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->text.ptr > y->text.ptr) - (x->text.ptr < y->text.ptr);
}

void vf_jit_findings_find(struct vf_jit_build *b)
{
    struct find f = {.b = b, .jit = b->jit};
    if (!b->jit || !b->jit->present)
        return;
    f.whole = b->jit->pcs.len ? (double)b->jit->pcs.len : b->jit->samples;
    find_bridges(&f);
    find_given_up(&f);
    find_again(&f);
    find_never_entered(&f);
    find_in_traces(&f);
    if (f.all.len)
        qsort(f.all.items, f.all.len, sizeof *f.all.items, by_score);
    for (size_t i = 0; i < f.all.len && i < VF_JIT_FINDINGS_MAX; i++)
        b->jit->findings[b->jit->finding_count++] = f.all.items[i];
    free(f.all.items);
}

void vf_jit_findings_add_markers(const struct vf_jit_build *b, struct vf_markers *markers)
{
    const struct vf_jit *jit = b->jit;
    for (size_t i = 0; jit && i < jit->finding_count; i++) {
        vf_markers_add(markers, VF_MARKER_FINDING, 0, b->profile->end_ms);
        vf_markers_text(markers, "finding",
                        vf_strings_add(&b->profile->strings, jit->findings[i].text));
        vf_markers_number(markers, "count", jit->findings[i].count);
    }
    vf_markers_sort(markers);
}

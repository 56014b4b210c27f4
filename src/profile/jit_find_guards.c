#include "base/reader.h"
#include "profile/jit_find.h"

/* ---- bridges --------------------------------------------------------------------------------- */

struct bridge {
    uint32_t row;
    double score;
};

static int by_score(const void *a, const void *b)
{
    const struct bridge *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The guard that a bridge hangs on: its name, and where it stands. */
static struct vf_str guard_of(struct vf_jit_find *f, const struct vf_jit_trace *bridge,
                              const struct vf_jit_place **place)
{
    const struct vf_jit_code *code = vf_jit_build_code(f->b, bridge->parent1 - 1);
    const struct vf_jit_op *guard = vf_jit_code_guard(code, bridge->guard);
    const struct vf_jit_point *point = guard ? vf_jit_code_point(code, guard) : NULL;
    *place = point ? &point->place : vf_jit_trace_place(&f->jit->traces, bridge);
    return guard ? vf_jit_code_op(code, guard).name : VF_STR("a guard");
}

static void add_bridge(struct vf_jit_find *f, const struct bridge *found)
{
    const struct vf_jit_trace *bridge = &f->jit->traces.traces.items[found->row];
    const struct vf_jit_place *place;
    struct vf_str guard = guard_of(f, bridge, &place);
    double share = vf_jit_find_share(f, found->row);
    /* Traces of the regular expressions' machine have no place in the program. */
    struct vf_str where = place ? vf_jit_find_where(f, place) : vf_jit_find_name(f, bridge->root);
    struct vf_str part = VF_STR("");
    if (share > 0)
        part = VF_JIT_TEXT(f, " (%.1f %% of the %s are in it)", share, vf_jit_find_measure(f));
    vf_jit_find_add(f, found->score, (double)bridge->run_count,
                    VF_JIT_TEXT(f, "%.*s: %.*s failed %.*s into bridge %llu%.*s", VF_STR_ARG(where),
                                VF_STR_ARG(guard),
                                VF_STR_ARG(vf_jit_find_times(f, bridge->run_count)),
                                (unsigned long long)bridge->id, VF_STR_ARG(part)));
}

void vf_jit_find_bridges(struct vf_jit_find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    struct bridge *found = vf_alloc(traces->traces.len, sizeof *found);
    size_t count = 0;
    double runs = 0;
    for (uint32_t i = 0; traces->has_counters && i < traces->traces.len; i++)
        if (traces->traces.items[i].parent1 && traces->traces.items[i].run_count) {
            runs += (double)traces->traces.items[i].run_count;
            found[count++].row = i;
        }
    for (size_t i = 0; i < count; i++)
        found[i].score = vf_jit_find_share(f, found[i].row) +
                         (double)traces->traces.items[found[i].row].run_count / runs;
    if (count)
        qsort(found, count, sizeof *found, by_score);
    for (size_t i = 0; i < count && i < VF_JIT_CANDIDATES_MAX; i++)
        add_bridge(f, &found[i]);
    free(found);
}

/* ---- families -------------------------------------------------------------------------------- */

struct family {
    double bridges, largest; /* shares: of all its bridges, and of the one that has most */
    uint32_t count;
};

static void add_family(struct vf_jit_find *f, uint32_t root, const struct family *family)
{
    enum { LEAST = 5 };
    static const char *const kinds[] = {
        [VF_JIT_LOOP] = "loop", [VF_JIT_BRIDGE] = "bridge", [VF_JIT_ENTRY_BRIDGE] = "entry bridge"};
    const struct vf_jit_trace *trace = &f->jit->traces.traces.items[root];
    double own = vf_jit_find_share(f, root);
    if (family->count < 2 || family->bridges < (double)LEAST || family->bridges <= own)
        return;
    /* The bridge that has most is a finding of its own. */
    struct vf_str where = vf_jit_find_where(f, vf_jit_trace_place(&f->jit->traces, trace));
    vf_jit_find_add(
        f, family->bridges - family->largest, family->count,
        VF_JIT_TEXT(f,
                    "%.*s: %.1f %% of the %s are in the %u bridges of %s %llu, %.1f %% in itself",
                    VF_STR_ARG(where), family->bridges, vf_jit_find_measure(f), family->count,
                    kinds[trace->kind], (unsigned long long)trace->id, own));
}

void vf_jit_find_families(struct vf_jit_find *f)
{
    const struct vf_jit_traces *traces = &f->jit->traces;
    struct family *families = vf_alloc_zeroed(traces->traces.len, sizeof *families);
    for (uint32_t i = 0; i < traces->traces.len; i++) {
        struct family *family = &families[traces->traces.items[i].root];
        double share = vf_jit_find_share(f, i);
        if (traces->traces.items[i].root == i)
            continue;
        family->count++;
        family->bridges += share;
        if (share > family->largest)
            family->largest = share;
    }
    for (uint32_t i = 0; i < traces->traces.len; i++)
        add_family(f, i, &families[i]);
    free(families);
}

/* ---- exits ----------------------------------------------------------------------------------- */

/* Where a guard's exit begins. */
struct exit {
    uint32_t start, op;
    uint64_t hits;
};

static int by_start(const void *a, const void *b)
{
    const struct exit *x = a, *y = b;
    if (x->start != y->start)
        return x->start > y->start ? 1 : -1;
    return (x->op > y->op) - (x->op < y->op);
}

/* Guards end with a conditional jump over 32 bits to their exit; capture/jit_code.c has found by
 * the same jumps where the first one lies, and found none on other machines. */
static size_t list_exits(const struct vf_jit_code *code, struct exit *exits)
{
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_ASSEMBLED];
    size_t count = 0;
    for (uint32_t i = 0; i < stage->ops.len; i++) {
        const struct vf_jit_op *op = &stage->ops.items[i];
        struct vf_str bytes = {0};
        if (op->guard && op->code_len >= 6)
            bytes = vf_jit_code_op(code, op).code;
        if (bytes.len < 6 || bytes.len != op->code_len)
            continue;
        const unsigned char *jump = (const unsigned char *)bytes.ptr + bytes.len - 6;
        int64_t to = (int64_t)op->code_start + op->code_len + (int32_t)vf_load_u32(jump + 2);
        if (jump[0] == 0x0f && (jump[1] & 0xf0) == 0x80 && to >= code->exits_start &&
            to < code->code_size)
            exits[count++] = (struct exit){(uint32_t)to, i, 0};
    }
    if (count)
        qsort(exits, count, sizeof *exits, by_start);
    return count;
}

static void count_hits(struct exit *exits, size_t count, struct vf_jit_hits hits)
{
    size_t at = 0;
    for (size_t i = 0; i < hits.count; i++) {
        if (count == 0 || hits.items[i].offset < exits[0].start)
            continue;
        while (at + 1 < count && exits[at + 1].start <= hits.items[i].offset)
            at++;
        exits[at].hits += hits.items[i].count;
    }
}

/* An exit is short, and behind it the interpreter does the work: so it weighs more than its share.
 */
static void add_exit(struct vf_jit_find *f, const struct vf_jit_code *code,
                     const struct exit *found)
{
    enum { LEAST = 2, WEIGHT = 10 };
    const struct vf_jit_op *op = &code->stages[VF_JITLOG_ASSEMBLED].ops.items[found->op];
    if (found->hits < LEAST)
        return;
    struct vf_jit_op_text text = vf_jit_code_op(code, op);
    if (vf_jit_traces_bridge(code->traces, code->trace, text.texts.descr_id))
        return;
    const struct vf_jit_point *point = vf_jit_code_point(code, op);
    double share = 100 * (double)found->hits / f->whole;
    vf_jit_find_add(f, (double)WEIGHT * share + 1, (double)found->hits,
                    VF_JIT_TEXT(f,
                                "%.*s: %.*s fails and has no bridge: %.*s instruction addresses "
                                "(%.1f %%) are in its exit from %.*s",
                                VF_STR_ARG(vf_jit_find_where(f, point ? &point->place : NULL)),
                                VF_STR_ARG(text.name),
                                VF_STR_ARG(vf_jit_find_count(f, found->hits)), share,
                                VF_STR_ARG(vf_jit_find_name(f, code->trace))));
}

void vf_jit_find_exits(struct vf_jit_find *f)
{
    for (uint32_t i = 0; i < f->jit->rows.len; i++) {
        struct vf_jit_hits hits = vf_jit_row_hits(f->jit, i);
        if (hits.count == 0)
            continue;
        const struct vf_jit_code *code = vf_jit_build_code(f->b, i);
        if (hits.items[hits.count - 1].offset < code->exits_start)
            continue;
        struct exit *exits = vf_alloc(code->stages[VF_JITLOG_ASSEMBLED].ops.len, sizeof *exits);
        size_t count = list_exits(code, exits);
        count_hits(exits, count, hits);
        for (size_t k = 0; k < count; k++)
            add_exit(f, code, &exits[k]);
        free(exits);
    }
}

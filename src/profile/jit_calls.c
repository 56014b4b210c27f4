#include "profile/jit_calls.h"

#include "capture/jit_links.h"

/* Redirections one behind the other; a log that leads in a circle is damaged. */
enum { REDIRECTS_MAX = 16, FAMILIES_MAX = 1000 };

/* ---- tables by a number ---------------------------------------------------------------------- */

struct entry {
    uint64_t id;
    uint32_t row;
};

struct by_id {
    VF_VEC(struct entry) entries;
    struct vf_table index;
};

static uint32_t *find_id(struct by_id *t, uint64_t id)
{
    struct vf_probe probe = vf_table_probe(&t->index, vf_hash_u64(id, 0));
    uint32_t i;
    while (vf_table_next(&t->index, &probe, &i))
        if (t->entries.items[i].id == id)
            return &t->entries.items[i].row;
    return NULL;
}

/* Ids are given out again: the last one counts. */
static void put_id(struct by_id *t, uint64_t id, uint32_t row)
{
    uint32_t *had = find_id(t, id);
    if (had) {
        *had = row;
        return;
    }
    vf_table_insert(&t->index, vf_hash_u64(id, 0), (uint32_t)t->entries.len);
    VF_APPEND(&t->entries, ((struct entry){id, row}));
}

static void release_ids(struct by_id *t)
{
    free(t->entries.items);
    vf_table_release(&t->index);
}

/* ---- one walk over the log ------------------------------------------------------------------- */

/* A call or a jump as it is logged: to the trace `number` (0: not told), or by a descr's id. */
struct lead {
    uint64_t number, descr_id;
    uint32_t from;
    bool call;
};

struct walk {
    struct vf_jit_calls *calls;
    struct by_id labels, ids, redirects;
    VF_VEC(struct lead) leads;
    uint32_t row;
    size_t next;
    bool inside;
};

/* `<Loop47>` names the trace; one that was not compiled yet when it was called is `<Loop-1>`, and
 * is redirected later. */
static uint64_t loop_number(struct vf_str descr)
{
    uint64_t id;
    struct vf_str prefix = VF_STR("<Loop");
    if (!vf_str_starts(descr, prefix) || !vf_str_ends(descr, VF_STR(">")))
        return 0;
    struct vf_str number = {descr.ptr + prefix.len, descr.len - prefix.len - 1};
    return vf_str_to_u64(number, 10, &id) ? id : 0;
}

static void see_operation(struct walk *w, const struct vf_jitlog_operation *operation)
{
    const struct vf_jit_name *name = vf_jit_traces_name(w->calls->traces, operation->opnum);
    if (!name || !operation->has_descr)
        return;
    bool call = vf_str_starts(name->name, VF_STR("call_assembler_"));
    if (vf_str_eq(name->name, VF_STR("label")))
        put_id(&w->labels, operation->descr_id, w->row);
    else if (call || vf_str_eq(name->name, VF_STR("jump")))
        VF_APPEND(&w->leads, ((struct lead){call ? loop_number(operation->descr) : 0,
                                            operation->descr_id, w->row, call}));
}

static void walk_log(struct walk *w)
{
    const struct vf_jit_traces *traces = w->calls->traces;
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    enum vf_jitlog_stage stage = VF_JITLOG_RECORDED;
    bool assembled = false;
    if (vf_jitlog_open(&log, traces->log, NULL) != VF_OK)
        return;
    while (vf_jitlog_next(&log, &record)) {
        if (vf_jit_is_piece(&record, &assembled))
            w->inside = false;
        if (record.type == VF_JITLOG_START_TRACE) {
            w->inside = w->next < traces->traces.len &&
                        traces->traces.items[w->next].log_start == record.offset;
            w->row = (uint32_t)w->next;
            w->next += w->inside;
        } else if (record.type == VF_JITLOG_STAGE) {
            stage = record.stage.stage;
        } else if (record.type == VF_JITLOG_OPERATION && w->inside &&
                   stage == VF_JITLOG_OPTIMISED) {
            see_operation(w, &record.operation);
        }
    }
}

/* ---- edges ----------------------------------------------------------------------------------- */

static uint32_t follow_redirects(struct walk *w, uint64_t token)
{
    const struct vf_jit_traces *traces = w->calls->traces;
    for (int i = 0; i < REDIRECTS_MAX; i++) {
        const uint32_t *row = find_id(&w->redirects, token);
        if (!row)
            return UINT32_MAX;
        const struct vf_jit_redirect *redirect = &traces->redirects.items[*row];
        const struct vf_jit_trace *trace = vf_jit_traces_find(traces, redirect->address);
        if (trace)
            return vf_jit_traces_row(traces, trace);
        token = redirect->to;
    }
    return UINT32_MAX;
}

static void resolve(struct walk *w, const struct lead *lead)
{
    const struct vf_jit_trace *traces = w->calls->traces->traces.items;
    const uint32_t *to = lead->call ? lead->number ? find_id(&w->ids, lead->number) : NULL
                                    : find_id(&w->labels, lead->descr_id);
    uint32_t row = to ? *to : lead->call ? follow_redirects(w, lead->descr_id) : UINT32_MAX;
    if (row == UINT32_MAX)
        return;
    if (lead->call)
        VF_APPEND(&w->calls->calls, ((struct vf_jit_edge){lead->from, row}));
    else if (traces[lead->from].root != traces[row].root)
        VF_APPEND(&w->calls->jumps,
                  ((struct vf_jit_edge){traces[lead->from].root, traces[row].root}));
}

static int by_ends(const void *a, const void *b)
{
    const struct vf_jit_edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

static size_t keep_one_of_each(struct vf_jit_edge *edges, size_t count)
{
    size_t kept = 0;
    if (count)
        qsort(edges, count, sizeof *edges, by_ends);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || by_ends(&edges[kept - 1], &edges[i]) != 0)
            edges[kept++] = edges[i];
    return kept;
}

void vf_jit_calls_init(struct vf_jit_calls *calls, const struct vf_jit_traces *traces)
{
    struct walk w = {.calls = calls};
    *calls = (struct vf_jit_calls){.traces = traces};
    for (size_t i = 0; i < traces->traces.len; i++)
        put_id(&w.ids, traces->traces.items[i].id, (uint32_t)i);
    for (size_t i = 0; i < traces->redirects.len; i++)
        put_id(&w.redirects, traces->redirects.items[i].from, (uint32_t)i);
    walk_log(&w);
    for (size_t i = 0; i < w.leads.len; i++)
        resolve(&w, &w.leads.items[i]);
    calls->calls.len = keep_one_of_each(calls->calls.items, calls->calls.len);
    calls->jumps.len = keep_one_of_each(calls->jumps.items, calls->jumps.len);
    release_ids(&w.labels);
    release_ids(&w.ids);
    release_ids(&w.redirects);
    free(w.leads.items);
}

void vf_jit_calls_release(struct vf_jit_calls *calls)
{
    free(calls->calls.items);
    free(calls->jumps.items);
    free(calls->known.items);
    vf_table_release(&calls->known_index);
}

/* ---- questions ------------------------------------------------------------------------------- */

static size_t edges_from(const struct vf_jit_edge *edges, size_t count, uint32_t from,
                         const struct vf_jit_edge **first)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (edges[middle].from < from)
            low = middle + 1;
        else
            high = middle;
    }
    if (count == 0)
        return 0;
    size_t end = low;
    while (end < count && edges[end].from == from)
        end++;
    *first = edges + low;
    return end - low;
}

size_t vf_jit_calls_of(const struct vf_jit_calls *calls, uint32_t from,
                       const struct vf_jit_edge **first)
{
    return edges_from(calls->calls.items, calls->calls.len, from, first);
}

static bool add_family(uint32_t *families, size_t *count, uint32_t root)
{
    for (size_t i = 0; i < *count; i++)
        if (families[i] == root)
            return true;
    if (*count == FAMILIES_MAX)
        return false;
    families[(*count)++] = root;
    return true;
}

/* Where the families are too many to be followed the answer is yes: nothing is left out then. */
static bool search(const struct vf_jit_calls *calls, uint32_t from, uint32_t root)
{
    const struct vf_jit_trace *traces = calls->traces->traces.items;
    const struct vf_jit_edge *edges;
    uint32_t families[FAMILIES_MAX];
    size_t count = 0, n = vf_jit_calls_of(calls, from, &edges);
    for (size_t i = 0; i < n; i++)
        if (!add_family(families, &count, traces[edges[i].to].root))
            return true;
    for (size_t at = 0; at < count; at++) {
        if (families[at] == root)
            return true;
        n = edges_from(calls->jumps.items, calls->jumps.len, families[at], &edges);
        for (size_t i = 0; i < n; i++)
            if (!add_family(families, &count, edges[i].to))
                return true;
    }
    return false;
}

bool vf_jit_calls_reach(struct vf_jit_calls *calls, uint32_t from, uint32_t trace)
{
    uint32_t root = calls->traces->traces.items[trace].root, i;
    uint64_t hash = vf_hash_u64(from, root);
    struct vf_probe probe = vf_table_probe(&calls->known_index, hash);
    while (vf_table_next(&calls->known_index, &probe, &i))
        if (calls->known.items[i].from == from && calls->known.items[i].root == root)
            return calls->known.items[i].reached;
    struct vf_jit_reach answer = {from, root, search(calls, from, root)};
    vf_table_insert(&calls->known_index, hash, (uint32_t)calls->known.len);
    VF_APPEND(&calls->known, answer);
    return answer.reached;
}

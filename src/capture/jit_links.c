#include "capture/jit_links.h"

#include "base/table.h"
#include "capture/jitlog.h"

/* ---- names ----------------------------------------------------------------------------------- */

static int by_opnum(const void *a, const void *b)
{
    const struct vf_jit_name *x = a, *y = b;
    if (x->opnum != y->opnum)
        return x->opnum < y->opnum ? -1 : 1;
    return (x->name.ptr > y->name.ptr) - (x->name.ptr < y->name.ptr); /* as they came */
}

static void add_names(struct vf_jit_traces *traces, struct vf_jitlog_record *record)
{
    uint16_t opnum;
    struct vf_str name;
    while (vf_jitlog_name_next(record, &opnum, &name)) {
        bool guard =
            vf_str_starts(name, VF_STR("guard_")) || vf_str_starts(name, VF_STR("vec_guard_"));
        VF_APPEND(&traces->names, ((struct vf_jit_name){name, opnum, guard}));
    }
}

/* Of several names for one number the last is kept. */
static void sort_names(struct vf_jit_traces *traces)
{
    struct vf_jit_name *names = traces->names.items;
    size_t kept = 0;
    if (traces->names.len)
        qsort(names, traces->names.len, sizeof *names, by_opnum);
    for (size_t i = 0; i < traces->names.len; i++) {
        if (kept && names[kept - 1].opnum == names[i].opnum)
            kept--;
        names[kept++] = names[i];
    }
    traces->names.len = kept;
}

const struct vf_jit_name *vf_jit_traces_name(const struct vf_jit_traces *traces, uint16_t opnum)
{
    const struct vf_jit_name key = {.opnum = opnum};
    size_t low = 0, high = traces->names.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (traces->names.items[middle].opnum < key.opnum)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < traces->names.len && traces->names.items[low].opnum == opnum;
    return found ? &traces->names.items[low] : NULL;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct vf_jit_label *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* A log that is written in turns counts a label several times. */
static void sort_labels(struct vf_jit_traces *traces)
{
    struct vf_jit_label *labels = traces->labels.items;
    size_t kept = 0;
    if (traces->labels.len)
        qsort(labels, traces->labels.len, sizeof *labels, by_id);
    for (size_t i = 0; i < traces->labels.len; i++) {
        if (kept == 0 || labels[kept - 1].id != labels[i].id)
            labels[kept++] = labels[i];
        else if (__builtin_add_overflow(labels[kept - 1].count, labels[i].count,
                                        &labels[kept - 1].count))
            labels[kept - 1].count = UINT64_MAX;
    }
    traces->labels.len = kept;
}

bool vf_jit_traces_label(const struct vf_jit_traces *traces, uint64_t id, uint64_t *count)
{
    const struct vf_jit_label key = {.id = id};
    const struct vf_jit_label *found = NULL;
    if (traces->labels.len)
        found = bsearch(&key, traces->labels.items, traces->labels.len, sizeof key, by_id);
    if (found)
        *count = found->count;
    return found != NULL;
}

/* ---- bridges --------------------------------------------------------------------------------- */

/* A guard that a bridge hangs on. */
struct owner {
    uint64_t guard; /* its descr's id */
    uint32_t row1;  /* of the trace it was logged in last, + 1 */
};

/* One walk over the operations. */
struct walk {
    struct vf_jit_traces *traces;
    VF_VEC(struct owner) owners;
    struct vf_table owner_index; /* by guard */
    uint32_t row;                /* of the trace at hand, while inside */
    size_t next;                 /* the row that begins next */
    bool inside, assembled;
};

static struct owner *find_owner(struct walk *w, uint64_t guard)
{
    struct vf_probe probe = vf_table_probe(&w->owner_index, vf_hash_u64(guard, 0));
    uint32_t row;
    while (vf_table_next(&w->owner_index, &probe, &row))
        if (w->owners.items[row].guard == guard)
            return &w->owners.items[row];
    return NULL;
}

/* Ids of descrs are given out again: of several guards with the same id the last one that was
 * logged before the bridge is meant. */
static void see_start(struct walk *w, uint64_t offset)
{
    struct vf_jit_traces *traces = w->traces;
    w->inside = w->next < traces->traces.len && traces->traces.items[w->next].log_start == offset;
    if (!w->inside)
        return;
    w->row = (uint32_t)w->next++;
    struct vf_jit_trace *trace = &traces->traces.items[w->row];
    if (trace->guard)
        trace->parent1 = find_owner(w, trace->guard)->row1;
}

static void see_operation(struct walk *w, const struct vf_jitlog_operation *operation)
{
    const struct vf_jit_name *name = vf_jit_traces_name(w->traces, operation->opnum);
    struct owner *owner =
        name && name->guard && operation->has_descr ? find_owner(w, operation->descr_id) : NULL;
    if (owner)
        owner->row1 = w->row + 1;
}

static void find_parents(struct vf_jit_traces *traces)
{
    struct walk w = {.traces = traces};
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    for (size_t i = 0; i < traces->traces.len; i++) {
        uint64_t guard = traces->traces.items[i].guard;
        if (guard == 0 || find_owner(&w, guard))
            continue;
        vf_table_insert(&w.owner_index, vf_hash_u64(guard, 0), (uint32_t)w.owners.len);
        VF_APPEND(&w.owners, ((struct owner){guard, 0}));
    }
    if (w.owners.len && vf_jitlog_open(&log, traces->log, NULL) == VF_OK)
        while (vf_jitlog_next(&log, &record)) {
            if (vf_jit_is_piece(&record, &w.assembled))
                w.inside = false;
            if (record.type == VF_JITLOG_START_TRACE)
                see_start(&w, record.offset);
            else if (record.type == VF_JITLOG_OPERATION && w.inside)
                see_operation(&w, &record.operation);
        }
    free(w.owners.items);
    vf_table_release(&w.owner_index);
}

/* A parent stands before its bridges, so that one pass is enough. */
static void number_families(struct vf_jit_traces *traces)
{
    struct vf_jit_trace *rows = traces->traces.items;
    uint32_t *used = vf_alloc_zeroed(traces->traces.len, sizeof *used);
    for (size_t i = 0; i < traces->traces.len; i++) {
        struct vf_jit_trace *trace = &rows[i];
        trace->root = (uint32_t)i;
        if (trace->parent1) {
            trace->root = rows[trace->parent1 - 1].root;
            rows[trace->parent1 - 1].bridges++;
        }
        trace->line = used[trace->root];
        used[trace->root] += trace->assembled + 2;
    }
    free(used);
}

static int compare_children(uint32_t parent1, uint64_t guard, const struct vf_jit_trace *y)
{
    if (parent1 != y->parent1)
        return parent1 < y->parent1 ? -1 : 1;
    return (guard > y->guard) - (guard < y->guard);
}

static int by_parent(const void *a, const void *b, void *context)
{
    const struct vf_jit_trace *rows = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = compare_children(rows[x].parent1, rows[x].guard, &rows[y]);
    return order ? order : (x > y) - (x < y);
}

static void list_children(struct vf_jit_traces *traces)
{
    for (size_t i = 0; i < traces->traces.len; i++)
        if (traces->traces.items[i].parent1)
            VF_APPEND(&traces->children, (uint32_t)i);
    if (traces->children.len)
        qsort_r(traces->children.items, traces->children.len, sizeof *traces->children.items,
                by_parent, traces->traces.items);
}

const struct vf_jit_trace *vf_jit_traces_bridge(const struct vf_jit_traces *traces, uint32_t parent,
                                                uint64_t guard)
{
    size_t low = 0, high = traces->children.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct vf_jit_trace *child = &traces->traces.items[traces->children.items[middle]];
        if (compare_children(parent + 1, guard, child) >= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct vf_jit_trace *found = &traces->traces.items[traces->children.items[low - 1]];
    return found->parent1 == parent + 1 && found->guard == guard ? found : NULL;
}

/* ---- back into the log ----------------------------------------------------------------------- */

bool vf_jit_traces_seek(const struct vf_jit_traces *traces, uint64_t offset,
                        struct vf_jitlog *reader)
{
    size_t low = 0, high = traces->headers.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (traces->headers.items[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (vf_jitlog_open(reader, traces->log, NULL) != VF_OK || offset > reader->in.len)
        return false;
    if (low > 0) { /* the header that holds there */
        reader->version = traces->headers.items[low - 1].version;
        reader->addr_bytes = traces->headers.items[low - 1].addr_bytes;
    }
    reader->in.pos = (size_t)offset;
    return true;
}

struct vf_str vf_jit_traces_source_line(const struct vf_jit_traces *traces, struct vf_str file,
                                        uint32_t line)
{
    struct vf_jitlog reader;
    struct vf_jitlog_record record;
    struct vf_jitlog_line found;
    for (size_t i = 0; i < traces->sources.len; i++) {
        if (!vf_jit_traces_seek(traces, traces->sources.items[i], &reader) ||
            !vf_jitlog_next(&reader, &record) || record.type != VF_JITLOG_SOURCE_LINES ||
            !vf_str_eq(record.source.file, file))
            continue;
        while (vf_jitlog_line_next(&record, &found))
            if (found.line == line)
                return found.text;
    }
    return VF_STR("");
}

static struct vf_str own_driver(const struct vf_jit_traces *traces,
                                const struct vf_jit_trace *trace)
{
    struct vf_jitlog reader;
    struct vf_jitlog_record record;
    if (!vf_jit_traces_seek(traces, trace->log_start, &reader) ||
        !vf_jitlog_next(&reader, &record) || record.type != VF_JITLOG_START_TRACE)
        return VF_STR("");
    return record.start.driver;
}

struct vf_str vf_jit_trace_driver(const struct vf_jit_traces *traces,
                                  const struct vf_jit_trace *trace)
{
    struct vf_str driver = own_driver(traces, trace);
    uint32_t parent1 = vf_jit_traces_row(traces, trace) + 1;
    size_t low = 0, high = traces->children.len;
    while (low < high) { /* its first bridge */
        size_t middle = low + (high - low) / 2;
        if (traces->traces.items[traces->children.items[middle]].parent1 < parent1)
            low = middle + 1;
        else
            high = middle;
    }
    if (driver.len || low == traces->children.len)
        return driver;
    const struct vf_jit_trace *child = &traces->traces.items[traces->children.items[low]];
    return child->parent1 == parent1 ? own_driver(traces, child) : driver;
}

/* ---- what they are called -------------------------------------------------------------------- */

static const char *const kinds[] = {
    [VF_JIT_LOOP] = "loop", [VF_JIT_BRIDGE] = "bridge", [VF_JIT_ENTRY_BRIDGE] = "entry bridge"};

void vf_jit_trace_name(struct vf_buf *out, const struct vf_jit_traces *traces,
                       const struct vf_jit_trace *trace)
{
    const struct vf_jit_trace *root = &traces->traces.items[trace->root];
    const struct vf_jit_place *place = vf_jit_trace_place(traces, trace);
    vf_buf_printf(out, "%s %llu", kinds[trace->kind], (unsigned long long)trace->id);
    if (root != trace) {
        vf_buf_printf(out, " of %s %llu", kinds[root->kind], (unsigned long long)root->id);
    } else if (place) {
        vf_buf_add(out, " ", 1);
        vf_buf_str(out, vf_str_basename(place->file));
        vf_buf_printf(out, ":%u", place->line);
    } else {
        struct vf_str driver = vf_jit_trace_driver(traces, trace);
        if (driver.len)
            vf_buf_printf(out, " %.*s", VF_STR_ARG(driver));
    }
}

void vf_jit_graph_path(struct vf_buf *out, const struct vf_jit_trace *trace)
{
    static const char *const words[] = {
        [VF_JIT_LOOP] = "loop", [VF_JIT_BRIDGE] = "bridge", [VF_JIT_ENTRY_BRIDGE] = "entry-bridge"};
    vf_buf_printf(out, "jit/%s-%llu.iongraph.json", words[trace->kind],
                  (unsigned long long)trace->id);
}

/* ---- all of it ------------------------------------------------------------------------------- */

void vf_jit_traces_link(struct vf_jit_traces *traces)
{
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    if (vf_jitlog_open(&log, traces->log, NULL) != VF_OK)
        return;
    while (vf_jitlog_next(&log, &record)) {
        if (record.type == VF_JITLOG_RESOP_NAMES)
            add_names(traces, &record);
        else if (record.type == VF_JITLOG_COUNTER && record.counter.kind == 'l')
            VF_APPEND(&traces->labels,
                      ((struct vf_jit_label){record.counter.key, record.counter.count}));
        else if (record.type == VF_JITLOG_SOURCE_LINES)
            VF_APPEND(&traces->sources, record.offset);
        else if (record.type == VF_JITLOG_HEADER)
            VF_APPEND(&traces->headers,
                      ((struct vf_jit_header){record.offset, log.addr_bytes, log.version}));
        else if (record.type == VF_JITLOG_REDIRECT)
            VF_APPEND(&traces->redirects,
                      ((struct vf_jit_redirect){record.redirect.from, record.redirect.to,
                                                record.redirect.address}));
    }
    sort_names(traces);
    sort_labels(traces);
    find_parents(traces);
    number_families(traces);
    list_children(traces);
}

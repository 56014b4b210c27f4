#include "capture/jit_traces.h"

#include "base/progress.h"
#include "base/sorted.h"
#include "capture/jit_links.h"
#include "capture/jitlog.h"

#include <limits.h>

/* ---- rows ------------------------------------------------------------------------------------ */

/* One walk over the log.  It is walked twice, so that the rows are counted before they are
 * allocated: an array that grows would take three times its size. */
struct walk {
    struct vf_jit_traces *out;
    bool counting;
    size_t traces, places; /* how many there are so far */
    struct vf_jit_trace now;
    struct vf_jit_place place;
    enum vf_jitlog_stage stage;
    bool started;  /* `now` is one */
    bool inside;   /* records are those of `now` in `stage` */
    bool closed;   /* what follows is another trace's, which was not seen to start */
    bool has_code; /* its bounds were logged */
    uint64_t at;   /* where the record at hand begins */
    unsigned char guards[(UINT16_MAX + 1) / CHAR_BIT];
};

static struct vf_str whole_text(struct walk *w, struct vf_jitlog_text text)
{
    if (text.prefix.len == 0 || text.rest.len == 0)
        return text.rest.len ? text.rest : text.prefix;
    struct vf_str whole = {0};
    if (w->counting)
        return whole;
    char *copy = vf_arena_alloc(&w->out->arena, text.prefix.len + text.rest.len);
    memcpy(copy, text.prefix.ptr, text.prefix.len);
    memcpy(copy + text.prefix.len, text.rest.ptr, text.rest.len);
    return (struct vf_str){copy, text.prefix.len + text.rest.len};
}

/* Ends the trace that was being read. */
static void commit(struct walk *w)
{
    bool known = w->has_code || !vf_jit_trace_is_brief(&w->now);
    if (w->now.kind == VF_JIT_BRIDGE && w->has_code && w->now.guard == 0)
        w->now.kind = VF_JIT_ENTRY_BRIDGE;
    if (w->started && known && w->traces < UINT32_MAX) {
        if (w->now.place1) {
            w->now.place1 = (uint32_t)w->places + 1;
            if (!w->counting)
                w->out->places.items[w->places] = w->place;
            w->places++;
        }
        if (!w->counting)
            w->out->traces.items[w->traces] = w->now;
        w->traces++;
    }
    w->started = w->inside = w->closed = w->has_code = false;
}

static void add_start(struct walk *w, const struct vf_jitlog_start *start)
{
    commit(w);
    w->now = (struct vf_jit_trace){
        .id = start->id,
        .number = start->number,
        .log_start = w->at,
        .kind = start->bridge ? VF_JIT_BRIDGE : VF_JIT_LOOP,
    };
    w->started = true;
}

static void add_names(struct walk *w, struct vf_jitlog_record *record)
{
    uint16_t opnum;
    struct vf_str name;
    while (vf_jitlog_name_next(record, &opnum, &name)) {
        unsigned char bit = (unsigned char)(1u << opnum % CHAR_BIT);
        unsigned char *guards = &w->guards[opnum / CHAR_BIT];
        if (vf_str_starts(name, VF_STR("guard_")) || vf_str_starts(name, VF_STR("vec_guard_")))
            *guards |= bit;
        else
            *guards &= (unsigned char)~bit;
    }
}

static void add_operation(struct walk *w, uint16_t opnum)
{
    switch (w->stage) {
    case VF_JITLOG_RECORDED:
        w->now.recorded++;
        break;
    case VF_JITLOG_OPTIMISED:
        w->now.optimised++;
        w->now.guards += w->guards[opnum / CHAR_BIT] >> opnum % CHAR_BIT & 1;
        break;
    case VF_JITLOG_ASSEMBLED:
        w->now.assembled++;
        break;
    }
}

static void add_merge_point(struct walk *w, const struct vf_jitlog_merge_point *point)
{
    w->now.merge_points += w->stage == VF_JITLOG_OPTIMISED;
    if (w->now.place1)
        return;
    w->now.place1 = 1;
    w->place = (struct vf_jit_place){
        .file = whole_text(w, point->file),
        .function = whole_text(w, point->function),
        .line = point->line <= INT32_MAX ? (uint32_t)point->line : 0,
        .offset = point->offset <= INT32_MAX ? (uint32_t)point->offset : 0,
    };
}

static void add_bounds(struct walk *w, uint64_t start, uint64_t end)
{
    if (w->has_code)
        return;
    w->has_code = true;
    w->now.code_start = start;
    w->now.code_end = end;
}

static void add_record(struct walk *w, struct vf_jitlog_record *record)
{
    switch (record->type) {
    case VF_JITLOG_RESOP_NAMES:
        add_names(w, record);
        return;
    case VF_JITLOG_START_TRACE:
        add_start(w, &record->start);
        return;
    case VF_JITLOG_STAGE:
        /* The writer names the trace it started last; any other was not seen to start. */
        w->closed |= record->stage.stage == VF_JITLOG_RECORDED && w->has_code;
        w->inside = w->started && !w->closed && record->stage.id == w->now.id;
        w->stage = record->stage.stage;
        return;
    case VF_JITLOG_ABORT_TRACE:
        w->now.aborted = w->now.aborted || (w->started && record->id == w->now.id);
        return;
    case VF_JITLOG_STITCH_BRIDGE:
        if (w->has_code && record->stitch.address == w->now.code_start)
            w->now.guard = record->stitch.guard;
        return;
    case VF_JITLOG_OPERATION:
        if (w->inside)
            add_operation(w, record->operation.opnum);
        return;
    case VF_JITLOG_MERGE_POINT:
        if (w->inside)
            add_merge_point(w, &record->merge_point);
        return;
    case VF_JITLOG_CODE_BOUNDS:
        if (w->inside)
            add_bounds(w, record->bounds.start, record->bounds.end);
        return;
    case VF_JITLOG_HEADER:
    case VF_JITLOG_INPUT_ARGS:
    case VF_JITLOG_CODE_BYTES:
    case VF_JITLOG_COUNTER: /* read_counters() */
    case VF_JITLOG_MERGE_LAYOUT:
    case VF_JITLOG_COMMON_PREFIX:
    case VF_JITLOG_SOURCE_LINES:
    case VF_JITLOG_REDIRECT:
    case VF_JITLOG_TMP_CALLBACK:
        return;
    }
}

/* All of the log is gone through so often; what is told of is the part that is done of it. */
enum { ROUNDS = 3 };
static void tell(size_t records, size_t rounds, const struct vf_jitlog *log)
{
    if (vf_progress_due(records))
        vf_progress_set(((uint64_t)rounds * log->in.len + log->in.pos) / ROUNDS);
}

/* The log begins anew: it was opened before, so that its header is good. */
static void walk_log(struct walk *w, struct vf_str jitlog, bool counting)
{
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    struct vf_jit_traces *out = w->out;
    *w = (struct walk){.out = out, .counting = counting};
    if (vf_jitlog_open(&log, jitlog, NULL) != VF_OK)
        return;
    for (size_t i = 0; vf_jitlog_next(&log, &record); i++) {
        tell(i, counting ? 0 : 1, &log);
        w->at = record.offset;
        add_record(w, &record);
    }
    commit(w);
    out->problem = log.problem;
}

static void read_rows(struct vf_jit_traces *out, struct vf_str jitlog)
{
    struct walk w = {.out = out};
    walk_log(&w, jitlog, true);
    out->traces.items = vf_alloc(w.traces, sizeof *out->traces.items);
    out->traces.cap = out->traces.len = w.traces;
    out->places.items = vf_alloc(w.places, sizeof *out->places.items);
    out->places.cap = out->places.len = w.places;
    walk_log(&w, jitlog, false);
}

/* ---- order ----------------------------------------------------------------------------------- */

typedef uint64_t key_of(const struct vf_jit_trace *trace);

static uint64_t id_of(const struct vf_jit_trace *trace)
{
    return trace->id;
}

static uint64_t guard_of(const struct vf_jit_trace *trace)
{
    return trace->guard;
}

static uint64_t start_of(const struct vf_jit_trace *trace)
{
    return trace->code_start;
}

/* Row numbers by a column. */
struct order {
    const struct vf_jit_trace *traces;
    key_of *key;
    uint32_t *rows;
    size_t count;
};

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct order *order = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint64_t kx = order->key(&order->traces[x]), ky = order->key(&order->traces[y]);
    if (kx != ky)
        return kx < ky ? -1 : 1;
    return (x > y) - (x < y);
}

static struct order make_order(const struct vf_jit_traces *traces, key_of *key)
{
    struct order order = {traces->traces.items, key, NULL, traces->traces.len};
    order.rows = vf_alloc(order.count, sizeof *order.rows);
    for (size_t i = 0; i < order.count; i++)
        order.rows[i] = (uint32_t)i;
    qsort_r(order.rows, order.count, sizeof *order.rows, compare_rows, &order);
    return order;
}

/* ---- counters -------------------------------------------------------------------------------- */

/* The last trace with this key: ids of objects are given out again. */
static struct vf_jit_trace *find_last(struct vf_jit_traces *traces, const struct order *order,
                                      uint64_t key)
{
    size_t low = 0, high = order->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order->key(&order->traces[order->rows[middle]]) <= key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    struct vf_jit_trace *trace = &traces->traces.items[order->rows[low - 1]];
    return order->key(trace) == key ? trace : NULL;
}

static void add_runs(uint64_t *to, uint64_t count)
{
    if (__builtin_add_overflow(*to, count, to))
        *to = UINT64_MAX;
}

/* Behind all rows, as a log that is written in turns has counters between them. */
static void read_counters(struct vf_jit_traces *traces, struct vf_str jitlog)
{
    struct order by_id = make_order(traces, id_of), by_guard = make_order(traces, guard_of);
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    if (vf_jitlog_open(&log, jitlog, NULL) == VF_OK) {
        for (size_t i = 0; vf_jitlog_next(&log, &record); i++) {
            tell(i, 2, &log);
            const struct vf_jitlog_counter *counter = &record.counter;
            if (record.type != VF_JITLOG_COUNTER || counter->kind == 'l')
                continue;
            struct vf_jit_trace *trace = NULL;
            traces->has_counters = true;
            if (counter->kind == 'e')
                trace = find_last(traces, &by_id, counter->key);
            else if (counter->key)
                trace = find_last(traces, &by_guard, counter->key);
            add_runs(trace ? &trace->run_count : &traces->unknown_runs, counter->count);
        }
    }
    free(by_id.rows);
    free(by_guard.rows);
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* Rows whose code is open at an address, the latest on top. */
struct heap {
    uint32_t *rows;
    size_t len;
};

static void heap_push(struct heap *heap, uint32_t row)
{
    size_t at = heap->len++;
    while (at > 0 && heap->rows[(at - 1) / 2] < row) {
        heap->rows[at] = heap->rows[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->rows[at] = row;
}

static void heap_pop(struct heap *heap)
{
    uint32_t row = heap->rows[--heap->len];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < heap->len && heap->rows[child + 1] > heap->rows[child])
            child++;
        if (child >= heap->len || heap->rows[child] <= row)
            break;
        heap->rows[at] = heap->rows[child];
        at = child;
    }
    heap->rows[at] = row;
}

/* Sweeps over the addresses: each step enters the rows that start there, or leaves one. */
static void sweep(struct vf_jit_traces *traces, const struct order *order, struct heap *heap)
{
    const struct vf_jit_trace *rows = traces->traces.items;
    size_t next = 0;
    uint64_t at = 0;
    while (next < order->count || heap->len) {
        if (heap->len == 0)
            at = rows[order->rows[next]].code_start;
        while (next < order->count && rows[order->rows[next]].code_start == at)
            heap_push(heap, order->rows[next++]);
        while (heap->len && rows[heap->rows[0]].code_end <= at)
            heap_pop(heap);
        if (heap->len == 0)
            continue;
        uint32_t row = heap->rows[0];
        struct vf_jit_piece *last =
            traces->code.len ? &traces->code.items[traces->code.len - 1] : NULL;
        if (!last || last->trace != row)
            traces->code.items[traces->code.len++] = (struct vf_jit_piece){at, row};
        at = rows[row].code_end;
        if (next < order->count && rows[order->rows[next]].code_start < at)
            at = rows[order->rows[next]].code_start;
    }
}

static void index_code(struct vf_jit_traces *traces)
{
    struct order order = make_order(traces, start_of);
    size_t count = 0;
    for (size_t i = 0; i < order.count; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[order.rows[i]];
        if (trace->code_start < trace->code_end)
            order.rows[count++] = order.rows[i];
    }
    order.count = count;
    /* A piece of code begins where a trace starts, or where one ends that lay upon another. */
    traces->code.cap = 2 * count;
    traces->code.items = vf_alloc(traces->code.cap, sizeof *traces->code.items);
    struct heap heap = {vf_alloc(count, sizeof *heap.rows), 0};
    sweep(traces, &order, &heap);
    free(heap.rows);
    free(order.rows);
}

const struct vf_jit_trace *vf_jit_traces_find(const struct vf_jit_traces *traces, uint64_t address)
{
    size_t count = VF_UP_TO(traces->code.items, traces->code.len, start, address);
    if (count == 0)
        return NULL;
    const struct vf_jit_trace *trace = &traces->traces.items[traces->code.items[count - 1].trace];
    return address < trace->code_end ? trace : NULL;
}

/* ---- all of it ------------------------------------------------------------------------------- */

enum vf_status vf_jit_traces_read(struct vf_jit_traces *traces, struct vf_str jitlog,
                                  struct vf_error *error)
{
    struct vf_jitlog log;
    *traces = (struct vf_jit_traces){0};
    if (vf_jitlog_open(&log, jitlog, error) == VF_FATAL)
        return VF_FATAL;
    traces->version = log.version;
    traces->machine = log.machine;
    traces->log = jitlog;
    vf_progress_begin("reading the JIT's log", VF_PROGRESS_BYTES, jitlog.len);
    read_rows(traces, jitlog);
    read_counters(traces, jitlog);
    vf_progress_begin("linking the JIT's traces", VF_PROGRESS_PARTS, 0);
    index_code(traces);
    vf_jit_traces_link(traces);
    if (!traces->problem.text[0])
        return VF_OK;
    if (error)
        *error = traces->problem;
    return VF_WARN;
}

const struct vf_jit_place *vf_jit_trace_place(const struct vf_jit_traces *traces,
                                              const struct vf_jit_trace *trace)
{
    return trace->place1 ? &traces->places.items[trace->place1 - 1] : NULL;
}

void vf_jit_traces_release(struct vf_jit_traces *traces)
{
    free(traces->traces.items);
    free(traces->places.items);
    free(traces->code.items);
    free(traces->names.items);
    free(traces->labels.items);
    free(traces->redirects.items);
    free(traces->headers.items);
    free(traces->sources.items);
    free(traces->children.items);
    vf_arena_release(&traces->arena);
    *traces = (struct vf_jit_traces){0};
}

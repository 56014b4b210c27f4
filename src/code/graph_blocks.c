#include "code/graph_blocks.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- the family ------------------------------------------------------------------------------ */

static const struct vf_jit_stage_code *assembled(const struct vf_graph_trace *t)
{
    return &t->code.stages[VF_JITLOG_ASSEMBLED];
}

static bool is_named(const struct vf_graph *g, const struct vf_jit_op *op, const char *what)
{
    const struct vf_jit_name *name = vf_jit_traces_name(g->source->traces, op->opnum);
    return name && vf_str_eq(name->name, vf_str_from(what));
}

static const struct vf_jit_op *last_op(const struct vf_graph_trace *t)
{
    const struct vf_jit_stage_code *stage = assembled(t);
    return stage->ops.len ? &stage->ops.items[stage->ops.len - 1] : NULL;
}

/* The descr of the label that the trace jumps to in the end; 0: it ends otherwise. */
static uint64_t jump_target(const struct vf_graph *g, const struct vf_graph_trace *t)
{
    const struct vf_jit_op *last = last_op(t);
    return last && is_named(g, last, "jump") ? vf_jit_code_op(&t->code, last).texts.descr_id : 0;
}

static uint64_t hits_within(const struct vf_jit_hits *hits, uint32_t from, uint32_t to)
{
    uint64_t sum = 0;
    size_t low = 0, high = hits->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hits->items[middle].offset < from)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < hits->count && hits->items[low].offset < to; low++)
        sum += hits->items[low].count;
    return sum;
}

static struct vf_jit_hits hits_of(const struct vf_graph *g, uint32_t trace)
{
    if (!g->source->hits)
        return (struct vf_jit_hits){0};
    return g->source->hits(g->source->context, trace);
}

static void add_trace(struct vf_graph *g, uint32_t row)
{
    struct vf_graph_trace *t = VF_PUSH(&g->traces);
    struct vf_jit_hits hits = hits_of(g, row);
    t->trace = row;
    t->first_block = VF_GRAPH_NONE;
    t->hits = hits_within(&hits, 0, UINT32_MAX);
    vf_jit_code_read(&t->code, g->source->traces, row);
    g->operations += (uint32_t)assembled(t)->ops.len;
}

static struct vf_graph_trace *find_trace(struct vf_graph *g, uint32_t row)
{
    size_t low = 0, high = g->traces.len; /* in the order of the log */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->traces.items[middle].trace < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->traces.len && g->traces.items[low].trace == row ? &g->traces.items[low] : NULL;
}

static void read_family(struct vf_graph *g)
{
    const struct vf_jit_traces *traces = g->source->traces;
    for (uint32_t i = g->source->root; i < traces->traces.len; i++)
        if (traces->traces.items[i].root == g->source->root && traces->traces.items[i].assembled)
            add_trace(g, i);
}

/* ---- which bridges are drawn ----------------------------------------------------------------- */

static int by_weight(const void *a, const void *b, void *context)
{
    const struct vf_graph *g = context;
    const struct vf_graph_trace *x = &g->traces.items[*(const uint32_t *)a];
    const struct vf_graph_trace *y = &g->traces.items[*(const uint32_t *)b];
    const struct vf_jit_trace *rows = g->source->traces->traces.items;
    if (x->hits != y->hits)
        return x->hits > y->hits ? -1 : 1;
    if (rows[x->trace].run_count != rows[y->trace].run_count)
        return rows[x->trace].run_count > rows[y->trace].run_count ? -1 : 1;
    return (x->trace > y->trace) - (x->trace < y->trace);
}

static struct vf_graph_trace *parent_of(struct vf_graph *g, const struct vf_graph_trace *t)
{
    uint32_t parent1 = g->source->traces->traces.items[t->trace].parent1;
    return parent1 ? find_trace(g, parent1 - 1) : NULL;
}

/* The hot ones, with all that lead to them. */
static void choose_bridges(struct vf_graph *g)
{
    size_t count = g->traces.len, drawn = 0;
    uint32_t *order = vf_alloc(count, sizeof *order);
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, count, sizeof *order, by_weight, g);
    for (size_t i = 0; i < count && drawn < VF_GRAPH_BRIDGES_MAX; i++) {
        struct vf_graph_trace *t = &g->traces.items[order[i]];
        if (g->shortened && t->hits == 0 && i > 0)
            break;
        for (; t && !t->drawn; t = parent_of(g, t)) {
            t->drawn = true;
            drawn++;
        }
    }
    free(order);
    g->traces.items[0].drawn = true;
    for (size_t i = 0; i < count; i++)
        g->not_drawn += !g->traces.items[i].drawn;
}

/* Where the loop's body begins among the head's operations; the number of them where there is no
 * loop. */
static size_t loop_start(const struct vf_graph *g)
{
    const struct vf_graph_trace *head = &g->traces.items[0];
    const struct vf_jit_stage_code *stage = assembled(head);
    size_t found = stage->ops.len;
    for (size_t i = 0; g->label && i < stage->ops.len; i++)
        if (is_named(g, &stage->ops.items[i], "label") &&
            vf_jit_code_op(&head->code, &stage->ops.items[i]).texts.descr_id == g->label)
            found = i;
    return found;
}

/* Whether a bridge comes back to the loop's head, itself or by one of its own bridges, and whether
 * it is reached from the loop's body. */
static void find_ways(struct vf_graph *g, size_t body)
{
    const struct vf_jit_trace *rows = g->source->traces->traces.items;
    for (size_t i = 1; i < g->traces.len; i++) {
        struct vf_graph_trace *t = &g->traces.items[i], *parent = parent_of(g, t);
        const struct vf_jit_op *guard =
            parent ? vf_jit_code_guard(&parent->code, rows[t->trace].guard) : NULL;
        t->drawn = t->drawn && guard && parent->drawn;
        if (!t->drawn)
            continue;
        bool in_body = (size_t)(guard - assembled(parent)->ops.items) >= body;
        t->inside = parent == &g->traces.items[0] ? in_body : parent->inside;
        t->comes_back = g->label && jump_target(g, t) == g->label;
    }
    for (size_t i = g->traces.len; i-- > 1;) {
        struct vf_graph_trace *t = &g->traces.items[i];
        if (t->drawn && t->comes_back)
            for (struct vf_graph_trace *p = parent_of(g, t); p && !p->comes_back;
                 p = parent_of(g, p))
                p->comes_back = true;
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static int add_block(struct vf_graph *g, uint32_t depth)
{
    struct vf_graph_block *block = VF_PUSH(&g->blocks);
    block->depth = depth;
    for (size_t i = 0; i < 3; i++)
        block->successors[i] = VF_GRAPH_NONE;
    return (int)g->blocks.len - 1;
}

static void connect(struct vf_graph *g, int from, int to)
{
    int *successors = g->blocks.items[from].successors;
    for (size_t i = 0; i < 3; i++)
        if (successors[i] == VF_GRAPH_NONE || successors[i] == to) {
            successors[i] = to;
            return;
        }
}

static void add_note(struct vf_graph *g, int block, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_note(struct vf_graph *g, int block, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct vf_graph_row row = {.is_note = true, .text = vf_arena_str(&g->arena, vf_str_from(text))};
    VF_APPEND(&g->blocks.items[block].rows, row);
}

static void add_place(struct vf_graph *g, int block, const struct vf_jit_point *point)
{
    struct vf_str argument = VF_STR(""), file = vf_str_basename(point->place.file);
    if (g->source->bytecode)
        argument = vf_bytecode_argument(g->source->bytecode, point);
    add_note(g, block, "%.*s:%u %.*s  %u %.*s %.*s", VF_STR_ARG(file), point->place.line,
             VF_STR_ARG(point->place.function), point->place.offset, VF_STR_ARG(point->opcode),
             VF_STR_ARG(argument));
}

/* A trace while its blocks are made. */
struct draw {
    struct vf_graph *g;
    struct vf_graph_trace *t;
    struct vf_jit_hits hits;
    int block;
    uint32_t depth;
    const struct vf_jit_point *last;
};

/* A new block behind the one at hand; an empty one is used instead. */
static void next_block(struct draw *d)
{
    if (d->g->blocks.items[d->block].rows.len == 0 && !d->g->blocks.items[d->block].header) {
        d->g->blocks.items[d->block].depth = d->depth;
        return;
    }
    int next = add_block(d->g, d->depth);
    connect(d->g, d->block, next);
    d->block = next;
}

static void add_row(struct draw *d, uint32_t op, bool kept)
{
    struct vf_graph_block *block = &d->g->blocks.items[d->block];
    struct vf_graph_row *last = block->rows.len ? &block->rows.items[block->rows.len - 1] : NULL;
    if (kept) {
        VF_APPEND(&block->rows, ((struct vf_graph_row){.trace = d->t->trace, .op = op}));
    } else if (last && last->skipped) {
        last->skipped++;
    } else {
        VF_APPEND(&block->rows,
                  ((struct vf_graph_row){.trace = d->t->trace, .op = op, .skipped = 1}));
    }
}

static bool is_other_line(const struct vf_jit_point *a, const struct vf_jit_point *b)
{
    return b && (!a || a->place.line != b->place.line ||
                 !vf_str_eq(a->place.function, b->place.function));
}

static void add_operation(struct draw *d, uint32_t i, size_t body)
{
    struct vf_graph *g = d->g;
    const struct vf_jit_op *op = &assembled(d->t)->ops.items[i];
    const struct vf_jit_point *point = vf_jit_code_point(&d->t->code, op);
    bool is_head = d->t == &g->traces.items[0] && i == body;
    bool label = is_named(g, op, "label");
    struct vf_graph_trace *bridge = NULL;
    if (op->guard) {
        const struct vf_jit_trace *found = vf_jit_traces_bridge(
            g->source->traces, d->t->trace, vf_jit_code_op(&d->t->code, op).texts.descr_id);
        bridge = found ? find_trace(g, vf_jit_traces_row(g->source->traces, found)) : NULL;
        bridge = bridge && bridge->drawn ? bridge : NULL;
    }
    bool hot =
        op->code_len && hits_within(&d->hits, op->code_start, op->code_start + op->code_len) > 0;
    bool kept = !g->shortened || hot || label || bridge || op == last_op(d->t);
    if (is_head)
        d->depth = 1;
    if (label || (kept && is_other_line(d->last, point))) {
        next_block(d);
        if (point)
            add_place(g, d->block, point);
        d->last = point;
    }
    if (is_head) {
        g->header = d->block;
        g->blocks.items[d->block].header = true;
    }
    add_row(d, i, kept);
    if (!bridge)
        return;
    bridge->first_block = add_block(g, bridge->inside && bridge->comes_back ? 1 : 0);
    connect(g, d->block, bridge->first_block);
    next_block(d);
}

/* Where the trace goes in the end. */
static void add_end(struct draw *d)
{
    struct vf_graph *g = d->g;
    uint64_t target = jump_target(g, d->t);
    if (g->label && target == g->label) {
        bool inside = d->t == &g->traces.items[0] || d->t->inside;
        connect(g, d->block, inside ? g->backedge : g->header);
        return;
    }
    const struct vf_jit_op *last = last_op(d->t);
    int block = add_block(g, 0);
    connect(g, d->block, block);
    if (last && is_named(g, last, "finish"))
        add_note(g, block, "leaves: the function returns");
    else if (target)
        add_note(g, block, "leaves: goes on in another trace, or at another label");
    else
        add_note(g, block, "leaves");
}

static void add_exits(struct draw *d)
{
    uint64_t hits = hits_within(&d->hits, d->t->code.exits_start, UINT32_MAX);
    if (hits == 0)
        return;
    int block = add_block(d->g, 0);
    connect(d->g, d->block, block);
    VF_APPEND(&d->g->blocks.items[block].rows,
              ((struct vf_graph_row){.trace = d->t->trace, .op = VF_JIT_EXITS}));
}

static void draw_trace(struct vf_graph *g, struct vf_graph_trace *t, size_t body)
{
    struct draw d = {.g = g, .t = t, .hits = hits_of(g, t->trace), .block = t->first_block};
    struct vf_buf name = {0};
    d.depth = g->blocks.items[d.block].depth;
    vf_jit_trace_name(&name, g->source->traces, &g->source->traces->traces.items[t->trace]);
    add_note(g, d.block, "%.*s", VF_STR_ARG(vf_buf_view(&name)));
    vf_buf_release(&name);
    VF_APPEND(&g->blocks.items[d.block].rows,
              ((struct vf_graph_row){.trace = t->trace, .op = VF_JIT_ENTRY}));
    for (uint32_t i = 0; i < assembled(t)->ops.len; i++)
        add_operation(&d, i, body);
    add_end(&d);
    add_exits(&d);
}

void vf_graph_blocks(struct vf_graph *g, const struct vf_graph_source *source)
{
    *g = (struct vf_graph){.source = source, .header = VF_GRAPH_NONE, .backedge = VF_GRAPH_NONE};
    read_family(g);
    if (g->traces.len == 0 || g->traces.items[0].trace != source->root)
        return;
    g->shortened = g->operations > VF_GRAPH_OPS_MAX;
    choose_bridges(g);
    g->label = jump_target(g, &g->traces.items[0]);
    size_t body = loop_start(g);
    if (body == assembled(&g->traces.items[0])->ops.len)
        g->label = 0; /* it jumps to another trace */
    find_ways(g, body);
    g->traces.items[0].first_block = add_block(g, 0);
    if (g->label) {
        g->backedge = add_block(g, 1);
        g->blocks.items[g->backedge].backedge = true;
        add_note(g, g->backedge, "back to the loop's head");
    }
    for (size_t i = 0; i < g->traces.len; i++)
        if (g->traces.items[i].first_block != VF_GRAPH_NONE)
            draw_trace(g, &g->traces.items[i], body);
    if (g->label)
        connect(g, g->backedge, g->header);
}

void vf_graph_release(struct vf_graph *g)
{
    for (size_t i = 0; i < g->traces.len; i++)
        vf_jit_code_release(&g->traces.items[i].code);
    for (size_t i = 0; i < g->blocks.len; i++)
        free(g->blocks.items[i].rows.items);
    free(g->traces.items);
    free(g->blocks.items);
    vf_arena_release(&g->arena);
}

#include "code/graph.h"

#include "code/graph_blocks.h"
#include "code/ir.h"

enum { ROWS_MAX = 20000 };

struct write {
    const struct vf_graph *g;
    struct vf_json json;
    struct vf_buf text;
    uint32_t *predecessors; /* counts, then starts */
    int *predecessor_of;    /* blocks, by successor */
    uint64_t next_note;     /* numbers above all operations' */
};

/* ---- predecessors ---------------------------------------------------------------------------- */

static void find_predecessors(struct write *w)
{
    const struct vf_graph *g = w->g;
    size_t n = g->blocks.len, edges = 0;
    w->predecessors = vf_alloc_zeroed(n + 2, sizeof *w->predecessors);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++)
            if (g->blocks.items[i].successors[k] != VF_GRAPH_NONE) {
                w->predecessors[g->blocks.items[i].successors[k] + 2]++;
                edges++;
            }
    for (size_t i = 2; i < n + 2; i++)
        w->predecessors[i] += w->predecessors[i - 1];
    w->predecessor_of = vf_alloc(edges, sizeof *w->predecessor_of);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) {
            int to = g->blocks.items[i].successors[k];
            if (to != VF_GRAPH_NONE)
                w->predecessor_of[w->predecessors[to + 1]++] = (int)i;
        }
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct vf_jit_code *code_of(const struct vf_graph *g, uint32_t trace)
{
    for (size_t i = 0; i < g->traces.len; i++)
        if (g->traces.items[i].trace == trace)
            return &g->traces.items[i].code;
    return NULL;
}

static void make_text(struct write *w, const struct vf_graph_row *row)
{
    const struct vf_jit_code *code = row->is_note ? NULL : code_of(w->g, row->trace);
    w->text.len = 0;
    if (row->is_note)
        vf_buf_printf(&w->text, "; %.*s", VF_STR_ARG(row->text));
    else if (row->skipped)
        vf_buf_printf(&w->text, "... %u operations without hits", row->skipped);
    else if (row->op == VF_JIT_ENTRY)
        vf_buf_printf(&w->text, "(entry)");
    else if (row->op == VF_JIT_EXITS)
        vf_buf_printf(&w->text, "(exits of the guards: back to the interpreter)");
    else
        vf_ir_op(&w->text, code, &code->stages[VF_JITLOG_ASSEMBLED].ops.items[row->op]);
}

/* An operation has its number in the family, anything else one above all of these. */
static uint64_t number_of(struct write *w, const struct vf_graph_row *row)
{
    if (row->is_note || row->skipped)
        return w->next_note++;
    return vf_jit_line(&w->g->source->traces->traces.items[row->trace], row->op);
}

static void empty_list(struct vf_json *json, const char *key)
{
    vf_json_key(json, key);
    vf_json_begin(json, '[');
    vf_json_end(json, ']');
}

static void write_row(struct write *w, const struct vf_graph_row *row, bool lir)
{
    struct vf_json *json = &w->json;
    uint64_t number = number_of(w, row);
    const struct vf_jit_code *code =
        row->is_note || row->skipped ? NULL : code_of(w->g, row->trace);
    bool guard = code && row->op < VF_JIT_EXITS &&
                 code->stages[VF_JITLOG_ASSEMBLED].ops.items[row->op].guard;
    make_text(w, row);
    vf_json_begin(json, '{');
    vf_json_key(json, "ptr");
    vf_json_uint(json, number);
    vf_json_key(json, "id");
    vf_json_uint(json, number);
    vf_json_key(json, "opcode");
    vf_json_str(json, vf_buf_view(&w->text));
    if (lir) {
        vf_json_key(json, "mirPtr");
        vf_json_uint(json, number);
        empty_list(json, "defs");
    } else {
        vf_json_key(json, "attributes");
        vf_json_begin(json, '[');
        if (guard)
            vf_json_str(json, VF_STR("Guard"));
        vf_json_end(json, ']');
        empty_list(json, "inputs");
        empty_list(json, "uses");
        empty_list(json, "memInputs");
        vf_json_key(json, "type");
        vf_json_str(json, VF_STR(""));
    }
    vf_json_end(json, '}');
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void write_edges(struct write *w, int block)
{
    struct vf_json *json = &w->json;
    const int *successors = w->g->blocks.items[block].successors;
    vf_json_key(json, "predecessors");
    vf_json_begin(json, '[');
    for (uint32_t i = w->predecessors[block]; i < w->predecessors[block + 1]; i++)
        vf_json_int(json, w->predecessor_of[i]);
    vf_json_end(json, ']');
    vf_json_key(json, "successors");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < 3; i++)
        if (successors[i] != VF_GRAPH_NONE)
            vf_json_int(json, successors[i]);
    vf_json_end(json, ']');
}

static void write_block(struct write *w, int number, bool lir)
{
    const struct vf_graph_block *block = &w->g->blocks.items[number];
    struct vf_json *json = &w->json;
    vf_json_begin(json, '{');
    vf_json_key(json, "ptr");
    vf_json_int(json, number + 1);
    vf_json_key(json, "id");
    vf_json_int(json, number);
    if (!lir) {
        vf_json_key(json, "loopDepth");
        vf_json_uint(json, block->depth);
        vf_json_key(json, "attributes");
        vf_json_begin(json, '[');
        if (block->header)
            vf_json_str(json, VF_STR("loopheader"));
        if (block->backedge)
            vf_json_str(json, VF_STR("backedge"));
        vf_json_end(json, ']');
        write_edges(w, number);
    }
    vf_json_key(json, "instructions");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < block->rows.len; i++)
        write_row(w, &block->rows.items[i], lir);
    vf_json_end(json, ']');
    vf_json_end(json, '}');
}

/* The block that goes back stands behind all others. */
static void write_blocks(struct write *w, const char *key, bool lir)
{
    const struct vf_graph *g = w->g;
    w->next_note = 1;
    for (size_t i = 0; i < g->traces.len; i++) {
        const struct vf_jit_trace *trace =
            &g->source->traces->traces.items[g->traces.items[i].trace];
        if (w->next_note <= vf_jit_line(trace, VF_JIT_EXITS))
            w->next_note = (uint64_t)vf_jit_line(trace, VF_JIT_EXITS) + 1;
    }
    vf_json_key(&w->json, key);
    vf_json_begin(&w->json, '{');
    vf_json_key(&w->json, "blocks");
    vf_json_begin(&w->json, '[');
    for (size_t i = 0; i < g->blocks.len; i++)
        if (!g->blocks.items[i].backedge)
            write_block(w, (int)i, lir);
    if (g->backedge != VF_GRAPH_NONE)
        write_block(w, g->backedge, lir);
    vf_json_end(&w->json, ']');
    vf_json_end(&w->json, '}');
}

static void write_name(struct write *w)
{
    const struct vf_graph *g = w->g;
    w->text.len = 0;
    vf_jit_trace_name(&w->text, g->source->traces,
                      &g->source->traces->traces.items[g->source->root]);
    if (g->shortened)
        vf_buf_printf(&w->text, ", shortened: of its %u operations those with hits", g->operations);
    if (g->not_drawn)
        vf_buf_printf(&w->text, ", %u bridges not drawn", g->not_drawn);
    vf_json_key(&w->json, "name");
    vf_json_str(&w->json, vf_buf_view(&w->text));
}

static void write_graph(struct write *w)
{
    struct vf_json *json = &w->json;
    vf_json_begin(json, '{');
    vf_json_key(json, "version");
    vf_json_uint(json, 1);
    vf_json_key(json, "functions");
    vf_json_begin(json, '[');
    vf_json_begin(json, '{');
    write_name(w);
    vf_json_key(json, "passes");
    vf_json_begin(json, '[');
    vf_json_begin(json, '{');
    vf_json_key(json, "name");
    vf_json_str(json, VF_STR("assembled operations"));
    write_blocks(w, "mir", false);
    write_blocks(w, "lir", true);
    vf_json_end(json, '}');
    vf_json_end(json, ']');
    vf_json_end(json, '}');
    vf_json_end(json, ']');
    vf_json_end(json, '}');
}

enum vf_status vf_graph_write(struct vf_buf *out, const struct vf_graph_source *source,
                              struct vf_error *error)
{
    struct vf_graph graph;
    struct vf_buf made = {0};
    enum vf_status status = VF_OK;
    size_t rows = 0;
    vf_graph_blocks(&graph, source);
    for (size_t i = 0; i < graph.blocks.len; i++)
        rows += graph.blocks.items[i].rows.len;
    if (graph.blocks.len == 0)
        status = vf_fail(error, "it has no assembled operations");
    else if (rows > ROWS_MAX)
        status = vf_fail(error, "it has %zu rows, more than %d", rows, ROWS_MAX);
    if (status == VF_OK) {
        struct write w = {.g = &graph, .json = {.out = &made}};
        find_predecessors(&w);
        write_graph(&w);
        free(w.predecessors);
        free(w.predecessor_of);
        vf_buf_release(&w.text);
        status = vf_graph_check(vf_buf_view(&made), error);
    }
    if (status == VF_OK)
        vf_buf_str(out, vf_buf_view(&made));
    vf_buf_release(&made);
    vf_graph_release(&graph);
    return status;
}

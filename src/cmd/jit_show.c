#include "cmd/jit_table.h"
#include "code/ir.h"

#include <stdarg.h>

/* ---- what is known of it --------------------------------------------------------------------- */

static void add_fact(struct vf_page *page, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_fact(struct vf_page *page, const char *label, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vf_page_add(page, VF_COLOR_DIM, "%-12s", label);
    vf_page_add(page, VF_COLOR_PLAIN, "%s", text);
    vf_page_newline(page);
}

/* "guard_true, parse line 5" of the trace whose operations `code` holds. */
static void add_guard(struct vf_buf *out, const struct vf_jit_code *code, uint64_t descr_id)
{
    const struct vf_jit_op *guard = vf_jit_code_guard(code, descr_id);
    const struct vf_jit_point *point = guard ? vf_jit_code_point(code, guard) : NULL;
    vf_buf_str(out, guard ? vf_jit_code_op(code, guard).name : VF_STR("a guard"));
    if (point) {
        vf_buf_str(out, VF_STR(", "));
        vf_buf_str(out, point->place.function);
        vf_buf_printf(out, " line %u", point->place.line);
    }
}

static void add_parent(struct vf_page *page, const struct vf_jit *jit,
                       const struct vf_jit_trace *trace)
{
    struct vf_jit_code code;
    struct vf_buf text = {0};
    if (trace->parent1 == 0)
        return;
    vf_jit_code_read(&code, &jit->traces, trace->parent1 - 1);
    add_guard(&text, &code, trace->guard);
    vf_buf_str(&text, VF_STR(", of "));
    vf_jit_trace_name(&text, &jit->traces, &jit->traces.traces.items[trace->parent1 - 1]);
    add_fact(page, "hangs on", "%.*s", VF_STR_ARG(vf_buf_view(&text)));
    vf_jit_code_release(&code);
    vf_buf_release(&text);
}

static int by_runs(const void *a, const void *b, void *context)
{
    const struct vf_jit_trace *rows = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (rows[x].run_count != rows[y].run_count)
        return rows[x].run_count > rows[y].run_count ? -1 : 1;
    return (x > y) - (x < y);
}

static void add_bridge(struct vf_page *page, const struct vf_jit *jit,
                       const struct vf_jit_code *code, const struct vf_jit_trace *bridge)
{
    char label[40];
    struct vf_buf text = {0};
    vf_buf_str(&text, VF_STR("at "));
    add_guard(&text, code, bridge->guard);
    if (jit->traces.has_counters) {
        vf_buf_str(&text, VF_STR(": entered "));
        vf_buf_count(&text, bridge->run_count);
        vf_buf_str(&text, bridge->run_count == 1 ? VF_STR(" time") : VF_STR(" times"));
    }
    snprintf(label, sizeof label, "bridge %llu ", (unsigned long long)bridge->id);
    add_fact(page, label, "%.*s", VF_STR_ARG(vf_buf_view(&text)));
    vf_buf_release(&text);
}

static void add_bridges(struct vf_page *page, const struct vf_jit *jit, uint32_t row)
{
    enum { SHOWN_MAX = 10 };
    struct vf_jit_code code;
    size_t count = 0;
    if (jit->traces.traces.items[row].bridges == 0)
        return;
    uint32_t *rows = vf_alloc(jit->rows.len, sizeof *rows);
    for (uint32_t i = 0; i < jit->rows.len; i++)
        if (jit->traces.traces.items[i].parent1 == row + 1)
            rows[count++] = i;
    if (count)
        qsort_r(rows, count, sizeof *rows, by_runs, jit->traces.traces.items);
    vf_jit_code_read(&code, &jit->traces, row);
    for (size_t i = 0; i < count && i < SHOWN_MAX; i++)
        add_bridge(page, jit, &code, &jit->traces.traces.items[rows[i]]);
    if (count > SHOWN_MAX)
        add_fact(page, "", "and %zu more", count - SHOWN_MAX);
    vf_jit_code_release(&code);
    free(rows);
}

static void add_head(struct vf_page *page, const struct vf_jit *jit, uint32_t row)
{
    const struct vf_jit_trace *trace = &jit->traces.traces.items[row];
    const struct vf_jit_place *place = vf_jit_trace_place(&jit->traces, trace);
    const struct vf_jit_row *heat = &jit->rows.items[row];
    struct vf_buf text = {0};
    vf_jit_trace_name(&text, &jit->traces, trace);
    vf_page_add(page, VF_COLOR_TITLE, "%.*s", VF_STR_ARG(vf_buf_view(&text)));
    vf_page_newline(page);
    if (place)
        add_fact(page, "begins at", "%.*s, %.*s line %u, bytecode %u", VF_STR_ARG(place->function),
                 VF_STR_ARG(place->file), place->line, place->offset);
    add_parent(page, jit, trace);
    if (vf_jit_trace_is_brief(trace))
        add_fact(page, "operations",
                 "left out of the log, which had become too costly "
                 "(record with --jitlog=full)");
    else
        add_fact(page, "operations",
                 "%u recorded, %u optimised, %u assembled, %u guards, %u bridges", trace->recorded,
                 trace->optimised, trace->assembled, trace->guards, trace->bridges);
    if (vf_jit_code_bytes(trace))
        add_fact(page, "code", "%llu bytes at 0x%llx", (unsigned long long)vf_jit_code_bytes(trace),
                 (unsigned long long)trace->code_start);
    else
        add_fact(page, "code", trace->aborted ? "none: given up as it was optimised" : "none");
    text.len = 0;
    vf_buf_count(&text, trace->run_count);
    if (jit->traces.has_counters)
        add_fact(page, "entered", "%.*s %s", VF_STR_ARG(vf_buf_view(&text)),
                 trace->run_count == 1 ? "time" : "times");
    add_fact(page, "samples", "%.0f of %.0f; instruction addresses: %llu of %zu", heat->samples,
             jit->samples, (unsigned long long)heat->pcs, jit->pcs);
    add_bridges(page, jit, row);
    vf_page_newline(page);
    vf_buf_release(&text);
}

/* ---- the assembled stage --------------------------------------------------------------------- */

static const enum vf_color colors[] = {[VF_LISTING_NOTE] = VF_COLOR_DIM,
                                       [VF_LISTING_LINE] = VF_COLOR_SOURCE,
                                       [VF_LISTING_BYTECODE] = VF_COLOR_DIM,
                                       [VF_LISTING_OPERATION] = VF_COLOR_PLAIN,
                                       [VF_LISTING_INSTRUCTION] = VF_COLOR_DIM};

static void add_listing_row(struct vf_page *page, const struct vf_listing_row *row, uint64_t whole)
{
    double share = whole ? 100 * (double)row->hits / (double)whole : 0;
    enum vf_color color = colors[row->kind];
    if (row->hits)
        vf_page_add(page, share >= 10 ? VF_COLOR_HOT : VF_COLOR_PLAIN, "%7llu %5.1f%% ",
                    (unsigned long long)row->hits, share);
    else
        vf_page_add(page, VF_COLOR_PLAIN, "%15s", "");
    vf_page_add(page, VF_COLOR_DIM, "+0x%-5x ", row->offset);
    if (row->kind == VF_LISTING_OPERATION && vf_str_starts(row->text, VF_STR("guard_")))
        color = VF_COLOR_GUARD;
    vf_page_add(page, color, "%*s%.*s", row->kind * 2, "", VF_STR_ARG(row->text));
    vf_page_newline(page);
}

/* With a pattern: the operations that fit, their instructions, and where they come from. */
static void show_listing(struct vf_page *page, const struct vf_input *input, uint32_t trace,
                         const struct vf_jit_choice *choice)
{
    const struct vf_jit *jit = input->profile.jit;
    struct vf_listing_source source = vf_jit_listing_source(input, trace);
    struct vf_listing listing;
    struct vf_jit_code code;
    const struct vf_listing_row *line = NULL, *bytecode = NULL;
    vf_listing_make(&listing, &source);
    vf_jit_code_read(&code, &jit->traces, trace);
    vf_page_add(page, VF_COLOR_TITLE, "%7s %6s %-8s", "hits", "share", "at");
    vf_page_newline(page);
    bool fits = !choice->op;
    for (size_t i = 0; i < listing.rows.len; i++) {
        const struct vf_listing_row *row = &listing.rows.items[i];
        if (row->kind == VF_LISTING_LINE)
            line = row;
        else if (row->kind == VF_LISTING_BYTECODE)
            bytecode = row;
        else if (choice->op && row->kind == VF_LISTING_NOTE)
            fits = false; /* what lies below is of no operation */
        if (choice->op && row->kind == VF_LISTING_OPERATION) {
            const struct vf_jit_op *op = &code.stages[VF_JITLOG_ASSEMBLED].ops.items[row->op];
            fits = vf_jit_fits(choice, vf_jit_code_op(&code, op).name);
            if (fits && line)
                add_listing_row(page, line, 0);
            if (fits && bytecode)
                add_listing_row(page, bytecode, 0);
            line = fits ? NULL : line;
            bytecode = fits ? NULL : bytecode;
        }
        if (!choice->op || (fits && row->kind >= VF_LISTING_OPERATION))
            add_listing_row(page, row, jit->rows.items[trace].pcs);
    }
    vf_jit_code_release(&code);
    vf_listing_release(&listing);
}

/* ---- the other stages ------------------------------------------------------------------------ */

struct stage {
    struct vf_page *page;
    const struct vf_input *input;
    struct vf_listing_source source;
    const struct vf_jit_point *line; /* the last one of which a line was printed */
};

static bool is_same_line(const struct vf_jit_point *a, const struct vf_jit_point *b)
{
    return a && a->place.line == b->place.line && vf_str_eq(a->place.file, b->place.file) &&
           vf_str_eq(a->place.function, b->place.function);
}

static void add_point(struct stage *s, const struct vf_jit_point *point)
{
    const struct vf_jit_place *place = &point->place;
    if (!is_same_line(s->line, point)) {
        struct vf_str text = s->source.source_line(s->source.context, place->file, place->line);
        while (text.len && strchr(" \t", text.ptr[0]))
            text = (struct vf_str){text.ptr + 1, text.len - 1};
        while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1]))
            text.len--;
        vf_page_add(s->page, VF_COLOR_SOURCE, "%.*s:%u ", VF_STR_ARG(vf_str_basename(place->file)),
                    place->line);
        vf_page_add(s->page, VF_COLOR_SOURCE, "%.*s  %.*s", VF_STR_ARG(place->function),
                    VF_STR_ARG(text));
        vf_page_newline(s->page);
    }
    s->line = point;
    vf_page_add(s->page, VF_COLOR_DIM, "  %u %.*s %.*s", place->offset, VF_STR_ARG(point->opcode),
                VF_STR_ARG(vf_bytecode_argument(&s->input->bytecode, point)));
    vf_page_newline(s->page);
}

static void add_operation(struct stage *s, const struct vf_jit_code *code,
                          const struct vf_jit_op *op)
{
    struct vf_buf text = {0};
    vf_ir_op(&text, code, op);
    vf_page_add(s->page, op->guard ? VF_COLOR_GUARD : VF_COLOR_PLAIN, "    %.*s",
                VF_STR_ARG(vf_buf_view(&text)));
    vf_page_newline(s->page);
    vf_buf_release(&text);
}

/* With a pattern: the operations that fit, and the merge points that they belong to. */
static void show_stage(struct vf_page *page, const struct vf_input *input, uint32_t trace,
                       enum vf_jitlog_stage number, const struct vf_jit_choice *choice)
{
    struct stage s = {page, input, vf_jit_listing_source(input, trace), NULL};
    struct vf_jit_code code;
    size_t point = 0, shown = 0;
    vf_jit_code_read(&code, &input->profile.jit->traces, trace);
    const struct vf_jit_stage_code *stage = &code.stages[number];
    for (size_t i = 0; i <= stage->ops.len; i++) {
        const struct vf_jit_op *op = i < stage->ops.len ? &stage->ops.items[i] : NULL;
        bool fits = op && vf_jit_fits(choice, vf_jit_code_op(&code, op).name);
        for (; point < stage->points.len && (!op || stage->points.items[point].op <= i); point++)
            if (!choice->op)
                add_point(&s, &stage->points.items[point]);
        if (!fits)
            continue;
        if (choice->op && point > shown)
            add_point(&s, &stage->points.items[point - 1]);
        shown = point;
        add_operation(&s, &code, op);
    }
    if (stage->ops.len == 0) {
        vf_page_add(page, VF_COLOR_DIM, "(the log has no operations of that stage)");
        vf_page_newline(page);
    }
    vf_jit_code_release(&code);
}

void vf_jit_show(struct vf_page *page, const struct vf_input *input, uint32_t trace,
                 enum vf_jitlog_stage stage, const struct vf_jit_choice *choice)
{
    add_head(page, input->profile.jit, trace);
    if (stage == VF_JITLOG_ASSEMBLED)
        show_listing(page, input, trace, choice);
    else
        show_stage(page, input, trace, stage, choice);
}

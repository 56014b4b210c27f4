#include "cmd/jit_table.h"
#include "code/ir.h"

#include <stdarg.h>

static void add_fact(struct vf_page *page, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_fact(struct vf_page *page, const char *label, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vf_page_add(page, VF_COLOR_DIM, "%-12s", label);
    vf_page_add(page, VF_COLOR_PLAIN, "%s", text);
    vf_page_newline(page);
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
    add_fact(page, "operations", "%u recorded, %u optimised, %u assembled, %u guards, %u bridges",
             trace->recorded, trace->optimised, trace->assembled, trace->guards, trace->bridges);
    add_fact(page, "code", "%llu bytes at 0x%llx",
             (unsigned long long)(trace->code_end - trace->code_start),
             (unsigned long long)trace->code_start);
    text.len = 0;
    vf_buf_count(&text, trace->run_count);
    if (jit->traces.has_counters)
        add_fact(page, "entered", "%.*s times", VF_STR_ARG(vf_buf_view(&text)));
    if (trace->aborted)
        add_fact(page, "given up", "while it was compiled");
    add_fact(page, "samples", "%.0f of %.0f; instruction addresses: %llu of %zu", heat->samples,
             jit->samples, (unsigned long long)heat->pcs, jit->pcs.len);
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
    bool fits = !choice->op;
    for (size_t i = 0; i < listing.rows.len; i++) {
        const struct vf_listing_row *row = &listing.rows.items[i];
        if (row->kind == VF_LISTING_LINE)
            line = row;
        else if (row->kind == VF_LISTING_BYTECODE)
            bytecode = row;
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

static void show_stage(struct vf_page *page, const struct vf_input *input, uint32_t trace,
                       enum vf_jitlog_stage number, const struct vf_jit_choice *choice)
{
    struct vf_jit_code code;
    struct vf_buf text = {0};
    size_t point = 0;
    vf_jit_code_read(&code, &input->profile.jit->traces, trace);
    const struct vf_jit_stage_code *stage = &code.stages[number];
    for (size_t i = 0; i < stage->ops.len; i++) {
        for (; point < stage->points.len && stage->points.items[point].op <= i; point++) {
            const struct vf_jit_point *p = &stage->points.items[point];
            struct vf_str argument = vf_bytecode_argument(&input->bytecode, p);
            if (!choice->op) {
                vf_page_add(page, VF_COLOR_SOURCE, "%.*s:%u %.*s  %u %.*s %.*s",
                            VF_STR_ARG(vf_str_basename(p->place.file)), p->place.line,
                            VF_STR_ARG(p->place.function), p->place.offset, VF_STR_ARG(p->opcode),
                            VF_STR_ARG(argument));
                vf_page_newline(page);
            }
        }
        if (!vf_jit_fits(choice, vf_jit_code_op(&code, &stage->ops.items[i]).name))
            continue;
        text.len = 0;
        vf_ir_op(&text, &code, &stage->ops.items[i]);
        vf_page_add(page, stage->ops.items[i].guard ? VF_COLOR_GUARD : VF_COLOR_PLAIN, "    %.*s",
                    VF_STR_ARG(vf_buf_view(&text)));
        vf_page_newline(page);
    }
    if (stage->ops.len == 0) {
        vf_page_add(page, VF_COLOR_DIM, "(the log has no operations of that stage)");
        vf_page_newline(page);
    }
    vf_buf_release(&text);
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

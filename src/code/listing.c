#include "code/listing.h"

#include "code/ir.h"
#include "code/machine.h"

#include <stdio.h>

struct make {
    struct vf_listing *listing;
    const struct vf_listing_source *source;
    struct vf_jit_code code;
    struct vf_machine machine;
    struct vf_buf text;
    uint64_t base; /* where the trace's code was */
    size_t next_hit;
    size_t points; /* merge points that are listed */
    const struct vf_jit_point *last;
};

/* ---- rows ------------------------------------------------------------------------------------ */

/* A row with the text that was made; the text is begun anew. */
static struct vf_listing_row *add_row(struct make *m, enum vf_listing_kind kind, uint32_t offset,
                                      uint32_t op)
{
    struct vf_listing_row *row = VF_PUSH(&m->listing->rows);
    row->kind = (uint8_t)kind;
    row->offset = offset;
    row->op = op;
    row->text = vf_arena_str(&m->listing->arena, vf_buf_view(&m->text));
    m->text.len = 0;
    return row;
}

static void add_note(struct make *m, uint32_t offset, uint32_t op, uint64_t hits, const char *text)
{
    vf_buf_str(&m->text, vf_str_from(text));
    add_row(m, VF_LISTING_NOTE, offset, op)->hits = hits;
}

/* The hits below `end`, of those that are not counted yet. */
static uint64_t take_hits(struct make *m, uint32_t end)
{
    const struct vf_jit_hits *hits = &m->source->hits;
    uint64_t sum = 0;
    while (m->next_hit < hits->count && hits->items[m->next_hit].offset < end)
        sum += hits->items[m->next_hit++].count;
    return sum;
}

/* Instructions of [start, start + bytes); returns their hits. */
static uint64_t add_instructions(struct make *m, struct vf_str bytes, uint32_t start, uint32_t op)
{
    uint64_t sum = 0;
    while (bytes.len) {
        size_t size = vf_machine_next(&m->machine, bytes, m->base + start, m->base,
                                      m->code.code_size, &m->text);
        struct vf_listing_row *row = add_row(m, VF_LISTING_INSTRUCTION, start, op);
        row->size = (uint32_t)size;
        row->hits = take_hits(m, start + (uint32_t)size);
        sum += row->hits;
        start += (uint32_t)size;
        bytes = (struct vf_str){bytes.ptr + size, bytes.len - size};
    }
    return sum;
}

/* ---- where in the program -------------------------------------------------------------------- */

static bool is_same_line(const struct vf_jit_point *a, const struct vf_jit_point *b)
{
    return a && a->place.line == b->place.line && vf_str_eq(a->place.file, b->place.file) &&
           vf_str_eq(a->place.function, b->place.function);
}

static struct vf_str trim(struct vf_str text)
{
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = (struct vf_str){text.ptr + 1, text.len - 1};
    while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1]))
        text.len--;
    return text;
}

static void add_line(struct make *m, const struct vf_jit_point *point, uint32_t offset)
{
    const struct vf_listing_source *s = m->source;
    const struct vf_jit_place *place = &point->place;
    struct vf_str text = VF_STR("");
    if (s->source_line)
        text = trim(s->source_line(s->context, place->file, place->line));
    vf_buf_str(&m->text, vf_str_basename(place->file));
    vf_buf_printf(&m->text, ":%u %.*s", place->line, VF_STR_ARG(place->function));
    if (text.len)
        vf_buf_printf(&m->text, "  %.*s", VF_STR_ARG(text));
    add_row(m, VF_LISTING_LINE, offset, VF_JIT_ENTRY);
}

/* The merge points before the one with the number `until`, from the one that is next. */
static void add_points(struct make *m, size_t until, uint32_t offset)
{
    const struct vf_jit_stage_code *stage = &m->code.stages[VF_JITLOG_OPTIMISED];
    for (; m->points < until; m->points++) {
        const struct vf_jit_point *point = &stage->points.items[m->points];
        struct vf_str argument = VF_STR("");
        if (!is_same_line(m->last, point))
            add_line(m, point, offset);
        m->last = point;
        if (m->source->bytecode)
            argument = vf_bytecode_argument(m->source->bytecode, point);
        vf_buf_printf(&m->text, "%u %.*s", point->place.offset, VF_STR_ARG(point->opcode));
        if (argument.len)
            vf_buf_printf(&m->text, " %.*s", VF_STR_ARG(argument));
        add_row(m, VF_LISTING_BYTECODE, offset, VF_JIT_ENTRY);
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static void add_operation(struct make *m, uint32_t i, uint32_t *end)
{
    const struct vf_jit_op *op = &m->code.stages[VF_JITLOG_ASSEMBLED].ops.items[i];
    struct vf_str bytes = vf_jit_code_op(&m->code, op).code;
    uint32_t start = op->has_code ? op->code_start : *end;
    /* The log gives the exits of the guards to the last operation. */
    if (start + bytes.len > m->code.exits_start)
        bytes.len = start < m->code.exits_start ? m->code.exits_start - start : 0;
    add_points(m, op->point1, start);
    vf_ir_op(&m->text, &m->code, op);
    add_row(m, VF_LISTING_OPERATION, start, i);
    size_t row = m->listing->rows.len - 1;
    uint64_t hits = add_instructions(m, bytes, start, i);
    m->listing->rows.items[row].size = (uint32_t)bytes.len;
    m->listing->rows.items[row].hits = hits;
    *end = start + (uint32_t)bytes.len;
}

/* Before the first operation lie constants and the entry; where the one ends and the other begins
 * is not told, so only the instructions that were hit are shown. */
static void add_entry(struct make *m, uint32_t end)
{
    const struct vf_jit_hits *hits = &m->source->hits;
    size_t count = 0;
    uint64_t sum = 0;
    while (count < hits->count && hits->items[count].offset < end)
        sum += hits->items[count++].count;
    add_note(m, 0, VF_JIT_ENTRY, 0, "(samples whose instruction is not known are counted here)");
    add_note(m, 1, VF_JIT_ENTRY, sum, "(constants and the entry, before the first operation)");
    for (size_t i = 0; i < count; i++) {
        vf_buf_printf(&m->text, "(code of the entry)");
        struct vf_listing_row *row =
            add_row(m, VF_LISTING_INSTRUCTION, hits->items[i].offset, VF_JIT_ENTRY);
        row->hits = hits->items[i].count;
    }
    m->next_hit = count;
}

static void add_exits(struct make *m)
{
    const struct vf_jit_stage_code *stage = &m->code.stages[VF_JITLOG_ASSEMBLED];
    uint32_t start = m->code.exits_start;
    if (start >= m->code.code_size || stage->ops.len == 0)
        return;
    const struct vf_jit_op *last = &stage->ops.items[stage->ops.len - 1];
    struct vf_str bytes = vf_jit_code_op(&m->code, last).code;
    add_note(m, start, VF_JIT_EXITS, 0, "(exits of the guards: back to the interpreter)");
    size_t row = m->listing->rows.len - 1;
    if (last->code_start <= start && bytes.len > start - last->code_start) {
        size_t skip = start - last->code_start;
        bytes = (struct vf_str){bytes.ptr + skip, bytes.len - skip};
        uint64_t hits = add_instructions(m, bytes, start, VF_JIT_EXITS);
        m->listing->rows.items[row].hits = hits;
    }
    /* What the log holds no bytes of. */
    m->listing->rows.items[row].hits += take_hits(m, UINT32_MAX);
}

void vf_listing_make(struct vf_listing *listing, const struct vf_listing_source *source)
{
    const struct vf_jit_trace *trace = &source->traces->traces.items[source->trace];
    struct make m = {.listing = listing, .source = source, .base = trace->code_start};
    *listing = (struct vf_listing){0};
    vf_machine_open(&m.machine, source->traces->machine);
    vf_jit_code_read(&m.code, source->traces, source->trace);
    listing->disassembled = m.machine.known;
    const struct vf_jit_stage_code *stage = &m.code.stages[VF_JITLOG_ASSEMBLED];
    uint32_t end = 0;
    for (size_t i = 0; i < stage->ops.len && end == 0; i++)
        if (stage->ops.items[i].has_code && stage->ops.items[i].code_len)
            end = stage->ops.items[i].code_start;
    if (trace->code_end > trace->code_start)
        add_entry(&m, end);
    for (size_t i = 0; i < stage->ops.len; i++)
        add_operation(&m, (uint32_t)i, &end);
    add_points(&m, m.code.stages[VF_JITLOG_OPTIMISED].points.len, end);
    add_exits(&m);
    vf_buf_release(&m.text);
    vf_jit_code_release(&m.code);
    vf_machine_close(&m.machine);
}

void vf_listing_release(struct vf_listing *listing)
{
    free(listing->rows.items);
    vf_arena_release(&listing->arena);
    *listing = (struct vf_listing){0};
}

/* ---- for the front-end ----------------------------------------------------------------------- */

void vf_listing_write_asm(struct vf_buf *out, const struct vf_listing *listing, uint64_t start,
                          uint64_t size, struct vf_str arch)
{
    static const char *const indents[] = {[VF_LISTING_NOTE] = "",
                                          [VF_LISTING_LINE] = "",
                                          [VF_LISTING_BYTECODE] = "  ",
                                          [VF_LISTING_OPERATION] = "    ",
                                          [VF_LISTING_INSTRUCTION] = "        "};
    struct vf_json writer = {.out = out}, *json = &writer;
    struct vf_buf text = {0};
    char number[24];
    vf_json_begin(json, '{');
    vf_json_key(json, "startAddress");
    snprintf(number, sizeof number, "0x%llx", (unsigned long long)start);
    vf_json_str(json, vf_str_from(number));
    vf_json_key(json, "size");
    snprintf(number, sizeof number, "0x%llx", (unsigned long long)size);
    vf_json_str(json, vf_str_from(number));
    vf_json_key(json, "arch");
    vf_json_str(json, arch);
    vf_json_key(json, "syntax");
    vf_json_begin(json, '[');
    vf_json_str(json, VF_STR("Intel"));
    vf_json_end(json, ']');
    vf_json_key(json, "instructions");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < listing->rows.len; i++) {
        const struct vf_listing_row *row = &listing->rows.items[i];
        text.len = 0;
        vf_buf_printf(&text, "%s", indents[row->kind]);
        vf_buf_str(&text, row->text);
        vf_json_begin(json, '[');
        vf_json_uint(json, row->offset);
        vf_json_str(json, vf_buf_view(&text));
        vf_json_end(json, ']');
    }
    vf_json_end(json, ']');
    vf_json_end(json, '}');
    vf_buf_release(&text);
}

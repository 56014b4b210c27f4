#include "code/listing.h"

#include "code/disassembly.h"

#include "base/reader.h"
#include "code/ir.h"
#include "code/machine.h"

#include <stdio.h>

/* Where a guard's own jump leads, behind the last operation. */
struct exit {
    uint32_t offset, op;
};

struct make {
    struct vf_listing *listing;
    const struct vf_listing_source *source;
    struct vf_jit_code code;
    struct vf_machine machine;
    struct vf_buf text;
    uint64_t base; /* where the trace's code was */
    uint32_t end;  /* of the bytes that are listed */
    size_t next_hit;
    size_t points; /* merge points that are listed */
    const struct vf_jit_point *last;
    struct vf_str last_code; /* of the last operation that has some; `last_start` is its offset */
    uint32_t last_start;
    VF_VEC(struct exit) exits;
    size_t next_exit;
    uint32_t watched, aside; /* guards without a jump before these are shown */
};

/* ---- rows ------------------------------------------------------------------------------------ */

/* A row with the text that was made; the text is begun anew.  It stays one line: the front-end
 * finds rows by counting lines. */
static struct vf_listing_row *add_row(struct make *m, enum vf_listing_kind kind, uint32_t offset,
                                      uint32_t op)
{
    struct vf_listing_row *row = VF_PUSH(&m->listing->rows);
    row->kind = (uint8_t)kind;
    row->offset = offset;
    row->op = op;
    for (size_t i = 0; i < m->text.len; i++)
        if ((unsigned char)m->text.ptr[i] < ' ')
            m->text.ptr[i] = ' ';
    row->text = vf_arena_str(&m->listing->arena, vf_buf_view(&m->text));
    m->text.len = 0;
    return row;
}

static size_t add_note(struct make *m, uint32_t offset, uint32_t op, const char *text)
{
    vf_buf_str(&m->text, vf_str_from(text));
    add_row(m, VF_LISTING_NOTE, offset, op);
    return m->listing->rows.len - 1;
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

/* The first instruction of `bytes`, which are those behind what is listed; takes it off. */
static const struct vf_listing_row *add_instruction(struct make *m, struct vf_str *bytes,
                                                    uint32_t op)
{
    size_t size = vf_machine_next(&m->machine, *bytes, m->base + m->end, m->base, m->code.code_size,
                                  &m->text);
    struct vf_listing_row *row = add_row(m, VF_LISTING_INSTRUCTION, m->end, op);
    row->size = (uint32_t)size;
    m->end += (uint32_t)size;
    row->hits = take_hits(m, m->end);
    *bytes = (struct vf_str){bytes->ptr + size, bytes->len - size};
    return row;
}

/* Code up to `end` whose bytes the log does not hold: only what was hit is shown. */
static void add_unseen(struct make *m, uint32_t end, uint32_t op, const char *text)
{
    const struct vf_jit_hits *hits = &m->source->hits;
    size_t note = add_note(m, m->end, op, text);
    uint32_t last = m->end;
    while (m->next_hit < hits->count && hits->items[m->next_hit].offset < end) {
        const struct vf_jit_hit *hit = &hits->items[m->next_hit++];
        last = hit->offset > last ? hit->offset : last;
        vf_buf_printf(&m->text, "(not in the log)");
        add_row(m, VF_LISTING_INSTRUCTION, last, op)->hits = hit->count;
        m->listing->rows.items[note].hits += hit->count;
    }
    m->end = end;
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

/* On x86 a guard's code ends with a conditional jump over 32 bits, to its exit. */
static void keep_exit(struct make *m, uint32_t op, struct vf_str bytes)
{
    if (bytes.len < 6)
        return;
    const unsigned char *jump = (const unsigned char *)bytes.ptr + bytes.len - 6;
    if (jump[0] != 0x0f || (jump[1] & 0xf0) != 0x80)
        return;
    int64_t to = (int64_t)m->end + (int64_t)bytes.len + (int32_t)vf_load_u32(jump + 2);
    if (to >= m->code.exits_start && to < m->code.code_size)
        VF_APPEND(&m->exits, ((struct exit){(uint32_t)to, op}));
}

static void add_operation(struct make *m, uint32_t i)
{
    const struct vf_jit_op *op = &m->code.stages[VF_JITLOG_ASSEMBLED].ops.items[i];
    struct vf_str bytes = vf_jit_code_op(&m->code, op).code;
    /* In a log that was written over, bytes may be given to two operations: the first one has them.
     */
    if (!op->has_code || op->code_start < m->end || op->code_start >= m->code.exits_start)
        bytes.len = 0;
    if (bytes.len && op->code_start > m->end)
        add_unseen(m, op->code_start, VF_JIT_ENTRY, "(code that the log does not hold)");
    if (bytes.len) {
        m->last_code = bytes;
        m->last_start = m->end;
    }
    /* The log gives the exits of the guards to the last operation. */
    if (bytes.len > m->code.exits_start - m->end)
        bytes.len = m->code.exits_start - m->end;
    if (op->guard)
        keep_exit(m, i, bytes);
    add_points(m, op->point1, m->end);
    vf_ir_op(&m->text, &m->code, op);
    add_row(m, VF_LISTING_OPERATION, m->end, i)->size = (uint32_t)bytes.len;
    size_t row = m->listing->rows.len - 1;
    uint64_t hits = 0;
    while (bytes.len)
        hits += add_instruction(m, &bytes, i)->hits;
    m->listing->rows.items[row].hits = hits;
}

/* Before the first operation lie constants and the entry.  A sample of which only the trace is
 * known has the offset 0, where there is no instruction: at least one constant comes first. */
static void add_entry(struct make *m)
{
    const struct vf_jit_stage_code *stage = &m->code.stages[VF_JITLOG_ASSEMBLED];
    const struct vf_jit_op *op = NULL;
    for (size_t i = 0; i < stage->ops.len && !op; i++)
        if (stage->ops.items[i].has_code && stage->ops.items[i].code_len)
            op = &stage->ops.items[i];
    uint32_t first = op ? op->code_start : 1;
    add_note(m, 0, VF_JIT_ENTRY, "(samples whose instruction is not known are counted here)");
    m->end = first > 0;
    if (first > 1)
        add_unseen(m, first, VF_JIT_ENTRY, "(constants and the entry, before the first operation)");
}

/* ---- exits of guards ------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
    const struct exit *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->op > y->op) - (x->op < y->op);
}

/* Two kinds of guards have no jump of their own.  One is watched from outside, and its exit stands
 * between those of its neighbours.  The other one looks for an exception behind a call that is made
 * aside of the trace, and its exit stands behind all others. */
static bool find_jumpless(const struct make *m, uint32_t *at, struct vf_str name, bool any)
{
    const struct vf_jit_stage_code *stage = &m->code.stages[VF_JITLOG_ASSEMBLED];
    for (; *at < stage->ops.len; ++*at) {
        const struct vf_jit_op *op = &stage->ops.items[*at];
        if (op->guard && op->code_len == 0 &&
            vf_str_eq(vf_jit_traces_name(m->code.traces, op->opnum)->name, name))
            return true;
        if (op->guard && op->code_len && !any)
            return false;
    }
    return false;
}

/* The guard of the exit at m->end, its row + 1; 0: it is not known. */
static uint32_t guard_of(struct make *m)
{
    if (m->next_exit < m->exits.len && m->exits.items[m->next_exit].offset == m->end) {
        uint32_t op = m->exits.items[m->next_exit].op;
        m->watched = op >= m->watched ? op + 1 : m->watched;
        return op + 1;
    }
    if (find_jumpless(m, &m->watched, VF_STR("guard_not_invalidated"), false))
        return ++m->watched;
    if (find_jumpless(m, &m->aside, VF_STR("guard_no_exception"), true))
        return ++m->aside;
    return 0;
}

static size_t add_exit(struct make *m)
{
    uint32_t guard1 = guard_of(m);
    if (guard1 == 0)
        return add_note(m, m->end, VF_JIT_EXITS, "(exit of no guard that is known)");
    const struct vf_jit_op *op = &m->code.stages[VF_JITLOG_ASSEMBLED].ops.items[guard1 - 1];
    vf_buf_printf(&m->text, "(exit of %.*s at +0x%x)",
                  VF_STR_ARG(vf_jit_traces_name(m->code.traces, op->opnum)->name), op->code_start);
    add_row(m, VF_LISTING_NOTE, m->end, VF_JIT_EXITS);
    return m->listing->rows.len - 1;
}

static void add_exit_code(struct make *m, struct vf_str bytes)
{
    size_t note = 0;
    bool begins = true;
    if (m->exits.len)
        qsort(m->exits.items, m->exits.len, sizeof *m->exits.items, by_offset);
    while (bytes.len) {
        while (m->next_exit < m->exits.len && m->exits.items[m->next_exit].offset < m->end)
            m->next_exit++;
        if (begins ||
            (m->next_exit < m->exits.len && m->exits.items[m->next_exit].offset == m->end))
            note = add_exit(m);
        const struct vf_listing_row *row = add_instruction(m, &bytes, VF_JIT_EXITS);
        begins = vf_str_starts(row->text, VF_STR("jmp "));
        m->listing->rows.items[note].hits += row->hits;
    }
}

static void add_exits(struct make *m)
{
    uint32_t start = m->code.exits_start;
    struct vf_str bytes = m->last_code;
    if (start >= m->code.code_size || m->end != start || bytes.len <= start - m->last_start)
        return;
    add_note(m, start, VF_JIT_EXITS, "(exits of the guards: back to the interpreter)");
    size_t skip = start - m->last_start;
    add_exit_code(m, (struct vf_str){bytes.ptr + skip, bytes.len - skip});
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* A program of 32 bits may have been built, and named, on a machine of 64. */
static struct vf_str machine_name(const struct vf_jit_code *code)
{
    struct vf_str name = code->traces->machine;
    if (code->reader.addr_bytes != 4)
        return name;
    if (vf_str_eq(name, VF_STR("x86_64")) || vf_str_eq(name, VF_STR("AMD64")))
        return VF_STR("i686");
    return vf_str_eq(name, VF_STR("aarch64")) ? VF_STR("armv7l") : name;
}

void vf_listing_make(struct vf_listing *listing, const struct vf_listing_source *source)
{
    const struct vf_jit_trace *trace = &source->traces->traces.items[source->trace];
    struct make m = {.listing = listing, .source = source, .base = trace->code_start};
    bool has_code = trace->code_end > trace->code_start;
    *listing = (struct vf_listing){0};
    vf_jit_code_read(&m.code, source->traces, source->trace);
    vf_machine_open(&m.machine, machine_name(&m.code));
    listing->disassembled = m.machine.known;
    if (has_code)
        add_entry(&m);
    for (size_t i = 0; i < m.code.stages[VF_JITLOG_ASSEMBLED].ops.len; i++)
        add_operation(&m, (uint32_t)i);
    add_points(&m, m.code.stages[VF_JITLOG_OPTIMISED].points.len, m.end);
    add_exits(&m);
    /* Behind a cut. */
    if (has_code && (m.end < m.code.code_size || m.next_hit < source->hits.count))
        add_unseen(&m, UINT32_MAX, VF_JIT_EXITS, "(code that the log does not hold)");
    free(m.exits.items);
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
    vf_asm_begin(json, start, size, arch);
    for (size_t i = 0; i < listing->rows.len; i++) {
        const struct vf_listing_row *row = &listing->rows.items[i];
        text.len = 0;
        vf_buf_printf(&text, "%s", indents[row->kind]);
        vf_buf_str(&text, row->text);
        vf_asm_row(json, row->offset, vf_buf_view(&text));
    }
    vf_asm_end(json);
    vf_buf_release(&text);
}

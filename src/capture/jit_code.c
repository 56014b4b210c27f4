#include "capture/jit_code.h"

#include "capture/jit_links.h"
#include "capture/jit_match.h"

/* ---- texts ----------------------------------------------------------------------------------- */

struct vf_str vf_jit_arg_next(struct vf_str *args)
{
    size_t depth = 0, i = 0;
    for (; i < args->len; i++) {
        char c = args->ptr[i];
        if (c == '(' || c == '<' || c == '[')
            depth++;
        else if ((c == ')' || c == '>' || c == ']') && depth)
            depth--;
        else if (c == ',' && depth == 0)
            break;
    }
    struct vf_str part = {args->ptr, i};
    size_t taken = i < args->len ? i + 1 : i;
    *args = (struct vf_str){args->ptr + taken, args->len - taken};
    return part;
}

/* A function's frame: its last merge point, that of its caller, and how many of the guard's frames
 * were left before it. */
struct frame {
    uint32_t point1, caller1, left;
    bool inherited; /* one of the guard's frames, or the loop's own */
};

/* One walk over the trace's records. */
struct read {
    struct vf_jit_code *code;
    struct vf_jit_stage_code *stage; /* NULL: outside of one */
    enum vf_jitlog_stage number;
    bool assembled;       /* its code's bounds have come */
    bool after_op;        /* the record before is an operation of this stage */
    uint32_t code_before; /* the code's offset before, for what passes 64 KiB */
    struct frame now;
    VF_VEC(struct frame) frames; /* those that have called it */
    uint32_t last_point1;
    struct vf_jit_place last_place;
};

static struct vf_str whole_text(struct read *r, struct vf_jitlog_text text, struct vf_str before)
{
    struct vf_str a = text.prefix, b = text.rest;
    if (a.len == 0 || b.len == 0)
        return b.len ? b : a;
    if (before.len == a.len + b.len && memcmp(before.ptr, a.ptr, a.len) == 0 &&
        memcmp(before.ptr + a.len, b.ptr, b.len) == 0)
        return before;
    char *copy = vf_arena_alloc(&r->code->arena, a.len + b.len);
    memcpy(copy, a.ptr, a.len);
    memcpy(copy + a.len, b.ptr, b.len);
    return (struct vf_str){copy, a.len + b.len};
}

/* ---- merge points and frames ----------------------------------------------------------------- */

static void enter_frame(struct read *r)
{
    struct frame *now = &r->now;
    VF_APPEND(&r->frames, *now);
    /* Called before the caller's first merge point, it is as if the caller's caller had called; a
     * frame of the guard's is known all the same. */
    now->caller1 = now->point1 || now->inherited ? now->point1 : now->caller1;
    now->point1 = 0;
    now->inherited = false;
}

static void leave_frame(struct read *r)
{
    if (r->frames.len) {
        r->now = r->frames.items[--r->frames.len];
        return;
    }
    r->now.left += r->now.left < UINT32_MAX - 1;
    r->now.point1 = r->now.caller1 = 0;
}

static void add_point(struct read *r, const struct vf_jitlog_merge_point *logged)
{
    struct vf_jit_place *last = &r->last_place;
    struct vf_jit_place place = {
        .file = whole_text(r, logged->file, last->file),
        .function = whole_text(r, logged->function, last->function),
        .line = logged->line <= INT32_MAX ? (uint32_t)logged->line : 0,
        .offset = logged->offset <= INT32_MAX ? (uint32_t)logged->offset : 0,
    };
    struct vf_jit_point point = {
        .place = place,
        .opcode = whole_text(r, logged->opcode, VF_STR("")),
        .op = (uint32_t)r->stage->ops.len,
        .caller1 = r->now.caller1,
        /* One of the guard's own frames takes that one's place; a function that was called from it
         * before it had a merge point stands below it. */
        .inherit = r->now.left + (r->now.inherited ? 1 : 0),
    };
    VF_APPEND(&r->stage->points, point);
    r->now.point1 = r->last_point1 = (uint32_t)r->stage->points.len;
    *last = place;
}

/* ---- operations ------------------------------------------------------------------------------ */

static const struct vf_jit_guard *find_guard(const struct vf_jit_code *code, uint64_t descr_id)
{
    struct vf_probe probe = vf_table_probe(&code->guard_index, vf_hash_u64(descr_id, 0));
    uint32_t row;
    while (vf_table_next(&code->guard_index, &probe, &row))
        if (code->guards.items[row].descr_id == descr_id)
            return &code->guards.items[row];
    return NULL;
}

static void add_guard(struct vf_jit_code *code, uint64_t descr_id, uint32_t op)
{
    if (find_guard(code, descr_id))
        return;
    vf_table_insert(&code->guard_index, vf_hash_u64(descr_id, 0), (uint32_t)code->guards.len);
    VF_APPEND(&code->guards, ((struct vf_jit_guard){descr_id, op}));
}

static void add_operation(struct read *r, const struct vf_jitlog_record *record)
{
    const struct vf_jit_trace *trace = &r->code->traces->traces.items[r->code->trace];
    const struct vf_jit_name *name = vf_jit_traces_name(r->code->traces, record->operation.opnum);
    uint64_t at = record->offset - trace->log_start;
    if (at > UINT32_MAX || r->stage->ops.len >= VF_JIT_EXITS)
        return;
    VF_APPEND(&r->stage->ops, ((struct vf_jit_op){.at = (uint32_t)at,
                                                  .point1 = r->last_point1,
                                                  .opnum = record->operation.opnum,
                                                  .guard = name && name->guard}));
    if (name && name->guard && r->number == VF_JITLOG_ASSEMBLED)
        add_guard(r->code, record->operation.descr_id, (uint32_t)r->stage->ops.len - 1);
    if (name && vf_str_eq(name->name, VF_STR("enter_portal_frame")))
        enter_frame(r);
    else if (name && vf_str_eq(name->name, VF_STR("leave_portal_frame")))
        leave_frame(r);
}

/* Offsets have 16 bits and only grow: a smaller one has passed 64 KiB. */
static void add_code(struct read *r, uint16_t offset, struct vf_str bytes)
{
    if (!r->after_op || r->stage->ops.len == 0)
        return;
    struct vf_jit_op *op = &r->stage->ops.items[r->stage->ops.len - 1];
    uint32_t start = r->code_before + (uint16_t)(offset - r->code_before);
    if (op->has_code || start > r->code->code_size || bytes.len > r->code->code_size - start)
        return;
    op->has_code = true;
    op->code_start = start;
    op->code_len = (uint32_t)bytes.len;
    r->code_before = start;
}

static void begin_stage(struct read *r, enum vf_jitlog_stage stage, bool ours)
{
    r->stage = ours ? &r->code->stages[stage] : NULL;
    r->number = stage;
    r->now = (struct frame){.inherited = true};
    r->last_point1 = 0;
    r->frames.len = 0;
}

static void read_record(struct read *r, const struct vf_jitlog_record *record)
{
    switch (record->type) {
    case VF_JITLOG_STAGE:
        begin_stage(r, record->stage.stage,
                    record->stage.id == r->code->traces->traces.items[r->code->trace].id);
        return;
    case VF_JITLOG_INPUT_ARGS:
        if (r->stage)
            r->stage->inputs = record->text;
        return;
    case VF_JITLOG_OPERATION:
        if (r->stage)
            add_operation(r, record);
        return;
    case VF_JITLOG_MERGE_POINT:
        if (r->stage && r->number != VF_JITLOG_ASSEMBLED)
            add_point(r, &record->merge_point);
        return;
    case VF_JITLOG_CODE_BYTES:
        if (r->stage && r->number == VF_JITLOG_ASSEMBLED)
            add_code(r, record->code.offset, record->code.bytes);
        return;
    case VF_JITLOG_HEADER:
    case VF_JITLOG_RESOP_NAMES:
    case VF_JITLOG_START_TRACE:
    case VF_JITLOG_CODE_BOUNDS:
    case VF_JITLOG_STITCH_BRIDGE:
    case VF_JITLOG_COUNTER:
    case VF_JITLOG_MERGE_LAYOUT:
    case VF_JITLOG_COMMON_PREFIX:
    case VF_JITLOG_ABORT_TRACE:
    case VF_JITLOG_SOURCE_LINES:
    case VF_JITLOG_REDIRECT:
    case VF_JITLOG_TMP_CALLBACK:
        return;
    }
}

/* ---- exits of guards ------------------------------------------------------------------------- */

/* On x86 a guard ends with a conditional jump over 32 bits (0f 8x and the distance), which leads
 * behind the last operation, to code that goes back to the interpreter; the log gives these bytes
 * to the last operation.  (rpython/jit/backend/x86/assembler.py, implement_guard) */
static void find_exits(struct vf_jit_code *code)
{
    struct vf_str machine = code->traces->machine;
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_ASSEMBLED];
    code->exits_start = code->code_size;
    if (stage->ops.len == 0 ||
        !(vf_str_eq(machine, VF_STR("x86_64")) || vf_str_eq(machine, VF_STR("i686")) ||
          vf_str_eq(machine, VF_STR("i386"))))
        return;
    const struct vf_jit_op *last = &stage->ops.items[stage->ops.len - 1];
    for (size_t i = 0; i < stage->ops.len; i++) {
        const struct vf_jit_op *op = &stage->ops.items[i];
        if (!op->guard || op->code_len < 6 || op == last)
            continue;
        struct vf_str bytes = vf_jit_code_op(code, op).code;
        const unsigned char *jump = (const unsigned char *)bytes.ptr + bytes.len - 6;
        int64_t to = (int64_t)op->code_start + op->code_len + (int32_t)vf_load_u32(jump + 2);
        if (bytes.len == op->code_len && jump[0] == 0x0f && (jump[1] & 0xf0) == 0x80 &&
            to > last->code_start && to < code->exits_start)
            code->exits_start = (uint32_t)to;
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

void vf_jit_code_read(struct vf_jit_code *code, const struct vf_jit_traces *traces, uint32_t trace)
{
    const struct vf_jit_trace *row = &traces->traces.items[trace];
    struct vf_jitlog_record record;
    uint64_t size = row->code_end > row->code_start ? row->code_end - row->code_start : 0;
    *code = (struct vf_jit_code){.traces = traces, .trace = trace};
    code->code_size = size <= INT32_MAX ? (uint32_t)size : 0;
    if (!vf_jit_traces_seek(traces, row->log_start, &code->reader))
        return;
    struct read r = {.code = code, .now = {.inherited = true}};
    const struct vf_jitlog begin = code->reader;
    while (vf_jitlog_next(&code->reader, &record)) {
        if (vf_jit_is_piece(&record, &r.assembled))
            break;
        if (record.offset != row->log_start &&
            (record.type == VF_JITLOG_START_TRACE || record.type == VF_JITLOG_HEADER))
            break;
        read_record(&r, &record);
        r.after_op = record.type == VF_JITLOG_OPERATION;
    }
    free(r.frames.items);
    code->reader = begin; /* as it was before the log's end, or another header */
    vf_jit_match(code);
    find_exits(code);
}

void vf_jit_code_release(struct vf_jit_code *code)
{
    for (size_t i = 0; i < 3; i++) {
        free(code->stages[i].ops.items);
        free(code->stages[i].points.items);
    }
    free(code->guards.items);
    vf_table_release(&code->guard_index);
    vf_arena_release(&code->arena);
    *code = (struct vf_jit_code){0};
}

struct vf_jit_op_text vf_jit_code_op(const struct vf_jit_code *code, const struct vf_jit_op *op)
{
    const struct vf_jit_trace *trace = &code->traces->traces.items[code->trace];
    const struct vf_jit_name *name = vf_jit_traces_name(code->traces, op->opnum);
    struct vf_jit_op_text text = {.name = name ? name->name : VF_STR("")};
    struct vf_jitlog reader = code->reader;
    struct vf_jitlog_record record;
    reader.in.pos = (size_t)trace->log_start + op->at;
    if (!vf_jitlog_next(&reader, &record))
        return text;
    text.texts = record.operation;
    if (op->has_code && vf_jitlog_next(&reader, &record) && record.type == VF_JITLOG_CODE_BYTES)
        text.code = record.code.bytes;
    return text;
}

const struct vf_jit_point *vf_jit_code_point(const struct vf_jit_code *code,
                                             const struct vf_jit_op *op)
{
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_OPTIMISED];
    const struct vf_jit_stage_code *recorded = &code->stages[VF_JITLOG_RECORDED];
    if (op->point1 == 0)
        return NULL;
    if (recorded->ops.len && op >= recorded->ops.items &&
        op < &recorded->ops.items[recorded->ops.len])
        stage = recorded;
    return &stage->points.items[op->point1 - 1];
}

const struct vf_jit_op *vf_jit_code_guard(const struct vf_jit_code *code, uint64_t descr_id)
{
    const struct vf_jit_guard *guard = find_guard(code, descr_id);
    return guard ? &code->stages[VF_JITLOG_ASSEMBLED].ops.items[guard->op] : NULL;
}

uint32_t vf_jit_code_find(const struct vf_jit_code *code, uint32_t offset)
{
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_ASSEMBLED];
    uint32_t found = VF_JIT_ENTRY;
    if (offset >= code->exits_start)
        return VF_JIT_EXITS;
    size_t low = 0, high = stage->ops.len;
    /* Those without code have the offset of what follows, or none at all. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t at = middle;
        while (at < high && !(stage->ops.items[at].has_code && stage->ops.items[at].code_len))
            at++;
        if (at == high) {
            high = middle;
        } else if (stage->ops.items[at].code_start <= offset) {
            found = (uint32_t)at;
            low = at + 1;
        } else {
            high = middle;
        }
    }
    if (found == VF_JIT_ENTRY)
        return found;
    const struct vf_jit_op *op = &stage->ops.items[found];
    return offset - op->code_start < op->code_len ? found : VF_JIT_ENTRY;
}

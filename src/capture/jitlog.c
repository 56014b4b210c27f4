#include "capture/jitlog.h"

enum {
    MARKER_INPUT_ARGS = 0x11,
    MARKER_RESOP_NAMES = 0x12,
    MARKER_OPERATION = 0x13,
    MARKER_OPERATION_DESCR = 0x14,
    MARKER_CODE_BOUNDS = 0x15,
    MARKER_CODE_BYTES = 0x16,
    MARKER_RECORDED = 0x17,
    MARKER_OPTIMISED = 0x18,
    MARKER_ASSEMBLED = 0x19,
    MARKER_STITCH_BRIDGE = 0x1a,
    MARKER_START_TRACE = 0x1b,
    MARKER_COUNTER = 0x1c,
    MARKER_MERGE_LAYOUT = 0x1d,
    MARKER_HEADER = 0x1e,
    MARKER_MERGE_POINT = 0x1f,
    MARKER_COMMON_PREFIX = 0x20,
    MARKER_ABORT_TRACE = 0x21,
    MARKER_SOURCE_LINES = 0x22,
    MARKER_REDIRECT = 0x23,
    MARKER_TMP_CALLBACK = 0x24,
};

/* How a text of a merge point is written. */
enum {
    TEXT_PREFIX_AND_REST = 0x00,
    TEXT_PREFIX = 0xef,
    TEXT_WHOLE = 0xff,
};

enum {
    VERSION_MAX = 4,
    VERSION_DRIVER = 2,     /* the jit driver's name in START_TRACE */
    VERSION_FAIL_ARGS = 2,  /* fail arguments behind each operation */
    MACHINE_MAX_BYTES = 64, /* machines are named in a word; what is longer is no header */
};

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Says why the reading ends. */
#define STOP(log, at, ...) (vf_fail_at(&(log)->problem, (at), __VA_ARGS__), false)

static bool read_number(struct vf_jitlog *log, unsigned bytes, const char *what, uint64_t *out)
{
    return vf_read_uint(&log->in, bytes, out) ||
           STOP(log, log->in.pos, "expected %s of %u bytes, found %zu bytes", what, bytes,
                vf_reader_left(&log->in));
}

static bool read_addr(struct vf_jitlog *log, const char *what, uint64_t *out)
{
    return read_number(log, log->addr_bytes, what, out);
}

static bool read_u8(struct vf_jitlog *log, const char *what, unsigned *out)
{
    uint64_t value = 0;
    bool read = read_number(log, 1, what, &value);
    *out = (unsigned)value;
    return read;
}

static bool read_u16(struct vf_jitlog *log, const char *what, uint16_t *out)
{
    uint64_t value = 0;
    bool read = read_number(log, 2, what, &value);
    *out = (uint16_t)value;
    return read;
}

static bool read_text(struct vf_jitlog *log, const char *what, struct vf_str *out)
{
    uint64_t length;
    size_t at = log->in.pos;
    if (!vf_read_uint(&log->in, 4, &length))
        return STOP(log, at, "expected the length of %s, found %zu bytes", what,
                    vf_reader_left(&log->in));
    if (!vf_read_bytes(&log->in, length, out))
        return STOP(log, at, "expected %s of %llu bytes, found %zu bytes", what,
                    (unsigned long long)length, vf_reader_left(&log->in));
    return true;
}

/* ---- the header ------------------------------------------------------------------------------ */

static bool is_machine(struct vf_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~')
            return false;
    return name.len <= MACHINE_MAX_BYTES;
}

/* What stands behind the header's marker. */
static bool read_header(struct vf_jitlog *log)
{
    uint16_t version;
    unsigned is_32bit;
    struct vf_str machine;
    size_t at = log->in.pos;
    if (!read_u16(log, "a version", &version))
        return false;
    if (version < 1 || version > VERSION_MAX)
        return STOP(log, at, "expected a JIT log of version 1 to %d, found %d", VERSION_MAX,
                    version);
    at = log->in.pos;
    if (!read_u8(log, "a word size", &is_32bit))
        return false;
    if (is_32bit > 1)
        return STOP(log, at, "expected a word size (00 or 01), found byte %02x", is_32bit);
    at = log->in.pos;
    if (!read_text(log, "a machine's name", &machine))
        return false;
    if (!is_machine(machine))
        return STOP(log, at, "expected a machine's name, found other data");
    log->version = version;
    log->addr_bytes = is_32bit ? 4 : 8;
    log->machine = machine;
    log->field_count = 0;
    return true;
}

enum vf_status vf_jitlog_open(struct vf_jitlog *log, struct vf_str bytes, struct vf_error *error)
{
    uint8_t marker;
    *log = (struct vf_jitlog){.in = vf_reader_over(bytes.ptr, bytes.len), .addr_bytes = 8};
    if (!vf_read_u8(&log->in, &marker))
        return vf_fail_at(error, 0, "expected a JIT log, found an empty file");
    if (marker != MARKER_HEADER)
        return vf_fail_at(error, 0, "expected a JIT log (byte 1e), found byte %02x", marker);
    if (read_header(log))
        return VF_OK;
    if (error)
        *error = log->problem;
    return VF_FATAL;
}

/* ---- names and sources ----------------------------------------------------------------------- */

static bool read_names(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    uint16_t count, opnum;
    struct vf_str name;
    record->type = VF_JITLOG_RESOP_NAMES;
    if (!read_u16(log, "a count of operation names", &count))
        return false;
    record->names.entries = log->in.base + log->in.pos;
    record->names.count = count;
    for (unsigned i = 0; i < count; i++)
        if (!read_u16(log, "an operation's number", &opnum) ||
            !read_text(log, "an operation's name", &name))
            return false;
    return true;
}

/* The entries were read once, so that they are whole. */
bool vf_jitlog_name_next(struct vf_jitlog_record *record, uint16_t *opnum, struct vf_str *name)
{
    const unsigned char *p = record->names.entries;
    if (record->names.count == 0)
        return false;
    *opnum = (uint16_t)vf_load_le(p, 2);
    *name = (struct vf_str){(const char *)p + 6, vf_load_u32(p + 2)};
    record->names.entries = p + 6 + name->len;
    record->names.count--;
    return true;
}

static bool read_source(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    uint16_t count, line;
    unsigned indent;
    struct vf_str text;
    record->type = VF_JITLOG_SOURCE_LINES;
    if (!read_text(log, "a source file's name", &record->source.file) ||
        !read_u16(log, "a count of source lines", &count))
        return false;
    record->source.entries = log->in.base + log->in.pos;
    record->source.count = count;
    for (unsigned i = 0; i < count; i++)
        if (!read_u16(log, "a line's number", &line) || !read_u8(log, "a line's indent", &indent) ||
            !read_text(log, "a source line", &text))
            return false;
    return true;
}

bool vf_jitlog_line_next(struct vf_jitlog_record *record, struct vf_jitlog_line *line)
{
    const unsigned char *p = record->source.entries;
    if (record->source.count == 0)
        return false;
    line->line = (uint16_t)vf_load_le(p, 2);
    line->indent = p[2];
    line->text = (struct vf_str){(const char *)p + 7, vf_load_u32(p + 3)};
    record->source.entries = p + 7 + line->text.len;
    record->source.count--;
    return true;
}

/* ---- traces and operations ------------------------------------------------------------------- */

static bool read_start(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    struct vf_jitlog_start *start = &record->start;
    struct vf_str type;
    record->type = VF_JITLOG_START_TRACE;
    *start = (struct vf_jitlog_start){0};
    if (!read_addr(log, "a trace's id", &start->id))
        return false;
    size_t at = log->in.pos;
    if (!read_text(log, "a trace's type", &type))
        return false;
    start->bridge = vf_str_eq(type, VF_STR("bridge"));
    if (!start->bridge && !vf_str_eq(type, VF_STR("loop")))
        return STOP(log, at, "expected a trace's type (loop or bridge), found other data");
    return read_addr(log, "a trace's number", &start->number) &&
           (log->version < VERSION_DRIVER || read_text(log, "a jit driver's name", &start->driver));
}

static bool read_stage(struct vf_jitlog *log, struct vf_jitlog_record *record,
                       enum vf_jitlog_stage stage)
{
    record->type = VF_JITLOG_STAGE;
    record->stage.stage = stage;
    /* Merge points are shortened within one stage only. */
    log->field_count = 0;
    return read_addr(log, "a trace's id", &record->stage.id);
}

/* `result,arg,arg` or `result,arg,arg,descr`: no descr's text has a comma in it. */
static void split_operation(struct vf_jitlog_operation *operation, struct vf_str text)
{
    operation->args = text;
    operation->result = vf_str_cut(&operation->args, ',');
    operation->descr = (struct vf_str){text.ptr + text.len, 0};
    if (!operation->has_descr)
        return;
    struct vf_str args = operation->args;
    const char *comma = args.len ? memrchr(args.ptr, ',', args.len) : NULL;
    const char *descr = comma ? comma + 1 : args.ptr;
    operation->args.len = comma ? (size_t)(comma - args.ptr) : 0;
    operation->descr = (struct vf_str){descr, (size_t)(args.ptr + args.len - descr)};
}

static bool read_operation(struct vf_jitlog *log, struct vf_jitlog_record *record, bool has_descr)
{
    struct vf_jitlog_operation *operation = &record->operation;
    struct vf_str text;
    record->type = VF_JITLOG_OPERATION;
    *operation = (struct vf_jitlog_operation){.has_descr = has_descr};
    if (!read_u16(log, "an operation's number", &operation->opnum) ||
        !read_text(log, "an operation", &text))
        return false;
    split_operation(operation, text);
    return (!has_descr || read_addr(log, "a descr's id", &operation->descr_id)) &&
           (log->version < VERSION_FAIL_ARGS ||
            read_text(log, "fail arguments", &operation->fail_args));
}

static bool read_bounds(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    size_t at = log->in.pos;
    record->type = VF_JITLOG_CODE_BOUNDS;
    if (!read_addr(log, "the start of machine code", &record->bounds.start) ||
        !read_addr(log, "the end of machine code", &record->bounds.end))
        return false;
    return record->bounds.start <= record->bounds.end ||
           STOP(log, at, "expected bounds of machine code, found 0x%llx to 0x%llx",
                (unsigned long long)record->bounds.start, (unsigned long long)record->bounds.end);
}

static bool read_code(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    record->type = VF_JITLOG_CODE_BYTES;
    return read_u16(log, "an offset of machine code", &record->code.offset) &&
           read_text(log, "machine code", &record->code.bytes);
}

static bool read_stitch(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    record->type = VF_JITLOG_STITCH_BRIDGE;
    return read_addr(log, "a guard's id", &record->stitch.guard) &&
           read_addr(log, "a bridge's address", &record->stitch.address);
}

static bool read_counter(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    unsigned kind;
    record->type = VF_JITLOG_COUNTER;
    if (!read_addr(log, "a counter's key", &record->counter.key))
        return false;
    size_t at = log->in.pos;
    if (!read_u8(log, "a counter's kind", &kind))
        return false;
    if (kind != 'e' && kind != 'b' && kind != 'l')
        return STOP(log, at, "expected a counter's kind (e, b or l), found byte %02x", kind);
    record->counter.kind = (char)kind;
    return read_number(log, 8, "a counter", &record->counter.count);
}

static bool read_redirect(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    record->type = VF_JITLOG_REDIRECT;
    return read_addr(log, "a loop's id", &record->redirect.from) &&
           read_addr(log, "a loop's id", &record->redirect.to) &&
           read_addr(log, "a loop's address", &record->redirect.address);
}

static bool read_callback(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    record->type = VF_JITLOG_TMP_CALLBACK;
    return read_addr(log, "a loop's id", &record->callback.token) &&
           read_number(log, 8, "a trace's number", &record->callback.number);
}

/* ---- merge points ---------------------------------------------------------------------------- */

static bool read_layout(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    uint16_t count;
    unsigned meaning, kind;
    size_t at = log->in.pos;
    record->type = VF_JITLOG_MERGE_LAYOUT;
    if (!read_u16(log, "a count of fields", &count))
        return false;
    if (count > VF_JITLOG_FIELDS_MAX)
        return STOP(log, at, "expected up to %d fields in a merge point, found %d",
                    VF_JITLOG_FIELDS_MAX, count);
    for (unsigned i = 0; i < count; i++) {
        if (!read_u8(log, "a field's meaning", &meaning))
            return false;
        at = log->in.pos;
        if (!read_u8(log, "a field's kind", &kind))
            return false;
        if (kind != 's' && kind != 'i')
            return STOP(log, at, "expected a field's kind (s or i), found byte %02x", kind);
        log->fields[i].meaning = (uint8_t)meaning;
        log->fields[i].kind = (char)kind;
        log->fields[i].prefix = (struct vf_str){0};
    }
    record->count = log->field_count = count;
    return true;
}

static bool read_prefix(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    size_t at = log->in.pos;
    record->type = VF_JITLOG_COMMON_PREFIX;
    if (!read_u8(log, "a field's index", &record->prefix.field))
        return false;
    if (record->prefix.field >= log->field_count)
        return STOP(log, at, "expected the index of one of %u fields, found %u", log->field_count,
                    record->prefix.field);
    if (!read_text(log, "a common prefix", &record->prefix.text))
        return false;
    log->fields[record->prefix.field].prefix = record->prefix.text;
    return true;
}

static bool read_text_field(struct vf_jitlog *log, struct vf_str prefix, struct vf_jitlog_text *out)
{
    unsigned how;
    size_t at = log->in.pos;
    *out = (struct vf_jitlog_text){0};
    if (!read_u8(log, "a merge point's field", &how))
        return false;
    if (how != TEXT_PREFIX && how != TEXT_PREFIX_AND_REST && how != TEXT_WHOLE)
        return STOP(log, at, "expected a merge point's text (00, ef or ff), found byte %02x", how);
    if (how != TEXT_WHOLE && !prefix.ptr)
        return STOP(log, at, "expected a whole text (no prefix yet), found byte %02x", how);
    if (how != TEXT_WHOLE)
        out->prefix = prefix;
    return how == TEXT_PREFIX || read_text(log, "a merge point's text", &out->rest);
}

static bool read_number_field(struct vf_jitlog *log, uint64_t *out)
{
    unsigned how;
    size_t at = log->in.pos;
    if (!read_u8(log, "a merge point's field", &how))
        return false;
    if (how != 0)
        return STOP(log, at, "expected a merge point's number (00), found byte %02x", how);
    return read_number(log, 8, "a merge point's number", out);
}

static void keep_text(struct vf_jitlog_merge_point *point, unsigned meaning,
                      struct vf_jitlog_text text)
{
    struct vf_jitlog_text *to = meaning == VF_MERGE_FILE       ? &point->file
                                : meaning == VF_MERGE_FUNCTION ? &point->function
                                : meaning == VF_MERGE_OPCODE   ? &point->opcode
                                                               : NULL;
    if (!to)
        return;
    *to = text;
    point->has |= meaning;
}

static void keep_number(struct vf_jitlog_merge_point *point, unsigned meaning, uint64_t number)
{
    uint64_t *to = meaning == VF_MERGE_LINE     ? &point->line
                   : meaning == VF_MERGE_OFFSET ? &point->offset
                                                : NULL;
    if (!to)
        return;
    *to = number;
    point->has |= meaning;
}

static bool read_merge_point(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    record->type = VF_JITLOG_MERGE_POINT;
    record->merge_point = (struct vf_jitlog_merge_point){0};
    if (log->field_count == 0)
        return STOP(log, record->offset, "expected a merge point layout, found a merge point");
    for (unsigned i = 0; i < log->field_count; i++) {
        struct vf_jitlog_text text;
        uint64_t number;
        if (log->fields[i].kind == 's') {
            if (!read_text_field(log, log->fields[i].prefix, &text))
                return false;
            keep_text(&record->merge_point, log->fields[i].meaning, text);
        } else {
            if (!read_number_field(log, &number))
                return false;
            keep_number(&record->merge_point, log->fields[i].meaning, number);
        }
    }
    return true;
}

/* ---- records --------------------------------------------------------------------------------- */

/* Those that can be anywhere; the others are of a trace. */
static bool read_loose(struct vf_jitlog *log, struct vf_jitlog_record *record, uint8_t marker)
{
    switch (marker) {
    case MARKER_HEADER:
        record->type = VF_JITLOG_HEADER;
        return read_header(log);
    case MARKER_RESOP_NAMES:
        return read_names(log, record);
    case MARKER_COUNTER:
        return read_counter(log, record);
    case MARKER_SOURCE_LINES:
        return read_source(log, record);
    case MARKER_REDIRECT:
        return read_redirect(log, record);
    case MARKER_TMP_CALLBACK:
        return read_callback(log, record);
    default:
        return STOP(log, record->offset, "expected a record (11 to 24), found byte %02x", marker);
    }
}

bool vf_jitlog_next(struct vf_jitlog *log, struct vf_jitlog_record *record)
{
    uint8_t marker;
    record->offset = log->in.pos;
    if (log->problem.text[0] || !vf_read_u8(&log->in, &marker))
        return false;
    switch (marker) {
    case MARKER_START_TRACE:
        return read_start(log, record);
    case MARKER_RECORDED:
        return read_stage(log, record, VF_JITLOG_RECORDED);
    case MARKER_OPTIMISED:
        return read_stage(log, record, VF_JITLOG_OPTIMISED);
    case MARKER_ASSEMBLED:
        return read_stage(log, record, VF_JITLOG_ASSEMBLED);
    case MARKER_INPUT_ARGS:
        record->type = VF_JITLOG_INPUT_ARGS;
        return read_text(log, "input arguments", &record->text);
    case MARKER_OPERATION:
        return read_operation(log, record, false);
    case MARKER_OPERATION_DESCR:
        return read_operation(log, record, true);
    case MARKER_CODE_BOUNDS:
        return read_bounds(log, record);
    case MARKER_CODE_BYTES:
        return read_code(log, record);
    case MARKER_STITCH_BRIDGE:
        return read_stitch(log, record);
    case MARKER_MERGE_LAYOUT:
        return read_layout(log, record);
    case MARKER_COMMON_PREFIX:
        return read_prefix(log, record);
    case MARKER_MERGE_POINT:
        return read_merge_point(log, record);
    case MARKER_ABORT_TRACE:
        record->type = VF_JITLOG_ABORT_TRACE;
        return read_addr(log, "a trace's id", &record->id);
    default:
        return read_loose(log, record, marker);
    }
}

#include "jitlog_builder.h"

static void marker(struct jitlog_builder *b, unsigned value)
{
    jitlog_le(b, value, 1);
}

void jitlog_le(struct jitlog_builder *b, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)(value >> 8 * i);
        vf_buf_add(&b->out, &byte, 1);
    }
}

void jitlog_addr(struct jitlog_builder *b, uint64_t value)
{
    jitlog_le(b, value, b->addr_bytes);
}

void jitlog_text(struct jitlog_builder *b, const char *text)
{
    jitlog_le(b, strlen(text), 4);
    vf_buf_str(&b->out, vf_str_from(text));
}

void jitlog_header(struct jitlog_builder *b, const char *machine)
{
    marker(b, 0x1e);
    jitlog_le(b, (uint64_t)b->version, 2);
    jitlog_le(b, b->addr_bytes == 4, 1);
    jitlog_text(b, machine);
}

static void name(struct jitlog_builder *b, unsigned opnum, const char *text)
{
    jitlog_le(b, opnum, 2);
    jitlog_text(b, text);
}

void jitlog_names(struct jitlog_builder *b)
{
    marker(b, 0x12);
    jitlog_le(b, 5, 2);
    name(b, OP_LABEL, "label");
    name(b, OP_INT_ADD, "int_add");
    name(b, OP_GUARD_TRUE, "guard_true");
    name(b, OP_VEC_GUARD_TRUE, "vec_guard_true");
    name(b, OP_JUMP, "jump");
}

void jitlog_start(struct jitlog_builder *b, uint64_t id, const char *type, uint64_t number,
                  const char *driver)
{
    marker(b, 0x1b);
    jitlog_addr(b, id);
    jitlog_text(b, type);
    jitlog_addr(b, number);
    if (b->version >= 2)
        jitlog_text(b, driver);
}

void jitlog_stage(struct jitlog_builder *b, unsigned stage, uint64_t id)
{
    marker(b, stage);
    jitlog_addr(b, id);
}

void jitlog_input_args(struct jitlog_builder *b, const char *args)
{
    marker(b, 0x11);
    jitlog_text(b, args);
}

void jitlog_operation(struct jitlog_builder *b, unsigned opnum, const char *text, uint64_t descr,
                      const char *fail_args)
{
    marker(b, descr ? 0x14 : 0x13);
    jitlog_le(b, opnum, 2);
    jitlog_text(b, text);
    if (descr)
        jitlog_addr(b, descr);
    if (b->version >= 2)
        jitlog_text(b, fail_args);
}

void jitlog_bounds(struct jitlog_builder *b, uint64_t start, uint64_t end)
{
    marker(b, 0x15);
    jitlog_addr(b, start);
    jitlog_addr(b, end);
}

void jitlog_code(struct jitlog_builder *b, unsigned offset, const char *bytes)
{
    marker(b, 0x16);
    jitlog_le(b, offset, 2);
    jitlog_text(b, bytes);
}

void jitlog_stitch(struct jitlog_builder *b, uint64_t guard, uint64_t address)
{
    marker(b, 0x1a);
    jitlog_addr(b, guard);
    jitlog_addr(b, address);
}

void jitlog_counter(struct jitlog_builder *b, uint64_t key, char kind, uint64_t count)
{
    marker(b, 0x1c);
    jitlog_addr(b, key);
    jitlog_le(b, (unsigned char)kind, 1);
    jitlog_le(b, count, 8);
}

void jitlog_layout(struct jitlog_builder *b)
{
    marker(b, 0x1d);
    jitlog_le(b, 5, 2);
    vf_buf_add(&b->out, "\x01s\x02i\x08s\x04i\x10s", 10);
}

void jitlog_prefix(struct jitlog_builder *b, unsigned field, const char *prefix)
{
    marker(b, 0x20);
    jitlog_le(b, field, 1);
    jitlog_text(b, prefix);
}

static void text_field(struct jitlog_builder *b, const char *text)
{
    if (!text) {
        jitlog_le(b, 0xef, 1);
        return;
    }
    jitlog_le(b, *text == '+' ? 0x00 : 0xff, 1);
    jitlog_text(b, *text == '+' ? text + 1 : text);
}

static void number_field(struct jitlog_builder *b, uint64_t number)
{
    jitlog_le(b, 0, 1);
    jitlog_le(b, number, 8);
}

void jitlog_merge_point(struct jitlog_builder *b, const char *file, uint64_t line,
                        const char *function, uint64_t offset, const char *opcode)
{
    marker(b, 0x1f);
    text_field(b, file);
    number_field(b, line);
    text_field(b, function);
    number_field(b, offset);
    text_field(b, opcode);
}

void jitlog_abort(struct jitlog_builder *b, uint64_t id)
{
    marker(b, 0x21);
    jitlog_addr(b, id);
}

void jitlog_source(struct jitlog_builder *b, const char *file, const char *first,
                   const char *second)
{
    marker(b, 0x22);
    jitlog_text(b, file);
    jitlog_le(b, 2, 2);
    jitlog_le(b, 1, 2);
    jitlog_le(b, 0, 1);
    jitlog_text(b, first);
    jitlog_le(b, 2, 2);
    jitlog_le(b, 4, 1);
    jitlog_text(b, second);
}

void jitlog_redirect(struct jitlog_builder *b, uint64_t from, uint64_t to, uint64_t address)
{
    marker(b, 0x23);
    jitlog_addr(b, from);
    jitlog_addr(b, to);
    jitlog_addr(b, address);
}

void jitlog_callback(struct jitlog_builder *b, uint64_t token, uint64_t number)
{
    marker(b, 0x24);
    jitlog_addr(b, token);
    jitlog_le(b, number, 8);
}

/* ---- the story ------------------------------------------------------------------------------- */

static void story_loop(struct jitlog_builder *b) /* 22 records */
{
    jitlog_start(b, 5, "loop", 0, "");
    jitlog_stage(b, JITLOG_RECORDED, 5);
    jitlog_input_args(b, "p0,i1");
    jitlog_layout(b);
    jitlog_merge_point(b, "/tmp/app/main.py", 12, "work", 8, "FOR_ITER");
    jitlog_operation(b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_prefix(b, 0, "/tmp/app/");
    jitlog_merge_point(b, "+util.py", 3, "helper", 0, "POP_TOP");
    jitlog_operation(b, OP_INT_ADD, "i3,i2,i1", 0, "");
    jitlog_stage(b, JITLOG_RECORDED, 5);
    jitlog_operation(b, OP_JUMP, "?,p0,i3,<Loop-1>", 0xa0, "");
    jitlog_stage(b, JITLOG_OPTIMISED, 5);
    jitlog_operation(b, OP_LABEL, "?,p0,i1,TargetToken(160)", 0xa1, "");
    jitlog_operation(b, OP_GUARD_TRUE, "?,i2,<Guard0xa2>", 0xa2, "p0,-,i1");
    jitlog_operation(b, OP_VEC_GUARD_TRUE, "?,v3,<Guard0xa3>", 0xa3, "p0");
    jitlog_stage(b, JITLOG_ASSEMBLED, 5);
    jitlog_input_args(b, "p0,i1");
    jitlog_bounds(b, 0x7000, 0x7100);
    jitlog_operation(b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_code(b, 0x10, "\x90\xc3");
    jitlog_operation(b, OP_JUMP, "?,p0,i2,TargetToken(160)", 0xa1, "");
    jitlog_code(b, 0xfff0, "\x90");
}

static void story_bridges(struct jitlog_builder *b) /* 17 records */
{
    jitlog_start(b, 6, "bridge", 0xa2, "pypyjit");
    jitlog_stage(b, JITLOG_OPTIMISED, 6);
    jitlog_layout(b);
    jitlog_prefix(b, 0, "/tmp/app/");
    jitlog_prefix(b, 2, "wo");
    jitlog_merge_point(b, "+other.py", 20, NULL, 30, "POP_TOP");
    jitlog_operation(b, OP_JUMP, "?", 0xa1, "");
    jitlog_stage(b, JITLOG_ASSEMBLED, 6);
    jitlog_bounds(b, 0x7100, 0x7180);
    jitlog_operation(b, OP_JUMP, "?,TargetToken(160)", 0xa1, "");
    jitlog_stitch(b, 0xa2, 0x7100);
    jitlog_start(b, 7, "bridge", 0xb0, "pypyjit");
    jitlog_stage(b, JITLOG_OPTIMISED, 7);
    jitlog_operation(b, OP_GUARD_TRUE, "?,i2,<Guard0xb1>", 0xb1, "");
    jitlog_stage(b, JITLOG_ASSEMBLED, 7);
    jitlog_bounds(b, 0x6000, 0x6040);
    jitlog_operation(b, OP_INT_ADD, "i2,i1,1", 0, "");
}

static void story_end(struct jitlog_builder *b) /* 15 records */
{
    jitlog_callback(b, 0xc0, UINT64_MAX);
    jitlog_redirect(b, 0xc0, 0xc1, 0x6000);
    jitlog_start(b, 8, "loop", 0, "");
    jitlog_stage(b, JITLOG_RECORDED, 8);
    jitlog_operation(b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_abort(b, 8);
    jitlog_counter(b, 5, 'e', 40);
    jitlog_counter(b, 0xa1, 'l', 1000);
    jitlog_counter(b, 0xa2, 'b', 30);
    jitlog_counter(b, 7, 'e', 200);
    jitlog_counter(b, 5, 'e', 2);
    jitlog_counter(b, b->addr_bytes == 4 ? UINT32_MAX : UINT64_MAX, 'e', 9);
    jitlog_source(b, "/tmp/app/main.py", "def work():", "pass");
    jitlog_header(b, "aarch64");
    jitlog_names(b);
}

struct jitlog_builder jitlog_story(int version, unsigned addr_bytes)
{
    struct jitlog_builder b = {.version = version, .addr_bytes = addr_bytes};
    jitlog_header(&b, "x86_64");
    jitlog_names(&b);
    story_loop(&b);
    story_bridges(&b);
    story_end(&b);
    return b;
}

size_t jitlog_story_records(void)
{
    return 1 + 22 + 17 + 15;
}

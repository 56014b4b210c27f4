/* The listing of a trace, its machine code, and what the front-end gets of it. */
#include "test.h"

#include "base/file.h"
#include "code/ir.h"
#include "code/listing.h"
#include "code/machine.h"

#include <jansson.h>
#include <stdlib.h>

static const char SMALL[] = VF_SOURCE_ROOT "/test/data/jitlog/small.jitlog";

struct real {
    struct vf_bytes bytes;
    struct vf_jit_traces traces;
};

static void open_real(struct real *r)
{
    assert_int_equal(vf_bytes_map(SMALL, &r->bytes, NULL), VF_OK);
    assert_int_equal(vf_jit_traces_read(&r->traces, vf_bytes_view(&r->bytes), NULL), VF_OK);
}

static void close_real(struct real *r)
{
    vf_jit_traces_release(&r->traces);
    vf_bytes_release(&r->bytes);
}

static void instructions_cover_each_operation(void **state)
{
    (void)state;
    struct real r;
    open_real(&r);
    for (uint32_t i = 0; i < r.traces.traces.len; i++) {
        struct vf_listing listing;
        struct vf_jit_code code;
        struct vf_listing_source source = {.traces = &r.traces, .trace = i};
        vf_listing_make(&listing, &source);
        vf_jit_code_read(&code, &r.traces, i);
        assert_true(listing.disassembled);
        uint32_t at = 0, operations = 0, points = 0;
        for (size_t k = 0; k < listing.rows.len; k++) {
            const struct vf_listing_row *row = &listing.rows.items[k];
            assert_true(k == 0 || row->offset >= listing.rows.items[k - 1].offset);
            operations += row->kind == VF_LISTING_OPERATION;
            points += row->kind == VF_LISTING_BYTECODE;
            if (row->kind == VF_LISTING_OPERATION)
                at = row->offset;
            if (row->kind != VF_LISTING_INSTRUCTION)
                continue;
            assert_int_equal(row->offset, at); /* right behind the one before */
            assert_true(row->size > 0);
            assert_null(memmem(row->text.ptr, row->text.len, "(bytes", 6));
            at += row->size;
            /* At the end of an operation its bytes are used up. */
            bool last = k + 1 == listing.rows.len ||
                        listing.rows.items[k + 1].kind != VF_LISTING_INSTRUCTION;
            if (last && row->op < VF_JIT_EXITS) {
                const struct vf_jit_op *op = &code.stages[VF_JITLOG_ASSEMBLED].ops.items[row->op];
                uint32_t end = op->code_start + op->code_len;
                assert_int_equal(at, end < code.exits_start ? end : code.exits_start);
            }
        }
        assert_int_equal(operations, r.traces.traces.items[i].assembled);
        assert_int_equal(points, code.stages[VF_JITLOG_OPTIMISED].points.len);
        if (operations)
            assert_int_equal(at, code.code_size);
        vf_jit_code_release(&code);
        vf_listing_release(&listing);
    }
    close_real(&r);
}

/* One at every byte, so that none can be lost or counted twice unseen. */
static void every_hit_is_counted_once(void **state)
{
    (void)state;
    struct real r;
    open_real(&r);
    for (uint32_t i = 0; i < r.traces.traces.len; i++) {
        const struct vf_jit_trace *trace = &r.traces.traces.items[i];
        size_t size = (size_t)(trace->code_end - trace->code_start);
        struct vf_jit_hit *hits = vf_alloc(size, sizeof *hits);
        for (uint32_t k = 0; k < size; k++)
            hits[k] = (struct vf_jit_hit){k, k % 3 + 1};
        uint64_t whole = 0, low = 0, high = 0;
        for (size_t k = 0; k < size; k++)
            whole += hits[k].count;
        struct vf_listing listing;
        struct vf_listing_source source = {.traces = &r.traces, .trace = i, .hits = {hits, size}};
        vf_listing_make(&listing, &source);
        for (size_t k = 0; k < listing.rows.len; k++) {
            const struct vf_listing_row *row = &listing.rows.items[k];
            if (row->kind == VF_LISTING_INSTRUCTION)
                low += row->hits;
            else
                high += row->hits;
        }
        assert_int_equal(low, whole);
        assert_int_equal(high, whole);
        vf_listing_release(&listing);
        free(hits);
    }
    close_real(&r);
}

static void the_front_end_gets_the_rows(void **state)
{
    (void)state;
    struct real r;
    open_real(&r);
    struct vf_listing listing;
    struct vf_buf out = {0};
    struct vf_listing_source source = {.traces = &r.traces};
    vf_listing_make(&listing, &source);
    vf_listing_write_asm(&out, &listing, 0x1000, 0x400, VF_STR("x86_64"));
    json_t *root = json_loadb(out.ptr, out.len, 0, NULL), *rows;
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "startAddress")), "0x1000");
    assert_string_equal(json_string_value(json_object_get(root, "size")), "0x400");
    assert_string_equal(json_string_value(json_object_get(root, "arch")), "x86_64");
    rows = json_object_get(root, "instructions");
    assert_int_equal(json_array_size(rows), listing.rows.len);
    json_int_t last = 0;
    for (size_t i = 0; i < listing.rows.len; i++) {
        json_t *row = json_array_get(rows, i);
        json_int_t offset = json_integer_value(json_array_get(row, 0));
        assert_true(offset >= last);
        last = offset;
        assert_true(json_is_string(json_array_get(row, 1)));
        /* A hit goes to the last row at its offset: that must be the instruction. */
        const struct vf_listing_row *made = &listing.rows.items[i];
        if (made->kind == VF_LISTING_INSTRUCTION && i + 1 < listing.rows.len)
            assert_true(listing.rows.items[i + 1].offset > made->offset);
    }
    json_decref(root);
    vf_buf_release(&out);
    vf_listing_release(&listing);
    close_real(&r);
}

static struct vf_str line_of(const void *context, struct vf_str file, uint32_t line)
{
    (void)context;
    (void)file;
    return line == 11 ? VF_STR("        total += i\r") : VF_STR("");
}

static void rows_say_what_they_are(void **state)
{
    (void)state;
    struct real r;
    open_real(&r);
    struct vf_listing listing;
    struct vf_listing_source source = {.traces = &r.traces, .trace = 1, .source_line = line_of};
    bool line = false, guard = false;
    vf_listing_make(&listing, &source);
    for (size_t i = 0; i < listing.rows.len; i++) {
        struct vf_str text = listing.rows.items[i].text;
        if (listing.rows.items[i].kind == VF_LISTING_LINE)
            line |= vf_str_eq(text, VF_STR("small.py:11 count  total += i"));
    }
    vf_listing_release(&listing);
    source = (struct vf_listing_source){.traces = &r.traces};
    vf_listing_make(&listing, &source);
    for (size_t i = 0; i < listing.rows.len; i++) {
        struct vf_str text = listing.rows.items[i].text;
        guard |= vf_str_ends(text, VF_STR("-> bridge 2, taken 290 times"));
        assert_null(memmem(text.ptr, text.len, "ResumeGuard", 11));
    }
    assert_true(line);
    assert_true(guard);
    vf_listing_release(&listing);
    close_real(&r);
}

static void descrs_are_shortened(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"<FieldS pypy.objspace.std.intobject.W_IntObject.inst_intval 8 pure>",
         "W_IntObject.intval"},
        {"<FieldP pypy.interpreter.pyframe.PyFrame.inst_pycode 64>", "PyFrame.pycode"},
        {"<FieldS pypysig_long_struct.c_value 0>", "pypysig_long_struct.c_value"},
        {"<ArrayP 8>", "array of pointers"},
        {"<SizeDescr 16>", "16 bytes"},
        {"<Loop47>", "loop 47"},
        {"<FieldS >", ""},
        {"<", "<"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct vf_buf out = {0};
        vf_ir_descr(&out, vf_str_from(pairs[i][0]));
        assert_true(vf_str_eq(vf_buf_view(&out), vf_str_from(pairs[i][1])));
        vf_buf_release(&out);
    }
}

static void machine_code_becomes_text(void **state)
{
    (void)state;
    static const struct {
        const char *machine, *bytes;
        size_t length, taken;
        const char *text;
    } cases[] = {
        {"x86_64", "\x48\x89\xd8", 3, 3, "mov rax, rbx"},
        {"x86_64", "\xeb\x0e", 2, 2, "jmp +0x30"},
        {"x86_64", "\xe9\x00\x00\x01\x00", 5, 5, "jmp 0x11025"},
        {"x86_64", "\x06", 1, 1, "(bytes 06)"},
        {"x86_64", "\x48", 1, 1, "(bytes 48)"},
        {"aarch64", "\xc0\x03\x5f\xd6", 4, 4, "ret"},
        {"aarch64", "\xc0\x03", 2, 2, "(bytes c0 03)"},
        {"s390x", "\x07\xfe", 2, 2, "br %r14"},
        {"vax", "\x01\x02", 2, 1, "(bytes 01)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_machine machine;
        struct vf_buf out = {0};
        vf_machine_open(&machine, vf_str_from(cases[i].machine));
        size_t taken = vf_machine_next(&machine, (struct vf_str){cases[i].bytes, cases[i].length},
                                       0x1020, 0x1000, 0x100, &out);
        assert_int_equal(taken, cases[i].taken);
        if (!vf_str_eq(vf_buf_view(&out), vf_str_from(cases[i].text)))
            fail_msg("%.*s, not %s", VF_STR_ARG(vf_buf_view(&out)), cases[i].text);
        vf_machine_close(&machine);
        vf_buf_release(&out);
    }
}

static void a_cut_log_is_listed_as_far_as_it_goes(void **state)
{
    (void)state;
    struct real r;
    open_real(&r);
    for (size_t length = 0; length < r.bytes.len; length += 7) {
        struct vf_jit_traces part;
        if (vf_jit_traces_read(&part, (struct vf_str){(const char *)r.bytes.ptr, length}, NULL) !=
                VF_FATAL &&
            part.traces.len) {
            struct vf_listing listing;
            struct vf_listing_source source = {.traces = &part,
                                               .trace = (uint32_t)part.traces.len - 1};
            vf_listing_make(&listing, &source);
            vf_listing_release(&listing);
        }
        vf_jit_traces_release(&part);
    }
    close_real(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_cover_each_operation),
        cmocka_unit_test(every_hit_is_counted_once),
        cmocka_unit_test(the_front_end_gets_the_rows),
        cmocka_unit_test(rows_say_what_they_are),
        cmocka_unit_test(descrs_are_shortened),
        cmocka_unit_test(machine_code_becomes_text),
        cmocka_unit_test(a_cut_log_is_listed_as_far_as_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

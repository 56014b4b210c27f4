/* The listing of a trace, its machine code, and what the front-end gets of it. */
#include "test.h"

#include "base/file.h"
#include "code/ir.h"
#include "code/listing.h"
#include "code/machine.h"
#include "jitlog_builder.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <zip.h>

static const char SMALL[] = VF_SOURCE_ROOT "/test/data/jitlog/small.jitlog";
static const char RECORDING[] = VF_SOURCE_ROOT "/test/data/pypy.vmfox";

struct real {
    struct vf_buf log;
    struct vf_jit_traces traces;
};

static void read_log(const char *path, struct vf_buf *out)
{
    struct vf_bytes bytes;
    assert_int_equal(vf_bytes_map(path, &bytes, NULL), VF_OK);
    vf_buf_str(out, vf_bytes_view(&bytes));
    vf_bytes_release(&bytes);
}

static void read_recording(struct vf_buf *out)
{
    zip_t *zip = zip_open(RECORDING, ZIP_RDONLY, NULL);
    zip_stat_t about;
    assert_non_null(zip);
    assert_int_equal(zip_stat(zip, "profile.jitlog", 0, &about), 0);
    zip_file_t *file = zip_fopen(zip, "profile.jitlog", 0);
    assert_non_null(file);
    assert_int_equal(zip_fread(file, vf_buf_reserve(out, about.size), about.size), about.size);
    out->len += about.size;
    zip_fclose(file);
    zip_discard(zip);
}

static void open_real(struct real *r, bool recording)
{
    *r = (struct real){0};
    if (recording)
        read_recording(&r->log);
    else
        read_log(SMALL, &r->log);
    assert_int_equal(vf_jit_traces_read(&r->traces, vf_buf_view(&r->log), NULL), VF_OK);
}

static void close_real(struct real *r)
{
    vf_jit_traces_release(&r->traces);
    vf_buf_release(&r->log);
}

/* The instructions of an operation follow each other without a gap, up to the operation's end. */
static void check_cover(const struct real *r, uint32_t trace)
{
    struct vf_listing listing;
    struct vf_jit_code code;
    struct vf_listing_source source = {.traces = &r->traces, .trace = trace};
    uint32_t at = 0, operations = 0, points = 0;
    vf_listing_make(&listing, &source);
    vf_jit_code_read(&code, &r->traces, trace);
    assert_true(listing.disassembled);
    for (size_t k = 0; k < listing.rows.len; k++) {
        const struct vf_listing_row *row = &listing.rows.items[k];
        assert_true(k == 0 || row->offset >= listing.rows.items[k - 1].offset);
        points += row->kind == VF_LISTING_BYTECODE;
        if (row->kind == VF_LISTING_OPERATION) {
            const struct vf_jit_op *op = &code.stages[VF_JITLOG_ASSEMBLED].ops.items[operations];
            assert_int_equal(row->op, operations++);
            assert_int_equal(row->offset, op->code_start);
            at = row->offset;
        }
        if (row->kind != VF_LISTING_INSTRUCTION)
            continue;
        assert_int_equal(row->offset, at); /* right behind the one before */
        assert_true(row->size > 0);
        assert_null(memmem(row->text.ptr, row->text.len, "(bytes", 6));
        at += row->size;
        /* At the end of an operation its bytes are used up. */
        bool last =
            k + 1 == listing.rows.len || listing.rows.items[k + 1].kind != VF_LISTING_INSTRUCTION;
        if (last && row->op < VF_JIT_EXITS) {
            const struct vf_jit_op *op = &code.stages[VF_JITLOG_ASSEMBLED].ops.items[row->op];
            uint32_t end = op->code_start + op->code_len;
            assert_int_equal(at, end < code.exits_start ? end : code.exits_start);
        }
    }
    assert_int_equal(operations, r->traces.traces.items[trace].assembled);
    assert_int_equal(points, code.stages[VF_JITLOG_OPTIMISED].points.len);
    if (operations)
        assert_int_equal(at, code.code_size);
    vf_jit_code_release(&code);
    vf_listing_release(&listing);
}

static void instructions_cover_each_operation(void **state)
{
    (void)state;
    for (int recording = 0; recording < 2; recording++) {
        struct real r;
        open_real(&r, recording);
        assert_true(r.traces.traces.len > 3);
        for (uint32_t i = 0; i < r.traces.traces.len; i++)
            check_cover(&r, i);
        close_real(&r);
    }
}

/* An exit pushes its guard's entry of the table of constants, in which the guards stand in the
 * order of the operations: so the entries say which guard an exit is really of. */
static unsigned long table_entry(const struct vf_listing_row *row)
{
    static const char push[] = "push qword ptr [rip - 0x";
    assert_true(vf_str_starts(row->text, vf_str_from(push)));
    return row->offset + row->size - strtoul(row->text.ptr + sizeof push - 1, NULL, 16);
}

static int by_entry(const void *a, const void *b)
{
    const unsigned long *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void exits_are_those_of_the_guards(void **state)
{
    (void)state;
    for (int recording = 0; recording < 2; recording++) {
        struct real r;
        size_t found = 0, jumpless = 0;
        open_real(&r, recording);
        for (uint32_t i = 0; i < r.traces.traces.len; i++) {
            struct vf_listing listing;
            struct vf_listing_source source = {.traces = &r.traces, .trace = i};
            unsigned long exits[200][2];
            size_t count = 0;
            vf_listing_make(&listing, &source);
            for (size_t k = 0; k + 1 < listing.rows.len; k++) {
                const struct vf_listing_row *row = &listing.rows.items[k];
                unsigned at;
                if (row->kind != VF_LISTING_NOTE || row->op != VF_JIT_EXITS ||
                    sscanf(row->text.ptr, "(exit of %*s at +0x%x)", &at) != 1)
                    continue;
                assert_true(count < sizeof exits / sizeof *exits);
                exits[count][0] = table_entry(row + 1);
                exits[count++][1] = at;
                jumpless += vf_str_starts(row->text, VF_STR("(exit of guard_not_invalidated"));
            }
            qsort(exits, count, sizeof *exits, by_entry);
            for (size_t k = 1; k < count; k++)
                assert_true(exits[k][1] >= exits[k - 1][1]);
            found += count;
            vf_listing_release(&listing);
        }
        assert_true(found > 20 && jumpless > 0);
        close_real(&r);
    }
}

/* One at every byte, so that none can be lost or counted twice unseen. */
static void every_hit_is_counted_once(void **state)
{
    (void)state;
    struct real r;
    open_real(&r, false);
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
    open_real(&r, false);
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
    open_real(&r, false);
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

/* ---- built logs ------------------------------------------------------------------------------ */

static struct jitlog_builder begin(unsigned addr_bytes, const char *function)
{
    struct jitlog_builder b = {.version = 4, .addr_bytes = addr_bytes};
    jitlog_header(&b, "x86_64");
    jitlog_names(&b);
    jitlog_start(&b, 1, "loop", 0, "");
    jitlog_stage(&b, JITLOG_OPTIMISED, 1);
    jitlog_layout(&b);
    jitlog_merge_point(&b, "/app/main.py", 3, function, 8, "BINARY_ADD");
    jitlog_stage(&b, JITLOG_ASSEMBLED, 1);
    jitlog_bounds(&b, 0x1000, 0x1050);
    return b;
}

struct expected {
    enum vf_listing_kind kind;
    uint32_t offset;
    uint64_t hits;
};

/* All rows but those of merge points. */
static void check_rows(struct jitlog_builder *b, const struct expected *expected, size_t count)
{
    static const struct vf_jit_hit hits[] = {{0, 1}, {3, 1}, {0x10, 2}, {0x15, 4}, {0x48, 16}};
    struct vf_jit_traces traces;
    struct vf_listing listing;
    struct vf_listing_source source = {.traces = &traces,
                                       .hits = {hits, sizeof hits / sizeof *hits}};
    size_t k = 0;
    assert_int_not_equal(vf_jit_traces_read(&traces, vf_buf_view(&b->out), NULL), VF_FATAL);
    vf_listing_make(&listing, &source);
    for (size_t i = 0; i < listing.rows.len; i++) {
        const struct vf_listing_row *row = &listing.rows.items[i];
        if (row->kind == VF_LISTING_LINE || row->kind == VF_LISTING_BYTECODE)
            continue;
        assert_true(k < count);
        assert_int_equal(row->kind, expected[k].kind);
        assert_int_equal(row->offset, expected[k].offset);
        assert_int_equal(row->hits, expected[k].hits);
        k++;
    }
    assert_int_equal(k, count);
    vf_listing_release(&listing);
    vf_jit_traces_release(&traces);
    vf_buf_release(&b->out);
}

#define CHECK_ROWS(b, ...)                                                                         \
    check_rows(b, (const struct expected[]){__VA_ARGS__},                                          \
               sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected))

static void hits_outside_of_the_logged_code_are_kept(void **state)
{
    (void)state;
    struct jitlog_builder b = begin(8, "work");
    jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_code(&b, 0x10, "\x90\x66\x90");
    jitlog_operation(&b, OP_INT_ADD, "i3,i1,1", 0, "");
    jitlog_code(&b, 0x18, "\x90");
    CHECK_ROWS(&b, {VF_LISTING_NOTE, 0, 0}, {VF_LISTING_NOTE, 1, 2}, {VF_LISTING_INSTRUCTION, 1, 1},
               {VF_LISTING_INSTRUCTION, 3, 1}, {VF_LISTING_OPERATION, 0x10, 2},
               {VF_LISTING_INSTRUCTION, 0x10, 2}, {VF_LISTING_INSTRUCTION, 0x11, 0},
               {VF_LISTING_NOTE, 0x13, 4}, {VF_LISTING_INSTRUCTION, 0x15, 4},
               {VF_LISTING_OPERATION, 0x18, 0}, {VF_LISTING_INSTRUCTION, 0x18, 0},
               {VF_LISTING_NOTE, 0x19, 16}, {VF_LISTING_INSTRUCTION, 0x48, 16});
    /* The log ends before the first operation. */
    b = begin(8, "work");
    jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
    CHECK_ROWS(&b, {VF_LISTING_NOTE, 0, 0}, {VF_LISTING_OPERATION, 1, 0}, {VF_LISTING_NOTE, 1, 24},
               {VF_LISTING_INSTRUCTION, 1, 1}, {VF_LISTING_INSTRUCTION, 3, 1},
               {VF_LISTING_INSTRUCTION, 0x10, 2}, {VF_LISTING_INSTRUCTION, 0x15, 4},
               {VF_LISTING_INSTRUCTION, 0x48, 16});
}

static void bytes_of_two_operations_are_shown_once(void **state)
{
    (void)state;
    struct jitlog_builder b = begin(8, "work");
    jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_code(&b, 0x10, "\x0f\x1f\x84\x11\x11\x11\x11\x11");
    jitlog_operation(&b, OP_INT_ADD, "i3,i1,1", 0, "");
    jitlog_code(&b, 0x12, "\x90\x90\x90\x90");
    CHECK_ROWS(&b, {VF_LISTING_NOTE, 0, 0}, {VF_LISTING_NOTE, 1, 2}, {VF_LISTING_INSTRUCTION, 1, 1},
               {VF_LISTING_INSTRUCTION, 3, 1}, {VF_LISTING_OPERATION, 0x10, 6},
               {VF_LISTING_INSTRUCTION, 0x10, 6}, {VF_LISTING_OPERATION, 0x18, 0},
               {VF_LISTING_NOTE, 0x18, 16}, {VF_LISTING_INSTRUCTION, 0x48, 16});
}

static void code_at_the_very_beginning_is_listed(void **state)
{
    (void)state;
    struct jitlog_builder b = begin(8, "work");
    jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_code(&b, 0, "\x90\x90\x66\x90");
    CHECK_ROWS(&b, {VF_LISTING_NOTE, 0, 0}, {VF_LISTING_OPERATION, 0, 2},
               {VF_LISTING_INSTRUCTION, 0, 1}, {VF_LISTING_INSTRUCTION, 1, 0},
               {VF_LISTING_INSTRUCTION, 2, 1}, {VF_LISTING_NOTE, 4, 22},
               {VF_LISTING_INSTRUCTION, 0x10, 2}, {VF_LISTING_INSTRUCTION, 0x15, 4},
               {VF_LISTING_INSTRUCTION, 0x48, 16});
}

/* The front-end counts lines. */
static void a_row_is_one_line(void **state)
{
    (void)state;
    struct jitlog_builder b = begin(8, "two\nlines\r\x1b[m");
    struct vf_jit_traces traces;
    struct vf_listing listing;
    struct vf_listing_source source = {.traces = &traces};
    bool found = false;
    jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_operation(&b, OP_INT_ADD, "i\n2,i1\n,1", 0, "");
    assert_int_equal(vf_jit_traces_read(&traces, vf_buf_view(&b.out), NULL), VF_OK);
    vf_listing_make(&listing, &source);
    for (size_t i = 0; i < listing.rows.len; i++) {
        struct vf_str text = listing.rows.items[i].text;
        for (size_t k = 0; k < text.len; k++)
            assert_true((unsigned char)text.ptr[k] >= ' ');
        found |= vf_str_eq(text, VF_STR("main.py:3 two lines  [m"));
    }
    assert_true(found);
    vf_listing_release(&listing);
    vf_jit_traces_release(&traces);
    vf_buf_release(&b.out);
}

/* "\x48\x90" is one instruction with 64 bits, and "dec eax; nop" with 32. */
static void the_size_of_addresses_counts(void **state)
{
    (void)state;
    for (unsigned addr_bytes = 4; addr_bytes <= 8; addr_bytes += 4) {
        struct jitlog_builder b = begin(addr_bytes, "work");
        jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
        jitlog_code(&b, 0x10, "\x48\x90");
        struct vf_jit_traces traces;
        struct vf_listing listing;
        struct vf_listing_source source = {.traces = &traces};
        size_t count = 0;
        assert_int_equal(vf_jit_traces_read(&traces, vf_buf_view(&b.out), NULL), VF_OK);
        vf_listing_make(&listing, &source);
        for (size_t i = 0; i < listing.rows.len; i++)
            count += listing.rows.items[i].kind == VF_LISTING_INSTRUCTION;
        assert_int_equal(count, addr_bytes == 4 ? 2 : 1);
        vf_listing_release(&listing);
        vf_jit_traces_release(&traces);
        vf_buf_release(&b.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_cover_each_operation),
        cmocka_unit_test(exits_are_those_of_the_guards),
        cmocka_unit_test(every_hit_is_counted_once),
        cmocka_unit_test(the_front_end_gets_the_rows),
        cmocka_unit_test(rows_say_what_they_are),
        cmocka_unit_test(machine_code_becomes_text),
        cmocka_unit_test(hits_outside_of_the_logged_code_are_kept),
        cmocka_unit_test(bytes_of_two_operations_are_shown_once),
        cmocka_unit_test(code_at_the_very_beginning_is_listed),
        cmocka_unit_test(a_row_is_one_line),
        cmocka_unit_test(the_size_of_addresses_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The reader of JIT logs: every record in every version, logs cut at every byte, and what is said
 * about those that are damaged. */
#include "test.h"

#include "base/file.h"
#include "capture/jitlog.h"
#include "jitlog_builder.h"

#include <stdio.h>
#include <stdlib.h>

static void assert_text(struct vf_str found, const char *expected)
{
    if (!vf_str_eq(found, vf_str_from(expected)))
        fail_msg("'%.*s', not '%s'", VF_STR_ARG(found), expected);
}

static void assert_pair(struct vf_jitlog_text found, const char *prefix, const char *rest)
{
    assert_text(found.prefix, prefix);
    assert_text(found.rest, rest);
}

static struct vf_jitlog opened(const struct jitlog_builder *b)
{
    struct vf_jitlog log;
    struct vf_error error = {0};
    if (vf_jitlog_open(&log, vf_buf_view(&b->out), &error) != VF_OK)
        fail_msg("%s", error.text);
    return log;
}

static struct vf_jitlog_record next(struct vf_jitlog *log, enum vf_jitlog_type type)
{
    struct vf_jitlog_record record;
    if (!vf_jitlog_next(log, &record))
        fail_msg("no record of type %d: %s", type, log->problem.text);
    assert_int_equal(record.type, type);
    return record;
}

static struct jitlog_builder builder(int version, unsigned addr_bytes)
{
    struct jitlog_builder b = {.version = version, .addr_bytes = addr_bytes};
    jitlog_header(&b, "x86_64");
    return b;
}

/* ---- what is refused ------------------------------------------------------------------------- */

#define BYTES(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *bytes;
    size_t len;
    const char *line;
} refused[] = {
    {BYTES(""), "byte 0x0: expected a JIT log, found an empty file"},
    {BYTES("#!/usr/bin"), "byte 0x0: expected a JIT log (byte 1e), found byte 23"},
    {BYTES("\x1e"), "byte 0x1: expected a version of 2 bytes, found 0 bytes"},
    {BYTES("\x1e\4"), "byte 0x1: expected a version of 2 bytes, found 1 bytes"},
    {BYTES("\x1e\0\0\0\0\0\0\0"), "byte 0x1: expected a JIT log of version 1 to 4, found 0"},
    {BYTES("\x1e\5\0\0\0\0\0\0"), "byte 0x1: expected a JIT log of version 1 to 4, found 5"},
    {BYTES("\x1e\1\0"), "byte 0x3: expected a word size of 1 bytes, found 0 bytes"},
    {BYTES("\x1e\1\0\x12"), "byte 0x3: expected a word size (00 or 01), found byte 12"},
    {BYTES("\x1e\4\0\0\6\0\0"), "byte 0x4: expected the length of a machine's name, found 3 bytes"},
    {BYTES("\x1e\4\0\0\6\0\0\0x86"),
     "byte 0x4: expected a machine's name of 6 bytes, found 3 bytes"},
    {BYTES("\x1e\4\0\0\3\0\0\0x\n6"), "byte 0x4: expected a machine's name, found other data"},
};

static void what_is_no_jit_log_is_refused_and_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct vf_jitlog log;
        struct vf_error error = {0};
        char line[512];
        struct vf_str bytes = {refused[i].bytes, refused[i].len};
        assert_int_equal(vf_jitlog_open(&log, bytes, &error), VF_FATAL);
        assert_string_equal(vf_error_line(&error, line, sizeof line), refused[i].line);
        assert_int_equal(vf_jitlog_open(&log, bytes, NULL), VF_FATAL);
    }
}

/* ---- records --------------------------------------------------------------------------------- */

static const struct {
    int version;
    unsigned addr_bytes;
} layouts[] = {{1, 4}, {1, 8}, {2, 4}, {2, 8}, {3, 8}, {4, 4}, {4, 8}};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static void every_version_is_read_to_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYOUTS; i++) {
        struct jitlog_builder b = jitlog_story(layouts[i].version, layouts[i].addr_bytes);
        struct vf_jitlog log = opened(&b);
        struct vf_jitlog_record record;
        size_t count = 0;
        assert_int_equal(log.version, layouts[i].version);
        assert_int_equal(log.addr_bytes, layouts[i].addr_bytes);
        assert_text(log.machine, "x86_64");
        while (vf_jitlog_next(&log, &record))
            count++;
        assert_string_equal(log.problem.text, "");
        assert_int_equal(count, jitlog_story_records());
        assert_int_equal(log.in.pos, b.out.len);
        vf_buf_release(&b.out);
    }
}

static void names_of_operations_are_given_one_by_one(void **state)
{
    (void)state;
    struct jitlog_builder b = builder(4, 8);
    uint16_t opnum;
    struct vf_str name;
    jitlog_names(&b);
    struct vf_jitlog log = opened(&b);
    struct vf_jitlog_record record = next(&log, VF_JITLOG_RESOP_NAMES);
    assert_int_equal(record.names.count, 5);
    assert_true(vf_jitlog_name_next(&record, &opnum, &name));
    assert_int_equal(opnum, OP_LABEL);
    assert_text(name, "label");
    for (int i = 0; i < 4; i++)
        assert_true(vf_jitlog_name_next(&record, &opnum, &name));
    assert_int_equal(opnum, OP_JUMP);
    assert_text(name, "jump");
    assert_false(vf_jitlog_name_next(&record, &opnum, &name));
    vf_buf_release(&b.out);
}

static void a_trace_starts_with_a_driver_from_version_2(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYOUTS; i++) {
        struct jitlog_builder b = builder(layouts[i].version, layouts[i].addr_bytes);
        jitlog_start(&b, 0x12345678, "bridge", 0xfedcba98, "pypyjit");
        jitlog_stage(&b, JITLOG_RECORDED, 1);
        jitlog_stage(&b, JITLOG_OPTIMISED, 2);
        jitlog_stage(&b, JITLOG_ASSEMBLED, 3);
        struct vf_jitlog log = opened(&b);
        struct vf_jitlog_record record = next(&log, VF_JITLOG_START_TRACE);
        assert_int_equal(record.start.id, 0x12345678);
        assert_true(record.start.bridge);
        assert_int_equal(record.start.number, 0xfedcba98);
        assert_text(record.start.driver, layouts[i].version >= 2 ? "pypyjit" : "");
        record = next(&log, VF_JITLOG_STAGE);
        assert_int_equal(record.stage.stage, VF_JITLOG_RECORDED);
        assert_int_equal(record.stage.id, 1);
        assert_int_equal(next(&log, VF_JITLOG_STAGE).stage.stage, VF_JITLOG_OPTIMISED);
        assert_int_equal(next(&log, VF_JITLOG_STAGE).stage.stage, VF_JITLOG_ASSEMBLED);
        vf_buf_release(&b.out);
    }
}

static void an_operation_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t descr_id;
        const char *result, *args, *descr;
    } cases[] = {
        {"i2,i1,1", 0, "i2", "i1,1", ""},
        {"i2", 0, "i2", "", ""},
        {"", 0, "", "", ""},
        {"?,p0,<Guard0x7f>", 9, "?", "p0", "<Guard0x7f>"},
        {"?,p0,i1,<Calli 8 rr EF=2>", 9, "?", "p0,i1", "<Calli 8 rr EF=2>"},
        {"?,TargetToken(7)", 9, "?", "", "TargetToken(7)"},
        {"?", 9, "?", "", ""},
        {"", 9, "", "", ""},
        {",", 9, "", "", ""},
        {",,", 9, "", "", ""},
    };
    for (size_t v = 0; v < LAYOUTS; v++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct jitlog_builder b = builder(layouts[v].version, layouts[v].addr_bytes);
            jitlog_operation(&b, 0x1ff, cases[i].text, cases[i].descr_id, "p0,-,i1");
            struct vf_jitlog log = opened(&b);
            struct vf_jitlog_operation operation = next(&log, VF_JITLOG_OPERATION).operation;
            assert_int_equal(operation.opnum, 0x1ff);
            assert_int_equal(operation.has_descr, cases[i].descr_id != 0);
            assert_int_equal(operation.descr_id, cases[i].descr_id);
            assert_text(operation.result, cases[i].result);
            assert_text(operation.args, cases[i].args);
            assert_text(operation.descr, cases[i].descr);
            assert_text(operation.fail_args, layouts[v].version >= 2 ? "p0,-,i1" : "");
            vf_buf_release(&b.out);
        }
    }
}

static void machine_code_and_bridges(void **state)
{
    (void)state;
    struct jitlog_builder b = builder(4, 8);
    jitlog_input_args(&b, "p0,i1");
    jitlog_bounds(&b, 0x7f8e49f7ef30, 0x7f8e49f7f268);
    jitlog_code(&b, 0xfffe, "\x90\xc3");
    jitlog_stitch(&b, 0xa2, 0x7f8e49f7ef30);
    struct vf_jitlog log = opened(&b);
    assert_text(next(&log, VF_JITLOG_INPUT_ARGS).text, "p0,i1");
    struct vf_jitlog_record record = next(&log, VF_JITLOG_CODE_BOUNDS);
    assert_int_equal(record.bounds.start, 0x7f8e49f7ef30);
    assert_int_equal(record.bounds.end, 0x7f8e49f7f268);
    record = next(&log, VF_JITLOG_CODE_BYTES);
    assert_int_equal(record.code.offset, 0xfffe);
    assert_text(record.code.bytes, "\x90\xc3");
    record = next(&log, VF_JITLOG_STITCH_BRIDGE);
    assert_int_equal(record.stitch.guard, 0xa2);
    assert_int_equal(record.stitch.address, 0x7f8e49f7ef30);
    vf_buf_release(&b.out);
}

static void the_loose_records(void **state)
{
    (void)state;
    struct jitlog_builder b = builder(4, 4);
    struct vf_jitlog_line line;
    jitlog_counter(&b, 0xa2, 'b', UINT64_MAX - 1);
    jitlog_abort(&b, 8);
    jitlog_redirect(&b, 1, 2, 3);
    jitlog_callback(&b, 4, UINT64_MAX);
    jitlog_source(&b, "a.py", "def f():", "");
    b.version = 2;
    b.addr_bytes = 8;
    jitlog_header(&b, "aarch64");
    jitlog_abort(&b, 0x7f0000000000);
    struct vf_jitlog log = opened(&b);
    struct vf_jitlog_record record = next(&log, VF_JITLOG_COUNTER);
    assert_int_equal(record.counter.key, 0xa2);
    assert_int_equal(record.counter.kind, 'b');
    assert_true(record.counter.count == UINT64_MAX - 1);
    assert_int_equal(next(&log, VF_JITLOG_ABORT_TRACE).id, 8);
    record = next(&log, VF_JITLOG_REDIRECT);
    assert_int_equal(record.redirect.from, 1);
    assert_int_equal(record.redirect.to, 2);
    assert_int_equal(record.redirect.address, 3);
    record = next(&log, VF_JITLOG_TMP_CALLBACK);
    assert_int_equal(record.callback.token, 4);
    assert_true(record.callback.number == UINT64_MAX);
    record = next(&log, VF_JITLOG_SOURCE_LINES);
    assert_text(record.source.file, "a.py");
    assert_true(vf_jitlog_line_next(&record, &line));
    assert_int_equal(line.line, 1);
    assert_int_equal(line.indent, 0);
    assert_text(line.text, "def f():");
    assert_true(vf_jitlog_line_next(&record, &line));
    assert_int_equal(line.indent, 4);
    assert_text(line.text, "");
    assert_false(vf_jitlog_line_next(&record, &line));
    next(&log, VF_JITLOG_HEADER);
    assert_text(log.machine, "aarch64");
    assert_int_equal(next(&log, VF_JITLOG_ABORT_TRACE).id, 0x7f0000000000);
    vf_buf_release(&b.out);
}

/* ---- merge points ---------------------------------------------------------------------------- */

static void merge_points_are_joined_with_their_prefixes(void **state)
{
    (void)state;
    struct jitlog_builder b = builder(4, 8);
    jitlog_layout(&b);
    jitlog_merge_point(&b, "/tmp/app/main.py", 12, "work", 8, "FOR_ITER");
    jitlog_prefix(&b, 0, "/tmp/app/");
    jitlog_prefix(&b, 2, "work");
    jitlog_merge_point(&b, "+util.py", 3, NULL, 0, "");
    struct vf_jitlog log = opened(&b);
    assert_int_equal(next(&log, VF_JITLOG_MERGE_LAYOUT).count, 5);
    struct vf_jitlog_merge_point point = next(&log, VF_JITLOG_MERGE_POINT).merge_point;
    assert_int_equal(point.has, 31);
    assert_pair(point.file, "", "/tmp/app/main.py");
    assert_int_equal(point.line, 12);
    assert_pair(point.function, "", "work");
    assert_int_equal(point.offset, 8);
    assert_pair(point.opcode, "", "FOR_ITER");
    struct vf_jitlog_record record = next(&log, VF_JITLOG_COMMON_PREFIX);
    assert_int_equal(record.prefix.field, 0);
    assert_text(record.prefix.text, "/tmp/app/");
    next(&log, VF_JITLOG_COMMON_PREFIX);
    point = next(&log, VF_JITLOG_MERGE_POINT).merge_point;
    assert_pair(point.file, "/tmp/app/", "util.py");
    assert_pair(point.function, "work", "");
    assert_pair(point.opcode, "", "");
    vf_buf_release(&b.out);
}

static void fields_of_another_interpreter_are_passed_over(void **state)
{
    (void)state;
    struct jitlog_builder b = builder(4, 8);
    /* A text and a number without a meaning, a meaning not known, a line that is a text, a line. */
    vf_buf_add(&b.out, "\x1d\5\0\0s\0i\x40s\2s\2i", 13);
    vf_buf_add(&b.out, "\x1f\xff\1\0\0\0a\0\7\0\0\0\0\0\0\0", 16);
    vf_buf_add(&b.out, "\xff\0\0\0\0\xff\0\0\0\0\0\x2a\0\0\0\0\0\0\0", 19);
    struct vf_jitlog log = opened(&b);
    next(&log, VF_JITLOG_MERGE_LAYOUT);
    struct vf_jitlog_merge_point point = next(&log, VF_JITLOG_MERGE_POINT).merge_point;
    assert_int_equal(point.has, VF_MERGE_LINE);
    assert_int_equal(point.line, 42);
    vf_buf_release(&b.out);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* Reads to the damage, and releases: the problem as a line, its offset from the header's end. */
static const char *problem_of(struct jitlog_builder *b)
{
    static char line[512], text[600];
    struct vf_jitlog log = opened(b);
    size_t start = log.in.pos;
    struct vf_jitlog_record record;
    while (vf_jitlog_next(&log, &record))
        ;
    assert_false(vf_jitlog_next(&log, &record));
    if (log.problem.text[0]) {
        assert_true(log.problem.has_offset);
        assert_between(log.problem.offset, start, b->out.len);
        log.problem.offset -= start;
    }
    snprintf(text, sizeof text, "%s", vf_error_line(&log.problem, line, sizeof line));
    vf_buf_release(&b->out);
    return text;
}

static const struct {
    const char *bytes;
    size_t len;
    const char *line;
} damaged[] = {
    {BYTES("\0"), "byte 0x0: expected a record (11 to 24), found byte 00"},
    {BYTES("\x10"), "byte 0x0: expected a record (11 to 24), found byte 10"},
    {BYTES("\x25"), "byte 0x0: expected a record (11 to 24), found byte 25"},
    {BYTES("\x11\xff\xff\xff\xff"
           "ab"),
     "byte 0x1: expected input arguments of 4294967295 bytes, found 2 bytes"},
    {BYTES("\x12\xff\xff\1\0\0\0\0\0"), "byte 0x9: expected an operation's number of 2 bytes, "
                                        "found 0 bytes"},
    {BYTES("\x13\1\0\4\0\0\0i1"), "byte 0x3: expected an operation of 4 bytes, found 2 bytes"},
    {BYTES("\x15\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"),
     "byte 0x1: expected bounds of machine code, found 0x2 to 0x1"},
    {BYTES("\x1b\1\0\0\0\0\0\0\0\4\0\0\0lump"),
     "byte 0x9: expected a trace's type (loop or bridge), found other data"},
    {BYTES("\x1c\0\0\0\0\0\0\0\0x"),
     "byte 0x9: expected a counter's kind (e, b or l), found byte 78"},
    {BYTES("\x1d\x41\0"), "byte 0x1: expected up to 64 fields in a merge point, found 65"},
    {BYTES("\x1d\1\0\1x"), "byte 0x4: expected a field's kind (s or i), found byte 78"},
    {BYTES("\x1f"), "byte 0x0: expected a merge point layout, found a merge point"},
    {BYTES("\x1d\1\0\1s\x17\0\0\0\0\0\0\0\0\x1f"),
     "byte 0xe: expected a merge point layout, found a merge point"},
    {BYTES("\x1d\1\0\1s\x1f\xef"),
     "byte 0x6: expected a whole text (no prefix yet), found byte ef"},
    {BYTES("\x1d\1\0\1s\x1f\1"),
     "byte 0x6: expected a merge point's text (00, ef or ff), found byte 01"},
    {BYTES("\x1d\1\0\2i\x1f\1"), "byte 0x6: expected a merge point's number (00), found byte 01"},
    {BYTES("\x1d\1\0\1s\x20\1"), "byte 0x6: expected the index of one of 1 fields, found 1"},
    {BYTES("\x1e\7\0"), "byte 0x1: expected a JIT log of version 1 to 4, found 7"},
    {BYTES("\x22\1\0\0\0a\xff\xff\1\0"), "byte 0xa: expected a line's indent of 1 bytes, found 0 "
                                         "bytes"},
};

static void damage_ends_the_reading_where_it_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct jitlog_builder b = builder(4, 8);
        vf_buf_add(&b.out, damaged[i].bytes, damaged[i].len);
        assert_string_equal(problem_of(&b), damaged[i].line);
    }
}

/* Ends of the story's records. */
static size_t record_ends(const struct jitlog_builder *b, size_t *ends)
{
    struct vf_jitlog log = opened(b);
    struct vf_jitlog_record record;
    size_t count = 0;
    do
        ends[count++] = log.in.pos;
    while (vf_jitlog_next(&log, &record));
    return count;
}

static void a_cut_log_gives_all_that_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYOUTS; i++) {
        struct jitlog_builder b = jitlog_story(layouts[i].version, layouts[i].addr_bytes);
        size_t ends[100], expected = 0;
        size_t count = record_ends(&b, ends);
        assert_int_equal(count, jitlog_story_records() + 1);
        for (size_t len = ends[0]; len <= b.out.len; len++) {
            struct vf_jitlog log;
            struct vf_jitlog_record record;
            /* A block of just this size: a sanitizer sees a byte read behind it. */
            char *copy = vf_alloc(len, 1);
            memcpy(copy, b.out.ptr, len);
            size_t found = 0;
            assert_int_equal(vf_jitlog_open(&log, (struct vf_str){copy, len}, NULL), VF_OK);
            while (vf_jitlog_next(&log, &record))
                found++;
            if (expected + 1 < count && ends[expected + 1] == len)
                expected++;
            assert_int_equal(found, expected);
            assert_int_equal(log.problem.text[0] != 0, ends[expected] != len);
            assert_true(!log.problem.text[0] || log.problem.offset <= len);
            free(copy);
        }
        vf_buf_release(&b.out);
    }
}

/* ---- a real log ------------------------------------------------------------------------------ */

static void a_recorded_log_is_read(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    struct vf_error error = {0};
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    size_t counts[VF_JITLOG_TMP_CALLBACK + 1] = {0};
    if (vf_bytes_map(VF_SOURCE_ROOT "/test/data/jitlog/small.jitlog", &bytes, &error) != VF_OK)
        fail_msg("%s", error.text);
    assert_int_equal(vf_jitlog_open(&log, vf_bytes_view(&bytes), &error), VF_OK);
    while (vf_jitlog_next(&log, &record))
        counts[record.type]++;
    assert_string_equal(log.problem.text, "");
    assert_int_equal(counts[VF_JITLOG_RESOP_NAMES], 1);
    assert_int_equal(counts[VF_JITLOG_START_TRACE], 4);
    assert_int_equal(counts[VF_JITLOG_STAGE], 12);
    assert_int_equal(counts[VF_JITLOG_OPERATION], 604);
    assert_int_equal(counts[VF_JITLOG_CODE_BOUNDS], 3);
    assert_int_equal(counts[VF_JITLOG_CODE_BYTES], 137);
    assert_int_equal(counts[VF_JITLOG_STITCH_BRIDGE], 1);
    assert_int_equal(counts[VF_JITLOG_COUNTER], 6);
    assert_int_equal(counts[VF_JITLOG_MERGE_POINT], 66);
    assert_int_equal(counts[VF_JITLOG_ABORT_TRACE], 1);
    vf_bytes_release(&bytes);
}

/* The published example, where it is at hand; see test_shared_data.c. */
static void merge_points_of_the_example(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    struct vf_jitlog_merge_point third = {0};
    enum vf_jitlog_stage stage = VF_JITLOG_RECORDED;
    size_t count = 0;
    char path[4096];
    const char *dir = getenv("VMFOX_SHARED_DATA");
    snprintf(path, sizeof path, "%s/example.jitlog",
             dir && *dir ? dir : VF_SOURCE_ROOT "/../shared/data");
    if (vf_bytes_map(path, &bytes, NULL) != VF_OK)
        skip();
    assert_int_equal(vf_jitlog_open(&log, vf_bytes_view(&bytes), NULL), VF_OK);
    while (vf_jitlog_next(&log, &record)) {
        if (record.type == VF_JITLOG_STAGE)
            stage = record.stage.stage;
        if (record.type == VF_JITLOG_MERGE_POINT && stage == VF_JITLOG_OPTIMISED && ++count == 3)
            third = record.merge_point;
    }
    assert_string_equal(log.problem.text, "");
    assert_int_equal(count, 8);
    assert_pair(third.file, "example.py", "");
    assert_int_equal(third.line, 3);
    assert_pair(third.function, "function_a", "");
    assert_int_equal(third.offset, 12);
    vf_bytes_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_jit_log_is_refused_and_said),
        cmocka_unit_test(every_version_is_read_to_its_end),
        cmocka_unit_test(names_of_operations_are_given_one_by_one),
        cmocka_unit_test(a_trace_starts_with_a_driver_from_version_2),
        cmocka_unit_test(an_operation_is_taken_apart),
        cmocka_unit_test(machine_code_and_bridges),
        cmocka_unit_test(the_loose_records),
        cmocka_unit_test(merge_points_are_joined_with_their_prefixes),
        cmocka_unit_test(fields_of_another_interpreter_are_passed_over),
        cmocka_unit_test(damage_ends_the_reading_where_it_stands),
        cmocka_unit_test(a_cut_log_gives_all_that_is_whole),
        cmocka_unit_test(a_recorded_log_is_read),
        cmocka_unit_test(merge_points_of_the_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

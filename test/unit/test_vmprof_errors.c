/* What a user is told about a file that is not, or not wholly, a VMProf profile; and how the text
 * of a name record comes apart. */
#include "test.h"

#include "capture/vmprof.h"
#include "prof_builder.h"

#include <stdio.h>

/* ---- files that are refused ------------------------------------------------------------------ */

struct refused {
    const char *what, *bytes;
    size_t len;
    const char *line; /* as vf_error_line() gives it */
    bool sniffed;
};

#define BYTES(literal) (literal), sizeof(literal) - 1
#define ZERO8 "\0\0\0\0\0\0\0\0"
#define OTHER_DATA "byte 0x0: expected a VMProf header, found other data"
#define BIG_ENDIAN_SAID                                                                            \
    "this profile was written on a big-endian machine; only little-endian ones can be read"

static const struct refused refused[] = {
    {"empty", BYTES(""), "byte 0x0: expected a VMProf header, found an empty file", false},
    {"one byte", BYTES("\3"), "byte 0x0: expected a VMProf header, found only 1 byte", false},
    {"seven bytes", BYTES("\0\0\0\0\3\0\0"),
     "byte 0x0: expected a VMProf header, found only 7 bytes", false},
    {"text", BYTES("#!/usr/bin/env python3\nprint('hello')\n"), OTHER_DATA, false},
    {"zeros", BYTES(ZERO8 ZERO8 ZERO8 ZERO8 ZERO8), OTHER_DATA, false},
    {"gzip", BYTES("\x1f\x8b\x08\0\0\0\0\0\0\3\3\0\0\0\0\0\0\0\0\0"), OTHER_DATA, false},
    {"word 8, big-endian", BYTES(ZERO8 "\0\0\0\0\0\0\0\3" ZERO8 "\0\0\0\0\0\0\3\xde" ZERO8),
     "byte 0x8: " BIG_ENDIAN_SAID, true},
    {"word 4, big-endian", BYTES("\0\0\0\0\0\0\0\3\0\0\0\0\0\0\3\xde\0\0\0\0"),
     "byte 0x4: " BIG_ENDIAN_SAID, true},
    {"word 8, cut", BYTES(ZERO8 "\3\0\0\0\0\0\0\0" ZERO8),
     "byte 0x18: expected a VMProf header of 40 bytes, found 24 bytes", true},
    {"word 4, cut", BYTES("\0\0\0\0\3\0\0\0\0\0\0\0\xe8\3\0\0"),
     "byte 0x10: expected a VMProf header of 20 bytes, found 16 bytes", true},
    {"third word", BYTES("\0\0\0\0\3\0\0\0\1\0\0\0\xe8\3\0\0\0\0\0\0"),
     "byte 0x8: expected a VMProf header (0, 3, 0, period, 0 or 1), found other data", true},
    {"negative period", BYTES("\0\0\0\0\3\0\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0"),
     "byte 0x8: expected a VMProf header (0, 3, 0, period, 0 or 1), found other data", true},
    {"fifth word", BYTES("\0\0\0\0\3\0\0\0\0\0\0\0\xe8\3\0\0\2\0\0\0"),
     "byte 0x8: expected a VMProf header (0, 3, 0, period, 0 or 1), found other data", true},
};

static void what_is_no_profile_is_refused_and_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct refused *r = &refused[i];
        struct vf_vmprof v;
        struct vf_error error = {0};
        char line[512];
        assert_int_equal(vf_vmprof_open(&v, r->bytes, r->len, &error), VF_FATAL);
        assert_string_equal(vf_error_line(&error, line, sizeof line), r->line);
        if (vf_vmprof_sniff(r->bytes, r->len) != r->sniffed)
            fail_msg("%s: taken for%s a profile", r->what, r->sniffed ? " not" : "");
    }
}

static void an_empty_mapping_is_refused(void **state)
{
    (void)state;
    struct vf_vmprof v;
    struct vf_error error = {0};
    assert_false(vf_vmprof_sniff(NULL, 0));
    assert_int_equal(vf_vmprof_open(&v, NULL, 0, &error), VF_FATAL);
    assert_int_equal(vf_vmprof_open(&v, NULL, 0, NULL), VF_FATAL);
}

/* ---- files that end in damage ---------------------------------------------------------------- */

struct reading {
    struct vf_vmprof v;
    size_t records;
    char line[512];
};

/* Reads all of what was built; releases it. */
static void read_all(struct reading *r, struct prof_builder *b)
{
    struct vf_record record;
    struct vf_error error = {0};
    r->records = 0;
    assert_int_equal(vf_vmprof_open(&r->v, b->out.ptr, b->out.len, &error), VF_OK);
    while (vf_vmprof_next(&r->v, &record))
        r->records++;
    assert_false(vf_vmprof_next(&r->v, &record));
    vf_error_line(&r->v.problem, r->line, sizeof r->line);
    vf_buf_release(&b->out);
}

static struct prof_builder builder(int version, unsigned mode, const char *interpreter)
{
    struct prof_builder b = {.word_bytes = 8, .addr_bytes = 8, .version = version, .mode = mode};
    prof_static_header(&b, 990);
    prof_header(&b, interpreter);
    return b;
}

static void an_unknown_marker_ends_the_reading_where_it_stands(void **state)
{
    (void)state;
    static const unsigned markers[] = {0x00, 0x0b, 0x7f, 0xff};
    for (size_t i = 0; i < sizeof markers / sizeof *markers; i++) {
        struct reading r;
        char expected[80];
        struct prof_builder b = builder(6, 0, "cpython");
        prof_u8(&b, markers[i]);
        prof_trailer(&b, 0, 0);
        read_all(&r, &b);
        snprintf(expected, sizeof expected,
                 "byte 0x34: expected a record (01 to 0a), found byte %02x", markers[i]);
        assert_string_equal(r.line, expected);
        assert_int_equal(r.records, 1);
    }
}

static void a_missing_trailer_is_said(void **state)
{
    (void)state;
    struct reading r;
    struct prof_builder b = builder(6, 0, "cpython");
    read_all(&r, &b);
    assert_string_equal(r.line,
                        "byte 0x34: expected a record or the trailer, found the end of the file");
    assert_false(r.v.ended);
}

static void a_second_header_is_refused(void **state)
{
    (void)state;
    struct reading r;
    struct prof_builder b = builder(6, 0, "cpython");
    prof_header(&b, "pypy");
    prof_trailer(&b, 0, 0);
    read_all(&r, &b);
    assert_string_equal(r.line, "byte 0x34: expected a record, found a second header");
    assert_int_equal(r.records, 1);
}

static void an_old_header_behind_a_header_is_refused(void **state)
{
    (void)state;
    struct reading r;
    struct prof_builder b = builder(6, 0, "cpython");
    prof_old_interpreter(&b, "pypy");
    prof_trailer(&b, 0, 0);
    read_all(&r, &b);
    assert_string_equal(r.line, "byte 0x34: expected a record, found a second header");
    assert_int_equal(r.records, 1);
    assert_int_equal(r.v.interpreter.len, strlen("cpython"));
}

static void a_version_not_known_is_refused(void **state)
{
    (void)state;
    static const int versions[] = {8, 255, 256, 0xffff};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct reading r;
        char expected[80];
        struct prof_builder b = builder(versions[i], 0, "cpython");
        read_all(&r, &b);
        snprintf(expected, sizeof expected, "byte 0x29: expected a version up to 7, found %d",
                 versions[i]);
        assert_string_equal(r.line, expected);
        assert_int_equal(r.records, 0);
    }
}

static void frames_in_pairs_need_an_even_depth(void **state)
{
    (void)state;
    static const struct {
        unsigned mode;
        const char *interpreter;
    } paired[] = {{0, "pypy"}, {8, "cpython"}, {2, "cpython"}};
    for (size_t i = 0; i < sizeof paired / sizeof *paired; i++) {
        struct reading r;
        struct prof_builder b = builder(6, paired[i].mode, paired[i].interpreter);
        size_t at = b.out.len + 9;
        char expected[100];
        prof_u8(&b, 0x01);
        prof_word(&b, 1);
        prof_word(&b, 3);
        for (int j = 0; j < 4; j++)
            prof_addr(&b, 1);
        prof_trailer(&b, 0, 0);
        read_all(&r, &b);
        snprintf(expected, sizeof expected,
                 "byte 0x%zx: expected an even stack depth (frames are pairs), found 3", at);
        assert_string_equal(r.line, expected);
        assert_int_equal(r.records, 1);
    }
}

/* A record that starts with `marker`, `words` 8-byte numbers and 64 bytes more. */
static void read_numbers(struct reading *r, unsigned marker, const uint64_t *numbers, size_t count)
{
    struct prof_builder b = builder(6, 0, "cpython");
    prof_u8(&b, marker);
    for (size_t i = 0; i < count; i++)
        prof_le(&b, numbers[i], 8);
    for (int i = 0; i < 8; i++)
        prof_le(&b, 0, 8);
    read_all(r, &b);
    assert_int_equal(r->records, 1);
}

static void numbers_too_big_are_refused_before_they_are_used(void **state)
{
    (void)state;
    struct reading r;
    read_numbers(&r, 0x01, (uint64_t[]){1, 1 << 20}, 2);
    assert_string_equal(r.line, "byte 0x3d: expected a stack depth, found 1048576");
    read_numbers(&r, 0x01, (uint64_t[]){1, UINT64_MAX}, 2);
    assert_string_equal(r.line, "byte 0x3d: expected a stack depth, found -1");
    read_numbers(&r, 0x01, (uint64_t[]){1, 9}, 2);
    assert_string_equal(r.line, "byte 0x45: expected a stack of 72 bytes, found 64 bytes");
    read_numbers(&r, 0x01, (uint64_t[]){2, 0}, 2);
    assert_string_equal(r.line, "byte 0x35: expected a sample's count (1), found 2");
    read_numbers(&r, 0x02, (uint64_t[]){0x1400, INT64_MAX}, 2);
    assert_string_equal(
        r.line, "byte 0x3d: expected a code name of 9223372036854775807 bytes, found 64 bytes");
    read_numbers(&r, 0x08, (uint64_t[]){0x1400, UINT64_MAX - 7}, 2);
    assert_string_equal(r.line, "byte 0x3d: expected a code name of -8 bytes, found 64 bytes");
    read_numbers(&r, 0x07, (uint64_t[]){0, 65}, 2);
    assert_string_equal(r.line, "byte 0x3d: expected a meta value of 65 bytes, found 64 bytes");
    read_numbers(&r, 0x06, (uint64_t[]){INT64_MAX, 0}, 2);
    assert_string_equal(r.line,
                        "byte 0x35: expected the start time, found 9223372036854775807 seconds");
    read_numbers(&r, 0x0a, (uint64_t[]){0, UINT64_MAX / 8 + 2}, 2);
    assert_string_equal(r.line,
                        "byte 0x3d: expected the length of an object record, found other data");
}

static void a_time_no_clock_gives_is_refused(void **state)
{
    (void)state;
    static const double times[] = {-1, 1e300, __builtin_nan(""), __builtin_inf()};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct reading r;
        struct prof_builder b = builder(7, 0, "cpython");
        prof_u8(&b, 0x01);
        prof_f64(&b, times[i]);
        for (int j = 0; j < 4; j++)
            prof_le(&b, 0, 8);
        read_all(&r, &b);
        assert_int_equal(r.records, 1);
        assert_non_null(strstr(r.line, "byte 0x35: expected a sample's time, found 0x"));
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

struct name_case {
    const char *text, *lang, *name, *file;
    uint32_t line;
};

static const struct name_case name_cases[] = {
    {"py:f:12:/tmp/a.py", "py", "f", "/tmp/a.py", 12},
    {"py:<module>:1:<frozen zipimport>", "py", "<module>", "<frozen zipimport>", 1},
    {"py:f:1:c:\\Users\\a\\b.py", "py", "f", "c:\\Users\\a\\b.py", 1},
    {"py:f:0:-", "py", "f", "-", 0},
    {"py::5:x.py", "py", "", "x.py", 5},
    {"n:std::vector<int>::push_back(int const&):0:/usr/include/v.h", "n",
     "std::vector<int>::push_back(int const&)", "/usr/include/v.h", 0},
    {"n:a::b::c:77:c:\\x\\y.cc", "n", "a::b::c", "c:\\x\\y.cc", 77},
    {"n:<native symbol 0x4f86a1>:0:-", "n", "<native symbol 0x4f86a1>", "-", 0},
    /* PyPy writes `;` for a colon inside. */
    {"py:f;g:3:c;/x.py", "py", "f;g", "c;/x.py", 3},
    /* PyPy's cut names. */
    {"py:aaaa...:9:/home/bbbb...", "py", "aaaa...", "/home/bbbb...", 9},
    {"py:f:1:http://host:80/x.py", "py", "f", "http://host:80/x.py", 1},
    {"py:\xff\xfe:1:\xff", "py", "\xff\xfe", "\xff", 1},
    {"py:f:2147483647:a", "py", "f", "a", 2147483647},
    /* Parts missing: the text is the name. */
    {"", "", "", "-", 0},
    {"f", "", "f", "-", 0},
    {"py:f", "", "py:f", "-", 0},
    {"py:f:12", "", "py:f:12", "-", 0},
    {"py:f:x:a.py", "", "py:f:x:a.py", "-", 0},
    {":::", "", ":::", "-", 0},
    {":5:x", "", ":5:x", "-", 0},
    /* Numbers that are no line. */
    {"py:f:2147483648:a", "py", "f", "a", 0},
    {"py:f:18446744073709551615:a", "py", "f", "a", 0},
    {"py:f:18446744073709551616:a", "py", "f", "a", 0},
    {"py:f:99999999999999999999999999:a", "py", "f", "a", 0},
};

static void assert_part(const char *whole, const char *part, struct vf_str found,
                        const char *expected)
{
    if (!vf_str_eq(found, vf_str_from(expected)))
        fail_msg("%s of '%s': '%.*s', not '%s'", part, whole, VF_STR_ARG(found), expected);
}

static void a_name_comes_apart_into_its_four_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof name_cases / sizeof *name_cases; i++) {
        const struct name_case *c = &name_cases[i];
        struct vf_code_name n = vf_code_name_parse(vf_str_from(c->text));
        assert_part(c->text, "the language", n.lang, c->lang);
        assert_part(c->text, "the name", n.name, c->name);
        assert_part(c->text, "the file", n.file, c->file);
        assert_int_equal(n.line, c->line);
    }
}

static void a_name_without_bytes_is_a_name(void **state)
{
    (void)state;
    struct vf_code_name n = vf_code_name_parse((struct vf_str){NULL, 0});
    assert_int_equal(n.name.len, 0);
    assert_int_equal(n.line, 0);
}

/* What vmprof 0.6.0 writes when two threads' handlers read the memory at once. */
static void a_sample_without_its_memory_harms_no_other(void **state)
{
    (void)state;
    for (int version = 6; version <= 7; version++) {
        const unsigned memory = 1, real_time = 16;
        struct prof_builder b = {.word_bytes = 8, .addr_bytes = 8, .version = version};
        struct prof_frame frame = {.value = 0x7f0000001000};
        struct vf_vmprof v;
        struct vf_record record;
        b.mode = memory | real_time;
        prof_static_header(&b, 990);
        prof_header(&b, "cpython");
        for (int i = 0; i < 5; i++) {
            struct prof_sample sample = {&frame, 1, 77, (uint64_t)(5000 + i), 1000000000 + i};
            b.mode = i == 1 || i == 4 ? real_time : memory | real_time;
            prof_stack(&b, 0x01, &sample);
        }
        prof_trailer(&b, 1700000000, 0);
        assert_int_equal(vf_vmprof_open(&v, b.out.ptr, b.out.len, NULL), VF_OK);
        assert_true(vf_vmprof_next(&v, &record));
        for (int i = 0; i < 5; i++) {
            assert_true(vf_vmprof_next(&v, &record));
            assert_int_equal(record.type, VF_RECORD_SAMPLE);
            assert_int_equal(record.sample.has_memory, i != 1 && i != 4);
            assert_int_equal(record.sample.memory_kb, i == 1 || i == 4 ? 0 : 5000 + i);
            assert_int_equal(record.sample.thread, 77);
            if (version == 7)
                assert_int_equal(record.sample.time_ns, 1000000000 + i);
        }
        assert_true(vf_vmprof_next(&v, &record));
        assert_int_equal(record.type, VF_RECORD_END);
        assert_false(vf_vmprof_next(&v, &record));
        assert_string_equal(v.problem.text, "");
        vf_buf_release(&b.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_profile_is_refused_and_said),
        cmocka_unit_test(an_empty_mapping_is_refused),
        cmocka_unit_test(an_unknown_marker_ends_the_reading_where_it_stands),
        cmocka_unit_test(a_missing_trailer_is_said),
        cmocka_unit_test(a_second_header_is_refused),
        cmocka_unit_test(an_old_header_behind_a_header_is_refused),
        cmocka_unit_test(a_version_not_known_is_refused),
        cmocka_unit_test(frames_in_pairs_need_an_even_depth),
        cmocka_unit_test(numbers_too_big_are_refused_before_they_are_used),
        cmocka_unit_test(a_time_no_clock_gives_is_refused),
        cmocka_unit_test(a_name_comes_apart_into_its_four_parts),
        cmocka_unit_test(a_name_without_bytes_is_a_name),
        cmocka_unit_test(a_sample_without_its_memory_harms_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

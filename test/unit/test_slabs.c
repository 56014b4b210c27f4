/* JSON Slabs: what is in them comes out as JSON, and nothing that is wrong in them does harm. */
#include "test.h"

#include "slabs_builder.h"

#include <math.h>
#include <stdio.h>

/* ---- helpers --------------------------------------------------------------------------------- */

/* A block of just the file's size: a sanitizer sees a byte read behind it. */
static enum vf_status unfold(struct vf_str file, struct vf_buf *out, struct vf_error *error)
{
    struct vf_slabs slabs;
    char *copy = vf_alloc(file.len, 1);
    memcpy(copy, file.ptr, file.len);
    *error = (struct vf_error){0};
    enum vf_status status = vf_slabs_open(&slabs, (struct vf_str){copy, file.len}, error);
    if (status == VF_OK)
        status = vf_slabs_to_json(&slabs, out, error);
    free(copy);
    return status;
}

static void assert_json(const struct slabs_part *parts, size_t count, const char *expected)
{
    struct vf_error error;
    struct vf_buf out = {0}, file = slabs_build(parts, count);
    if (unfold(vf_buf_view(&file), &out, &error) != VF_OK)
        fail_msg("%s", error.text);
    vf_buf_add(&out, "", 1);
    assert_string_equal(out.ptr, expected);
    vf_buf_release(&out);
    vf_buf_release(&file);
}

static void assert_refused(const struct vf_buf *file, uint64_t offset, const char *text)
{
    struct vf_error error;
    struct vf_buf out = {0};
    assert_int_equal(unfold(vf_buf_view(file), &out, &error), VF_FATAL);
    if (strcmp(error.text, text) != 0 || !error.has_offset || error.offset != offset)
        fail_msg("byte %llu: %s", (unsigned long long)error.offset, error.text);
    vf_buf_release(&out);
}

static void assert_parts_refused(const struct slabs_part *parts, size_t count, uint64_t offset,
                                 const char *text)
{
    struct vf_buf file = slabs_build(parts, count);
    assert_refused(&file, offset, text);
    vf_buf_release(&file);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- what is right --------------------------------------------------------------------------- */

static void slabs_of_every_type(void **state)
{
    struct vf_error error;
    struct vf_slabs slabs;
    struct vf_buf out = {0}, file = slabs_story();
    (void)state;
    assert_int_equal(unfold(vf_buf_view(&file), &out, &error), VF_OK);
    vf_buf_add(&out, "", 1);
    assert_string_equal(out.ptr, slabs_story_json);
    assert_int_equal(vf_slabs_open(&slabs, vf_buf_view(&file), &error), VF_OK);
    assert_true(vf_str_starts(vf_slabs_root(&slabs), VF_STR("{\"libs\":[],\"i\":[{\"$s\":0}")));
    vf_buf_release(&out);
    vf_buf_release(&file);
}

/* Not in the root alone: a file may be one number or one list. */
static void the_root_may_be_anything(void **state)
{
    static const uint8_t u8[] = {1, 2};
    const struct slabs_part column[] = {SLABS_ARRAY(U8, u8), SLABS_JSON("{\"$s\":0}")};
    const struct slabs_part number[] = {SLABS_JSON("12\n")};
    (void)state;
    assert_json(column, 2, "[1,2]\n");
    assert_json(number, 1, "12\n");
}

static void what_is_no_placeholder_stays(void **state)
{
    static const char *const texts[] = {
        "{\"$s\":0,\"x\":1}",
        "{\"x\":1,\"$s\":0}",
        "\"{\\\"$s\\\":0}\"",
        "[\"$s\"]",
        "[\"$s\",0]",
        "{\"$s\":{\"$s \":0}}",
        "{\"$s\":[0]}",
        "{\"$s\":\"0\"}",
        "{\"x\":\"$s\"}",
        "{\"a\\\"$s\":0}",
        "{\"$s\"}",
        "{\"$s\":0",
        "{\"$s\"",
        "\"$s\":0}",
        "{\"$S\":0}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char expected[80];
        const struct slabs_part parts[] = {SLABS_JSON("1"),
                                           {VF_SLABS_JSON, texts[i], strlen(texts[i])}};
        snprintf(expected, sizeof expected, "%s\n", texts[i]);
        assert_json(parts, 2, expected);
    }
}

static void blanks_and_slabs_in_slabs(void **state)
{
    const struct slabs_part parts[] = {
        SLABS_JSON(" 1 "), SLABS_JSON("[{\"$s\":0}, {\"$s\":0}]"),
        SLABS_JSON("{\"a\" : { \"$s\"\n:\t1 } ,\"b\":{\"$s\":{\"$s\":0}},\"$s\":{\"$s\":0}}")};
    (void)state;
    assert_json(parts, 3, "{\"a\" : [ 1 ,  1 ] ,\"b\":{\"$s\": 1 },\"$s\": 1 }\n");
}

static void slabs_may_overlap(void **state)
{
    static const uint8_t u8[] = {1, 2};
    const struct slabs_part parts[] = {SLABS_ARRAY(U8, u8), SLABS_ARRAY(U8, u8),
                                       SLABS_JSON("[{\"$s\":0},{\"$s\":1}]")};
    struct vf_error error;
    struct vf_buf out = {0}, file = slabs_build(parts, 3);
    (void)state;
    slabs_set(&file, slabs_start_at(1), 57); /* a byte behind slab 0 */
    assert_int_equal(unfold(vf_buf_view(&file), &out, &error), VF_OK);
    assert_true(vf_str_eq(vf_buf_view(&out), VF_STR("[[1,2],[2,1]]\n")));
    vf_buf_release(&out);
    vf_buf_release(&file);
}

/* A marker without an end has null in JSON and 0 in a slab. */
static void ends_of_markers(void **state)
{
    static const double ends[] = {0, 3, 0, 0};
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"{\"endTime\":{\"$s\":0},\"phase\":[0,1,2,3]}",
         "{\"endTime\":[null,3,null,0],\"phase\":[0,1,2,3]}\n"},
        {"{\"endTime\" : {\"$s\":0} , \"phase\" : [ 1 , 0, 0,0 ]}",
         "{\"endTime\" : [0,3,null,null] , \"phase\" : [ 1 , 0, 0,0 ]}\n"},
        /* The phases are elsewhere, too few, or none. */
        {"{\"phase\":[0,0,0,0],\"endTime\":{\"$s\":0}}",
         "{\"phase\":[0,0,0,0],\"endTime\":[0,3,0,0]}\n"},
        {"{\"endTime\":{\"$s\":0},\"phase\":[0]}", "{\"endTime\":[null,3,0,0],\"phase\":[0]}\n"},
        {"{\"endTime\":{\"$s\":0},\"phase\":[0,[0],0,0]}",
         "{\"endTime\":[null,3,0,0],\"phase\":[0,[0],0,0]}\n"},
        {"{\"endTime\":{\"$s\":0},\"phase\":0}", "{\"endTime\":[0,3,0,0],\"phase\":0}\n"},
        {"{\"endTime\":{\"$s\":0},\"phase\":[", "{\"endTime\":[0,3,0,0],\"phase\":[\n"},
        /* Of something else. */
        {"{\"startTime\":{\"$s\":0},\"phase\":[0,0,0,0]}",
         "{\"startTime\":[0,3,0,0],\"phase\":[0,0,0,0]}\n"},
        {"[{\"$s\":0},\"phase\",[0,0,0,0]]", "[[0,3,0,0],\"phase\",[0,0,0,0]]\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct slabs_part parts[] = {SLABS_ARRAY(F64, ends),
                                           {VF_SLABS_JSON, cases[i].text, strlen(cases[i].text)}};
        assert_json(parts, 2, cases[i].expected);
    }
}

/* ---- doubles --------------------------------------------------------------------------------- */

static struct vf_buf unfold_doubles(const double *values, size_t count)
{
    struct vf_error error;
    struct vf_buf out = {0};
    const struct slabs_part parts[] = {{VF_SLABS_F64, values, count * sizeof *values},
                                       SLABS_JSON("{\"$s\":0}")};
    struct vf_buf file = slabs_build(parts, 2);
    assert_int_equal(unfold(vf_buf_view(&file), &out, &error), VF_OK);
    vf_buf_add(&out, "", 1);
    vf_buf_release(&file);
    return out;
}

static void assert_read_back(const double *values, size_t count)
{
    struct vf_buf out = unfold_doubles(values, count);
    char *at = out.ptr;
    for (size_t i = 0; i < count; i++) {
        char *end;
        double again = strtod(at + 1, &end);
        if (!isfinite(values[i])) {
            assert_memory_equal(at + 1, "null", 4);
            at += 5;
            continue;
        }
        if (again != values[i] || end - at > 26)
            fail_msg("%.17g: %.30s", values[i], at + 1);
        at = end;
    }
    assert_string_equal(at, "]\n");
    vf_buf_release(&out);
}

static void doubles_read_back_the_same(void **state)
{
    enum { COUNT = 200000 };
    double *values = vf_alloc(COUNT, sizeof *values);
    uint64_t x = 88172645463325252u;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        uint64_t bits = x;
        int64_t ns = (int64_t)(x >> (i % 60));
        memcpy(&values[i], &bits, sizeof bits);
        if (i % 4 == 1)
            values[i] = (double)ns / 1e6; /* a time as vmfox writes it */
        else if (i % 4 == 2)
            values[i] = (double)ns / 1e9;
    }
    assert_read_back(values, COUNT);
    free(values);
}

static void doubles_are_short(void **state)
{
    static const double values[] = {
        0.1, 1.0,   1e15, 123456789012.125,  1.0 / 3,          5e-324, 1e-7, 4294967296.5, -0.3,
        100, 1e300, 0.1f, 9007199254.740992, 9007199254.740993};
    struct vf_buf out = unfold_doubles(values, COUNT(values));
    (void)state;
    assert_string_equal(out.ptr,
                        "[0.1,1,1e+15,123456789012.125,0.3333333333333333,4.94065645841247e-324,"
                        "1e-07,4294967296.5,-0.3,100,1e+300,0.10000000149011612,"
                        "9007199254.740992,9007199254.740993]\n");
    vf_buf_release(&out);
}

/* ---- what is wrong --------------------------------------------------------------------------- */

static void each_damaged_field_is_said(void **state)
{
    static const double f64[] = {1};
    const struct slabs_part parts[] = {SLABS_ARRAY(F64, f64), SLABS_JSON("{\"$s\":0}")};
    static const struct {
        size_t at;
        uint32_t value;
        const char *text;
        uint64_t offset;
    } cases[] = {
        {0, 0, "expected the first 8 bytes of JSON Slabs, found others", 0},
        {4, 0x0002424c, "expected the first 8 bytes of JSON Slabs, found others", 0},
        {SLABS_VERSION, 2, "expected version 1 of JSON Slabs, found 2", 8},
        {SLABS_COUNT, 0, "expected one of 0 slabs as the root, found number 1", 16},
        {SLABS_COUNT, 4, "expected a table of 4 slabs, found the end 44 bytes later", 12},
        {SLABS_COUNT, UINT32_MAX,
         "expected a table of 4294967295 slabs, found the end 44 bytes later", 12},
        {SLABS_ROOT, 2, "expected one of 2 slabs as the root, found number 2", 16},
        {SLABS_ROOT, 0, "expected the root, slab 0, to be JSON (type 10), found type 7", 20},
        {20, 11, "expected a type from 0 to 10 for slab 0, found 11", 20},
        {20, UINT32_MAX, "expected a type from 0 to 10 for slab 0, found 4294967295", 20},
        {24, 47, "expected slab 0 to start at a multiple of 8, found 47", 24},
        {24, 64, "expected 8 bytes of slab 0 at byte 0x40, found the end at 0x40", 24},
        {24, UINT32_MAX - 7, "expected 8 bytes of slab 0 at byte 0xfffffff8, found the end at 0x40",
         24},
        {28, 24, "expected 24 bytes of slab 0 at byte 0x30, found the end at 0x40", 24},
        {28, UINT32_MAX, "expected 4294967295 bytes of slab 0 at byte 0x30, found the end at 0x40",
         24},
        {28, 7, "expected slab 0 to have a multiple of 8 bytes, found 7", 28},
        {40, 9, "expected 9 bytes of slab 1 at byte 0x38, found the end at 0x40", 36},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct vf_buf file = slabs_build(parts, 2);
        assert_int_equal(file.len, 0x40);
        slabs_set(&file, cases[i].at, cases[i].value);
        assert_refused(&file, cases[i].offset, cases[i].text);
        vf_buf_release(&file);
    }
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    struct vf_buf file = slabs_story();
    (void)state;
    for (size_t len = 0; len < file.len; len++) {
        struct vf_error error;
        struct vf_buf out = {0};
        assert_int_equal(unfold((struct vf_str){file.ptr, len}, &out, &error), VF_FATAL);
        assert_true(error.has_offset && error.offset <= len && strstr(error.text, "expected "));
        vf_buf_release(&out);
    }
    vf_buf_release(&file);
}

static void any_byte_changed_does_no_harm(void **state)
{
    struct vf_buf file = slabs_story();
    (void)state;
    for (size_t at = 0; at < file.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            struct vf_error error;
            struct vf_buf out = {0};
            file.ptr[at] = (char)(file.ptr[at] ^ 1 << bit);
            if (unfold(vf_buf_view(&file), &out, &error) != VF_OK)
                assert_true(error.has_offset && strstr(error.text, "expected "));
            file.ptr[at] = (char)(file.ptr[at] ^ 1 << bit);
            vf_buf_release(&out);
        }
    vf_buf_release(&file);
}

static void numbers_that_are_no_slabs(void **state)
{
    static const char *const values[] = {
        "1",    "2", "4294967296", "99999999999999999999999", "-1", "1.0", "0x0", "1e0", "null",
        "true", ""};
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        char text[64], expected[100];
        snprintf(text, sizeof text, "[0,{\"$s\":%s}]", values[i]);
        const struct slabs_part parts[] = {{VF_SLABS_JSON, text, strlen(text)}};
        snprintf(expected, sizeof expected, "expected the number of one of 1 slabs, found %s",
                 values[i]);
        assert_parts_refused(parts, 1, 32 + 3, expected);
    }
}

static void a_text_that_is_empty(void **state)
{
    const struct slabs_part parts[] = {SLABS_JSON("  "), SLABS_JSON("[{\"$s\":0}]")};
    const struct slabs_part root[] = {SLABS_JSON("")};
    (void)state;
    assert_parts_refused(parts, 2, 44, "expected JSON as slab 0, found none");
    assert_parts_refused(root, 1, 32, "expected JSON as slab 0, found none");
}

static void circles_are_refused(void **state)
{
    const struct slabs_part own[] = {SLABS_JSON("[{\"$s\":0}]")};
    const struct slabs_part three[] = {SLABS_JSON("{\"$s\":1}"), SLABS_JSON("{\"$s\":2}"),
                                       SLABS_JSON("{\"$s\":0}")};
    const struct slabs_part apart[] = {SLABS_JSON("{\"$s\":1}"), SLABS_JSON("{\"$s\":0}"),
                                       SLABS_JSON("{\"$s\":0}")};
    (void)state;
    assert_parts_refused(own, 1, 33, "expected another slab than 0, which this is a part of");
    assert_parts_refused(three, 3, 64, "expected another slab than 2, which this is a part of");
    assert_parts_refused(apart, 3, 64, "expected another slab than 0, which this is a part of");
}

/* Slab k holds slab k - 1 `times` over; slab 0 is "1". */
static struct vf_buf tower(size_t height, size_t times)
{
    struct slabs_part parts[64];
    struct vf_buf texts[64] = {{0}};
    for (size_t k = 0; k < height; k++) {
        vf_buf_str(&texts[k], k ? VF_STR("[") : VF_STR("1"));
        for (size_t i = 0; k && i < times; i++)
            vf_buf_printf(&texts[k], "%s{\"$s\":%zu}", i ? "," : "", k - 1);
        vf_buf_str(&texts[k], k ? VF_STR("]") : VF_STR(""));
        parts[k] = (struct slabs_part){VF_SLABS_JSON, texts[k].ptr, texts[k].len};
    }
    struct vf_buf file = slabs_build(parts, height);
    for (size_t k = 0; k < height; k++)
        vf_buf_release(&texts[k]);
    return file;
}

static void slabs_too_deep_are_refused(void **state)
{
    struct vf_error error;
    struct vf_buf out = {0}, good = tower(VF_SLABS_DEPTH + 1, 1),
                  bad = tower(VF_SLABS_DEPTH + 2, 1);
    (void)state;
    assert_int_equal(unfold(vf_buf_view(&good), &out, &error), VF_OK);
    assert_int_equal(out.len, 2 * VF_SLABS_DEPTH + 2);
    assert_int_equal(unfold(vf_buf_view(&bad), &out, &error), VF_FATAL);
    assert_string_equal(error.text, "expected slabs at most 32 deep, found more");
    vf_buf_release(&out);
    vf_buf_release(&good);
    vf_buf_release(&bad);
}

static void assert_bomb(const struct vf_buf *file)
{
    struct vf_error error;
    struct vf_buf out = {0};
    assert_int_equal(unfold(vf_buf_view(file), &out, &error), VF_FATAL);
    assert_string_equal(error.text,
                        "expected each slab to be meant once, found slabs that are meant again and "
                        "again: more than twice the file's bytes would be laid in");
    assert_true(out.len <= 4 * (2 * file->len + VF_SLABS_ALWAYS));
    vf_buf_release(&out);
}

static void bombs_are_refused(void **state)
{
    enum { MANY = 10000, LONG = 1000000 };
    struct vf_buf root = {0}, file = tower(30, 10);
    char *large = vf_alloc_zeroed(LONG, 1);
    (void)state;
    assert_bomb(&file);
    vf_buf_release(&file);
    for (size_t i = 0; i < MANY; i++)
        vf_buf_str(&root, i ? VF_STR(",{\"$s\":0}") : VF_STR("[{\"$s\":0}"));
    vf_buf_str(&root, VF_STR("]"));
    const struct slabs_part column[] = {{VF_SLABS_U8, large, LONG},
                                        {VF_SLABS_JSON, root.ptr, root.len}};
    file = slabs_build(column, 2);
    assert_bomb(&file);
    vf_buf_release(&file);
    memset(large, ' ', LONG - 1);
    large[LONG - 1] = '1';
    const struct slabs_part text[] = {{VF_SLABS_JSON, large, LONG},
                                      {VF_SLABS_JSON, root.ptr, root.len}};
    file = slabs_build(text, 2);
    assert_bomb(&file);
    vf_buf_release(&file);
    vf_buf_release(&root);
    free(large);
}

/* Nor does it take long: a text may be nested as deep as it is long. */
static void deep_texts_take_no_time(void **state)
{
    static const char *const pieces[] = {"{\"$s\":",
                                         "{\"$s\":1",
                                         "{\"$s\" ",
                                         "{   ",
                                         "[",
                                         "\"\\\"$s\"",
                                         "{\"endTime\":{\"$s\":0},\"phase\":[",
                                         "{\"$s\":[0,"};
    static const double f64[] = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct vf_error error;
        struct vf_buf out = {0}, root = {0};
        for (size_t k = 0; k < 200000; k++)
            vf_buf_str(&root, vf_str_from(pieces[i]));
        const struct slabs_part parts[] = {SLABS_ARRAY(F64, f64),
                                           {VF_SLABS_JSON, root.ptr, root.len}};
        struct vf_buf file = slabs_build(parts, 2);
        assert_int_equal(unfold(vf_buf_view(&file), &out, &error), VF_OK);
        vf_buf_release(&file);
        vf_buf_release(&root);
        vf_buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slabs_of_every_type),
        cmocka_unit_test(the_root_may_be_anything),
        cmocka_unit_test(what_is_no_placeholder_stays),
        cmocka_unit_test(blanks_and_slabs_in_slabs),
        cmocka_unit_test(slabs_may_overlap),
        cmocka_unit_test(ends_of_markers),
        cmocka_unit_test(doubles_read_back_the_same),
        cmocka_unit_test(doubles_are_short),
        cmocka_unit_test(each_damaged_field_is_said),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(any_byte_changed_does_no_harm),
        cmocka_unit_test(numbers_that_are_no_slabs),
        cmocka_unit_test(a_text_that_is_empty),
        cmocka_unit_test(circles_are_refused),
        cmocka_unit_test(slabs_too_deep_are_refused),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(deep_texts_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The growing buffer, and the JSON written into it: what a browser parses back. */
#include "test.h"

#include "base/buf.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static void assert_buf(struct vf_buf *buf, const char *expected)
{
    if (!vf_str_eq(vf_buf_view(buf), vf_str_from(expected)))
        fail_msg("'%.*s', not '%s'", VF_STR_ARG(vf_buf_view(buf)), expected);
    vf_buf_release(buf);
}

/* ---- the buffer ------------------------------------------------------------------------------ */

static void a_buffer_grows_with_what_is_added(void **state)
{
    (void)state;
    struct vf_buf buf = {0};
    vf_buf_add(&buf, NULL, 0);
    vf_buf_reserve(&buf, 0);
    assert_int_equal(vf_buf_view(&buf).len, 0);
    for (int i = 0; i < 10000; i++)
        vf_buf_printf(&buf, "%d,", i % 10);
    assert_int_equal(buf.len, 20000);
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(buf.ptr[2 * i], '0' + (int)(i % 10));
    char *room = vf_buf_reserve(&buf, 100000);
    assert_ptr_equal(room, buf.ptr + 20000);
    assert_true(buf.cap >= 120000);
    assert_int_equal(buf.len, 20000);
    vf_buf_printf(&buf, "%s", "");
    assert_int_equal(buf.len, 20000);
    vf_buf_release(&buf);
    assert_null(buf.ptr);
    assert_int_equal(buf.len, 0);
}

/* ---- structure ------------------------------------------------------------------------------- */

static void commas_stand_where_json_wants_them(void **state)
{
    (void)state;
    struct vf_buf buf = {0};
    struct vf_json json = {.out = &buf};
    vf_json_begin(&json, '{');
    vf_json_key(&json, "a");
    vf_json_begin(&json, '[');
    vf_json_end(&json, ']');
    vf_json_key(&json, "b");
    vf_json_begin(&json, '[');
    vf_json_int(&json, -1);
    vf_json_double(&json, -0.5);
    vf_json_null(&json);
    vf_json_bool(&json, true);
    vf_json_bool(&json, false);
    vf_json_str(&json, VF_STR("x"));
    vf_json_begin(&json, '{');
    vf_json_end(&json, '}');
    vf_json_uint(&json, 7);
    vf_json_end(&json, ']');
    vf_json_key(&json, "c");
    vf_json_double(&json, __builtin_nan(""));
    vf_json_end(&json, '}');
    assert_buf(&buf, "{\"a\":[],\"b\":[-1,-0.5,null,true,false,\"x\",{},7],\"c\":null}");
}

static void whole_numbers_are_exact_to_their_ends(void **state)
{
    (void)state;
    struct vf_buf buf = {0};
    struct vf_json json = {.out = &buf};
    vf_json_begin(&json, '[');
    vf_json_uint(&json, 0);
    vf_json_uint(&json, UINT64_MAX);
    vf_json_int(&json, INT64_MAX);
    vf_json_int(&json, INT64_MIN);
    vf_json_int(&json, -10);
    vf_json_end(&json, ']');
    assert_buf(&buf, "[0,18446744073709551615,9223372036854775807,-9223372036854775808,-10]");
}

/* ---- doubles --------------------------------------------------------------------------------- */

static void a_double_has_at_most_six_digits_behind_the_point(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {-0.0000001, "0"},
        {0.0000004, "0"},
        {0.0000006, "0.000001"},
        {1e-6, "0.000001"},
        {-1e-6, "-0.000001"},
        {0.1, "0.1"},
        {0.99, "0.99"},
        {-2.5, "-2.5"},
        {0.9999996, "1"},
        {-0.9999996, "-1"},
        {999999.9999999, "1000000"},
        {123456.000007, "123456.000007"},
        {1716562795225.739, "1716562795225.739014"}, /* as near as the double comes */
        {1e15, "1000000000000000"},
        {9007199254740991.0, "9007199254740991"},
        {-9007199254740991.0, "-9007199254740991"},
        {9007199254740992.0, "null"},
        {-9007199254740992.0, "null"},
        {1e300, "null"},
        {5e-324, "0"},
        {__builtin_nan(""), "null"},
        {__builtin_inf(), "null"},
        {-__builtin_inf(), "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_buf buf = {0};
        struct vf_json json = {.out = &buf};
        vf_json_double(&json, cases[i].value);
        assert_buf(&buf, cases[i].text);
    }
}

static void nanoseconds_written_as_milliseconds_come_back(void **state)
{
    (void)state;
    uint64_t ns = 1;
    for (int i = 0; i < 20000; i++) {
        struct vf_buf buf = {0};
        struct vf_json json = {.out = &buf};
        ns = ns * 6364136223846793005u + 1442695040888963407u;
        int64_t expected = (int64_t)(ns >> 20); /* up to 4.8 hours and a half */
        vf_json_double(&json, (double)expected / 1e6);
        vf_buf_add(&buf, "", 1);
        assert_int_equal(llround(strtod(buf.ptr, NULL) * 1e6), expected);
        vf_buf_release(&buf);
    }
}

/* ---- strings --------------------------------------------------------------------------------- */

static void check_string(const char *bytes, size_t len, const char *expected)
{
    struct vf_buf buf = {0};
    struct vf_json json = {.out = &buf};
    vf_json_str(&json, (struct vf_str){bytes, len});
    assert_buf(&buf, expected);
}

#define CHECK_STRING(literal, expected) check_string((literal), sizeof(literal) - 1, (expected))
#define BAD "\xEF\xBF\xBD"

static void text_is_escaped_as_json_wants_it(void **state)
{
    (void)state;
    CHECK_STRING("", "\"\"");
    check_string(NULL, 0, "\"\"");
    CHECK_STRING("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    CHECK_STRING("\n\t\r\b\f\x1f\x7f", "\"\\n\\t\\r\\u0008\\u000c\\u001f\x7f\"");
    CHECK_STRING("a\0b", "\"a\\u0000b\"");
    CHECK_STRING("\"", "\"\\\"\"");
    CHECK_STRING("\xc3\xa4\xe2\x82\xac\xf0\x9f\xa6\x8a",
                 "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\xa6\x8a\"");
    CHECK_STRING("c:\\x\\\xc3\xa4.py", "\"c:\\\\x\\\\\xc3\xa4.py\"");
}

static void bytes_that_are_not_utf8_are_replaced_one_by_one(void **state)
{
    (void)state;
    CHECK_STRING("a\xff"
                 "b",
                 "\"a" BAD "b\"");
    CHECK_STRING("\x80", "\"" BAD "\"");
    CHECK_STRING("\xc3", "\"" BAD "\"");                 /* cut */
    CHECK_STRING("\xc3\"", "\"" BAD "\\\"\"");           /* cut by an ASCII byte */
    CHECK_STRING("\xe2\x82", "\"" BAD BAD "\"");         /* cut */
    CHECK_STRING("\xc0\xaf", "\"" BAD BAD "\"");         /* overlong '/' */
    CHECK_STRING("\xe0\x9f\xbf", "\"" BAD BAD BAD "\""); /* overlong */
    CHECK_STRING("\xe0\xa0\x80", "\"\xe0\xa0\x80\"");    /* U+0800, the first of its length */
    CHECK_STRING("\xed\xa0\x80", "\"" BAD BAD BAD "\""); /* a surrogate */
    CHECK_STRING("\xed\x9f\xbf", "\"\xed\x9f\xbf\"");    /* U+D7FF, the last before them */
    CHECK_STRING("\xf0\x8f\xbf\xbf", "\"" BAD BAD BAD BAD "\""); /* overlong */
    CHECK_STRING("\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\"");    /* U+10FFFF, the last of all */
    CHECK_STRING("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""); /* behind it */
    CHECK_STRING("\xf5\x80\x80\x80", "\"" BAD BAD BAD BAD "\"");
    CHECK_STRING("\xe2\x82\xc3\xa4", "\"" BAD BAD "\xc3\xa4\"");
}

static void any_bytes_give_json_that_another_reader_takes(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int i = 0; i < 3000; i++) {
        char bytes[24];
        struct vf_buf buf = {0};
        struct vf_json json = {.out = &buf};
        for (size_t j = 0; j < sizeof bytes; j++) {
            random = random * 1664525u + 1013904223u;
            bytes[j] = (char)(random >> 24 | (i % 3 ? 0x80 : 0));
        }
        vf_json_str(&json, (struct vf_str){bytes, sizeof bytes});
        json_t *read = json_loadb(buf.ptr, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(read);
        json_decref(read);
        vf_buf_release(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_with_what_is_added),
        cmocka_unit_test(commas_stand_where_json_wants_them),
        cmocka_unit_test(whole_numbers_are_exact_to_their_ends),
        cmocka_unit_test(a_double_has_at_most_six_digits_behind_the_point),
        cmocka_unit_test(nanoseconds_written_as_milliseconds_come_back),
        cmocka_unit_test(text_is_escaped_as_json_wants_it),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced_one_by_one),
        cmocka_unit_test(any_bytes_give_json_that_another_reader_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* PyPy's text log as events: which lines open and close sections, and which are text that only
 * looks nearly so. */
#include "test.h"

#include "base/buf.h"
#include "capture/pypylog.h"

static struct vf_pypylog log_;
static struct vf_buf told;

/* Each event a line: "1 open 1f gc-minor", "2 text hello", "3 close 20 gc-minor". */
static const char *tell(struct vf_str bytes)
{
    static const char *const words[] = {"open", "close", "text"};
    struct vf_log_event event;
    told.len = 0;
    vf_pypylog_open(&log_, bytes);
    while (vf_pypylog_next(&log_, &event)) {
        vf_buf_printf(&told, "%llu %s ", (unsigned long long)event.line, words[event.type]);
        if (event.type == VF_LOG_TEXT)
            assert_int_equal(event.stamp, 0);
        else
            vf_buf_printf(&told, "%llx ", (unsigned long long)event.stamp);
        vf_buf_str(&told, event.text);
        vf_buf_add(&told, "\n", 1);
    }
    assert_false(vf_pypylog_next(&log_, &event));
    vf_buf_add(&told, "", 1);
    return told.ptr;
}

#define assert_told(log, expected) assert_string_equal(tell(VF_STR(log)), expected)

static int release(void **state)
{
    (void)state;
    vf_buf_release(&told);
    return 0;
}

/* ---- whole lines ----------------------------------------------------------------------------- */

static void sections_open_and_close_with_text_between(void **state)
{
    (void)state;
    assert_told("[1cf7a71d2bb9] {gc-minor\n"
                "minor collect, total memory used: 430384\n"
                "\n"
                "[1cf7a71d9045] gc-minor}\n"
                "between\n",
                "1 open 1cf7a71d2bb9 gc-minor\n"
                "2 text minor collect, total memory used: 430384\n"
                "3 text \n"
                "4 close 1cf7a71d9045 gc-minor\n"
                "5 text between\n");
    assert_int_equal(log_.line, 5);
    assert_int_equal(log_.half_line, 0);
}

static void a_program_may_write_sections_of_any_name(void **state)
{
    (void)state;
    assert_told(
        "[0] {a\n[0] a}\n[1] {two words\n[2] two words}\n[3] {{\n[4] {}\n[5] }}\n[6] {\xff\n",
        "1 open 0 a\n2 close 0 a\n3 open 1 two words\n4 close 2 two words\n"
        "5 open 3 {\n6 open 4 }\n7 close 5 }\n8 open 6 \xff\n");
}

static void colours_are_taken_off(void **state)
{
    (void)state;
    assert_told("\033[1m\033[31m[1f] {jit-summary\n"
                "\033[0mTracing: 1\n"
                "\033[31m[20] jit-summary}\n"
                "\033[0m\033[1m\033[31m[21] {x\n"
                "\033[1;31m[22] x}\n"
                "\033[0m",
                "1 open 1f jit-summary\n2 text Tracing: 1\n3 close 20 jit-summary\n"
                "4 open 21 x\n5 close 22 x\n");
    /* What stands behind the last line is no half line. */
    assert_int_equal(log_.half_line, 0);
}

static void what_is_no_colour_stays(void **state)
{
    (void)state;
    assert_told("\033\n\033[\n\033[1\n\033[1;\n\033[1K[1] {a\n\033]0;title\nred \033[31m\n",
                "1 text \033\n2 text \033[\n3 text \033[1\n4 text \033[1;\n"
                "5 text \033[1K[1] {a\n6 text \033]0;title\n7 text red \033[31m\n");
}

static void lines_may_end_as_on_windows(void **state)
{
    (void)state;
    assert_told("[1f] {gc-minor\r\ntext\r\n\r\n\r\r\n[20] gc-minor}\r\n",
                "1 open 1f gc-minor\n2 text text\n3 text \n4 text \r\n5 close 20 gc-minor\n");
}

static void stamps_have_up_to_16_digits(void **state)
{
    (void)state;
    assert_told("[0] {a\n[f] a}\n[10] {a\n[fffffff] a}\n[7fffffffffffffff] {a\n"
                "[ffffffffffffffff] a}\n[0000000000000001] {a\n",
                "1 open 0 a\n2 close f a\n3 open 10 a\n4 close fffffff a\n"
                "5 open 7fffffffffffffff a\n6 close ffffffffffffffff a\n7 open 1 a\n");
    assert_told("[10000000000000000] {a\n[00000000000000001] a}\n",
                "1 text [10000000000000000] {a\n2 text [00000000000000001] a}\n");
}

static void text_that_looks_nearly_like_a_section_is_text(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "[",       "[]",        "[] {a",      "[1",      "[1]",        "[1] ",     "[1] a",
        "[1] {",   "[1] }",     "[1]{a",      "[1]a}",   "[1]\t{a",    "[1F] {a",  "[0x1] {a",
        "[-1] {a", "[ 1] {a",   "[1 ] {a",    " [1] {a", "[g] {a",     "[1,2] {a", "(1) {a",
        "{a",      "a}",        "[p0, p1]",   "[f1]",    "[i1, f2] }", "[1] gc} ", "[1] a\t",
        "x[1] {a", "[1][2] {a", "[f12, p1]}", "[1]  ",   "[[1] {a",    "1] {a",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct vf_buf log = {0}, expected = {0};
        vf_buf_printf(&log, "%s\n", lines[i]);
        vf_buf_printf(&expected, "1 text %s\n", lines[i]);
        vf_buf_add(&expected, "", 1);
        assert_string_equal(tell(vf_buf_view(&log)), expected.ptr);
        vf_buf_release(&log);
        vf_buf_release(&expected);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void half_a_line_is_not_given(void **state)
{
    (void)state;
    assert_told("[1] {a\n[2] {gc-min", "1 open 1 a\n");
    assert_int_equal(log_.half_line, 2);
    assert_int_equal(log_.line, 2);
    assert_told("[1] {a\nminor collect, total memory used: 43", "1 open 1 a\n");
    assert_int_equal(log_.half_line, 2);
    assert_told("[1] {a\n\n[", "1 open 1 a\n2 text \n");
    assert_int_equal(log_.half_line, 3);
    assert_told("[1] {a\n[2] gc-minor", "1 open 1 a\n");
    assert_int_equal(log_.half_line, 2);
}

static void the_brace_at_its_end_tells_that_a_line_is_whole(void **state)
{
    (void)state;
    assert_told("[1] {a\n[2] a}", "1 open 1 a\n2 close 2 a\n");
    assert_int_equal(log_.half_line, 0);
    assert_told("[1] {a\r\n[2] a}\r", "1 open 1 a\n2 close 2 a\n");
    assert_int_equal(log_.half_line, 0);
}

static void a_log_may_be_empty_or_without_a_newline(void **state)
{
    (void)state;
    assert_string_equal(tell((struct vf_str){NULL, 0}), "");
    assert_int_equal(log_.line, 0);
    assert_told("", "");
    assert_told("no newline at all", "");
    assert_int_equal(log_.half_line, 1);
    assert_told("[1] a}", "1 close 1 a\n");
    assert_told("\n", "1 text \n");
    assert_int_equal(log_.half_line, 0);
    assert_told("\r", "");
    assert_told("a\0b\n\0\n", "1 text a");
    assert_int_equal(log_.line, 2);
}

/* ---- is it a log? ---------------------------------------------------------------------------- */

static void a_log_is_known_by_a_section_in_its_first_lines(void **state)
{
    (void)state;
    struct vf_buf far = {0};
    assert_true(vf_pypylog_sniff(VF_STR("[4951dd350a] {gc-set-nursery-size\n")));
    assert_true(vf_pypylog_sniff(VF_STR("a warning\n\033[1m\033[31m[1] {gc-minor\n")));
    assert_false(vf_pypylog_sniff((struct vf_str){NULL, 0}));
    assert_false(vf_pypylog_sniff(VF_STR("[1] {half")));
    assert_false(vf_pypylog_sniff(VF_STR("[1] gc-minor}\n")));
    assert_false(vf_pypylog_sniff(VF_STR("{\"meta\": {}}\n[1]\n")));
    assert_false(vf_pypylog_sniff(VF_STR("\0\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0")));
    for (int i = 0; i < 99; i++)
        vf_buf_add(&far, "\n", 1);
    vf_buf_str(&far, VF_STR("[1] {a\n"));
    assert_true(vf_pypylog_sniff(vf_buf_view(&far)));
    far.len = 99;
    vf_buf_str(&far, VF_STR("\n[1] {a\n"));
    assert_false(vf_pypylog_sniff(vf_buf_view(&far)));
    vf_buf_release(&far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_open_and_close_with_text_between),
        cmocka_unit_test(a_program_may_write_sections_of_any_name),
        cmocka_unit_test(colours_are_taken_off),
        cmocka_unit_test(what_is_no_colour_stays),
        cmocka_unit_test(lines_may_end_as_on_windows),
        cmocka_unit_test(stamps_have_up_to_16_digits),
        cmocka_unit_test(text_that_looks_nearly_like_a_section_is_text),
        cmocka_unit_test(half_a_line_is_not_given),
        cmocka_unit_test(the_brace_at_its_end_tells_that_a_line_is_whole),
        cmocka_unit_test(a_log_may_be_empty_or_without_a_newline),
        cmocka_unit_test(a_log_is_known_by_a_section_in_its_first_lines),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

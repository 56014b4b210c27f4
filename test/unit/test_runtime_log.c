/* What is read out of PyPy's text log: sections, how they nest, and damage.  Their texts are in
 * test_runtime_text.c, whole logs of PyPy in test_runtime_log_files.c. */
#include "test.h"

#include "base/buf.h"
#include "capture/runtime_log.h"

static struct vf_runtime_log log_;
static struct vf_buf told, made_log;

static int release(void **state)
{
    (void)state;
    vf_runtime_log_release(&log_);
    vf_buf_release(&told);
    vf_buf_release(&made_log);
    return 0;
}

static void read_log(struct vf_str bytes)
{
    vf_runtime_log_release(&log_);
    vf_runtime_log_read(&log_, bytes);
}

static void tell_section(const struct vf_log_section *section)
{
    for (uint32_t up = section->parent; up != VF_LOG_NONE; up = log_.sections.items[up].parent)
        vf_buf_add(&told, ".", 1);
    vf_buf_str(&told, log_.names.items[section->name].text);
    vf_buf_printf(&told, " %llx-%llx%s%s\n", (unsigned long long)section->start,
                  (unsigned long long)section->stop, section->cut ? " cut" : "",
                  section->made ? " made" : "");
}

/* The sections, one a line, a dot for each that is around. */
static const char *tell(struct vf_str bytes)
{
    read_log(bytes);
    told.len = 0;
    for (size_t i = 0; i < log_.sections.len; i++)
        tell_section(&log_.sections.items[i]);
    vf_buf_add(&told, "", 1);
    return told.ptr;
}

static const char *tell_warnings(void)
{
    struct vf_warnings warnings = {0};
    vf_runtime_log_warn(&log_, &warnings);
    told.len = 0;
    for (size_t i = 0; i < warnings.count; i++)
        vf_buf_printf(&told, "%s\n", warnings.items[i].text);
    vf_buf_add(&told, "", 1);
    return told.ptr;
}

static void assert_damage(struct vf_log_damage damage, uint64_t count, uint64_t line)
{
    assert_int_equal(damage.count, count);
    assert_int_equal(damage.line, line);
}

static void assert_sound(void)
{
    assert_int_equal(log_.never_closed.count, 0);
    assert_int_equal(log_.never_opened.count, 0);
    assert_int_equal(log_.wrong_order.count, 0);
    assert_int_equal(log_.in_itself.count, 0);
    assert_int_equal(log_.too_deep.count, 0);
    assert_int_equal(log_.half_line.count, 0);
    assert_int_equal(log_.too_many.count, 0);
    assert_string_equal(tell_warnings(), "");
}

#define assert_told(log, expected) assert_string_equal(tell(VF_STR(log)), expected)

/* ---- nesting --------------------------------------------------------------------------------- */

static void sections_stand_in_the_order_they_open(void **state)
{
    (void)state;
    assert_told("[10] {a\n[20] {b\n[30] b}\n[40] {b\n[40] {c\n[45] c}\n[50] b}\n[60] a}\n[70] {d\n"
                "[71] d}\n",
                "a 10-60\n.b 20-30\n.b 40-50\n..c 40-45\nd 70-71\n");
    assert_sound();
    assert_int_equal(log_.names.len, 4);
    assert_int_equal(log_.sections.items[3].line, 5);
    assert_int_equal(log_.lines, 10);
    assert_told("", "");
    assert_sound();
    assert_int_equal(log_.parts.len, 0);
    assert_told("only text\n", "");
    assert_int_equal(log_.lines, 1);
}

static void names_tell_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum vf_log_kind kind;
    } kinds[] = {
        {"gc-minor", VF_LOG_MINOR},
        {"gc-minor-walkroots", VF_LOG_WALKROOTS},
        {"gc-collect-step", VF_LOG_STEP},
        {"gc-collect", VF_LOG_STEP},
        {"gc-hardware", VF_LOG_GC},
        {"jit-backend", VF_LOG_BACKEND},
        {"jit-backend-dump", VF_LOG_JIT},
        {"jit-log-opt-loop", VF_LOG_OPTIMIZED},
        {"jit-log-opt-bridge", VF_LOG_OPTIMIZED},
        {"jit-abort", VF_LOG_ABORT},
        {"jit-abort-log", VF_LOG_JIT},
        {"gc-x", VF_LOG_GC},
        {"gc", VF_LOG_OTHER},
        {"jit", VF_LOG_OTHER},
        {"jitter", VF_LOG_OTHER},
        {"gcx-minor", VF_LOG_OTHER},
        {"GC-minor", VF_LOG_OTHER},
        {"", VF_LOG_OTHER},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_int_equal(vf_log_kind_of(vf_str_from(kinds[i].name)), kinds[i].kind);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void what_never_closes_lasts_to_the_last_that_is_known(void **state)
{
    (void)state;
    assert_told("[10] {a\n[20] {b\n[30] {c\n[35] c}\n", "a 10-35 cut\n.b 20-35 cut\n..c 30-35\n");
    assert_damage(log_.never_closed, 2, 1);
    assert_string_equal(tell_warnings(),
                        "PYPYLOG: line 1: a section opens here that never closes; it is shown up "
                        "to the last that is known of it (and 1 more)\n");
    assert_told("[10] {a\n[20] {b\n[30] c", "a 10-20 cut\n.b 20-20 cut\n");
    assert_damage(log_.half_line, 1, 3);
}

static void an_outer_section_that_closes_closes_those_within(void **state)
{
    (void)state;
    assert_told("[10] {a\n[20] {b\n[25] {c\n[30] a}\n[40] b}\n[50] {d\n[60] d}\n",
                "a 10-30\n.b 20-30 cut\n..c 25-30 cut\nd 50-60\n");
    assert_damage(log_.wrong_order, 1, 4);
    assert_damage(log_.never_closed, 2, 2);
    assert_damage(log_.never_opened, 1, 5);
}

static void what_closes_but_never_opened_is_left_out(void **state)
{
    (void)state;
    assert_told("[10] a}\n[20] {b\n[30] c}\n[40] b}\n", "b 20-40\n");
    assert_damage(log_.never_opened, 2, 1);
    assert_damage(log_.never_closed, 0, 0);
    assert_string_equal(tell_warnings(), "PYPYLOG: line 1: a section closes here that never opened;"
                                         " it is left out (and 1 more)\n");
}

static void no_more_than_63_levels_are_followed(void **state)
{
    (void)state;
    made_log.len = 0;
    for (int i = 0; i < 70; i++)
        vf_buf_printf(&made_log, "[%x] {gc-minor\nminor collect, total memory used: %d\n", i, i);
    for (int i = 0; i < 70; i++)
        vf_buf_printf(&made_log, "[%x] gc-minor}\n", 70 + i);
    read_log(vf_buf_view(&made_log));
    assert_int_equal(log_.sections.len, 63);
    assert_damage(log_.too_deep, 7, 63 * 2 + 1);
    assert_damage(log_.never_closed, 0, 0);
    assert_damage(log_.never_opened, 0, 0);
    assert_damage(log_.wrong_order, 0, 0);
    assert_int_equal(log_.sections.items[0].stop, 139);
    assert_int_equal(log_.sections.items[62].stop, 77);
    /* Text of what is left out is nobody's. */
    assert_int_equal(log_.minors.items[62].memory_bytes, 62);
}

static void two_processes_in_one_file_are_noticed(void **state)
{
    (void)state;
    assert_told("[10] {gc-minor\n[12] {gc-minor\n[14] {gc-minor-walkroots\n[20] gc-minor}\n"
                "[22] gc-minor-walkroots}\n[24] gc-minor}\n",
                "gc-minor 10-24\n.gc-minor 12-20\n..gc-minor-walkroots 14-20 cut\n");
    assert_damage(log_.in_itself, 1, 2);
    assert_damage(log_.wrong_order, 1, 4);
    assert_damage(log_.never_opened, 1, 5);
    assert_told("[1] {mine\n[2] {mine\n[3] mine}\n[4] mine}\n", "mine 1-4\n.mine 2-3\n");
    assert_sound();
}

static void every_kind_of_damage_has_a_sentence(void **state)
{
    (void)state;
    struct vf_log_damage one = {1, 7};
    log_.half_line = log_.never_closed = log_.never_opened = log_.wrong_order = one;
    log_.in_itself = log_.too_deep = log_.too_many = one;
    const char *text = tell_warnings();
    for (int i = 0; i < 7; i++) {
        assert_int_equal(strncmp(text, "PYPYLOG: line 7: ", 17), 0);
        text = strchr(text, '\n') + 1;
    }
    assert_string_equal(text, "");
}

static void stamps_that_fall_begin_another_part(void **state)
{
    (void)state;
    assert_told("x\n[4000000] {a\n[4000010] {b\n[4000020] b}\n[5] {c\n[9] c}\n[200] a}\n",
                "a 4000000-4000020 cut\n.b 4000010-4000020\nc 5-9\n");
    assert_int_equal(log_.parts.len, 2);
    const struct vf_log_part *parts = log_.parts.items;
    assert_int_equal(parts[0].first, 0);
    assert_int_equal(parts[0].end, 2);
    assert_int_equal(parts[0].first_line, 2);
    assert_int_equal(parts[0].last_line, 4);
    assert_int_equal(parts[0].first_stamp, 0x4000000);
    assert_int_equal(parts[0].last_stamp, 0x4000020);
    assert_int_equal(parts[1].first, 2);
    assert_int_equal(parts[1].end, 3);
    assert_int_equal(parts[1].first_line, 5);
    assert_int_equal(parts[1].last_line, 7);
    assert_int_equal(parts[1].first_stamp, 5);
    assert_int_equal(parts[1].last_stamp, 0x200);
    assert_damage(log_.never_opened, 1, 7);
    /* Between two cores it may be a little less. */
    assert_told("[4000000] {a\n[3ffff00] {b\n[4000020] b}\n[400001f] a}\n",
                "a 4000000-4000020\n.b 4000000-4000020\n");
    assert_int_equal(log_.parts.len, 1);
    assert_sound();
}

static void more_sections_than_a_log_can_hold_are_left_out(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    made_log.len = 0;
    for (int i = 0; i < COUNT; i++)
        vf_buf_str(&made_log, VF_STR("[1] {a\n[1] a}\n"));
    read_log(vf_buf_view(&made_log));
    assert_int_equal(log_.too_many.count, 1);
    assert_true(log_.sections.len < COUNT);
    assert_int_equal(log_.too_many.line, log_.sections.len * 2 + 1);
    assert_int_equal(log_.lines, log_.too_many.line);
    assert_int_equal(log_.parts.items[0].end, log_.sections.len);
    assert_damage(log_.never_closed, 0, 0);
}

/* ---- the backend's section that is put in ---------------------------------------------------- */

#define SECTION(name, start, stop) "[" start "] {" name "\n[" stop "] " name "}\n"
#define ALLOC(start, stop) SECTION("jit-mem-looptoken-alloc", start, stop)
#define ADDR(start, stop) SECTION("jit-backend-addr", start, stop)
#define STATS(start, stop) SECTION("jit-regalloc-stats", start, stop)
#define MINOR(start, stop) SECTION("gc-minor", start, stop)
#define TRACING(inside) "[1] {jit-tracing\n" inside "[f] jit-tracing}\n"

static void the_backend_is_put_in_up_to_the_address(void **state)
{
    (void)state;
    assert_told(
        TRACING(ALLOC("2", "3") MINOR("4", "5") ADDR("6", "7") STATS("8", "9") MINOR("a", "b")),
        "jit-tracing 1-f\n.jit-backend 2-7 made\n..jit-mem-looptoken-alloc 2-3\n"
        "..gc-minor 4-5\n..jit-backend-addr 6-7\n.jit-regalloc-stats 8-9\n"
        ".gc-minor a-b\n");
    assert_sound();
    assert_int_equal(log_.sections.items[1].line, 2);
    assert_int_equal(vf_log_section_kind(&log_, 1), VF_LOG_BACKEND);
    assert_told(ALLOC("2", "3") ADDR("4", "5") STATS("6", "7") MINOR("8", "9"),
                "jit-backend 2-5 made\n.jit-mem-looptoken-alloc 2-3\n.jit-backend-addr 4-5\n"
                "jit-regalloc-stats 6-7\ngc-minor 8-9\n");
}

static void without_addresses_it_ends_with_what_is_last_known(void **state)
{
    (void)state;
    /* Nothing but the trace is known to be its end. */
    assert_told(TRACING(ALLOC("2", "3") MINOR("4", "5")),
                "jit-tracing 1-f\n.jit-backend 2-f made\n..jit-mem-looptoken-alloc 2-3\n"
                "..gc-minor 4-5\n");
    assert_told(TRACING(ALLOC("2", "3") ALLOC("4", "5")),
                "jit-tracing 1-f\n.jit-backend 2-4 made\n..jit-mem-looptoken-alloc 2-3\n"
                ".jit-backend 4-f made\n..jit-mem-looptoken-alloc 4-5\n");
    /* Not even that: what comes later is not in it. */
    assert_told(ALLOC("2", "3") MINOR("4", "5") ALLOC("6", "7") ALLOC("8", "9"),
                "jit-backend 2-3 made\n.jit-mem-looptoken-alloc 2-3\ngc-minor 4-5\n"
                "jit-backend 6-7 made\n.jit-mem-looptoken-alloc 6-7\n"
                "jit-backend 8-9 made\n.jit-mem-looptoken-alloc 8-9\n");
    assert_sound();
}

static void none_is_put_in_where_it_is_in_the_log(void **state)
{
    (void)state;
    assert_told(TRACING("[2] {jit-backend\n" ALLOC("3", "4") ADDR("7", "8") "[9] jit-backend}\n"),
                "jit-tracing 1-f\n.jit-backend 2-9\n..jit-mem-looptoken-alloc 3-4\n"
                "..jit-backend-addr 7-8\n");
    assert_sound();
    assert_told(TRACING(ADDR("2", "3")), "jit-tracing 1-f\n.jit-backend-addr 2-3\n");
    /* A call to what is not yet compiled gets a loop of its own, and that one no jit-backend. */
    assert_told(TRACING(ALLOC("2", "3") ADDR("4", "5") SECTION("jit-backend", "6", "7")),
                "jit-tracing 1-f\n.jit-mem-looptoken-alloc 2-3\n.jit-backend-addr 4-5\n"
                ".jit-backend 6-7\n");
    assert_told(TRACING(ALLOC("2", "3") SECTION("jit-backend-dump", "4", "5")),
                "jit-tracing 1-f\n.jit-backend 2-f made\n..jit-mem-looptoken-alloc 2-3\n"
                "..jit-backend-dump 4-5\n");
}

/* As PyPy 7.3.11 does in a function that calls itself in a loop. */
static void a_trace_may_be_made_within_a_trace(void **state)
{
    (void)state;
    assert_told(TRACING(ALLOC("2", "3") "[4] {jit-tracing\n" ALLOC("5", "6")
                            ADDR("7", "8") "[9] jit-tracing}\n"),
                "jit-tracing 1-f\n.jit-backend 2-f made\n..jit-mem-looptoken-alloc 2-3\n"
                "..jit-tracing 4-9\n...jit-backend 5-8 made\n....jit-mem-looptoken-alloc 5-6\n"
                "....jit-backend-addr 7-8\n");
    assert_sound();
    assert_int_equal(log_.traces.len, 2);
}

/* It is not in the log, so it can't be what is wrong with it. */
static void the_section_that_is_put_in_is_no_damage(void **state)
{
    (void)state;
    assert_told("[1] {jit-tracing\n" ALLOC("2", "3") "[4] {jit-backend-addr\n[5] jit-tracing}\n",
                "jit-tracing 1-5\n.jit-backend 2-5 made\n..jit-mem-looptoken-alloc 2-3\n"
                "..jit-backend-addr 4-5 cut\n");
    assert_damage(log_.never_closed, 1, 4);
    assert_damage(log_.wrong_order, 1, 5);
    assert_told("[1] {jit-tracing\n" ALLOC("2", "3"),
                "jit-tracing 1-3 cut\n.jit-backend 2-3 made\n..jit-mem-looptoken-alloc 2-3\n");
    assert_damage(log_.never_closed, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_stand_in_the_order_they_open),
        cmocka_unit_test(names_tell_kinds),
        cmocka_unit_test(what_never_closes_lasts_to_the_last_that_is_known),
        cmocka_unit_test(an_outer_section_that_closes_closes_those_within),
        cmocka_unit_test(what_closes_but_never_opened_is_left_out),
        cmocka_unit_test(no_more_than_63_levels_are_followed),
        cmocka_unit_test(two_processes_in_one_file_are_noticed),
        cmocka_unit_test(every_kind_of_damage_has_a_sentence),
        cmocka_unit_test(stamps_that_fall_begin_another_part),
        cmocka_unit_test(more_sections_than_a_log_can_hold_are_left_out),
        cmocka_unit_test(the_backend_is_put_in_up_to_the_address),
        cmocka_unit_test(without_addresses_it_ends_with_what_is_last_known),
        cmocka_unit_test(none_is_put_in_where_it_is_in_the_log),
        cmocka_unit_test(a_trace_may_be_made_within_a_trace),
        cmocka_unit_test(the_section_that_is_put_in_is_no_damage),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

/* What the stacks of a profile look like to its reader: from the frames that VMProf wrote, of every
 * kind and age, to names, categories and lines. */
#include "test.h"

#include "recording.h"

#include <stdio.h>

enum { MAIN = 0x10, HOT = 0x20, INNER = 0x30, DEEP = 0x40, UNKNOWN = 0xdead0 };
enum { RPYTHON_NATIVE = 12, NATIVE_MODE = 4, LINES_MODE = 2 };

static void add_names(struct recording *r)
{
    recording_name(r, MAIN, "py:main:1:/home/a.py");
    recording_name(r, HOT, "py:hot:10:/home/a.py");
    recording_name(r, INNER, "py:inner:20:/home/b.py");
    recording_name(r, DEEP, "py:deep:30:/home/b.py");
}

static void begin_pypy(struct recording *r)
{
    recording_begin(r, 6, RPYTHON_NATIVE, "pypy");
    add_names(r);
}

static void assert_stack(struct recording *r, size_t sample, const char *expected)
{
    assert_string_equal(recording_stack(r, 0, sample), expected);
}

/* ---- compiled code --------------------------------------------------------------------------- */

static void code_and_its_own_jitted_frame_are_one(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    TAKE(&r, CODE(MAIN), CODE(HOT));
    TAKE(&r, CODE(MAIN), CODE(HOT), JIT(HOT), ASM);
    TAKE(&r, CODE(MAIN), CODE(HOT), JIT(HOT), JIT(INNER), JIT(DEEP), ASM);
    TAKE(&r, CODE(MAIN), CODE(HOT), JIT(HOT), JIT(HOT), ASM);
    TAKE(&r, CODE(MAIN), CODE(HOT), JIT(INNER), ASM);
    TAKE(&r, CODE(MAIN), JIT(MAIN), ASM, CODE(HOT), JIT(HOT), JIT(INNER), ASM, CODE(DEEP));
    recording_build(&r);
    assert_stack(&r, 0, "main > hot");
    assert_stack(&r, 1, "main > hot[JIT]");
    assert_stack(&r, 2, "main > hot[JIT] > inner[JIT/Inlined] > deep[JIT/Inlined]");
    assert_stack(&r, 3, "main > hot[JIT] > hot[JIT/Inlined]");
    assert_stack(&r, 4, "main > hot > inner[JIT/Inlined]");
    assert_stack(&r, 5, "main[JIT] > hot[JIT] > inner[JIT/Inlined] > deep");
    recording_release(&r);
}

static void an_assembler_frame_says_that_the_code_above_it_is_compiled(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    TAKE(&r, CODE(MAIN), CODE(HOT), ASM);
    TAKE(&r, CODE(MAIN), CODE(HOT), ASM, JIT(HOT));
    TAKE(&r, CODE(MAIN), CODE(HOT), ASM, CODE(INNER), ASM);
    TAKE(&r, CODE(MAIN), CODE(HOT), ASM, ASM);
    TAKE(&r, ASM, CODE(MAIN));
    recording_build(&r);
    assert_stack(&r, 0, "main > hot[JIT]");
    assert_stack(&r, 1, "main > hot[JIT] > hot[JIT/Inlined]");
    assert_stack(&r, 2, "main > hot[JIT] > inner[JIT]");
    assert_stack(&r, 3, "main > hot[JIT]");
    assert_stack(&r, 4, "(compiled code)[JIT] > main");
    recording_release(&r);
}

static void the_two_categories_of_a_function_are_one_function(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    TAKE(&r, CODE(MAIN), CODE(HOT));
    TAKE(&r, CODE(MAIN), CODE(HOT), JIT(HOT), ASM);
    TAKE(&r, CODE(MAIN), JIT(HOT), ASM);
    recording_build(&r);
    size_t hot = 0;
    for (size_t i = 0; i < r.profile.funcs.funcs.len; i++)
        hot += strcmp(recording_string(&r, r.profile.funcs.funcs.items[i].name), "hot") == 0;
    assert_int_equal(hot, 1);
    recording_release(&r);
}

static void what_the_interpreter_does_has_a_name(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    TAKE(&r, CODE(MAIN), KIND(5));
    TAKE(&r, CODE(MAIN), JIT(MAIN), KIND(2));
    TAKE(&r, CODE(MAIN), KIND(4));
    TAKE(&r, CODE(MAIN), KIND(99));
    TAKE(&r, CODE(MAIN), {5, 0x9999, 0});
    recording_build(&r);
    assert_stack(&r, 0, "main > (garbage collection)[GC]");
    assert_stack(&r, 1, "main[JIT] > (leaving compiled code)[JIT/Other]");
    assert_stack(&r, 2, "main > (tracing and compiling)[JIT/Other]");
    assert_stack(&r, 3, "main > (other frames)[Other]");
    assert_stack(&r, 4, "main > (garbage collection)[GC]");
    assert_int_equal(r.profile.threads.items[0].samples.items[0].stack.i,
                     r.profile.threads.items[0].samples.items[4].stack.i);
    recording_release(&r);
}

/* ---- what starts a program ------------------------------------------------------------------- */

enum { APP_MAIN = 0x100, RUN_MODULE = 0x110, RUN_CODE = 0x120, FROZEN = 0x130, OWN_MAIN = 0x140 };
enum { BOOTSTRAP_MAIN = 0x150, BOOTSTRAP_EXIT = 0x160, THREAD_7 = 0x170, THREAD_9 = 0x180 };
enum { OTHER_RUNPY = 0x190, OTHER_MAIN = 0x1a0, NO_NUMBER = 0x1b0 };

static void add_launchers(struct recording *r)
{
    recording_name(r, APP_MAIN, "py:run_toplevel:70:<builtin>/app_main.py");
    recording_name(r, RUN_MODULE, "py:run_module:199:/usr/lib/pypy3.9/runpy.py");
    recording_name(r, RUN_CODE, "py:_run_code:64:/usr/lib/python3.11/runpy.py");
    recording_name(r, FROZEN, "py:_run_module_as_main:173:<frozen runpy>");
    recording_name(r, OWN_MAIN, "py:main:30:/usr/lib/python3/site-packages/vmprof/__main__.py");
    recording_name(r, BOOTSTRAP_MAIN, "py:vmfox_main:1:<vmfox>");
    recording_name(r, BOOTSTRAP_EXIT, "py:stop:90:<vmfox>");
    recording_name(r, THREAD_7, "py:vmfox_thread_7:1:<vmfox>");
    recording_name(r, THREAD_9, "py:vmfox_thread_9:1:<vmfox>");
    recording_name(r, OTHER_RUNPY, "py:helper:5:/home/me/runpy.py");
    recording_name(r, OTHER_MAIN, "py:<module>:1:/home/me/__main__.py");
    recording_name(r, NO_NUMBER, "py:vmfox_thread_x:1:<vmfox>");
}

static void what_starts_the_program_is_left_out(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    add_launchers(&r);
    TAKE(&r, CODE(APP_MAIN), CODE(MAIN));
    TAKE(&r, CODE(FROZEN), CODE(RUN_CODE), CODE(MAIN), CODE(HOT));
    TAKE(&r, CODE(APP_MAIN), CODE(RUN_MODULE), CODE(RUN_CODE), CODE(OWN_MAIN), CODE(MAIN));
    TAKE(&r, CODE(BOOTSTRAP_MAIN), CODE(MAIN), CODE(HOT), JIT(HOT), ASM);
    TAKE(&r, CODE(RUN_CODE), JIT(RUN_CODE), CODE(MAIN));
    recording_build(&r);
    assert_stack(&r, 0, "main");
    assert_stack(&r, 1, "main > hot");
    assert_stack(&r, 2, "main");
    assert_stack(&r, 3, "main > hot[JIT]");
    assert_stack(&r, 4, "main");
    for (size_t i = 0; i < r.profile.strings.rows.len; i++)
        assert_false(vf_str_starts(r.profile.strings.rows.items[i], VF_STR("run_module")));
    recording_release(&r);
}

static void the_programs_own_use_of_runpy_stays(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    add_launchers(&r);
    TAKE(&r, CODE(APP_MAIN), CODE(MAIN), CODE(RUN_MODULE), CODE(FROZEN), CODE(OWN_MAIN), CODE(HOT));
    TAKE(&r, CODE(OTHER_MAIN), CODE(HOT));
    TAKE(&r, CODE(MAIN), CODE(APP_MAIN), JIT(APP_MAIN), ASM);
    recording_build(&r);
    assert_stack(&r, 0, "main > run_module > _run_module_as_main > main > hot");
    assert_stack(&r, 1, "<module> > hot");
    assert_stack(&r, 2, "main > run_toplevel[JIT]");
    recording_release(&r);
}

static void a_program_may_be_called_runpy(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    add_launchers(&r);
    TAKE(&r, CODE(OTHER_RUNPY), CODE(MAIN));
    TAKE(&r, CODE(APP_MAIN), CODE(OTHER_RUNPY));
    recording_build(&r);
    assert_stack(&r, 0, "helper > main");
    assert_stack(&r, 1, "helper");
    recording_release(&r);
}

static void imports_are_the_launchers_until_the_program_runs(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    add_launchers(&r);
    recording_name(&r, 0x200, "py:_find_and_load:1024:<frozen importlib._bootstrap>");
    recording_name(&r, 0x210, "py:find_spec:70:/usr/lib/pypy3.9/importlib/util.py");
    recording_name(&r, 0x220, "py:mine:1:/home/me/importlib/app.py");
    TAKE(&r, CODE(FROZEN), CODE(0x200));
    TAKE(&r, CODE(FROZEN), CODE(RUN_MODULE), CODE(0x210), CODE(0x200), CODE(MAIN));
    TAKE(&r, CODE(APP_MAIN), CODE(MAIN), CODE(0x200), CODE(HOT));
    TAKE(&r, CODE(APP_MAIN), CODE(0x220));
    recording_build(&r);
    assert_stack(&r, 0, "(interpreter start and exit)[Interpreter]");
    assert_stack(&r, 1, "main");
    assert_stack(&r, 2, "main > _find_and_load > hot");
    assert_stack(&r, 3, "mine");
    recording_release(&r);
}

static void a_sample_outside_the_program_says_so(void **state)
{
    (void)state;
    static const char outside[] = "(interpreter start and exit)[Interpreter]";
    struct recording r;
    begin_pypy(&r);
    add_launchers(&r);
    TAKE(&r, CODE(APP_MAIN));
    TAKE(&r, CODE(BOOTSTRAP_MAIN));
    TAKE(&r, CODE(BOOTSTRAP_MAIN), CODE(BOOTSTRAP_EXIT), CODE(HOT));
    TAKE(&r, CODE(BOOTSTRAP_MAIN), CODE(MAIN), CODE(BOOTSTRAP_EXIT), CODE(HOT));
    TAKE(&r, CODE(BOOTSTRAP_MAIN), CODE(MAIN));
    TAKE(&r, CODE(NO_NUMBER), CODE(MAIN));
    recording_take(&r, NULL, 0);
    recording_build(&r);
    for (size_t i = 0; i < 4; i++)
        assert_stack(&r, i, outside);
    assert_stack(&r, 4, "main");
    assert_stack(&r, 5, outside);
    assert_stack(&r, 6, "");
    recording_release(&r);
}

static void a_threads_root_frame_becomes_its_thread(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    add_launchers(&r);
    recording_thread(&r, 7, 4711, "reader");
    TAKE(&r, CODE(THREAD_7), CODE(HOT));
    TAKE(&r, CODE(BOOTSTRAP_MAIN), CODE(MAIN));
    TAKE(&r, CODE(THREAD_9), CODE(HOT), JIT(HOT), ASM);
    TAKE(&r, CODE(THREAD_7), CODE(INNER));
    TAKE(&r, CODE(THREAD_7));
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    assert_string_equal(recording_string(&r, r.profile.threads.items[0].name), "MainThread");
    assert_string_equal(recording_string(&r, r.profile.threads.items[1].name), "Thread 9");
    assert_string_equal(recording_string(&r, r.profile.threads.items[2].name), "reader");
    assert_int_equal(r.profile.threads.items[2].tid, 4711);
    assert_string_equal(recording_stack(&r, 0, 0), "main");
    assert_string_equal(recording_stack(&r, 1, 0), "hot[JIT]");
    assert_int_equal(r.profile.threads.items[2].samples.len, 3);
    assert_string_equal(recording_stack(&r, 2, 0), "hot");
    assert_string_equal(recording_stack(&r, 2, 1), "inner");
    assert_string_equal(recording_stack(&r, 2, 2), "(interpreter start and exit)[Interpreter]");
    recording_release(&r);
}

/* ---- native frames --------------------------------------------------------------------------- */

static const char maps[] =
    "55d0a0000000-55d0a0040000 r--p 00000000 fe:00 1   /usr/bin/python3.11\n"
    "55d0a0040000-55d0a0200000 r-xp 00040000 fe:00 1   /usr/bin/python3.11\n"
    "55d0b0000000-55d0b0100000 rw-p 00000000 00:00 0   [heap]\n"
    "7f0000000000-7f0000100000 r-xp 00000000 fe:00 2   /usr/lib/my libs/libc.so.6 (deleted)\n"
    "7f1000000000-7f1000100000 rw-p 00000000 00:00 0\n";

static void native_frames_have_their_names_else_their_library(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, NATIVE_MODE, "cpython");
    add_names(&r);
    r.capture.maps = vf_str_from(maps);
    recording_native_name(&r, 0x7f0000001001, "n:std::vector<int>::push_back(int&&):0:-");
    recording_native_name(&r, 0x7f0000002001, "n:<native symbol 0x7f0000002001>:0:-");
    TAKE(&r, CODE(MAIN), NATIVE(0x7f0000001000));
    TAKE(&r, CODE(MAIN), NATIVE(0x7f0000002000));
    TAKE(&r, CODE(MAIN), NATIVE(0x55d0a0041234), CODE(HOT));
    TAKE(&r, CODE(MAIN), NATIVE(0x7f1000000010));
    TAKE(&r, CODE(MAIN), NATIVE(0x610000000000));
    recording_build(&r);
    assert_stack(&r, 0, "main > std::vector<int>::push_back(int&&)[Native]");
    assert_stack(&r, 1, "main > libc.so.6+0x2000[Native]");
    assert_stack(&r, 2, "main > python3.11+0x41234[Native] > hot");
    assert_stack(&r, 3, "main > (unknown memory)[Other]");
    assert_stack(&r, 4, "main > native code 0x610000000000[Native]");
    assert_int_equal(r.profile.funcs.libs.len, 2);
    assert_string_equal(recording_fact(&r, "Functions without a symbol"), "3");
    recording_release(&r);
}

static void pypys_native_frames_are_told_by_their_kind(void **state)
{
    (void)state;
    struct recording r;
    begin_pypy(&r);
    r.capture.maps = vf_str_from(maps);
    recording_native_name(&r, 0x7f0000001001, "n:pypy_g_ll_math:0:-");
    TAKE(&r, CODE(MAIN), JIT(MAIN), ASM, NATIVE(0x7f0000001000));
    TAKE(&r, CODE(MAIN), NATIVE(0x7f0000003000), ASM);
    recording_build(&r);
    assert_stack(&r, 0, "main[JIT] > pypy_g_ll_math[Native]");
    assert_stack(&r, 1, "main > libc.so.6+0x3000[Native]");
    recording_release(&r);
}

/* vmprof-python gives the library's path as the file where it knows no source. */
static void a_librarys_path_is_not_taken_for_a_source(void **state)
{
    (void)state;
    static const char *const names[] = {
        "n:f:0:/usr/lib/my libs/libc.so.6", "n:f:0:/usr/lib/libpython3.11.so.1.0",
        "n:f:0:/usr/bin/python3.11",        "n:f:0:/usr/lib/pypy3/libpypy3-c.so",
        "n:f:0:/usr/lib/libtcl8.6.so",      "n:f:0:-",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct recording r;
        recording_begin(&r, 6, NATIVE_MODE, "cpython");
        r.capture.maps = vf_str_from(maps);
        recording_native_name(&r, 0x55d0a0041235, names[i]);
        TAKE(&r, NATIVE(0x55d0a0041234));
        recording_build(&r);
        assert_stack(&r, 0, "f[Native]");
        if (r.profile.funcs.sources.len)
            fail_msg("%s: a source %s", names[i],
                     recording_string(&r, r.profile.funcs.sources.items[0].path));
        recording_release(&r);
    }
}

static void a_native_functions_source_is_kept(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, NATIVE_MODE, "cpython");
    recording_native_name(&r, 0x7f0000001001, "n:memchr:42:/build/string/memchr.c");
    TAKE(&r, NATIVE(0x7f0000001000));
    recording_build(&r);
    assert_int_equal(r.profile.funcs.sources.len, 1);
    assert_string_equal(recording_string(&r, r.profile.funcs.sources.items[0].path),
                        "/build/string/memchr.c");
    recording_release(&r);
}

/* ---- names and lines ------------------------------------------------------------------------- */

static void a_code_id_without_a_name_stays_a_frame(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, NATIVE_MODE, "cpython");
    add_names(&r);
    recording_native_name(&r, 0x50, "n:<native symbol 0x50>:0:-");
    recording_name(&r, 0x60, "");
    recording_name(&r, 0x70, "no parts at all");
    TAKE(&r, CODE(MAIN), CODE(UNKNOWN), CODE(HOT));
    TAKE(&r, CODE(0x50));
    TAKE(&r, CODE(0x60));
    TAKE(&r, CODE(0x70));
    TAKE(&r, CODE((uint64_t)-3));
    recording_build(&r);
    assert_stack(&r, 0, "main > unnamed code 0xdead0 > hot");
    assert_stack(&r, 1, "unnamed code 0x50");
    assert_stack(&r, 2, "unnamed code 0x60");
    assert_stack(&r, 3, "no parts at all");
    assert_stack(&r, 4, "unnamed code 0xfffffffffffffffd");
    assert_string_equal(recording_fact(&r, "Code without a name"), "4 functions");
    recording_release(&r);
}

static void a_code_name_wins_over_a_native_one_in_any_order(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, NATIVE_MODE, "cpython");
    recording_native_name(&r, 0x50, "n:<native symbol 0x50>:0:-");
    recording_name(&r, 0x50, "py:first:1:/a.py");
    recording_name(&r, 0x60, "py:second:1:/a.py");
    recording_native_name(&r, 0x60, "n:<native symbol 0x60>:0:-");
    recording_name(&r, 0x70, "py:died:1:/a.py");
    recording_name(&r, 0x70, "py:lived:2:/a.py");
    recording_native_name(&r, 0x80, "n:only_native:0:-");
    TAKE(&r, CODE(0x50), CODE(0x60), CODE(0x70), CODE(0x80));
    recording_build(&r);
    assert_stack(&r, 0, "first > second > lived > only_native");
    recording_release(&r);
}

static void lines_are_told_where_they_were_recorded(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, LINES_MODE | NATIVE_MODE, "cpython");
    add_names(&r);
    TAKE(&r, AT_LINE(MAIN, 3), AT_LINE(HOT, 12));
    TAKE(&r, AT_LINE(MAIN, 3), AT_LINE(HOT, 13), {7, 0x610000000001, 0});
    TAKE(&r, AT_LINE(MAIN, 0), AT_LINE(HOT, (uint64_t)-12));
    TAKE(&r, AT_LINE(MAIN, 1ull << 40));
    recording_build(&r);
    assert_stack(&r, 0, "main:3 > hot:12");
    assert_stack(&r, 1, "main:3 > hot:13 > native code 0x610000000000[Native]");
    assert_stack(&r, 2, "main > hot");
    assert_stack(&r, 3, "main");
    recording_release(&r);
}

static void a_long_file_name_is_found_again_among_the_sources(void **state)
{
    (void)state;
    struct recording r;
    char cut[111], whole[201], name[160];
    memset(whole, 'd', sizeof whole);
    whole[0] = '/';
    memcpy(whole + 196, ".py", 4);
    memcpy(cut, whole, 107);
    memcpy(cut + 107, "...", 4);
    snprintf(name, sizeof name, "py:f:1:%s", cut);
    begin_pypy(&r);
    recording_name(&r, 0x50, name);
    recording_source(&r, cut, whole, VF_STR("def f(): pass\n"));
    TAKE(&r, CODE(0x50));
    recording_build(&r);
    assert_int_equal(r.profile.funcs.sources.len, 1);
    assert_string_equal(recording_string(&r, r.profile.funcs.sources.items[0].path), whole);
    assert_true(vf_str_eq(r.profile.funcs.sources.items[0].text, VF_STR("def f(): pass\n")));
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_and_its_own_jitted_frame_are_one),
        cmocka_unit_test(an_assembler_frame_says_that_the_code_above_it_is_compiled),
        cmocka_unit_test(the_two_categories_of_a_function_are_one_function),
        cmocka_unit_test(what_the_interpreter_does_has_a_name),
        cmocka_unit_test(what_starts_the_program_is_left_out),
        cmocka_unit_test(the_programs_own_use_of_runpy_stays),
        cmocka_unit_test(a_program_may_be_called_runpy),
        cmocka_unit_test(imports_are_the_launchers_until_the_program_runs),
        cmocka_unit_test(a_sample_outside_the_program_says_so),
        cmocka_unit_test(a_threads_root_frame_becomes_its_thread),
        cmocka_unit_test(native_frames_have_their_names_else_their_library),
        cmocka_unit_test(pypys_native_frames_are_told_by_their_kind),
        cmocka_unit_test(a_librarys_path_is_not_taken_for_a_source),
        cmocka_unit_test(a_native_functions_source_is_kept),
        cmocka_unit_test(a_code_id_without_a_name_stays_a_frame),
        cmocka_unit_test(a_code_name_wins_over_a_native_one_in_any_order),
        cmocka_unit_test(lines_are_told_where_they_were_recorded),
        cmocka_unit_test(a_long_file_name_is_found_again_among_the_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The Firefox Profiler file as another program parses it: its shape, and what must hold in it. */
#include "test.h"

#include "written.h"

#include <math.h>

/* ---- one profile with everything ------------------------------------------------------------- */

static const char maps[] = "7f0000000000-7f0000100000 r-xp 00000000 fe:00 2   /usr/lib/libm.so.6\n"
                           "7f1000000000-7f1000100000 r-xp 00000000 fe:00 2   /usr/lib/libc.so.6\n";

static void begin_full(struct recording *r)
{
    recording_begin(r, 6, 12 | 1, "pypy");
    r->capture.maps = vf_str_from(maps);
    r->capture.info.pid = 4711;
    r->capture.info.command = VF_STR("pypy3 app.py 'a b'");
    r->capture.info.program = VF_STR("app");
    r->capture.info.interpreter = VF_STR("PyPy 7.3.11");
    recording_module(r, "/usr/lib/libm.so.6", "0123456789abcdef0123456789abcdef01234567");
    recording_name(r, 0x10, "py:main:3:/a.py");
    recording_name(r, 0x20, "py:hot:10:/b.py");
    recording_name(r, 0x30, "py:vmfox_thread_2:1:<vmfox>");
    recording_native_name(r, 0x7f0000001001, "n:sin:0:-");
    recording_source(r, "/a.py", "", VF_STR("print(1)\n"));
    recording_source(r, "/c.py", "", VF_STR("not in the profile"));
    static const uint64_t kb[] = {100, 300, 200};
    for (size_t i = 0; i < 3; i++) {
        r->next.memory_kb = kb[i];
        TAKE(r, CODE(0x10), CODE(0x20), JIT(0x20), JIT(0x10), ASM, NATIVE(0x7f0000001000));
    }
    TAKE(r, CODE(0x30), CODE(0x10), KIND(5), NATIVE(0x7f1000000000));
    recording_take(r, NULL, 0);
}

static void a_whole_profile_holds_together(void **state)
{
    (void)state;
    struct recording r;
    begin_full(&r);
    json_t *root = written(&r);
    assert_sound(root);
    assert_true(number(root, "meta.preprocessedProfileVersion") == 69);
    assert_string_equal(text(root, "meta.product"), "app on PyPy 7.3.11");
    assert_string_equal(text(root, "meta.arguments"), "pypy3 app.py 'a b'");
    assert_true(number(root, "meta.startTime") == 1700000000e3);
    assert_true(number(root, "meta.profilingEndTime") == 4000);
    assert_int_equal(json_array_size(at(root, "threads")), 2);
    for (size_t t = 0; t < 2; t++) {
        json_t *thread = json_array_get(at(root, "threads"), t);
        assert_string_equal(text(thread, "pid"), "4711");
        assert_string_equal(text(thread, "processName"), "app");
        assert_int_equal(json_is_true(at(thread, "isMainThread")), t == 0);
        assert_true(json_is_null(at(thread, "samples.weight")));
        assert_true(json_is_null(at(thread, "unregisterTime")));
    }
    assert_true(json_is_null(at(root, "threads.0.samples.stack.3")));
    json_decref(root);
    recording_release(&r);
}

static void times_are_the_sums_of_their_deltas(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    for (size_t i = 0; i < 7; i++)
        TAKE(&r, CODE(0x10));
    json_t *root = written(&r);
    double sum = 0;
    for (size_t i = 0; i < 7; i++) {
        sum += json_number_value(cell(at(root, "threads.0.samples"), "timeDeltas", i));
        assert_true(fabs(sum - ((double)i + 0.5) * 4000 / 7) < 1e-4);
    }
    json_decref(root);
    recording_release(&r);
}

static void the_categories_have_a_grey_one_and_the_stated_colours(void **state)
{
    (void)state;
    static const char *const expected[][2] = {{"Python", "yellow"},
                                              {"JIT", "purple"},
                                              {"Native", "blue"},
                                              {"Garbage collection", "green"},
                                              {"Other", "grey"}};
    struct recording r;
    begin_full(&r);
    json_t *root = written(&r), *category;
    for (size_t e = 0; e < 5; e++) {
        const char *color = NULL;
        size_t i;
        json_array_foreach(at(root, "meta.categories"), i, category)
        {
            assert_string_equal(text(category, "subcategories.0"), "Other");
            if (strcmp(text(category, "name"), expected[e][0]) == 0)
                color = text(category, "color");
        }
        assert_non_null(color);
        assert_string_equal(color, expected[e][1]);
    }
    json_decref(root);
    recording_release(&r);
}

static size_t find_func(json_t *root, const char *name)
{
    json_t *funcs = at(root, "shared.funcTable");
    for (size_t i = 0; i < json_array_size(at(funcs, "name")); i++)
        if (strcmp(string_at(root, funcs, "name", i), name) == 0)
            return i;
    fail_msg("no function %s", name);
    return 0;
}

static void python_functions_have_sources_and_native_ones_libraries(void **state)
{
    (void)state;
    struct recording r;
    begin_full(&r);
    json_t *root = written(&r), *funcs = at(root, "shared.funcTable");
    size_t main_row = find_func(root, "main"), sin_row = find_func(root, "sin");
    size_t unnamed = find_func(root, "libc.so.6+0x0");
    assert_true(json_is_true(cell(funcs, "isJS", main_row)));
    /* A library without an id: enough to ask a server for the source, nothing to symbolicate. */
    size_t python = (size_t)json_integer_value(cell(funcs, "resource", main_row));
    assert_string_equal(string_at(root, at(root, "shared.resourceTable"), "name", python),
                        "Python");
    json_t *lib = json_array_get(at(root, "libs"), python);
    assert_string_equal(text(lib, "debugName"), "Python");
    assert_string_equal(text(lib, "breakpadId"), "");
    assert_int_equal(json_integer_value(cell(funcs, "lineNumber", main_row)), 3);
    size_t source = (size_t)json_integer_value(cell(funcs, "source", main_row));
    assert_string_equal(string_at(root, at(root, "shared.sources"), "filename", source), "/a.py");
    assert_true(json_is_false(cell(funcs, "isJS", sin_row)));
    assert_true(json_is_null(cell(funcs, "source", sin_row)));
    assert_true(json_is_null(cell(funcs, "lineNumber", sin_row)));
    json_t *resources = at(root, "shared.resourceTable");
    size_t resource = (size_t)json_integer_value(cell(funcs, "resource", sin_row));
    assert_string_equal(string_at(root, resources, "name", resource), "libm.so.6");
    resource = (size_t)json_integer_value(cell(funcs, "resource", unnamed));
    assert_string_equal(string_at(root, resources, "name", resource), "libc.so.6");
    json_decref(root);
    recording_release(&r);
}

/* ---- libraries ------------------------------------------------------------------------------- */

static json_t *find_lib(json_t *root, const char *name)
{
    json_t *lib;
    size_t i;
    json_array_foreach(at(root, "libs"), i,
                       lib) if (strcmp(text(lib, "name"), name) == 0) return lib;
    fail_msg("no library %s", name);
    return NULL;
}

/* Breakpad's rule: the first 16 bytes are a GUID, whose first three fields (4, 2 and 2 bytes) lie
 * little-endian in the file and are written as numbers; then the age, 0. */
static void a_build_id_gives_both_ids_of_a_library(void **state)
{
    (void)state;
    struct recording r;
    begin_full(&r);
    json_t *root = written(&r), *lib = find_lib(root, "libm.so.6");
    assert_string_equal(text(lib, "codeId"), "0123456789abcdef0123456789abcdef01234567");
    assert_string_equal(text(lib, "breakpadId"), "67452301AB89EFCD0123456789ABCDEF0");
    assert_string_equal(text(lib, "path"), "/usr/lib/libm.so.6");
    assert_string_equal(text(lib, "debugName"), "libm.so.6");
    lib = find_lib(root, "libc.so.6");
    assert_true(json_is_null(at(lib, "codeId")));
    assert_string_equal(text(lib, "breakpadId"), "");
    json_decref(root);
    recording_release(&r);
}

static void a_short_build_id_is_filled_with_zeros(void **state)
{
    (void)state;
    static const char *const ids[][2] = {
        {"aabbccdd11223344", "DDCCBBAA221144330000000000000000"
                             "0"},
        {"ab", "000000AB000000000000000000000000"
               "0"},
        {"AABBCCDDEEFF00112233445566778899", "DDCCBBAAFFEE11002233445566778899"
                                             "0"},
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct recording r;
        recording_begin(&r, 6, 4, "cpython");
        r.capture.maps = vf_str_from(maps);
        recording_module(&r, "/usr/lib/libm.so.6", ids[i][0]);
        TAKE(&r, NATIVE(0x7f0000001000));
        json_t *root = written(&r);
        assert_string_equal(text(root, "libs.0.breakpadId"), ids[i][1]);
        assert_string_equal(text(root, "libs.0.codeId"), ids[i][0]);
        json_decref(root);
        recording_release(&r);
    }
}

static void a_native_frame_has_its_offset_in_the_library(void **state)
{
    (void)state;
    struct recording r;
    begin_full(&r);
    json_t *root = written(&r), *frames = at(root, "shared.frameTable");
    double sin_row = (double)find_func(root, "sin");
    bool seen = false;
    for (size_t i = 0; i < json_array_size(at(frames, "func")); i++) {
        if (json_number_value(cell(frames, "func", i)) != sin_row) {
            continue;
        }
        seen = true;
        assert_int_equal(json_integer_value(cell(frames, "address", i)), 0x1000);
        size_t native = (size_t)json_integer_value(cell(frames, "nativeSymbol", i));
        json_t *natives = at(root, "shared.nativeSymbols");
        assert_string_equal(string_at(root, natives, "name", native), "sin");
        assert_int_equal(json_integer_value(cell(natives, "address", native)), 0x1000);
    }
    assert_true(seen);
    json_decref(root);
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_profile_holds_together),
        cmocka_unit_test(times_are_the_sums_of_their_deltas),
        cmocka_unit_test(the_categories_have_a_grey_one_and_the_stated_colours),
        cmocka_unit_test(python_functions_have_sources_and_native_ones_libraries),
        cmocka_unit_test(a_build_id_gives_both_ids_of_a_library),
        cmocka_unit_test(a_short_build_id_is_filled_with_zeros),
        cmocka_unit_test(a_native_frame_has_its_offset_in_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "capture/symbols.h"

#include "test.h"

#include <stdio.h>

static const char good[] =
    "{\"version\":1,\"libraries\":[{\"path\":\"/lib/"
    "a.so\",\"build_id\":\"ab01\",\"arch\":\"x86_64\","
    "\"functions\":[[4096,32,1,2,9,0,0],[4200,16,3,0,0,1,32],[8192,0,3,0,0,0,-1]],"
    "\"places\":[[4100,11,4,2,3,5,5,2,1,2],[4104,12]],"
    "\"lines\":[[4096,9],[4108,12,5,2,1,2],[4116,0],[4120,13]]}],"
    "\"strings\":[\"\",\"hot\",\"/src/a.c\",\"other\",\"mix\",\"inner\"]}";

static struct vf_packed_symbols symbols;

static enum vf_status read_text(const char *json, struct vf_str code)
{
    struct vf_error error;
    return vf_packed_symbols_read(&symbols, vf_str_from(json), code, &error);
}

static void assert_text(struct vf_str got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.ptr, expected, got.len);
}

static void a_function_has_its_name_place_and_code(void **state)
{
    char code[48];
    (void)state;
    memset(code, 7, sizeof code);
    assert_int_equal(read_text(good, (struct vf_str){code, sizeof code}), VF_OK);
    const struct vf_packed_library *lib =
        vf_packed_library(&symbols, VF_STR("/lib/a.so"), VF_STR("ab01"));
    assert_non_null(lib);
    const struct vf_packed_function *f = vf_packed_function(lib, 4127);
    assert_text(f->name, "hot");
    assert_text(f->file, "/src/a.c");
    assert_int_equal(f->line, 9);
    assert_int_equal(f->code.len, 32);
    assert_null(vf_packed_function(lib, 4128));
    assert_null(vf_packed_function(lib, 4095));
    assert_true(vf_packed_function(lib, 4200)->is_signal);
    assert_int_equal(vf_packed_function(lib, 4200)->code.len, 16);
    /* Of a function whose end is not known only the first byte is sure. */
    assert_text(vf_packed_function(lib, 8192)->name, "other");
    assert_null(vf_packed_function(lib, 8193));
    vf_packed_symbols_release(&symbols);
}

static void a_function_around_another_is_whole(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"version\":1,\"libraries\":[{\"path\":\"/a\",\"functions\":"
                               "[[100,60,0,0,0,0,-1],[120,8,1,0,0,0,-1]]}],"
                               "\"strings\":[\"big\",\"mid\"]}",
                               VF_STR("")),
                     VF_OK);
    const struct vf_packed_library *lib = vf_packed_library(&symbols, VF_STR("/a"), VF_STR(""));
    assert_text(vf_packed_function(lib, 119)->name, "big");
    assert_text(vf_packed_function(lib, 127)->name, "mid");
    assert_text(vf_packed_function(lib, 128)->name, "big");
    assert_null(vf_packed_function(lib, 160));
    vf_packed_symbols_release(&symbols);
}

static void an_instruction_has_what_is_inlined_there(void **state)
{
    (void)state;
    assert_int_equal(read_text(good, VF_STR("")), VF_OK);
    const struct vf_packed_library *lib =
        vf_packed_library(&symbols, VF_STR("/lib/a.so"), VF_STR(""));
    const struct vf_packed_function *hot = vf_packed_function(lib, 4100);
    const struct vf_packed_place *place = vf_packed_place(lib, hot, 4100);
    assert_int_equal(place->line, 11);
    assert_int_equal(place->count, 2);
    assert_text(symbols.inlines.items[place->first].name, "mix");
    assert_int_equal(symbols.inlines.items[place->first].line, 5);
    assert_text(symbols.inlines.items[place->first + 1].name, "inner");
    assert_int_equal(vf_packed_place(lib, hot, 4104)->count, 0);
    assert_int_equal(hot->code.len, 0); /* there is no code */
    vf_packed_symbols_release(&symbols);
}

static void lines_hold_until_the_next_ones_of_the_function(void **state)
{
    (void)state;
    assert_int_equal(read_text(good, VF_STR("")), VF_OK);
    const struct vf_packed_library *lib =
        vf_packed_library(&symbols, VF_STR("/lib/a.so"), VF_STR(""));
    const struct vf_packed_function *hot = vf_packed_function(lib, 4096);
    assert_int_equal(vf_packed_place(lib, hot, 4096)->line, 9);
    assert_int_equal(vf_packed_place(lib, hot, 4101)->line, 9);
    assert_int_equal(vf_packed_place(lib, hot, 4104)->line, 12); /* one of its own */
    assert_int_equal(vf_packed_place(lib, hot, 4107)->line, 9);
    assert_int_equal(vf_packed_place(lib, hot, 4115)->count, 1);
    assert_null(vf_packed_place(lib, hot, 4117)); /* nothing is known from there on */
    assert_int_equal(vf_packed_place(lib, hot, 4127)->line, 13);
    /* The next function has none. */
    assert_null(vf_packed_place(lib, vf_packed_function(lib, 4200), 4204));
    assert_int_equal(vf_packed_next_line(lib, 0), 4096);
    assert_int_equal(vf_packed_next_line(lib, 4096), 4108);
    assert_true(vf_packed_next_line(lib, 4120) == UINT64_MAX);
    vf_packed_symbols_release(&symbols);
}

static void another_build_is_another_library(void **state)
{
    (void)state;
    assert_int_equal(read_text(good, VF_STR("")), VF_OK);
    assert_null(vf_packed_library(&symbols, VF_STR("/lib/a.so"), VF_STR("ab02")));
    assert_null(vf_packed_library(&symbols, VF_STR("/lib/b.so"), VF_STR("ab01")));
    vf_packed_symbols_release(&symbols);
}

static void numbers_out_of_range_are_not_followed(void **state)
{
    static const char *const bad[] = {
        "{\"version\":1,\"libraries\":[{\"path\":\"/"
        "a\",\"functions\":[[0,9223372036854775807,99,-5,"
        "-1,0,9223372036854775807],[16,64,0,0,0,0,40],[\"x\"],7,[],[-1,-1]],"
        "\"places\":[[1,2,3],[-1],[5,-7,1,1,1,1],\"x\",[9223372036854775807,1]]}]}",
        "{\"version\":1,\"libraries\":7,\"strings\":{}}",
        "{\"version\":1,\"libraries\":[1,null,\"\",{}],\"strings\":[1,null]}",
        "{\"version\":1}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_text(bad[i], VF_STR("0123456789")), VF_OK);
        const struct vf_packed_library *lib = vf_packed_library(&symbols, VF_STR("/a"), VF_STR(""));
        if (lib) {
            assert_int_equal(vf_packed_function(lib, 3)->code.len, 0);
            assert_int_equal(vf_packed_function(lib, 3)->name.len, 0);
            assert_int_equal(vf_packed_function(lib, UINT64_MAX) == NULL, 1);
        }
        vf_packed_symbols_release(&symbols);
    }
}

static void what_is_no_symbols_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "[]", "7", "{}", "{\"version\":2}", "{\"version\":\"1\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_text(bad[i], VF_STR("")), VF_FATAL);
        assert_int_equal(symbols.libraries.len, 0);
        vf_packed_symbols_release(&symbols);
    }
}

static void every_cut_and_every_changed_byte_is_survived(void **state)
{
    char copy[sizeof good];
    struct vf_error error;
    (void)state;
    for (size_t n = 0; n < sizeof good - 1; n++) {
        vf_packed_symbols_read(&symbols, (struct vf_str){good, n}, VF_STR("abc"), &error);
        vf_packed_symbols_release(&symbols);
        for (const char *to = "0-9\"[{,"; *to; to++) {
            memcpy(copy, good, sizeof good);
            copy[n] = *to;
            if (vf_packed_symbols_read(&symbols, vf_str_from(copy), VF_STR("abc"), &error) == VF_OK)
                for (size_t i = 0; i < symbols.libraries.len; i++) {
                    const struct vf_packed_library *lib = &symbols.libraries.items[i];
                    const struct vf_packed_function *f = vf_packed_function(lib, 4100);
                    if (f)
                        vf_packed_place(lib, f, 4100);
                    vf_packed_next_line(lib, 4100);
                }
            vf_packed_symbols_release(&symbols);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_has_its_name_place_and_code),
        cmocka_unit_test(a_function_around_another_is_whole),
        cmocka_unit_test(an_instruction_has_what_is_inlined_there),
        cmocka_unit_test(lines_hold_until_the_next_ones_of_the_function),
        cmocka_unit_test(another_build_is_another_library),
        cmocka_unit_test(numbers_out_of_range_are_not_followed),
        cmocka_unit_test(what_is_no_symbols_is_refused),
        cmocka_unit_test(every_cut_and_every_changed_byte_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

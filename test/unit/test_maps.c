/* Memory maps: which file lies where, as the kernel tells it and as damaged captures do. */
#include "test.h"

#include "capture/maps.h"

#include <stdio.h>

static struct vf_maps maps;

static void parse(const char *text)
{
    vf_maps_parse(&maps, vf_str_from(text));
}

/* "libc.so+0x10", or "none". */
static void assert_at(uint64_t address, const char *expected)
{
    char text[300] = "none";
    const struct vf_map *map = vf_maps_find(&maps, address);
    if (map)
        snprintf(text, sizeof text, "%.*s+0x%llx", VF_STR_ARG(map->path),
                 (unsigned long long)(address - map->base));
    assert_string_equal(text, expected);
}

static void an_address_has_its_file_and_offset(void **state)
{
    (void)state;
    parse("7f0000200000-7f0000300000 r-xp 00100000 fe:00 12  /lib/b.so\n"
          "7f0000000000-7f0000100000 r--p 00000000 fe:00 11  /lib/with a blank.so\n"
          "7f0000300000-7f0000301000 rw-p 00000000 00:00 0 \n"
          "7ffe00000000-7ffe00001000 r-xp 00000000 00:00 0   [vdso]\n"
          "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]");
    assert_int_equal(maps.v.len, 5);
    assert_at(0x7f0000000000, "/lib/with a blank.so+0x0");
    assert_at(0x7f00000fffff, "/lib/with a blank.so+0xfffff");
    assert_at(0x7f0000100000, "none");
    assert_at(0x7f0000200010, "/lib/b.so+0x100010");
    assert_at(0x7f0000300010, "+0x10");
    assert_at(0x7ffe00000010, "[vdso]+0x10");
    assert_at(0xffffffffff600001, "+0x1");
    assert_at(0, "none");
    assert_at(UINT64_MAX, "none");
    assert_true(vf_maps_find(&maps, 0x7f0000200010)->executable);
    assert_false(vf_maps_find(&maps, 0x7f0000000000)->executable);
    vf_maps_release(&maps);
}

/* Segments need not lie as far apart in memory as in the file. */
static void all_segments_of_a_file_count_from_its_first(void **state)
{
    (void)state;
    parse("7f0000000000-7f0000010000 r--p 00000000 fe:00 1 /lib/a.so\n"
          "7f0000010000-7f0000020000 r-xp 0000f000 fe:00 1 /lib/a.so\n"
          "7f0000020000-7f0000030000 rw-p 0001d000 fe:00 1 /lib/a.so\n");
    assert_at(0x7f0000000010, "/lib/a.so+0x10");
    assert_at(0x7f0000010010, "/lib/a.so+0x10010");
    assert_at(0x7f0000020010, "/lib/a.so+0x20010");
    vf_maps_release(&maps);
}

static void a_file_that_was_replaced_keeps_its_name(void **state)
{
    (void)state;
    parse("1000-2000 r-xp 00000000 fe:00 1 /lib/a.so (deleted)\n");
    assert_at(0x1000, "/lib/a.so+0x0");
    vf_maps_release(&maps);
}

static void lines_that_are_no_maps_are_passed_over(void **state)
{
    (void)state;
    parse("\n \nmaps\n1000\n1000-\n-2000 r-xp 0 0 0 /a\n2000-1000 r-xp 0 0 0 /a\n"
          "1000-1000 r-xp 0 0 0 /a\n1000-2000\n1000-2000 r-x 0 0 0 /a\n"
          "xyz-2000 r-xp 0 0 0 /a\n11111111111111111-2000 r-xp 0 0 0 /a\n"
          "1000-2000 r-xp zero 0 0 /a\n5000-6000 r-xp 0 0 0 /good\n");
    assert_int_equal(maps.v.len, 1);
    assert_at(0x5001, "/good+0x1");
    vf_maps_release(&maps);
    parse("");
    assert_at(0x5001, "none");
    vf_maps_release(&maps);
}

static void an_offset_beyond_the_address_does_no_harm(void **state)
{
    (void)state;
    parse("1000-2000 r-xp ffffffffffffffff 0 0 /a\n");
    assert_at(0x1010, "/a+0x10");
    vf_maps_release(&maps);
}

/* The program maps the file itself, and that lies just below the library. */
static void a_mapping_of_the_whole_file_moves_no_addresses(void **state)
{
    (void)state;
    parse("7f0000000000-7f0000004000 r--s 00000000 fe:00 1 /lib/a.so\n"
          "7f0000004000-7f0000005000 r--p 00000000 fe:00 1 /lib/a.so\n"
          "7f0000005000-7f0000006000 r-xp 00001000 fe:00 1 /lib/a.so\n");
    assert_at(0x7f0000001010, "/lib/a.so+0x1010");
    assert_at(0x7f0000005010, "/lib/a.so+0x1010");
    vf_maps_release(&maps);
}

static void libraries_that_were_unloaded_are_kept(void **state)
{
    struct vf_buf fresh = {0};
    (void)state;
    vf_buf_str(&fresh, VF_STR("7f0000000000-7f0000002000 r-xp 00000000 fe:00 1 /lib/new.so\n"
                              "7f0000009000-7f000000a000 rw-p 00000000 00:00 0\n"));
    vf_maps_keep_old(&fresh, VF_STR("7f0000001000-7f0000003000 r-xp 00000000 fe:00 2 /lib/over.so\n"
                                    "7f0000004000-7f0000005000 r-xp 00000000 fe:00 3 /lib/gone.so\n"
                                    "7f0000007000-7f0000008000 rw-p 00000000 00:00 0\n"
                                    "no map\n"));
    vf_maps_parse(&maps, vf_buf_view(&fresh));
    assert_at(0x7f0000001010, "/lib/new.so+0x1010"); /* something else lies there now */
    assert_at(0x7f0000002010, "none");
    assert_at(0x7f0000004010, "/lib/gone.so+0x10");
    assert_int_equal(maps.v.len, 3);
    vf_maps_release(&maps);
    vf_buf_release(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_its_file_and_offset),
        cmocka_unit_test(all_segments_of_a_file_count_from_its_first),
        cmocka_unit_test(a_file_that_was_replaced_keeps_its_name),
        cmocka_unit_test(lines_that_are_no_maps_are_passed_over),
        cmocka_unit_test(an_offset_beyond_the_address_does_no_harm),
        cmocka_unit_test(a_mapping_of_the_whole_file_moves_no_addresses),
        cmocka_unit_test(libraries_that_were_unloaded_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

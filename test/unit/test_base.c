/* Slices, errors, memory, JSON text and the hash index. */
#include "test.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static void assert_str(struct vf_str found, const char *expected)
{
    if (!vf_str_eq(found, vf_str_from(expected)))
        fail_msg("'%.*s', not '%s'", VF_STR_ARG(found), expected);
}

/* ---- str ------------------------------------------------------------------------------------- */

static void a_slice_is_cut_at_the_first_separator(void **state)
{
    (void)state;
    struct vf_str s = VF_STR("a:b::c");
    assert_str(vf_str_cut(&s, ':'), "a");
    assert_str(vf_str_cut(&s, ':'), "b");
    assert_str(vf_str_cut(&s, ':'), "");
    assert_str(vf_str_cut(&s, ':'), "c");
    assert_str(s, "");
    assert_str(vf_str_cut(&s, ':'), "");
    s = VF_STR("\0x\0y");
    assert_int_equal(vf_str_cut(&s, 'y').len, 3);
    s = (struct vf_str){NULL, 0};
    assert_str(vf_str_cut(&s, ':'), "");
    assert_int_equal(s.len, 0);
}

static void slices_are_compared_by_their_bytes(void **state)
{
    (void)state;
    struct vf_str nothing = {NULL, 0};
    assert_true(vf_str_eq(nothing, VF_STR("")));
    assert_false(vf_str_eq(VF_STR("a\0b"), VF_STR("a\0c")));
    assert_false(vf_str_eq(VF_STR("a"), VF_STR("ab")));
    assert_true(vf_str_starts(VF_STR("profile"), VF_STR("pro")));
    assert_false(vf_str_starts(VF_STR("pro"), VF_STR("profile")));
    assert_true(vf_str_ends(VF_STR("a.prof"), VF_STR(".prof")));
    assert_false(vf_str_ends(VF_STR("prof"), VF_STR(".prof")));
    assert_true(vf_str_starts(nothing, VF_STR("")));
    assert_true(vf_str_ends(nothing, nothing));
    assert_str(vf_str_basename(VF_STR("/usr/lib/a.so")), "a.so");
    assert_str(vf_str_basename(VF_STR("a.so")), "a.so");
    assert_str(vf_str_basename(VF_STR("/usr/")), "");
    assert_str(vf_str_basename(nothing), "");
    assert_int_equal(vf_str_from(NULL).len, 0);
}

static void a_number_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned base;
        bool good;
        uint64_t value;
    } cases[] = {
        {"0", 10, true, 0},
        {"000012", 10, true, 12},
        {"18446744073709551615", 10, true, UINT64_MAX},
        {"18446744073709551616", 10, false, 0},
        {"18446744073709551620", 10, false, 0},
        {"99999999999999999999", 10, false, 0},
        {"ffffffffffffffff", 16, true, UINT64_MAX},
        {"DeadBeef", 16, true, 0xdeadbeef},
        {"10000000000000000", 16, false, 0},
        {"", 10, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {" 1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"a", 10, false, 0},
        {"g", 16, false, 0},
        {"0x10", 16, false, 0},
        {"1:", 10, false, 0}, /* the character behind '9' */
        {"/", 10, false, 0},  /* and the one before '0' */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 77;
        bool good = vf_str_to_u64(vf_str_from(cases[i].text), cases[i].base, &value);
        if (good != cases[i].good || value != (good ? cases[i].value : 77))
            fail_msg("'%s': %d, %llu", cases[i].text, good, (unsigned long long)value);
    }
}

static void seconds_are_read_exactly_to_nanoseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t ns;
    } cases[] = {
        {"451.359228", true, 451359228000},
        {"0", true, 0},
        {"7", true, 7000000000},
        {"0.000000001", true, 1},
        {"0.0000000019", true, 1},
        {"0.1", true, 100000000},
        {"9406.325184", true, 9406325184000},
        {"9223372035.999999999", true, 9223372035999999999},
        {"9223372036.0", false, 0},
        {"18446744073709551616.0", false, 0},
        {"", false, 0},
        {".", false, 0},
        {".5", false, 0},
        {"1.2.3", false, 0},
        {"1.a", false, 0},
        {"-1.5", false, 0},
        {"1e3", false, 0},
        {"1,5", false, 0},
        {" 1.5", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ns = 77;
        bool good = vf_str_to_ns(vf_str_from(cases[i].text), &ns);
        if (good != cases[i].good || ns != (good ? cases[i].ns : 77))
            fail_msg("'%s': %d, %lld", cases[i].text, good, (long long)ns);
    }
}

/* ---- error ----------------------------------------------------------------------------------- */

static void an_error_reads_as_one_line(void **state)
{
    (void)state;
    struct vf_error error;
    char line[600], small[8];
    assert_int_equal(vf_fail(&error, "expected %d, found %s", 3, "nothing"), VF_FATAL);
    assert_string_equal(vf_error_line(&error, line, sizeof line), "expected 3, found nothing");
    assert_int_equal(vf_fail_at(&error, 0x1f4, "expected a stack depth"), VF_FATAL);
    assert_string_equal(vf_error_line(&error, line, sizeof line),
                        "byte 0x1f4: expected a stack depth");
    assert_string_equal(vf_error_line(&error, small, sizeof small), "byte 0x");
    assert_int_equal(vf_fail_errno(&error, ENOENT, "can't be opened"), VF_FATAL);
    assert_string_equal(vf_error_line(&error, line, sizeof line),
                        "can't be opened: No such file or directory");
    assert_int_equal(vf_fail(NULL, "nobody hears it"), VF_FATAL);
    assert_int_equal(vf_fail_at(NULL, 1, "nobody"), VF_FATAL);
    assert_int_equal(vf_fail_errno(NULL, ENOENT, "nobody"), VF_FATAL);
}

static void a_long_error_is_cut_and_terminated(void **state)
{
    (void)state;
    struct vf_error error;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    vf_fail_errno(&error, ENOENT, "%s", text);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    text[sizeof error.text - 1 - 6] = 0;
    vf_fail_errno(&error, ENOENT, "%s", text);
    assert_string_equal(error.text + sizeof error.text - 1 - 6, ": No s");
}

static void warnings_are_kept_up_to_a_number_and_all_counted(void **state)
{
    (void)state;
    struct vf_warnings *warnings = vf_alloc_zeroed(1, sizeof *warnings);
    struct vf_error error;
    vf_warn(warnings, "number %d", 0);
    vf_fail_at(&error, 5, "damaged");
    vf_warn_error(warnings, &error);
    for (int i = 2; i < 100; i++)
        vf_warn(warnings, "number %d", i);
    vf_warn_error(warnings, &error);
    assert_int_equal(warnings->count, 101);
    assert_string_equal(warnings->items[0].text, "number 0");
    assert_string_equal(warnings->items[1].text, "damaged");
    assert_true(warnings->items[1].has_offset);
    assert_int_equal(warnings->items[1].offset, 5);
    assert_string_equal(warnings->items[VF_WARNINGS_KEPT - 1].text, "number 31");
    vf_warn(NULL, "nobody hears it");
    vf_warn_error(NULL, &error);
    free(warnings);
}

/* ---- mem ------------------------------------------------------------------------------------- */

static jmp_buf out_of_memory;
static size_t wanted;

static void note_oom(size_t bytes)
{
    wanted = bytes;
    longjmp(out_of_memory, 1);
}

static void a_size_that_overflows_is_out_of_memory(void **state)
{
    (void)state;
    struct vf_arena arena = {0};
    volatile int step = 0;
    vf_set_oom_handler(note_oom);
    if (setjmp(out_of_memory) == 0 || ++step < 6) {
        if (step == 0)
            vf_alloc(SIZE_MAX / 2, 4);
        else if (step == 1)
            vf_alloc_zeroed(SIZE_MAX, SIZE_MAX);
        else if (step == 2)
            vf_realloc(NULL, (size_t)PTRDIFF_MAX + 1, 1);
        else if (step == 3)
            vf_arena_alloc(&arena, SIZE_MAX);
        else if (step == 4)
            vf_arena_alloc(&arena, PTRDIFF_MAX - 16);
        else
            vf_buf_reserve(&(struct vf_buf){0}, SIZE_MAX);
        fail_msg("step %d: memory was given", step);
    }
    vf_set_oom_handler(NULL);
    assert_int_equal(step, 6);
    assert_true(wanted > PTRDIFF_MAX);
    assert_null(arena.chunks);
}

static void nothing_can_be_allocated_too(void **state)
{
    (void)state;
    void *none = vf_alloc(0, 8);
    assert_non_null(none);
    none = vf_realloc(none, 0, 0);
    assert_non_null(none);
    free(none);
    char *copy = vf_strdup((struct vf_str){NULL, 0});
    assert_string_equal(copy, "");
    free(copy);
    copy = vf_strdup((struct vf_str){"abc", 2});
    assert_string_equal(copy, "ab");
    free(copy);
}

static void an_arena_gives_zeroed_aligned_memory_that_stays(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct vf_arena arena = {0};
    unsigned char *all[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 97 + (i % 500 == 499 ? 200000 : 0);
        all[i] = vf_arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)all[i] % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < size; j++)
            assert_int_equal(all[i][j], 0);
        memset(all[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < i % 97; j++)
            assert_int_equal(all[i][j], i & 0xff);
    vf_arena_release(&arena);
    assert_null(arena.chunks);
    vf_arena_release(&arena);
}

static void an_arena_keeps_text_with_a_nul_behind_it(void **state)
{
    (void)state;
    struct vf_arena arena = {0};
    char from[] = "name";
    struct vf_str copy = vf_arena_str(&arena, (struct vf_str){from, 3});
    from[0] = 'x';
    assert_string_equal(copy.ptr, "nam");
    assert_int_equal(copy.len, 3);
    copy = vf_arena_str(&arena, (struct vf_str){NULL, 0});
    assert_string_equal(copy.ptr, "");
    copy = vf_arena_printf(&arena, "%s-%d", "thread", 12);
    assert_string_equal(copy.ptr, "thread-12");
    assert_int_equal(copy.len, 9);
    copy = vf_arena_printf(&arena, "%100000d", 1);
    assert_int_equal(copy.len, 100000);
    assert_int_equal(copy.ptr[99999], '1');
    vf_arena_release(&arena);
}

static void a_vector_grows_and_keeps_its_items(void **state)
{
    (void)state;
    struct item {
        int number, other;
    };
    VF_VEC(struct item) items = {0};
    VF_VEC(uint64_t) numbers = {0};
    for (int i = 0; i < 1000; i++) {
        struct item *item = VF_PUSH(&items);
        assert_int_equal(item->number, 0);
        assert_int_equal(item->other, 0);
        item->number = item->other = i;
        VF_APPEND(&numbers, (uint64_t)i << 40);
    }
    assert_int_equal(items.len, 1000);
    assert_int_equal(numbers.len, 1000);
    assert_true(items.cap >= 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(items.items[i].number, i);
        assert_int_equal(numbers.items[i], (uint64_t)i << 40);
    }
    free(items.items);
    free(numbers.items);
}

/* ---- table ----------------------------------------------------------------------------------- */

static bool table_has(const struct vf_table *t, const uint64_t *keys, uint64_t hash, uint64_t key,
                      uint32_t *row)
{
    struct vf_probe probe = vf_table_probe(t, hash);
    while (vf_table_next(t, &probe, row))
        if (keys[*row] == key)
            return true;
    return false;
}

static void a_table_finds_each_of_100000_rows_and_no_other(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct vf_table table = {0};
    uint64_t *keys = vf_alloc(COUNT, sizeof *keys);
    uint32_t row;
    for (uint32_t i = 0; i < COUNT; i++) {
        keys[i] = (uint64_t)i * 16; /* as code ids are */
        assert_false(table_has(&table, keys, vf_hash_u64(keys[i], 1), keys[i], &row));
        vf_table_insert(&table, vf_hash_u64(keys[i], 1), i);
    }
    assert_int_equal(table.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(table_has(&table, keys, vf_hash_u64(keys[i], 1), keys[i], &row));
        assert_int_equal(row, i);
        assert_false(table_has(&table, keys, vf_hash_u64(keys[i] + 1, 1), keys[i] + 1, &row));
    }
    vf_table_release(&table);
    assert_false(table_has(&table, keys, 0, 0, &row));
    free(keys);
}

static void rows_of_one_hash_are_told_apart(void **state)
{
    (void)state;
    struct vf_table table = {0};
    uint64_t keys[300];
    uint32_t row;
    for (uint32_t i = 0; i < 300; i++) {
        keys[i] = i + 1000;
        vf_table_insert(&table, UINT32_MAX, i); /* the last slot: the search goes round */
    }
    for (uint32_t i = 0; i < 300; i++) {
        assert_true(table_has(&table, keys, UINT32_MAX, i + 1000, &row));
        assert_int_equal(row, i);
    }
    assert_false(table_has(&table, keys, UINT32_MAX, 5, &row));
    vf_table_release(&table);
}

static void bytes_hash_by_their_content(void **state)
{
    (void)state;
    char one[] = "stack", two[] = "stack";
    assert_true(vf_hash_bytes(one, 5) == vf_hash_bytes(two, 5));
    assert_true(vf_hash_bytes(one, 5) != vf_hash_bytes(two, 4));
    assert_true(vf_hash_bytes(NULL, 0) == vf_hash_bytes("", 0));
    assert_true(vf_hash_u64(1, 2) != vf_hash_u64(2, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_is_cut_at_the_first_separator),
        cmocka_unit_test(slices_are_compared_by_their_bytes),
        cmocka_unit_test(a_number_is_read_whole_or_not_at_all),
        cmocka_unit_test(seconds_are_read_exactly_to_nanoseconds),
        cmocka_unit_test(an_error_reads_as_one_line),
        cmocka_unit_test(a_long_error_is_cut_and_terminated),
        cmocka_unit_test(warnings_are_kept_up_to_a_number_and_all_counted),
        cmocka_unit_test(a_size_that_overflows_is_out_of_memory),
        cmocka_unit_test(nothing_can_be_allocated_too),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_memory_that_stays),
        cmocka_unit_test(an_arena_keeps_text_with_a_nul_behind_it),
        cmocka_unit_test(a_vector_grows_and_keeps_its_items),
        cmocka_unit_test(a_table_finds_each_of_100000_rows_and_no_other),
        cmocka_unit_test(rows_of_one_hash_are_told_apart),
        cmocka_unit_test(bytes_hash_by_their_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The Firefox Profiler file for odd input: texts that are not text, no samples, counters, sources,
 * allocations, weights. */
#include "test.h"

#include "written.h"

#include <math.h>

/* ---- texts ----------------------------------------------------------------------------------- */

static void weird_text_stays_valid_json(void **state)
{
    (void)state;
    static const char weird[] =
        "a\0b\x01\x1f\x7f\"\\/\n\r\t\xff\xc3\x28\xed\xa0\x80\xf0\x9f\x98\x80"
        "\xe2\x80\xa8</script>\xf4\x90\x80\x80\xc3";
    struct vf_str all = {weird, sizeof weird - 1};
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    prof_u8(&r.file, 2);
    prof_addr(&r.file, 0x10);
    prof_word(&r.file, 3 + all.len + 3 + all.len);
    vf_buf_str(&r.file.out, VF_STR("py:"));
    vf_buf_str(&r.file.out, all);
    vf_buf_str(&r.file.out, VF_STR(":7:"));
    vf_buf_str(&r.file.out, all);
    VF_APPEND(&r.capture.sources, ((struct vf_source_text){all, VF_STR(""), all}));
    VF_APPEND(&r.capture.info.threads, ((struct vf_thread_name){.tid = 9, .name = all}));
    r.capture.info.pid = 9;
    r.capture.info.command = r.capture.info.program = r.capture.info.cpu = all;
    r.capture.info.interpreter = r.capture.info.host = r.capture.info.os = all;
    TAKE(&r, CODE(0x10));
    json_t *root = written(&r);
    assert_sound(root);
    json_t *name = at(root, "threads.0.name");
    static const char clean[] =
        "a\0b\x01\x1f\x7f\"\\/\n\r\t\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
        "\xf0\x9f\x98\x80\xe2\x80\xa8</script>\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
        "\xef\xbf\xbd";
    assert_int_equal(json_string_length(name), sizeof clean - 1);
    assert_memory_equal(json_string_value(name), clean, sizeof clean);
    json_t *content = at(root, "shared.sources.content.0");
    assert_int_equal(json_string_length(content), sizeof clean - 1);
    assert_memory_equal(json_string_value(content), clean, sizeof clean);
    json_decref(root);
    recording_release(&r);
}

static void a_source_has_its_text_or_none(void **state)
{
    (void)state;
    static const char *const paths[] = {"/text.py", "/empty.py", "/empty_member.py", "/none.py"};
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    for (uint64_t i = 0; i < 4; i++) {
        char name[64] = "py:f:1:";
        strcat(name, paths[i]);
        recording_name(&r, 0x10 + 2 * i, name);
        TAKE(&r, CODE(0x10 + 2 * i));
    }
    recording_source(&r, "/text.py", "", VF_STR("x = 1\n"));
    recording_source(&r, "/empty.py", "", VF_STR(""));
    recording_source(&r, "/empty_member.py", "", (struct vf_str){NULL, 0});
    json_t *root = written(&r), *sources = at(root, "shared.sources");
    assert_sound(root);
    assert_true(number(sources, "length") == 4);
    for (size_t i = 0; i < 4; i++) {
        const char *path = string_at(root, sources, "filename", i);
        const char *content = json_string_value(cell(sources, "content", i));
        if (strcmp(path, "/text.py") == 0)
            assert_string_equal(content, "x = 1\n");
        else if (strcmp(path, "/none.py") == 0)
            assert_true(json_is_null(cell(sources, "content", i)));
        else
            assert_string_equal(content, "");
    }
    json_decref(root);
    recording_release(&r);
}

/* ---- what may be missing --------------------------------------------------------------------- */

static void an_empty_profile_is_a_profile(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    json_t *root = written(&r);
    assert_sound(root);
    assert_int_equal(json_array_size(at(root, "threads")), 1);
    assert_true(number(root, "threads.0.samples.length") == 0);
    assert_true(json_is_true(at(root, "threads.0.isMainThread")));
    assert_int_equal(json_array_size(at(root, "counters")), 0);
    assert_int_equal(json_array_size(at(root, "libs")), 0);
    assert_string_equal(text(root, "threads.0.pid"), "0");
    assert_true(number(root, "meta.interval") > 0);
    json_decref(root);
    recording_release(&r);
}

/* Counts are differences and the first is not looked at: 0, then the whole level. */
static void a_counter_starts_at_zero_and_steps_to_its_level(void **state)
{
    (void)state;
    static const double expected[] = {0, 102400, 204800, -153600};
    static const uint64_t kb[] = {100, 300, 150};
    struct recording r;
    recording_begin(&r, 6, 1, "cpython");
    for (size_t i = 0; i < 3; i++) {
        r.next.memory_kb = kb[i];
        TAKE(&r, CODE(0x10));
    }
    json_t *root = written(&r), *samples = at(root, "counters.0.samples");
    assert_sound(root);
    assert_true(number(samples, "length") == 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(json_number_value(cell(samples, "count", i)) == expected[i]);
    assert_true(number(samples, "time.0") == number(samples, "time.1"));
    assert_string_equal(text(root, "counters.0.display.unit"), "bytes");
    assert_string_equal(text(root, "counters.0.display.graphType"), "line-accumulated");
    assert_string_equal(text(root, "counters.0.pid"), text(root, "threads.0.pid"));
    json_decref(root);
    recording_release(&r);
}

static void allocations_are_native_allocations_in_bytes(void **state)
{
    (void)state;
    static const struct prof_frame stack[] = {CODE(0x10)};
    struct prof_sample allocation = {stack, 1, 0, 0, 5000000000};
    struct recording r;
    recording_begin_fork(&r, 8, "pypy");
    prof_meta(&r.file, "sample_allocated_bytes", "4096");
    prof_meta(&r.file, "start_time_offset", "4.5");
    prof_stack(&r.file, 0x09, &allocation);
    json_t *root = written(&r), *rows = at(root, "threads.0.nativeAllocations");
    assert_sound(root);
    assert_true(number(rows, "length") == 1);
    assert_true(number(rows, "time.0") == 500);
    assert_true(number(rows, "weight.0") == 4096);
    assert_string_equal(text(rows, "weightType"), "bytes");
    assert_true(number(rows, "stack.0") == 0);
    assert_true(number(root, "threads.0.samples.length") == 0);
    json_decref(root);
    recording_release(&r);
}

static void without_allocations_there_is_no_table_for_them(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    TAKE(&r, CODE(0x10));
    json_t *root = written(&r);
    assert_null(json_object_get(at(root, "threads.0"), "nativeAllocations"));
    assert_null(json_object_get(at(root, "threads.0.samples"), "threadCPUDelta"));
    json_decref(root);
    recording_release(&r);
}

static void weights_are_written_where_they_differ(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 7, 0, "cpython");
    recording_take_at(&r, 1, 10000000);
    recording_take_at(&r, 1, 12500000);
    json_t *root = written(&r), *samples = at(root, "threads.0.samples");
    assert_sound(root);
    assert_true(number(samples, "weight.0") == 1);
    assert_true(number(samples, "weight.1") == 2.5);
    assert_string_equal(text(samples, "weightType"), "samples");
    json_decref(root);
    recording_release(&r);
}

static void cpu_time_is_in_nanoseconds_from_the_second_sample_on(void **state)
{
    (void)state;
    struct recording r;
    const int64_t second = 1000000000;
    recording_begin(&r, 6, 0, "cpython");
    r.capture.info.start_monotonic_ns = 5 * second;
    r.capture.info.pid = 7;
    recording_take_at(&r, 1, 0);
    recording_stamp(&r, 6 * second);
    recording_take_at(&r, 1, 0);
    recording_stamp(&r, 7 * second);
    recording_cpu(&r, 5 * second, 7, 0);
    recording_cpu(&r, 9 * second, 7, second);
    json_t *root = written(&r), *samples = at(root, "threads.0.samples");
    assert_sound(root);
    assert_true(json_is_null(at(samples, "threadCPUDelta.0")));
    assert_true(number(samples, "threadCPUDelta.1") == 250000000);
    assert_string_equal(text(root, "meta.sampleUnits.threadCPUDelta"), "ns");
    json_decref(root);
    recording_release(&r);
}

static void profile_info_says_where_the_times_come_from(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    TAKE(&r, CODE(0x10));
    json_t *root = written(&r), *section, *entry;
    size_t s, e, found = 0;
    json_array_foreach(at(root, "meta.extra"), s, section)
        json_array_foreach(at(section, "entries"), e, entry)
    {
        assert_string_equal(text(entry, "format"), "string");
        if (strcmp(text(entry, "label"), "Sample times") == 0)
            found += strncmp(text(entry, "value"), "ESTIMATE", 8) == 0;
    }
    assert_int_equal(found, 1);
    json_decref(root);
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weird_text_stays_valid_json),
        cmocka_unit_test(a_source_has_its_text_or_none),
        cmocka_unit_test(an_empty_profile_is_a_profile),
        cmocka_unit_test(a_counter_starts_at_zero_and_steps_to_its_level),
        cmocka_unit_test(allocations_are_native_allocations_in_bytes),
        cmocka_unit_test(without_allocations_there_is_no_table_for_them),
        cmocka_unit_test(weights_are_written_where_they_differ),
        cmocka_unit_test(cpu_time_is_in_nanoseconds_from_the_second_sample_on),
        cmocka_unit_test(profile_info_says_where_the_times_come_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The library behind include/vmfox/vmfox.h: what a program that links with it gets. */
#include "test.h"

#include "vmfox/vmfox.h"

#include "folder.h"
#include "prof_builder.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

static char message[600];

/* A profile of two samples, cut `less` bytes before its end. */
static void put_prof(const char *path, size_t less)
{
    static const struct prof_frame frames[] = {{1, 0x10, 0}};
    struct prof_builder b = {.word_bytes = 8, .addr_bytes = 8, .version = 6};
    prof_static_header(&b, 1000);
    prof_header(&b, "cpython");
    prof_start_time(&b, 1700000000, 0);
    prof_name(&b, 2, 0x10, "py:main:1:/a.py");
    prof_stack(&b, 1, &(struct prof_sample){.frames = frames, .depth = 1});
    prof_stack(&b, 1, &(struct prof_sample){.frames = frames, .depth = 1});
    prof_trailer(&b, 1700000001, 0);
    folder_put(path, (struct vf_str){b.out.ptr, b.out.len - less}, 0644);
    vf_buf_release(&b.out);
}

static void assert_samples(const char *path, json_int_t expected)
{
    static char text[1 << 16];
    gzFile in = gzopen(path, "rb"); /* plain files too */
    assert_non_null(in);
    int len = gzread(in, text, sizeof text);
    assert_true(len > 0);
    gzclose(in);
    json_t *root = json_loadb(text, (size_t)len, 0, NULL);
    assert_non_null(root);
    json_t *samples =
        json_object_get(json_array_get(json_object_get(root, "threads"), 0), "samples");
    assert_int_equal(json_integer_value(json_object_get(samples, "length")), expected);
    json_decref(root);
}

static bool is_gzip(const char *path)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    bool yes = fgetc(in) == 0x1f && fgetc(in) == 0x8b;
    fclose(in);
    return yes;
}

static void assert_converted(const char *in, const char *out, enum vmfox_status status,
                             const char *said)
{
    memset(message, 'x', sizeof message);
    assert_int_equal(vmfox_convert(in, out, message, sizeof message), status);
    assert_string_equal(message, said);
}

static void a_whole_recording_is_converted_without_a_word(void **state)
{
    (void)state;
    put_prof("a.prof", 0);
    assert_converted("a.prof", "a.json", VMFOX_OK, "");
    assert_samples("a.json", 2);
    assert_false(is_gzip("a.json"));
    assert_converted("a.prof", "a.json.gz", VMFOX_OK, "");
    assert_samples("a.json.gz", 2);
    assert_true(is_gzip("a.json.gz"));
    assert_int_equal(vmfox_convert("a.prof", "b.json", NULL, 0), VMFOX_OK);
    assert_samples("b.json", 2);
    assert_int_equal(folder_count("."), 4);
}

static void a_cut_recording_gives_what_is_whole_and_says_where(void **state)
{
    (void)state;
    put_prof("a.prof", 25 + 8);
    assert_converted("a.prof", "a.json", VMFOX_PARTIAL,
                     "byte 0xa7: expected a thread id, found 0 bytes");
    assert_samples("a.json", 1);
    put_prof("a.prof", 25);
    assert_converted("a.prof", "a.json", VMFOX_PARTIAL,
                     "byte 0xaf: expected a record or the trailer, found the end of the file");
    assert_samples("a.json", 2);
}

static void a_failure_says_why_and_leaves_no_file(void **state)
{
    (void)state;
    put_prof("a.prof", 0);
    folder_put("text", VF_STR("this is no recording at all"), 0644);
    folder_put("done.json", VF_STR("{\"meta\": {}}"), 0644);
    assert_converted("gone.prof", "a.json", VMFOX_FAILED,
                     "can't be opened: No such file or directory");
    assert_converted("text", "a.json", VMFOX_FAILED,
                     "byte 0x0: expected a VMProf file (.prof), a .vmfox, a zip of "
                     "vmprof-firefox-converter or a Firefox Profiler file, found other data");
    assert_converted("done.json", "a.json", VMFOX_FAILED, "is a Firefox Profiler file already");
    assert_converted("a.prof", "a.txt", VMFOX_FAILED,
                     "a.txt: the name must end in .json, .json.gz, .jslb or .jslb.gz");
    assert_converted("a.prof", "a.gz", VMFOX_FAILED,
                     "a.gz: the name must end in .json, .json.gz, .jslb or .jslb.gz");
    assert_converted("a.prof", "gone/a.json", VMFOX_FAILED,
                     "can't be written: No such file or directory");
    assert_int_equal(vmfox_convert("gone.prof", "a.json", NULL, 0), VMFOX_FAILED);
    assert_int_equal(folder_count("."), 3);
}

static void a_failure_leaves_an_older_file_as_it_was(void **state)
{
    (void)state;
    put_prof("a.prof", 0);
    assert_converted("a.prof", "a.json", VMFOX_OK, "");
    assert_converted("gone.prof", "a.json", VMFOX_FAILED,
                     "can't be opened: No such file or directory");
    assert_samples("a.json", 2);
}

static void a_message_is_cut_to_its_room(void **state)
{
    (void)state;
    memset(message, 'x', sizeof message);
    assert_int_equal(vmfox_convert("gone.prof", "a.json", message, 6), VMFOX_FAILED);
    assert_string_equal(message, "can't");
    assert_int_equal(message[6], 'x');
    assert_int_equal(vmfox_convert("gone.prof", "a.json", message, 1), VMFOX_FAILED);
    assert_string_equal(message, "");
    message[0] = 'x';
    assert_int_equal(vmfox_convert("gone.prof", "a.json", message, 0), VMFOX_FAILED);
    assert_int_equal(message[0], 'x');
}

static void the_version_is_the_projects(void **state)
{
    (void)state;
    assert_string_equal(vmfox_version(), VF_VERSION);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_recording_is_converted_without_a_word),
        TEST(a_cut_recording_gives_what_is_whole_and_says_where),
        TEST(a_failure_says_why_and_leaves_no_file),
        TEST(a_failure_leaves_an_older_file_as_it_was),
        TEST(a_message_is_cut_to_its_room),
        TEST(the_version_is_the_projects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

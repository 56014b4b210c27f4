/* Captures in one file: what vmfox's own .vmfox and the zips of vmprof-firefox-converter give, and
 * what is said of those that are damaged, odd or hostile. */
#include "test.h"

#include "folder.h"
#include "opened.h"

#include <unistd.h>

/* ---- .vmfox ---------------------------------------------------------------------------------- */

static const char all_fields[] =
    "{\"version\": 1, \"command\": \"pypy3 'a b.py'\", \"program\": \"a b\","
    " \"interpreter\": \"PyPy 7.3.11\", \"interpreter_path\": \"/usr/bin/pypy3\","
    " \"working_dir\": \"/w\", \"host\": \"h\", \"cpu\": \"Z80\", \"os\": \"Linux 6\","
    " \"arch\": \"x86_64\", \"recorder\": \"vmfox 0.1.0\", \"pid\": 4711, \"cpu_count\": 8,"
    " \"memory_bytes\": 17179869184, \"children\": 1, \"sources_left_out\": 2,"
    " \"start_realtime_ns\": 1600000000000000000, \"start_monotonic_ns\": 5,"
    " \"end_monotonic_ns\": 6000000000, \"exit_code\": 3, \"exit_signal\": 9,"
    " \"channel\": \"socket\", \"channel_why\": \"no slot\", \"stamps\": \"kernel\","
    " \"timer\": \"perf\", \"timer_note\": \"2 ms\", \"records_left_out\": 12,"
    " \"samples_skipped\": 9, \"stacks_unreadable\": 11,"
    " \"jitlog_mode\": \"auto\", \"jitlog_detail_until_ns\": 77,"
    " \"jitlog_traces\": 8, \"jitlog_traces_brief\": 3,"
    " \"cost\": {\"samples\": 1, \"handler_ns\": 2, \"jitlog_ns\": 3, \"runtime_log_ns\": 4,"
    " \"recorder_cpu_ns\": 5, \"program_cpu_ns\": 6},"
    " \"threads\": [{\"number\": 1, \"tid\": 4712, \"from_ns\": 6, \"name\": \"w\\u00f6rker\"}],"
    " \"modules\": [{\"path\": \"/lib/a.so\", \"build_id\": \"ab12\"}],"
    " \"sources\": [{\"path\": \"/a...\", \"real_path\": \"/a/b.py\", \"member\": \"s/0\"},"
    " {\"path\": \"/c.py\", \"member\": \"s/1\"}]}";

static void assert_recorder_is_read(const struct vf_capture_info *info)
{
    const struct vf_capture_cost *cost = &info->cost;
    assert_str(info->channel, "socket");
    assert_str(info->channel_why, "no slot");
    assert_str(info->stamps, "kernel");
    assert_str(info->timer, "perf");
    assert_str(info->timer_note, "2 ms");
    assert_true(info->records_left_out == 12 && info->samples_skipped == 9);
    assert_int_equal(info->stacks_unreadable, 11);
    assert_str(info->jitlog_mode, "auto");
    assert_int_equal(info->jitlog_detail_until_ns, 77);
    assert_true(info->jitlog_traces == 8 && info->jitlog_traces_brief == 3);
    assert_true(cost->samples == 1 && cost->handler_ns == 2 && cost->jitlog_ns == 3);
    assert_true(cost->runtime_log_ns == 4 && cost->recorder_ns == 5 && cost->program_ns == 6);
}

static void all_of_a_vmfox_is_read(void **state)
{
    (void)state;
    OPEN_ZIP(PROF, PART("capture.json", all_fields), PART("stamps.i64", "12345678"),
             PART("interrupted.i64", "0123456789abcdef"), PART("memory.i64", "fedcba9876543210"),
             PART("cpu.i64", "abc"), PART("maps.txt", "the maps"), PART("profile.jitlog", "jit"),
             PART("profile.pypylog", "log"), PART("s/0", "x = 1\n"), PART("s/1", ""));
    taken(NULL);
    const struct vf_capture *c = &file.capture;
    const struct vf_capture_info *info = &c->info;
    assert_int_equal(c->kind, VF_CAPTURE_VMFOX);
    assert_true(vf_str_eq(c->prof, prof()));
    assert_str(c->stamps, "12345678");
    assert_str(c->interrupted, "0123456789abcdef");
    assert_str(c->memory, "fedcba9876543210");
    assert_str(c->cpu, "abc");
    assert_str(c->maps, "the maps");
    assert_str(c->jitlog, "jit");
    assert_str(c->pypylog, "log");
    assert_str(info->command, "pypy3 'a b.py'");
    assert_str(info->program, "a b");
    assert_str(info->interpreter, "PyPy 7.3.11");
    assert_str(info->interpreter_path, "/usr/bin/pypy3");
    assert_str(info->working_dir, "/w");
    assert_str(info->host, "h");
    assert_str(info->cpu, "Z80");
    assert_str(info->os, "Linux 6");
    assert_str(info->arch, "x86_64");
    assert_str(info->recorder, "vmfox 0.1.0");
    assert_true(info->pid == 4711 && info->cpu_count == 8 && info->memory_bytes == 17179869184);
    assert_true(info->children == 1 && info->sources_left_out == 2);
    assert_true(info->start_realtime_ns == 1600000000000000000 && info->start_monotonic_ns == 5);
    assert_true(info->end_monotonic_ns == 6000000000 && info->has_exit);
    assert_true(info->exit_code == 3 && info->exit_signal == 9);
    assert_true(info->threads.len == 1 && info->threads.items[0].tid == 4712);
    assert_int_equal(info->threads.items[0].number, 1);
    assert_int_equal(info->threads.items[0].from_ns, 6);
    assert_str(info->threads.items[0].name, "w\xc3\xb6rker");
    assert_recorder_is_read(info);
    assert_int_equal(info->modules.len, 1);
    assert_str(info->modules.items[0].path, "/lib/a.so");
    assert_str(info->modules.items[0].build_id, "ab12");
    assert_int_equal(c->sources.len, 2);
    assert_str(c->sources.items[0].path, "/a...");
    assert_str(c->sources.items[0].real_path, "/a/b.py");
    assert_str(c->sources.items[0].text, "x = 1\n");
    assert_str(c->sources.items[1].path, "/c.py");
    assert_str(c->sources.items[1].text, "");
    vf_capture_release(&file.capture);
}

static void little_is_needed(void **state)
{
    (void)state;
    OPEN_ZIP(PART("capture.json", "{\"version\":1}"), PROF);
    taken(NULL);
    assert_false(file.capture.info.has_exit);
    assert_int_equal(file.capture.stamps.len, 0);
    vf_capture_release(&file.capture);
}

static void a_column_that_ends_within_a_row_is_said(void **state)
{
    (void)state;
    static const char *const names[] = {"interrupted.i64", "memory.i64"};
    for (size_t i = 0; i < 2; i++) {
        OPEN_ZIP(PART("capture.json", "{\"version\":1,\"cost\":[1,{}]}"), PROF,
                 {names[i], VF_STR("0123456789abcdef+"), i == 0});
        taken(names[i]);
        assert_non_null(strstr(file.warnings.items[0].text, "ends within a row"));
        assert_int_equal(file.capture.info.cost.samples, 0);
        build_it(names[i]);
        vf_capture_release(&file.capture);
    }
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    OPEN_ZIP(PART("capture.json", "{\"version\":1}"));
    refused("expected a member profile.prof in the zip, found none");
    OPEN_ZIP(PROF);
    refused("expected capture.json (a .vmfox) or dict.json");
}

static void a_source_that_is_not_in_the_zip_is_said(void **state)
{
    (void)state;
    OPEN_ZIP(PROF,
             PART("capture.json",
                  "{\"version\":1,\"sources\":[{\"path\":\"/a.py\",\"member\":\"gone\"},"
                  "{\"path\":\"/b.py\",\"member\":\"s/1\"}]}"),
             PART("s/1", "pass"));
    taken("gone");
    assert_int_equal(file.capture.sources.len, 1);
    assert_str(file.capture.sources.items[0].path, "/b.py");
    vf_capture_release(&file.capture);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    OPEN_ZIP(PROF, PART("capture.json", "{\"version\":3}"));
    refused("capture.json says version 3; this vmfox reads versions 1 to 2");
    OPEN_ZIP(PROF, PART("capture.json", "{\"version\":\"1\"}"));
    refused("capture.json says version 0");
}

static void what_is_no_json_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\n\n\"version\": 1,}", "capture.json in the zip is not JSON: line 3: "},
        {"", "capture.json in the zip is not JSON"},
        {"[1]", "capture.json in the zip: expected an object"},
        {"{\"version\":1} more", "capture.json in the zip is not JSON: line 1: "},
        {"{\"version\":1,\"host\":\"\xff\"}", "capture.json in the zip is not JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        OPEN_ZIP(PROF, {"capture.json", vf_str_from(bad[i][0]), false});
        refused(bad[i][1]);
    }
    struct vf_buf deep = {0};
    for (size_t i = 0; i < 100000; i++)
        vf_buf_add(&deep, "[", 1);
    OPEN_ZIP(PROF, {"capture.json", vf_buf_view(&deep), false});
    refused("capture.json in the zip is not JSON");
    vf_buf_release(&deep);
}

/* The recorder writes \u0000 for a NUL, which a thread's name may hold. */
static void a_nul_in_a_name_loses_nothing(void **state)
{
    (void)state;
    OPEN_ZIP(PROF, PART("capture.json", "{\"version\":1,\"host\":\"h\",\"threads\":"
                                        "[{\"number\":1,\"tid\":2,\"name\":\"a\\u0000b\"}]}"));
    taken(NULL);
    assert_str(file.capture.info.host, "h");
    assert_int_equal(file.capture.info.threads.len, 1);
    assert_true(vf_str_eq(file.capture.info.threads.items[0].name, VF_STR("a\0b")));
    vf_capture_release(&file.capture);
}

static void json_of_wrong_types_does_no_harm(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "command",          "pid",       "memory_bytes", "start_realtime_ns", "start_monotonic_ns",
        "end_monotonic_ns", "exit_code", "exit_signal",  "threads",           "modules",
        "sources"};
    static const char *const values[] = {
        "null",
        "true",
        "-1",
        "1.5",
        "\"x\"",
        "[]",
        "{}",
        "[[]]",
        "[null, 1, \"x\"]",
        "[{\"tid\": \"x\", \"number\": [], \"name\": 1, \"path\": [], \"member\": {}}]",
        "[{\"path\": \"/a.py\"}, {\"member\": \"capture.json\"}]",
        "9223372036854775807",
        "-9223372036854775808"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            struct vf_buf json = {0};
            vf_buf_printf(&json, "{\"version\": 1, \"%s\": %s}", keys[k], values[v]);
            OPEN_ZIP(PROF, {"capture.json", vf_buf_view(&json), true},
                     PART("stamps.i64", "12345678"));
            taken(NULL);
            assert_int_equal(file.capture.sources.len, 0);
            build_it(values[v]);
            vf_capture_release(&file.capture);
            vf_buf_release(&json);
        }
}

static void an_exit_code_that_is_no_number_is_not_known(void **state)
{
    (void)state;
    OPEN_ZIP(PROF, PART("capture.json", "{\"version\":1,\"exit_code\":null}"));
    taken(NULL);
    assert_false(file.capture.info.has_exit);
    vf_capture_release(&file.capture);
}

static void negative_counts_are_not_known(void **state)
{
    (void)state;
    OPEN_ZIP(PROF, PART("capture.json", "{\"version\":1,\"pid\":-4,\"cpu_count\":-1}"));
    taken(NULL);
    assert_true(file.capture.info.pid == 0 && file.capture.info.cpu_count == 0);
    vf_capture_release(&file.capture);
}

/* ---- zips of the converter ------------------------------------------------------------------- */

static void all_of_a_converters_zip_is_read(void **state)
{
    (void)state;
    OPEN_ZIP({"data/x.prof", prof(), false}, PART("j", "jit"), PART("l", "log"),
             PART("s", "x = 1\n"),
             PART("dict.json", "{\"prof\": \"data/x.prof\", \"jitlog\": \"j\", \"pypylog\": \"l\","
                               " \"times\": [1650000000.5, 1650000003], \"/home/a.py\": \"s\"}"));
    taken(NULL);
    assert_int_equal(file.capture.kind, VF_CAPTURE_CONVERTER_ZIP);
    assert_true(vf_str_eq(file.capture.prof, prof()));
    assert_str(file.capture.jitlog, "jit");
    assert_str(file.capture.pypylog, "log");
    assert_true(file.capture.time_start_s == 1650000000.5);
    assert_true(file.capture.time_end_s == 1650000003);
    assert_int_equal(file.capture.sources.len, 1);
    assert_str(file.capture.sources.items[0].path, "/home/a.py");
    assert_str(file.capture.sources.items[0].text, "x = 1\n");
    vf_capture_release(&file.capture);
}

static void odd_entries_of_dict_json_are_said(void **state)
{
    (void)state;
    static const char *const odd[][2] = {
        {"\"/a.py\": 1", "dict.json: /a.py names no member"},
        {"\"/a.py\": null", "dict.json: /a.py names no member"},
        {"\"/a.py\": \"gone\"", "dict.json: member gone of /a.py is not in the zip"},
        {"\"/a.py\": \"/etc/passwd\"", "dict.json: member /etc/passwd of /a.py is not in the zip"},
        {"\"times\": [1]", "dict.json: times names no member"},
        {"\"times\": \"gone\"", "dict.json: member gone of times is not in the zip"},
        {"\"jitlog\": []", "dict.json: jitlog names no member"},
        {"\"times\": [\"x\", null]", "dict.json: expected two times, found 0 and 0"},
        {"\"times\": [5, 3]", "dict.json: expected two times, found 5 and 3"},
        {"\"times\": [-1, 3]", "dict.json: expected two times, found -1 and 3"},
        {"\"times\": [1, 1e300]", "dict.json: expected two times, found 1 and 1e+300"},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct vf_buf json = {0};
        vf_buf_printf(&json, "{%s, \"prof\": \"p\"}", odd[i][0]);
        OPEN_ZIP({"p", prof(), false}, {"dict.json", vf_buf_view(&json), false});
        taken(odd[i][1]);
        build_it(odd[i][0]);
        assert_int_equal(file.capture.sources.len, 0);
        vf_capture_release(&file.capture);
        vf_buf_release(&json);
    }
    OPEN_ZIP({"p", prof(), false}, PART("dict.json", "{\"prof\": 3}"));
    refused("expected dict.json to name a VMProf file as \"prof\", found none");
    OPEN_ZIP({"p", prof(), false}, PART("dict.json", "[]"));
    refused("dict.json in the zip: expected an object");
}

/* Names inside are names of members and nothing else. */
static void member_names_are_not_paths(void **state)
{
    (void)state;
    folder_put("in/secret.py", VF_STR("secret"), 0644);
    assert_int_equal(chdir("in"), 0);
    OPEN_ZIP({"../p", prof(), false}, PART("../../evil.py", "up"),
             PART("/tmp/vmfox-evil.py", "root"),
             PART("dict.json", "{\"prof\": \"../p\", \"a\": \"../../evil.py\","
                               " \"b\": \"/tmp/vmfox-evil.py\", \"c\": \"secret.py\"}"));
    taken("dict.json: member secret.py of c is not in the zip");
    assert_int_equal(file.capture.sources.len, 2);
    assert_int_not_equal(access("../../evil.py", F_OK), 0);
    assert_int_not_equal(access("/tmp/vmfox-evil.py", F_OK), 0);
    assert_int_equal(folder_count("."), 2); /* secret.py and the zip */
    assert_int_equal(folder_count(".."), 1);
    vf_capture_release(&file.capture);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_of_a_vmfox_is_read),
        TEST(little_is_needed),
        TEST(a_column_that_ends_within_a_row_is_said),
        TEST(what_is_missing_is_said),
        TEST(a_source_that_is_not_in_the_zip_is_said),
        TEST(another_version_is_refused),
        TEST(what_is_no_json_is_refused_with_its_line),
        TEST(a_nul_in_a_name_loses_nothing),
        TEST(json_of_wrong_types_does_no_harm),
        TEST(an_exit_code_that_is_no_number_is_not_known),
        TEST(negative_counts_are_not_known),
        TEST(all_of_a_converters_zip_is_read),
        TEST(odd_entries_of_dict_json_are_said),
        TEST(member_names_are_not_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

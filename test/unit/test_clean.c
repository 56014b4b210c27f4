/* What is taken out of a profile before it is shown to others. */
#include "test.h"

#include "output/firefox.h"
#include "profile/clean.h"
#include "profile/clean_text.h"
#include "written.h"

#include <stdio.h>

/* ---- names of files -------------------------------------------------------------------------- */

static struct vf_private hidden;
static struct vf_paths paths;

static void begin(bool shorten, bool words)
{
    vf_private_add_home(&hidden, VF_STR("/home/ada"));
    vf_private_add_word(&hidden, VF_STR("ws-17"), VF_STR("host"));
    vf_paths_init(&paths, &hidden, shorten, words);
}

static void end(void)
{
    vf_paths_release(&paths);
    vf_private_release(&hidden);
}

/* Adds paths up to a NULL, and holds their names against those that follow. */
static void assert_names(bool words, const char *const *given, const char *const *expected)
{
    char name[300];
    begin(true, words);
    for (size_t i = 0; given[i]; i++)
        vf_paths_add(&paths, vf_str_from(given[i]));
    vf_paths_settle(&paths);
    for (size_t i = 0; given[i]; i++) {
        snprintf(name, sizeof name, "%.*s",
                 VF_STR_ARG(vf_paths_name(&paths, vf_str_from(given[i]))));
        assert_string_equal(name, expected[i]);
    }
    end();
}
#define NAMES(words, given, ...)                                                                   \
    assert_names(words, (const char *const[]){VF_UNPACK given, NULL},                              \
                 (const char *const[]){__VA_ARGS__})
#define VF_UNPACK(...) __VA_ARGS__

static void a_file_is_called_by_its_last_component(void **state)
{
    (void)state;
    NAMES(false, ("/home/ada/secret/a.py", "/srv/b.py", "c.py", "<string>", "jit/loop-1.json"),
          "a.py", "b.py", "c.py", "<string>", "jit/loop-1.json");
    NAMES(false, ("C:\\Users\\ada\\a.py", "D:/x/b.py"), "a.py", "b.py");
    /* What debug info has of C sources is often counted from the folder of the build. */
    NAMES(false, ("secret-plan/hot.c", "./Modules/main.c", "Objects/call.c", "a.c"), "hot.c",
          "main.c", "call.c", "a.c");
    NAMES(false, ("../ada/a.py", "ada/b.py"), "a.py", "b.py");
    NAMES(false, ("/home/ada", "/home/ada/", "/home/bob"), "~", "~ (2)", "~ (3)");
}

static void a_library_keeps_its_part(void **state)
{
    (void)state;
    NAMES(false,
          ("/home/ada/env/lib/python3.11/site-packages/numpy/core.py",
           "/usr/lib/python3/dist-packages/yaml/loader.py", "/usr/lib/pypy3.9/json/decoder.py",
           "/opt/pypy/lib-python/3/re.py", "/home/ada/python3/mine/a.py"),
          "site-packages/numpy/core.py", "dist-packages/yaml/loader.py", "pypy3.9/json/decoder.py",
          "lib-python/3/re.py", "a.py");
}

static void two_files_have_two_names(void **state)
{
    (void)state;
    NAMES(false, ("/home/ada/x/a.py", "/home/ada/y/a.py", "/home/ada/b.py"), "x/a.py", "y/a.py",
          "b.py");
    NAMES(false, ("/srv/p/x/a.py", "/srv/q/x/a.py", "/srv/z/a.py"), "p/x/a.py", "q/x/a.py",
          "z/a.py");
    NAMES(false, ("a.py", "/srv/q/a.py"), "a.py", "q/a.py");
    NAMES(false, ("/v1/lib/python3.9/site-packages/a.py", "/v2/lib/python3.9/site-packages/a.py"),
          "v1/lib/python3.9/site-packages/a.py", "v2/lib/python3.9/site-packages/a.py");
}

/* Also where that takes a number. */
static void no_folder_tells_of_a_person(void **state)
{
    (void)state;
    NAMES(false, ("/home/ada/a.py", "/home/bob/a.py", "/srv/people/ada/a.py"), "a.py", "a.py (2)",
          "a.py (3)");
    NAMES(false, ("/tmp/of-ada/x/a.py", "/net/ws-17/x/a.py"), "x/a.py", "x/a.py (2)");
    NAMES(false, ("/home/ada/ada/a.py", "/home/ada/a.py"), "a.py", "a.py (2)");
    NAMES(true, ("/home/ada/ada.py", "/home/ada/x/user.py"), "user.py", "x/user.py");
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void assert_text(bool shorten, bool words, const char *text, const char *expected)
{
    struct vf_buf out = {0};
    begin(shorten, words);
    vf_paths_add(&paths, VF_STR("/srv/my things/a b.py"));
    vf_paths_settle(&paths);
    struct vf_clean_rules rules = {shorten ? &paths : NULL, &hidden, words};
    vf_clean_text(&out, &rules, vf_str_from(text));
    vf_buf_add(&out, "", 1);
    assert_string_equal(out.ptr, expected);
    vf_buf_release(&out);
    end();
}

static void paths_are_found_in_texts(void **state)
{
    (void)state;
    static const char *const both[][2] = {
        {"/home/ada/a.py", "a.py"},
        {"pypy3 /home/ada/a.py --out=/home/ada/b -I/home/ada/inc", "pypy3 a.py --out=b -Iinc"},
        {"open('/srv/x/data 1.csv')", "open('data 1.csv')"},
        {"'/a/b and /c/d'", "'b and d'"},
        {"in /srv/my things/a b.py:12.", "in a b.py:12."},
        {"see file:///home/ada/a.py", "see file://a.py"},
        {"(/etc/hosts, /etc/passwd)", "(hosts, passwd)"},
        {"at /home/ada.", "at ~."},
        {"path C:\\Users\\ada\\a.py here", "path a.py here"},
        {"\xc2\xa0\xc2\xa0/srv/a.py\xc2\xa0x", "\xc2\xa0\xc2\xa0"
                                               "a.py\xc2\xa0x"},
        {"/home/adam/a.py", "a.py"},
    };
    for (size_t i = 0; i < sizeof both / sizeof *both; i++)
        assert_text(true, false, both[i][0], both[i][1]);
}

static void what_is_no_path_stays(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "total += i // 7",
        "a / b",
        "a/b",
        "x /= 2",
        "1 /2",
        "and/or",
        "i53 = int_add(i52, i28)",
        "http://example.org/a/b",
        "</div>",
        "/",
        "",
        "7 / 2 / 1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_text(true, true, texts[i], texts[i]);
    assert_text(true, true, NULL, "");
}

static void names_of_people_and_hosts_are_replaced(void **state)
{
    (void)state;
    assert_text(false, true, "ssh ada@ws-17 /home/ada/a.py /srv/ada/b",
                "ssh user@host ~/a.py "
                "/srv/user/b");
    assert_text(false, true, "adapter canada ada2 ws-170", "adapter canada ada2 ws-170");
    assert_text(false, false, "ada /home/ada", "ada /home/ada");
    assert_text(true, true, "ada: /home/ada/ada.csv", "user: user.csv");
}

static void names_of_nobody_stay(void **state)
{
    (void)state;
    struct vf_private p = {0};
    vf_private_add_home(&p, VF_STR("/root"));
    vf_private_add_word(&p, VF_STR("main"), VF_STR("user"));
    vf_private_add_word(&p, VF_STR(""), VF_STR("user"));
    vf_private_add_home(&p, VF_STR("/"));
    vf_private_add_home(&p, VF_STR("relative"));
    assert_int_equal(p.words.len, 0);
    assert_int_equal(p.homes.len, 1);
    vf_private_learn(&p, VF_STR("/var/home/eve/x"));
    vf_private_learn(&p, VF_STR("/srv/app/lib/home/views/x"));
    assert_int_equal(p.homes.len, 2);
    assert_true(vf_private_is_in(&p, VF_STR("by eve")));
    vf_private_release(&p);
}

/* ---- a whole profile ------------------------------------------------------------------------- */

static void record(struct recording *r)
{
    recording_begin(r, 6, 12, "pypy");
    recording_name(r, 0x10, "py:main:1:/home/ada/p/x/a.py");
    recording_name(r, 0x20, "py:/home/ada/odd:2:/home/ada/p/y/a.py");
    TAKE(r, CODE(0x10), CODE(0x20));
    recording_thread(r, 0, 0, "MainThread");
    recording_source(r, "/home/ada/p/x/a.py", "", VF_STR("print('ada')\n"));
    r->capture.info.program = VF_STR("prog");
    r->capture.info.command = VF_STR("pypy3 /home/ada/p/prog.py --key 1234");
    r->capture.info.host = VF_STR("ws-17.example.org");
    r->capture.info.cpu = VF_STR("Analytical Engine");
    r->capture.info.os = VF_STR("Debian");
    r->capture.info.cpu_count = 4;
    r->capture.info.working_dir = VF_STR("/home/ada/p");
    r->capture.info.start_realtime_ns = INT64_C(1700000000000000000);
    recording_build(r);
}

static json_t *cleaned(struct recording *r, struct vf_clean how)
{
    struct vf_buf out = {0};
    json_error_t why;
    record(r);
    struct vf_profile *profile = &r->profile;
    how.host = r->capture.info.host;
    vf_profile_thaw(profile);
    struct vf_markers *markers = &profile->threads.items[0].markers;
    vf_markers_add(markers, VF_MARKER_LISTING, 0, 4);
    vf_markers_text(markers, "what", vf_strings_add(&profile->strings, VF_STR("loop 1 a.py:4")));
    vf_markers_table(markers, "listing");
    vf_markers_cell(markers, VF_STR("12"));
    vf_markers_cell(markers, VF_STR("+0x1"));
    vf_markers_cell(markers, VF_STR("a.py:4  open('/home/ada/k')"));
    vf_profile_clean(profile, &how);
    vf_profile_freeze(profile);
    vf_firefox_write(&out, profile, 0, NULL);
    json_t *root = json_loadb(out.ptr, out.len, JSON_REJECT_DUPLICATES, &why);
    assert_non_null(root);
    vf_buf_release(&out);
    assert_sound(root);
    return root;
}

static bool holds(json_t *root, const char *part)
{
    char *text = json_dumps(root, JSON_COMPACT);
    bool found = strstr(text, part) != NULL;
    free(text);
    return found;
}

static void everything_stays_but_the_sources(void **state)
{
    (void)state;
    struct recording r;
    json_t *root = cleaned(&r, (struct vf_clean){0});
    assert_false(holds(root, "print('ada')"));
    assert_true(holds(root, "\"/home/ada/p/x/a.py\"") && holds(root, "--key 1234"));
    assert_true(holds(root, "ws-17") && holds(root, "Analytical") && holds(root, "Working folder"));
    assert_true(number(root, "meta.startTime") > 0);
    json_decref(root);
    recording_release(&r);
}

static void a_table_is_written_row_by_row(void **state)
{
    (void)state;
    struct recording r;
    json_t *root = cleaned(&r, (struct vf_clean){.no_paths = true});
    assert_string_equal(text(root, "threads.0.markers.data.0.listing.0.0"), "12");
    assert_string_equal(text(root, "threads.0.markers.data.0.listing.0.2"), "a.py:4  open('k')");
    assert_string_equal(text(root, "meta.markerSchema.0.fields.4.format.type"), "table");
    assert_string_equal(text(root, "meta.markerSchema.0.fields.4.format.columns.2.label"), "Code");
    /* Not in the chart, which shows all fields of what the mouse is on. */
    assert_int_equal(json_array_size(at(root, "meta.markerSchema.0.display")), 1);
    json_decref(root);
    recording_release(&r);
}

static void paths_go_everywhere(void **state)
{
    (void)state;
    struct recording r;
    json_t *root = cleaned(&r, (struct vf_clean){.no_paths = true});
    assert_false(holds(root, "/home") || holds(root, "ada"));
    assert_true(holds(root, "\"x/a.py\"") && holds(root, "\"y/a.py\"") && holds(root, "\"odd\""));
    assert_string_equal(text(root, "meta.arguments"), "pypy3 prog.py --key 1234");
    assert_true(holds(root, "ws-17"));
    json_decref(root);
    recording_release(&r);
}

static void arguments_and_machine_go(void **state)
{
    (void)state;
    struct recording r;
    json_t *root = cleaned(&r, (struct vf_clean){.no_arguments = true, .no_env = true});
    assert_string_equal(text(root, "meta.arguments"), "prog");
    assert_true(number(root, "meta.startTime") == 0);
    assert_false(holds(root, "1234") || holds(root, "ws-17") || holds(root, "Analytical") ||
                 holds(root, "Debian") || holds(root, "logicalCPUs") || holds(root, "Host") ||
                 holds(root, "Working folder") || holds(root, "ada"));
    assert_true(holds(root, "\"~/p/x/a.py\""));
    json_decref(root);
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_called_by_its_last_component),
        cmocka_unit_test(a_library_keeps_its_part),
        cmocka_unit_test(two_files_have_two_names),
        cmocka_unit_test(no_folder_tells_of_a_person),
        cmocka_unit_test(paths_are_found_in_texts),
        cmocka_unit_test(what_is_no_path_stays),
        cmocka_unit_test(names_of_people_and_hosts_are_replaced),
        cmocka_unit_test(names_of_nobody_stay),
        cmocka_unit_test(everything_stays_but_the_sources),
        cmocka_unit_test(a_table_is_written_row_by_row),
        cmocka_unit_test(paths_go_everywhere),
        cmocka_unit_test(arguments_and_machine_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

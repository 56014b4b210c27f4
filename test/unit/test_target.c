/* The words behind `vmfox run`: which interpreter, which script, which arguments. */
#include "test.h"

#include "base/buf.h"
#include "folder.h"
#include "record/target.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the test's folder: bin/ with some interpreters and other programs, and scripts. */
static int make_place(void **state)
{
    static const char *const programs[] = {"bin/python3",      "bin/pypy3", "bin/python3.11-dbg",
                                           "bin/pythonize.py", "bin/tool",  "env/bin/python"};
    if (folder_make(state) != 0)
        return -1;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        folder_put(programs[i], VF_STR("#!/bin/sh\n"), 0755);
    folder_put("bin/python2", VF_STR("not executable"), 0644);
    folder_put("app.py", VF_STR("pass"), 0644);
    folder_put("python.py", VF_STR("pass"), 0644);
    folder_put("script", VF_STR("pass"), 0644);
    folder_put("pypydemo", VF_STR("pass"), 0644);
    folder_put("dir/__main__.py", VF_STR("pass"), 0644);
    folder_put("a dir/it's.py", VF_STR("pass"), 0644);
    return symlink("pypy3", "bin/py");
}

static struct vf_target target;
static struct vf_error error;

static enum vf_status parse(const char *const *words, const char *chosen)
{
    static const char *const candidates[] = {"pypy3", "python3", NULL};
    int count = 0;
    error = (struct vf_error){0};
    while (words[count])
        count++;
    return vf_target_parse(&target, (char *const *)(uintptr_t)words, count, chosen, candidates,
                           "nowhere:bin:/nonexistent", &error);
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL}, NULL)

/* What was understood: "bin/python3 | -u | file app.py | a b", the four parts being the
 * interpreter, its options, the program and its arguments; released. */
static void understood(enum vf_status status, const char *expected)
{
    static const char *const kinds[] = {"file", "module", "code", "stdin"};
    char text[512];
    int n;
    if (status == VF_FATAL)
        fail_msg("%s: %s", expected, error.text);
    n = snprintf(text, sizeof text, "%s |", target.interpreter);
    for (int i = 1; i < target.options_end; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %s", target.argv[i]);
    n += snprintf(text + n, sizeof text - (size_t)n, " | %s %s |", kinds[target.kind],
                  target.argv[target.script_at]);
    for (int i = target.arguments_at; i < target.argc; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %s", target.argv[i]);
    assert_null(target.argv[target.argc]);
    assert_string_equal(text, expected);
    vf_target_release(&target);
}

static void refused(enum vf_status status, const char *expected)
{
    assert_int_equal(status, VF_FATAL);
    assert_string_equal(error.text, expected);
    vf_target_release(&target);
}

static void named(enum vf_status status, const char *expected)
{
    if (status == VF_FATAL)
        fail_msg("%s: %s", expected, error.text);
    struct vf_str name = vf_target_name(&target);
    if (!vf_str_eq(name, vf_str_from(expected)))
        fail_msg("%.*s is not %s", VF_STR_ARG(name), expected);
    vf_target_release(&target);
}

/* ---- the interpreter ------------------------------------------------------------------------- */

static void without_an_interpreter_the_first_candidate_is_taken(void **state)
{
    (void)state;
    understood(PARSE("app.py", "x", "-m"), "bin/pypy3 | | file app.py | x -m");
    understood(PARSE("app.py"), "bin/pypy3 | | file app.py |");
    assert_int_equal(unlink("bin/pypy3"), 0);
    understood(PARSE("app.py"), "bin/python3 | | file app.py |");
    assert_int_equal(unlink("bin/python3"), 0);
    refused(PARSE("app.py"), "found neither pypy3 nor python3; install PyPy (Debian, Ubuntu: apt "
                             "install pypy3) or name an interpreter with --python");
}

static void an_interpreter_is_known_by_its_name(void **state)
{
    (void)state;
    understood(PARSE("python3", "app.py", "x"), "bin/python3 | | file app.py | x");
    understood(PARSE("python3.11-dbg", "app.py"), "bin/python3.11-dbg | | file app.py |");
    understood(PARSE("./env/bin/python", "app.py"), "./env/bin/python | | file app.py |");
    understood(PARSE("py", "app.py"), "bin/py | | file app.py |"); /* a link to pypy3 */
    assert_int_equal(PARSE("py", "app.py"), VF_OK);
    assert_string_equal(target.argv[0], "py"); /* as it was called */
    vf_target_release(&target);
}

static void an_interpreter_that_is_not_there_is_said(void **state)
{
    (void)state;
    refused(PARSE("python3.12", "app.py"),
            "there is no interpreter python3.12; name another one or install it");
    refused(PARSE("python2", "app.py"),
            "there is no interpreter python2; name another one or install it");
    refused(parse((const char *const[]){"app.py", NULL}, "pypy4"),
            "there is no interpreter pypy4; name another one or install it");
    refused(parse((const char *const[]){"app.py", NULL}, "./env"),
            "there is no interpreter ./env; name another one or install it");
}

static void a_script_may_have_an_interpreters_name(void **state)
{
    (void)state;
    understood(PARSE("python.py", "app.py"), "bin/pypy3 | | file python.py | app.py");
    understood(PARSE("./python.py"), "bin/pypy3 | | file ./python.py |");
    refused(PARSE("pythonize.py"), "can't open the script pythonize.py: No such file or directory");
    refused(PARSE("tool", "app.py"), "can't open the script tool: No such file or directory");
}

static void a_script_whose_name_begins_like_an_interpreters_is_a_script(void **state)
{
    (void)state;
    understood(PARSE("pypydemo", "x"), "bin/pypy3 | | file pypydemo | x");
    named(PARSE("pypydemo"), "pypydemo");
}

static void the_chosen_interpreter_goes_before_the_candidates(void **state)
{
    (void)state;
    const char *const words[] = {"app.py", "x", NULL};
    understood(parse(words, "python3"), "bin/python3 | | file app.py | x");
    understood(parse(words, "env/bin/python"), "env/bin/python | | file app.py | x");
    understood(parse(words, "bin/tool"), "bin/tool | | file app.py | x"); /* as the user says */
    understood(parse((const char *const[]){"py", "app.py", NULL}, "python3"),
               "bin/py | | file app.py |"); /* named on the line */
}

/* ---- the script ------------------------------------------------------------------------------ */

static void options_of_the_interpreter_are_passed_over(void **state)
{
    (void)state;
    understood(PARSE("python3", "-u", "app.py", "-v"), "bin/python3 | -u | file app.py | -v");
    understood(PARSE("python3", "-W", "error", "app.py"), "bin/python3 | -W error | file app.py |");
    understood(PARSE("python3", "-Wd", "app.py"), "bin/python3 | -Wd | file app.py |");
    understood(PARSE("python3", "-X", "dev", "app.py"), "bin/python3 | -X dev | file app.py |");
    understood(PARSE("python3", "-Xdev", "app.py"), "bin/python3 | -Xdev | file app.py |");
    understood(PARSE("python3", "-uW", "error", "app.py"),
               "bin/python3 | -uW error | file app.py |");
    understood(PARSE("pypy3", "--jit", "off", "app.py"), "bin/pypy3 | --jit off | file app.py |");
    understood(PARSE("pypy3", "--jit=off", "app.py"), "bin/pypy3 | --jit=off | file app.py |");
    understood(PARSE("-u", "app.py"), "bin/pypy3 | -u | file app.py |");
    understood(PARSE("python3", "--", "app.py"), "bin/python3 | -- | file app.py |");
}

static void a_module_is_found_however_it_is_written(void **state)
{
    (void)state;
    understood(PARSE("-m", "pkg.mod", "-x"), "bin/pypy3 | | module pkg.mod | -x");
    understood(PARSE("python3", "-mpkg", "-c"), "bin/python3 | | module -mpkg | -c");
    understood(PARSE("python3", "-u", "-Im", "pkg", "a"), "bin/python3 | -u | module pkg | a");
    understood(PARSE("python3", "-ump", "a"), "bin/python3 | | module -ump | a");
    refused(PARSE("python3", "-m"), "-m needs a module's name behind it");
    refused(PARSE("-Im"), "-m needs a module's name behind it");
}

static void code_is_found_however_it_is_written(void **state)
{
    (void)state;
    understood(PARSE("-c", "print(1)", "-m"), "bin/pypy3 | | code print(1) | -m");
    understood(PARSE("python3", "-uc", "x = 1"), "bin/python3 | | code x = 1 |");
    understood(PARSE("python3", "-cpass", "a"), "bin/python3 | | code -cpass | a");
    understood(PARSE("python3", "-c", "", "a"), "bin/python3 | | code  | a");
    refused(PARSE("-c"), "-c needs code behind it");
}

static void standard_input_is_a_script_too(void **state)
{
    (void)state;
    understood(PARSE("-", "a"), "bin/pypy3 | | stdin - | a");
    understood(PARSE("python3", "-u", "-"), "bin/python3 | -u | stdin - |");
}

static void a_script_that_is_missing_is_said_before_anything_starts(void **state)
{
    (void)state;
    refused(PARSE("gone.py"), "can't open the script gone.py: No such file or directory");
    refused(PARSE("python3", "-u", "gone.py"),
            "can't open the script gone.py: No such file or directory");
    refused(PARSE("python3"), "name a script to run, or -m MODULE or -c CODE");
    refused(PARSE("python3", "-W", "error"), "name a script to run, or -m MODULE or -c CODE");
    refused(PARSE("python3", "-W"), "name a script to run, or -m MODULE or -c CODE");
    refused(parse((const char *const[]){NULL}, NULL),
            "name a script to run, or -m MODULE or -c CODE");
    refused(PARSE("app.py/x"), "can't open the script app.py/x: Not a directory");
    refused(PARSE(""), "can't open the script : No such file or directory");
}

struct flags {
    const char *option;
    bool environment, site, path;
};

static void options_that_change_the_start_are_noted(void **state)
{
    (void)state;
    static const struct flags all[] = {
        {"-u", false, false, false},    {"-E", true, false, false},    {"-S", false, true, false},
        {"-I", true, false, true},      {"-P", false, false, true},    {"-BIS", true, true, true},
        {"-WISE", false, false, false}, {"-XIS", false, false, false}, {"-EWS", true, false, false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(PARSE("python3", all[i].option, "app.py", "-ISP"), VF_OK);
        if (target.ignores_environment != all[i].environment || target.no_site != all[i].site ||
            target.safe_path != all[i].path)
            fail_msg("%s is not understood", all[i].option);
        vf_target_release(&target);
    }
}

/* ---- its name, its command line -------------------------------------------------------------- */

static void the_program_has_a_short_name(void **state)
{
    (void)state;
    folder_put("sub/.py", VF_STR(""), 0644);
    named(PARSE("app.py"), "app");
    named(PARSE("./a dir/it's.py"), "it's");
    named(PARSE("dir"), "dir");
    named(PARSE("dir/"), "dir");
    named(PARSE("script"), "script");
    named(PARSE("sub/.py"), ".py");
    named(PARSE("."), "python");
    named(PARSE("dir/.."), "python");
    named(PARSE("/"), "python");
    named(PARSE("-m", "http.server"), "http.server");
    named(PARSE("-mmain.py"), "main.py");
    named(PARSE("-Immod"), "mod");
    named(PARSE("-m", ""), "python");
    named(PARSE("-c", "print(1)"), "python");
    named(PARSE("-"), "python");
}

/* Runs the command line through a shell, which must give the same words back. */
static void assert_shell_agrees(void)
{
    struct vf_arena arena = {0};
    struct vf_buf script = {0};
    struct vf_str line;
    char got[8192];
    vf_target_command(&target, &arena, &line);
    vf_buf_printf(&script, "printf '%%s\\0' ");
    vf_buf_str(&script, line);
    vf_buf_add(&script, "", 1);
    FILE *shell = popen(script.ptr, "r");
    assert_non_null(shell);
    size_t len = fread(got, 1, sizeof got, shell), at = 0;
    assert_int_equal(pclose(shell), 0);
    for (int i = 0; i < target.argc; i++) {
        size_t size = strlen(target.argv[i]) + 1;
        assert_true(at + size <= len);
        assert_memory_equal(got + at, target.argv[i], size);
        at += size;
    }
    assert_int_equal(at, len);
    vf_buf_release(&script);
    vf_arena_release(&arena);
}

static void the_command_line_can_be_given_to_a_shell(void **state)
{
    (void)state;
    char bytes[256];
    for (int i = 1; i < 256; i++)
        bytes[i - 1] = (char)i;
    bytes[255] = 0;
    assert_int_equal(PARSE("python3", "-W", "error", "a dir/it's.py", "", "'", "''", "\"", "$HOME",
                           "`id`", "a\nb", "~", "*", "\\", "#x", "a;b", "-", "--x=1", "!!", "a b ",
                           "{a,b}", "A=b", "\xff\xfe", bytes),
                     VF_OK);
    assert_shell_agrees();
    vf_target_release(&target);
}

static void a_plain_command_line_stays_plain(void **state)
{
    (void)state;
    struct vf_arena arena = {0};
    struct vf_str line;
    assert_int_equal(PARSE("python3", "-u", "app.py", "--n=3", "a b", "it's"), VF_OK);
    vf_target_command(&target, &arena, &line);
    assert_string_equal(line.ptr, "python3 -u app.py --n=3 'a b' 'it'\\''s'");
    vf_arena_release(&arena);
    vf_target_release(&target);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_an_interpreter_the_first_candidate_is_taken),
        TEST(an_interpreter_is_known_by_its_name),
        TEST(an_interpreter_that_is_not_there_is_said),
        TEST(a_script_may_have_an_interpreters_name),
        TEST(a_script_whose_name_begins_like_an_interpreters_is_a_script),
        TEST(the_chosen_interpreter_goes_before_the_candidates),
        TEST(options_of_the_interpreter_are_passed_over),
        TEST(a_module_is_found_however_it_is_written),
        TEST(code_is_found_however_it_is_written),
        TEST(standard_input_is_a_script_too),
        TEST(a_script_that_is_missing_is_said_before_anything_starts),
        TEST(options_that_change_the_start_are_noted),
        TEST(the_program_has_a_short_name),
        TEST(the_command_line_can_be_given_to_a_shell),
        TEST(a_plain_command_line_stays_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

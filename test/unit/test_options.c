/* Command lines of vmfox itself: what is understood, and what is said of the rest. */
#include "test.h"

#include "cmd/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "write to FILE"},
    {"quiet", 'q', NULL, "say less"},
    {"period", 0, "SECONDS", "time between samples"},
    {"no-open", 0, NULL, "open no browser"},
    {"no-serve", 0, NULL, "only write"},
    VF_OPTION_HELP,
    {NULL, 0, NULL, NULL},
};

static const struct vf_command plain = {
    .name = "convert", .operands = "IN", .summary = "makes one of the other", .options = options};
static const struct vf_command runner = {.name = "run",
                                         .operands = "SCRIPT",
                                         .summary = "runs",
                                         .about = "A paragraph.",
                                         .options = options,
                                         .program_follows = true};

static struct vf_args args;
static struct vf_error error;
static char *words[16];

static bool parse(const struct vf_command *command, const char *const *given)
{
    int count = 0;
    for (; given[count]; count++)
        words[count] = (char *)(uintptr_t)given[count];
    error = (struct vf_error){0};
    return vf_args_parse(&args, command, count, words, &error);
}
#define PARSE(command, ...) parse((command), (const char *const[]){__VA_ARGS__, NULL})

/* "-o X -q | a b": the options with their values in the table's order, then the operands. */
static void understood(bool good, const char *expected)
{
    char text[512] = "";
    size_t n = 0;
    if (!good)
        fail_msg("%s: %s", expected, error.text);
    for (const struct vf_option *o = options; o->name; o++) {
        const char *value = vf_args_get(&args, o->name);
        assert_int_equal(vf_args_has(&args, o->name), value != NULL);
        if (value)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s=%s ", o->name, value);
    }
    n += (size_t)snprintf(text + n, sizeof text - n, "|");
    for (int i = 0; i < args.operand_count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s", args.operands[i]);
    assert_string_equal(text, expected);
}

static void refused(bool good, const char *expected)
{
    assert_false(good);
    assert_string_equal(error.text, expected);
}

static void values_may_be_written_in_four_ways(void **state)
{
    (void)state;
    understood(PARSE(&plain, "--output", "x", "in"), "output=x | in");
    understood(PARSE(&plain, "--output=x", "in"), "output=x | in");
    understood(PARSE(&plain, "-o", "x", "in"), "output=x | in");
    understood(PARSE(&plain, "-ox", "in"), "output=x | in");
    understood(PARSE(&plain, "--output=a=b"), "output=a=b |");
    understood(PARSE(&plain, "--output="), "output= |");
    understood(PARSE(&plain, "-o", "-", "-"), "output=- | -");
    understood(PARSE(&plain, "-o", "-q"), "output=-q |");
    understood(PARSE(&plain, "-o", ""), "output= |");
}

static void flags_are_there_or_not(void **state)
{
    (void)state;
    understood(parse(&plain, (const char *const[]){NULL}), "|");
    understood(PARSE(&plain, "-q", "--no-open"), "quiet= no-open= |");
    understood(PARSE(&plain, "-h"), "help= |");
    understood(PARSE(&plain, "-q", "-q"), "quiet= |");
    refused(PARSE(&plain, "--quiet=yes"), "--quiet takes no value");
    refused(PARSE(&plain, "--quiet="), "--quiet takes no value");
}

static void the_last_value_counts(void **state)
{
    (void)state;
    understood(PARSE(&plain, "-o", "a", "--output=b"), "output=b |");
}

static void operands_may_stand_between_options(void **state)
{
    (void)state;
    understood(PARSE(&plain, "a", "-q", "b", "-o", "x", "c"), "output=x quiet= | a b c");
    understood(PARSE(&plain, "", "-"), "|  -");
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    understood(PARSE(&plain, "a", "--", "-q", "--", "--what"), "| a -q -- --what");
    understood(PARSE(&plain, "-q", "--"), "quiet= |");
    understood(PARSE(&runner, "-q", "--", "-u", "x.py", "-q"), "quiet= | -u x.py -q");
}

static void a_programs_own_options_are_left_alone(void **state)
{
    (void)state;
    understood(PARSE(&runner, "-q", "x.py", "-q", "--what", "-o"), "quiet= | x.py -q --what -o");
    understood(PARSE(&runner, "-q", "-m", "mod", "-q"), "quiet= | -m mod -q");
    understood(PARSE(&runner, "-c", "pass", "--no-open"), "| -c pass --no-open");
    understood(PARSE(&runner, "-mmod", "-q"), "| -mmod -q");
    understood(PARSE(&runner, "-cpass"), "| -cpass");
    understood(PARSE(&runner, "-o", "x", "-", "-q"), "output=x | - -q");
    understood(PARSE(&runner, "--period", "0.1", "pypy3", "-u", "x.py"),
               "period=0.1 | pypy3 -u x.py");
}

static void flags_may_stand_together(void **state)
{
    (void)state;
    understood(PARSE(&plain, "-qo", "x", "in"), "output=x quiet= | in");
    understood(PARSE(&plain, "-qox", "in"), "output=x quiet= | in");
    refused(PARSE(&plain, "in", "-qo"), "--output needs a value: FILE");
}

static void a_missing_value_is_said(void **state)
{
    (void)state;
    refused(PARSE(&plain, "in", "-o"), "--output needs a value: FILE");
    refused(PARSE(&plain, "--period"), "--period needs a value: SECONDS");
}

static void a_wrong_option_names_the_nearest_right_one(void **state)
{
    (void)state;
    refused(PARSE(&plain, "--ouput", "x"), "there is no option --ouput; did you mean --output?");
    refused(PARSE(&plain, "--ouput=x"), "there is no option --ouput=x; did you mean --output?");
    refused(PARSE(&plain, "--no-opne"), "there is no option --no-opne; did you mean --no-open?");
    refused(PARSE(&plain, "--no-server"),
            "there is no option --no-server; did you mean --no-serve?");
    refused(PARSE(&plain, "--quite"), "there is no option --quite; did you mean --quiet?");
    refused(PARSE(&plain, "--frobnicate"),
            "there is no option --frobnicate; see vmfox help convert");
    refused(PARSE(&plain, "-x"), "there is no option -x; see vmfox help convert");
    refused(PARSE(&plain, "-qx"), "there is no option -qx; see vmfox help convert");
    refused(PARSE(&plain, "--out"), "there is no option --out; see vmfox help convert");
    refused(PARSE(&runner, "--Quiet", "x.py"), "there is no option --Quiet; did you mean --quiet?");
}

static void a_very_long_option_is_refused_too(void **state)
{
    (void)state;
    char longer[600];
    memset(longer, 'o', sizeof longer);
    memcpy(longer, "--", 2);
    longer[sizeof longer - 1] = 0;
    assert_false(PARSE(&plain, longer));
    assert_true(strncmp(error.text, "there is no option --ooo", 24) == 0);
}

static void the_nearest_word_is_near(void **state)
{
    (void)state;
    static const char *const commands[] = {"convert", "record", "run", "view", "help", NULL};
    static const char *const none[] = {NULL};
    static const char *const pairs[][2] = {
        {"convert", "convert"},
        {"conver", "convert"},
        {"covnert", "convert"},
        {"recrod", "record"},
        {"rnu", NULL},
        {"ru", "run"},
        {"veiw", "view"},
        {"hlep", "help"},
        {"x", NULL},
        {"", NULL},
        {"serve", NULL},
        {"rum", "run"},
        {"--help", "help"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *got = vf_nearest(pairs[i][0], commands);
        if (!got != !pairs[i][1] || (got && strcmp(got, pairs[i][1]) != 0))
            fail_msg("%s: %s is not %s", pairs[i][0], got ? got : "none",
                     pairs[i][1] ? pairs[i][1] : "none");
    }
    assert_null(vf_nearest("run", none));
}

static void the_help_has_every_option(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    vf_command_help(&runner, to);
    fclose(to);
    assert_string_equal(text, "usage: vmfox run [options] SCRIPT\n\nruns\n\nA paragraph.\n\n"
                              "options:\n"
                              "  -o, --output FILE            write to FILE\n"
                              "  -q, --quiet                  say less\n"
                              "      --period SECONDS         time between samples\n"
                              "      --no-open                open no browser\n"
                              "      --no-serve               only write\n"
                              "  -h, --help                   show this help\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_may_be_written_in_four_ways),
        cmocka_unit_test(flags_are_there_or_not),
        cmocka_unit_test(the_last_value_counts),
        cmocka_unit_test(operands_may_stand_between_options),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(a_programs_own_options_are_left_alone),
        cmocka_unit_test(flags_may_stand_together),
        cmocka_unit_test(a_missing_value_is_said),
        cmocka_unit_test(a_wrong_option_names_the_nearest_right_one),
        cmocka_unit_test(a_very_long_option_is_refused_too),
        cmocka_unit_test(the_nearest_word_is_near),
        cmocka_unit_test(the_help_has_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

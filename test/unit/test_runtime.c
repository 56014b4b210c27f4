/* What PyPy's runtime did: its track, the leaves of samples, the sums in Profile Info, and what is
 * said where there is no telling. */
#include "test.h"

#include "rows.h"

#include <stdio.h>

enum { NATIVE_FRAMES = 4, RPYTHON = 8, REAL_TIME = 16 };
static const double RUN_MS = 200;

/* A recording of 200 ms under PyPy; the code 0x10 is "main", 0x20 the root of a second thread. */
static void begin_mode(struct recording *r, unsigned mode)
{
    recording_begin(r, 6, mode, "pypy");
    recording_name(r, 0x10, "py:main:1:/a.py");
    recording_name(r, 0x20, "py:vmfox_thread_2:1:<vmfox>");
    recording_name(r, 0x30, "py:vmfox_thread_3:1:<vmfox>");
    recording_measured(r, RUN_MS);
}

static void begin(struct recording *r)
{
    begin_mode(r, RPYTHON);
}

static void sample(struct recording *r, double ms)
{
    TAKE(r, CODE(0x10));
    recording_stamp_ms(r, ms);
}

static void sample_of(struct recording *r, uint64_t root, double ms)
{
    TAKE(r, CODE(root), CODE(0x10));
    recording_stamp_ms(r, ms);
}

/* The log, a sample at 1 ms, and the profile. */
static void build(struct recording *r, const char *log)
{
    sample(r, 1);
    recording_log(r, log);
    recording_build(r);
}

/* ---- what is expected ------------------------------------------------------------------------ */

struct phase {
    double ms;
    const char *stack;
};

static void assert_track(struct recording *r, const struct phase *expected, size_t count)
{
    double sum = 0, end = r->profile.end_ms;
    const struct vf_thread *t = thread(r, 1);
    assert_string_equal(recording_string(r, t->name), "PyPy runtime");
    assert_true(t->is_runtime && t->weighted);
    assert_false(t->is_main);
    size_t i = 0;
    for (size_t row = 0; row < t->samples.len; row++) {
        const struct vf_sample_row *sample = &t->samples.items[row];
        if (row && sample->weight == 0 && sample->stack.i == sample[-1].stack.i)
            continue; /* the end of the runtime's work: no phase of its own */
        assert_true(i < count);
        double next = i + 1 < count ? expected[i + 1].ms : end;
        assert_string_equal(recording_stack(r, 1, row), expected[i].stack);
        assert_near(sample->time_ms, expected[i].ms);
        assert_near((double)sample->weight, next - expected[i].ms);
        sum += (double)sample->weight;
        i++;
    }
    assert_int_equal(i, count);
    assert_near(sum, end);
}
#define TRACK(r, ...)                                                                              \
    assert_track((r), (const struct phase[]){__VA_ARGS__},                                         \
                 sizeof((const struct phase[]){__VA_ARGS__}) / sizeof(struct phase))

static const char *const classes[] = {"Interpreter, compiled code, waiting",
                                      "Tracing",
                                      "Optimising",
                                      "Backend",
                                      "Minor collections",
                                      "Major collections",
                                      "Other work of the runtime"};
enum { CLASSES = sizeof classes / sizeof *classes };

/* The milliseconds of each class; their sum is the run. */
static void assert_classes(const struct recording *r, const double *expected)
{
    double sum = 0, share = 0, ms, percent;
    for (size_t i = 0; i < CLASSES; i++) {
        const char *value = recording_fact(r, classes[i]);
        assert_non_null(value);
        assert_int_equal(sscanf(value, "%lf ms (%lf %%)", &ms, &percent), 2);
        assert_near(ms, expected[i]);
        assert_true(fabs(percent - 100 * ms / r->profile.end_ms) <= 0.0051);
        sum += ms;
        share += percent;
    }
    assert_near(sum, r->profile.end_ms);
    assert_true(fabs(share - 100) < 0.05);
    assert_near(strtod(recording_fact(r, "Together: the run"), NULL), sum);
}
#define CLASSES_ARE(r, ...) assert_classes((r), (const double[CLASSES]){__VA_ARGS__})

static void assert_not_shown(const struct recording *r)
{
    for (size_t i = 0; i < r->profile.threads.len; i++)
        assert_false(thread(r, i)->is_runtime);
    for (size_t i = 0; i < r->profile.extras.len; i++)
        assert_string_not_equal(r->profile.extras.items[i].label, "PyPy");
    assert_fact(r, "Source", NULL);
    assert_fact(r, "Samples taken inside a section", NULL);
}

static void assert_warned(const struct recording *r, const char *part)
{
    for (size_t i = 0; i < r->warnings.count; i++)
        if (strstr(r->warnings.items[i].text, part))
            return;
    fail_msg("%s: not said; %zu warnings, the first: %s", part, r->warnings.count,
             r->warnings.items[0].text);
}

/* ---- the track ------------------------------------------------------------------------------- */

static const char nested[] =
    "10 {gc-minor\n11 {gc-minor-walkroots\n12 gc-minor-walkroots}\n14 gc-minor}\n"
    "20 {jit-tracing\nf;a.py:1-2~#8 LOAD_FAST\n30 {jit-optimize\n32 {gc-minor\n33 gc-minor}\n"
    "40 jit-optimize}\n42 {jit-backend\n43 {jit-mem-looptoken-alloc\nallocating Loop # 1\n"
    "44 jit-mem-looptoken-alloc}\n50 jit-backend}\n60 jit-tracing}\n"
    "100 {gc-collect-step\nstarting gc state:  SCANNING\n105 gc-collect-step}\n"
    "110 {jit-mem-collect\n112 jit-mem-collect}\n";

static void the_track_shows_what_is_open_and_since_when(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, nested);
    assert_int_equal(r.status, VF_OK);
    TRACK(&r, {0, "running[Interpreter]"}, {10, "gc-minor[GC]"},
          {11, "gc-minor[GC] > gc-minor-walkroots[GC]"}, {12, "gc-minor[GC]"},
          {14, "running[Interpreter]"}, {20, "jit-tracing[Compile]"},
          {30, "jit-tracing[Compile] > jit-optimize[Compile]"},
          {32, "jit-tracing[Compile] > jit-optimize[Compile] > gc-minor[GC]"},
          {33, "jit-tracing[Compile] > jit-optimize[Compile]"}, {40, "jit-tracing[Compile]"},
          {42, "jit-tracing[Compile] > jit-backend[Compile]"},
          {43, "jit-tracing[Compile] > jit-backend[Compile] > jit-mem-looptoken-alloc[Compile]"},
          {44, "jit-tracing[Compile] > jit-backend[Compile]"}, {50, "jit-tracing[Compile]"},
          {60, "running[Interpreter]"}, {100, "gc-collect-step[GC]"}, {105, "running[Interpreter]"},
          {110, "jit-mem-collect[Compile]"}, {112, "running[Interpreter]"});
    recording_release(&r);
}

static void the_sums_are_the_run(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, nested);
    CLASSES_ARE(&r, 200 - 4 - 40 - 5 - 2, 40 - 10 - 8, 9, 8, 4 + 1, 5, 2);
    assert_fact(&r, "Tracing and all that happens meanwhile", "40.000 ms (20.00 %)");
    assert_fact(&r, "Collections", "2 minor, 0 major (in 1 steps)");
    assert_fact(&r, "Traces", "1 begun, 0 of them aborted");
    assert_fact(&r, "Backend is", NULL); /* the log has it */
    assert_fact(&r, "Not in the log", NULL);
    assert_fact(&r, "By the JIT's own stopwatch", NULL);
    recording_release(&r);
}

/* The timeline's height: the runtime's share of the time since the sample before. */
static void the_track_is_high_where_the_runtime_works(void **state)
{
    (void)state;
    /* running, gc-minor, walkroots, gc-minor and its end, running, jit-tracing, jit-optimize */
    static const double expected_ms[] = {0, 0, 1, 1, 2, 0, 0, 10};
    struct recording r;
    begin(&r);
    build(&r, nested);
    assert_true(thread(&r, 1)->has_cpu);
    for (size_t i = 0; i < 8; i++)
        assert_near((double)thread(&r, 1)->samples.items[i].cpu_ns / 1e6, expected_ms[i]);
    recording_release(&r);
}

static void a_backend_that_was_put_in_is_said(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, "20 {jit-tracing\n30 {jit-mem-looptoken-alloc\nallocating Loop # 1\n"
              "31 jit-mem-looptoken-alloc}\n40 {jit-backend-addr\n"
              "Loop 1 (f) has address 0x10 to 0x20 (bootstrap 0x10)\n41 jit-backend-addr}\n"
              "50 jit-tracing}\n");
    CLASSES_ARE(&r, 170, 19, 0, 11, 0, 0, 0);
    assert_fact(&r, "Backend is", "PyPy's own section for it is not in this log");
    assert_fact(&r, "Not in the log", "minor collections");
    recording_release(&r);
}

static void what_is_open_at_both_ends_is_cut_to_the_run(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, "-3 {gc-minor\n-2 {gc-minor-walkroots\n2 gc-minor-walkroots}\n4 gc-minor}\n"
              "190 {gc-minor\n195 {gc-minor-walkroots\n");
    assert_warned(&r, "a section opens here that never closes");
    TRACK(&r, {0, "gc-minor[GC] > gc-minor-walkroots[GC]"}, {2, "gc-minor[GC]"},
          {4, "running[Interpreter]"}, {190, "gc-minor[GC]"}, {195, "running[Interpreter]"});
    CLASSES_ARE(&r, 200 - 4 - 5, 0, 0, 0, 9, 0, 0);
    recording_release(&r);

    begin(&r);
    build(&r, "100 {gc-minor\n300 gc-minor}\n");
    TRACK(&r, {0, "running[Interpreter]"}, {100, "gc-minor[GC]"}, {200, "running[Interpreter]"});
    CLASSES_ARE(&r, 100, 0, 0, 0, 100, 0, 0);
    recording_release(&r);
}

static void a_section_of_no_length_is_on_no_track(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, "10 {gc-minor\n10 gc-minor}\n20 {gc-minor\n20 {gc-minor-walkroots\n"
              "20 gc-minor-walkroots}\n30 gc-minor}\n30 {jit-tracing\n40 jit-tracing}\n");
    TRACK(&r, {0, "running[Interpreter]"}, {10, "running[Interpreter]"}, {20, "gc-minor[GC]"},
          {30, "jit-tracing[Compile]"}, {40, "running[Interpreter]"});
    recording_release(&r);
}

static void the_pairs_place_the_sections(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    r.pairs.len = 0;
    recording_pair(&r, RECORDING_ZERO_NS, 1000, 0);
    recording_pair(&r, RECORDING_ZERO_NS + 100000000, 2000, 500);
    recording_pair(&r, RECORDING_ZERO_NS + 150000000, 3000, 0);
    recording_pair(&r, RECORDING_ZERO_NS + 200000000, 4000, 0);
    /* 1500 and 2500: behind and in front of the bend; 2000 is 25 ms off its neighbours' line. */
    build(&r, "[5dc] {gc-minor\n[9c4] gc-minor}\n");
    TRACK(&r, {0, "running[Interpreter]"}, {50, "gc-minor[GC]"}, {125, "running[Interpreter]"});
    assert_fact(&r, "Source", "measured: the time stamp counter");
    assert_fact(&r, "Readings of both clocks", "4");
    assert_fact(&r, "Rate", "0.015000 MHz");
    assert_fact(&r, "Error", "25000.50 µs");
    recording_release(&r);
}

/* ---- other logs ------------------------------------------------------------------------------ */

static void sections_outside_the_recording_are_left_out_and_said(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, "-50 {gc-minor\n-40 {gc-minor-walkroots\n-39 gc-minor-walkroots}\n-38 gc-minor}\n"
              "10 {gc-minor\n20 gc-minor}\n30 {gc-minor\n40 gc-minor}\n"
              "201.5 {gc-minor\n202 gc-minor}\n50 {gc-minor\n60 gc-minor}\n");
    recording_release(&r);

    begin(&r);
    build(&r, "-50 {gc-minor\n-40 {gc-minor-walkroots\n-39 gc-minor-walkroots}\n-38 gc-minor}\n"
              "10 {gc-minor\n20 gc-minor}\n30 {gc-minor\n40 gc-minor}\n50 {gc-minor\n60 gc-minor}\n"
              "201.5 {gc-minor\n202 gc-minor}\n");
    assert_int_equal(r.warnings.count, 1);
    assert_warned(&r, "PYPYLOG: line 1: 3 sections lie before the profile's start or behind its "
                      "end; they are left out");
    CLASSES_ARE(&r, 170, 0, 0, 0, 30, 0, 0);
    TRACK(&r, {0, "running[Interpreter]"}, {10, "gc-minor[GC]"}, {20, "running[Interpreter]"},
          {30, "gc-minor[GC]"}, {40, "running[Interpreter]"}, {50, "gc-minor[GC]"},
          {60, "running[Interpreter]"});
    assert_int_equal(thread(&r, 1)->markers.rows.len, 3);
    assert_fact(&r, "Collections", "3 minor");
    recording_release(&r);
}

static void the_log_of_another_run_is_not_shown(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, "5000 {gc-minor\nminor collect, total memory used: 1\n5001 gc-minor}\n"
              "5002 {gc-minor\n5003 gc-minor}\n");
    assert_int_equal(r.status, VF_WARN);
    assert_int_equal(r.warnings.count, 1);
    assert_warned(&r, "2 of its 2 sections lie outside the recording: it is the log of another "
                      "run, and is not shown");
    assert_not_shown(&r);
    assert_int_equal(r.profile.counters.len, 0);
    assert_string_equal(recording_stack(&r, 0, 0), "main");
    recording_release(&r);
}

static void a_log_without_sections_is_said(void **state)
{
    (void)state;
    static const char *const empty[] = {"nothing\n", "12 gc-minor}\n", "12 {gc-min"};
    for (size_t i = 0; i < 3; i++) {
        struct recording r;
        begin(&r);
        build(&r, empty[i]);
        assert_int_equal(r.status, VF_WARN);
        assert_warned(&r, "PYPYLOG: there are no sections in it");
        assert_not_shown(&r);
        recording_release(&r);
    }
}

static void without_a_log_nothing_is_said(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, "");
    assert_int_equal(r.status, VF_OK);
    assert_not_shown(&r);
    assert_int_equal(r.profile.threads.len, 1);
    recording_release(&r);
}

/* Three logs in one file; the second one is of this recording. */
static const char three_logs[] =
    "9000 {gc-set-nursery-size\nnursery size: 4096\n9001 gc-set-nursery-size}\n"
    "9002 {gc-minor\nminor collect, total memory used: 7\n9003 gc-minor}\n"
    "9004 {gc-minor\n9005 gc-minor}\n9006 {gc-minor\n9007 gc-minor}\n"
    "9010 {jit-tracing\n9011 {jit-mem-looptoken-alloc\nallocating Loop # 1\n"
    "9012 jit-mem-looptoken-alloc}\n9013 jit-tracing}\n"
    "10 {gc-collect-step\n20 gc-collect-step}\n30 {gc-minor\n35 gc-minor}\n"
    "-9000 {gc-minor\n-8999 gc-minor}\n-8998 {gc-minor\n-8997 gc-minor}\n"
    "-8996 {gc-minor\n-8995 gc-minor}\n";

static void of_several_logs_the_recordings_own_is_shown(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, three_logs);
    assert_int_equal(r.warnings.count, 1);
    assert_warned(&r,
                  "3 logs stand in the file, the second from line 16 on; the one in lines 16 to "
                  "19 is shown");
    TRACK(&r, {0, "running[Interpreter]"}, {10, "gc-collect-step[GC]"},
          {20, "running[Interpreter]"}, {30, "gc-minor[GC]"}, {35, "running[Interpreter]"});
    CLASSES_ARE(&r, 185, 0, 0, 0, 5, 10, 0);
    recording_release(&r);
}

static void the_counts_are_of_the_log_that_is_shown(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, three_logs);
    assert_fact(&r, "Collections", "1 minor, 0 major (in 1 steps)");
    assert_fact(&r, "Traces", "0 begun");
    assert_fact(&r, "Backend is", NULL);
    recording_release(&r);
}

static void without_pairs_the_longest_of_several_logs_is_shown(void **state)
{
    (void)state;
    static const char two[] =
        "500 {gc-minor\n501 gc-minor}\n"
        "10 {gc-collect-step\n20 gc-collect-step}\n30 {gc-minor\n35 gc-minor}\n";
    for (int i = 0; i < 3; i++) {
        struct recording r;
        begin(&r);
        r.pairs.len = i == 1 ? 24 : 0;
        if (i == 2) { /* two that fall: of no use */
            recording_pair(&r, RECORDING_ZERO_NS, RECORDING_ZERO_TICK, 0);
            recording_pair(&r, RECORDING_ZERO_NS + 1, RECORDING_ZERO_TICK - 5, 0);
        }
        build(&r, two);
        assert_warned(&r, "the one in lines 3 to 6 is shown");
        TRACK(&r, {0, "gc-collect-step[GC]"}, {80, "running[Interpreter]"}, {160, "gc-minor[GC]"},
              {200, "running[Interpreter]"});
        assert_fact(&r, "Source", "ESTIMATE: the log's two ends");
        recording_release(&r);
    }
}

/* ---- sections of the program ----------------------------------------------------------------- */

static const char own[] = "10 {my-section\n20 {gc-minor\n30 gc-minor}\n40 {my-inner\n"
                          "50 {jit-tracing\n54 {in-trace\n56 in-trace}\n60 jit-tracing}\n"
                          "70 my-inner}\n90 my-section}\n";

static void the_programs_own_sections_are_on_the_track(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    build(&r, own);
    TRACK(&r, {0, "running[Interpreter]"}, {10, "my-section[Other]"},
          {20, "my-section[Other] > gc-minor[GC]"}, {30, "my-section[Other]"},
          {40, "my-section[Other] > my-inner[Other]"},
          {50, "my-section[Other] > my-inner[Other] > jit-tracing[Compile]"},
          {54, "my-section[Other] > my-inner[Other] > jit-tracing[Compile] > in-trace[Other]"},
          {56, "my-section[Other] > my-inner[Other] > jit-tracing[Compile]"},
          {60, "my-section[Other] > my-inner[Other]"}, {70, "my-section[Other]"},
          {90, "running[Interpreter]"});
    CLASSES_ARE(&r, 180, 10, 0, 0, 10, 0, 0); /* its own time is the program's */
    recording_release(&r);
}

static void the_programs_own_sections_are_never_leaves(void **state)
{
    (void)state;
    static const double at[] = {15, 25, 45, 52, 55};
    static const char *const expected[] = {"main", "main > gc-minor[GC]", "main",
                                           "main > jit-tracing[Compile]",
                                           "main > jit-tracing[Compile]"};
    struct recording r;
    begin(&r);
    for (size_t i = 0; i < 5; i++)
        sample(&r, at[i]);
    recording_log(&r, own);
    recording_build(&r);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(recording_stack(&r, 0, i), expected[i]);
    assert_fact(&r, "Samples taken inside a section", "3 have it as their leaf; 0 have not");
    recording_release(&r);
}

/* A section of the program may last for long and hold samples of all threads. */
static void an_own_section_around_does_not_mix_threads_up(void **state)
{
    (void)state;
    struct recording r;
    begin_mode(&r, RPYTHON | NATIVE_FRAMES);
    sample(&r, 25);
    sample_of(&r, 0x20, 45);
    sample(&r, 55);
    recording_log(&r, own);
    recording_build(&r);
    assert_string_equal(recording_stack(&r, 0, 0), "main > gc-minor[GC]");
    assert_string_equal(recording_stack(&r, 0, 1), "main > jit-tracing[Compile]");
    assert_string_equal(recording_stack(&r, 2, 0), "main");
    assert_fact(&r, "Samples taken inside a section", "2 have it as their leaf; 0 have not");
    recording_release(&r);
}

/* ---- leaves of samples ----------------------------------------------------------------------- */

static void a_sample_in_a_section_has_it_as_its_leaf(void **state)
{
    (void)state;
    static const struct phase expected[] = {
        {5, "main"},
        {11.5, "main > gc-minor[GC] > gc-minor-walkroots[GC]"},
        {13, "main > gc-minor[GC]"},
        {25, "main > jit-tracing[Compile]"},
        {32.5, "main > jit-tracing[Compile] > jit-optimize[Compile] > gc-minor[GC]"},
        {43.5, "main > jit-tracing[Compile] > jit-backend[Compile] > "
               "jit-mem-looptoken-alloc[Compile]"},
        {80, "main"},
        {104, "main > gc-collect-step[GC]"},
        {111, "main > jit-mem-collect[Compile]"},
        {150, "main"},
    };
    enum { COUNT = sizeof expected / sizeof *expected };
    struct recording r;
    begin(&r);
    for (size_t i = 0; i < COUNT; i++)
        sample(&r, expected[i].ms);
    recording_log(&r, nested);
    recording_build(&r);
    for (size_t i = 0; i < COUNT; i++)
        assert_string_equal(recording_stack(&r, 0, i), expected[i].stack);
    assert_fact(&r, "Samples taken inside a section", "7 have it as their leaf; 0 have not");
    recording_release(&r);
}

/* It is open from its first moment on, and no longer at its last. */
static void a_sample_at_an_edge_is_on_its_later_side(void **state)
{
    (void)state;
    static const struct phase expected[] = {
        {10, "main > gc-minor[GC]"},
        {14, "main"},
        {20, "main > jit-tracing[Compile]"},
        {33, "main > jit-tracing[Compile] > jit-optimize[Compile]"},
        {40, "main > jit-tracing[Compile]"},
        {60, "main"},
    };
    struct recording r;
    begin(&r);
    for (size_t i = 0; i < 6; i++)
        sample(&r, expected[i].ms);
    recording_log(&r, nested);
    recording_build(&r);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(recording_stack(&r, 0, i), expected[i].stack);
    recording_release(&r);
}

static void a_sample_without_a_stack_is_in_a_section_too(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    recording_take(&r, NULL, 0);
    recording_stamp_ms(&r, 13);
    recording_take(&r, NULL, 0);
    recording_stamp_ms(&r, 80);
    recording_log(&r, nested);
    recording_build(&r);
    assert_string_equal(recording_stack(&r, 0, 0), "gc-minor[GC]");
    assert_string_equal(recording_stack(&r, 0, 1), "");
    recording_release(&r);
}

static const char libraries[] = "10000-20000 r-xp 00000000 fe:00 1   /usr/lib/libpypy3.9-c.so\n"
                                "20000-30000 r-xp 00000000 fe:00 2   /usr/lib/libc.so.6\n"
                                "30000-40000 r-xp 00000000 fe:00 3   /usr/lib/libz.so.1\n";

/* One sample with its last frame at the address, in `nested`; `other` has one somewhere else. */
static void assert_leaf(uint64_t address, double ms, bool other, const char *expected)
{
    struct recording r;
    begin_mode(&r, RPYTHON | NATIVE_FRAMES);
    r.capture.maps = vf_str_from(libraries);
    TAKE(&r, CODE(0x10), NATIVE(address));
    recording_stamp_ms(&r, ms);
    if (other)
        sample_of(&r, 0x20, 150);
    recording_log(&r, nested);
    recording_build(&r);
    const char *stack = recording_stack(&r, 0, 0), *leaf = strrchr(stack, '>');
    assert_string_equal(leaf ? leaf + 2 : stack, expected);
    assert_fact(&r, "Samples taken inside a section",
                strstr(expected, "Native") ? "0 have it as their leaf; 1 have not, being in another"
                                           : "1 have it as their leaf; 0 have not");
    recording_release(&r);
}

/* The collector clears memory with libc.  In a trace's time it may be the traced code that waits
 * there, with several threads one without the lock; zlib is never the runtime's. */
static void a_sample_in_another_library_is_no_work_of_the_runtime(void **state)
{
    (void)state;
    assert_leaf(0x15000, 13, false, "gc-minor[GC]");
    assert_leaf(0x15000, 25, true, "jit-tracing[Compile]");
    assert_leaf(0x25000, 13, false, "gc-minor[GC]");
    assert_leaf(0x25000, 13, true, "libc.so.6+0x5000[Native]");
    assert_leaf(0x25000, 25, false, "libc.so.6+0x5000[Native]");
    assert_leaf(0x35000, 13, false, "libz.so.1+0x5000[Native]");
    assert_leaf(0x35000, 25, true, "libz.so.1+0x5000[Native]");
}

static void several_threads_need_native_frames(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    sample(&r, 13);
    sample_of(&r, 0x20, 150);
    recording_log(&r, nested);
    recording_build(&r);
    assert_string_equal(recording_stack(&r, 0, 0), "main");
    assert_fact(&r, "Samples taken inside a section", "without native frames nothing says which");
    recording_release(&r);
}

static void a_section_with_samples_of_two_threads_is_in_neither(void **state)
{
    (void)state;
    struct recording r;
    begin_mode(&r, RPYTHON | NATIVE_FRAMES);
    sample(&r, 13);           /* gc-minor, this thread alone */
    sample(&r, 25);           /* jit-tracing, both threads */
    sample_of(&r, 0x20, 26);  /* ... */
    sample_of(&r, 0x20, 35);  /* jit-optimize within it */
    sample_of(&r, 0x20, 103); /* gc-collect-step, the other one alone */
    recording_log(&r, nested);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    assert_string_equal(recording_stack(&r, 0, 0), "main > gc-minor[GC]");
    assert_string_equal(recording_stack(&r, 0, 1), "main");
    assert_string_equal(recording_stack(&r, 2, 0), "main");
    assert_string_equal(recording_stack(&r, 2, 1), "main");
    assert_string_equal(recording_stack(&r, 2, 2), "main > gc-collect-step[GC]");
    assert_fact(&r, "Samples taken inside a section", "2 have it as their leaf; 0 have not");
    assert_fact(&r, "Samples taken inside a section", "and 3 as their section holds");
    recording_release(&r);
}

static void a_timer_of_wall_time_labels_one_thread_only(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct recording r;
        begin_mode(&r, RPYTHON | REAL_TIME);
        sample(&r, 13);
        if (i == 1)
            sample_of(&r, 0x20, 80);
        if (i == 2) { /* one that has no samples may have worked, too */
            recording_thread(&r, 0, 77, "MainThread");
            recording_thread(&r, 2, 78, "second");
        }
        recording_log(&r, nested);
        recording_build(&r);
        assert_string_equal(recording_stack(&r, 0, 0), i ? "main" : "main > gc-minor[GC]");
        assert_fact(&r, "Samples taken inside a section",
                    i ? "there are several threads" : "1 have it as their leaf");
        recording_release(&r);
    }
}

static void no_leaves_where_the_log_is_placed_by_an_estimate(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    r.pairs.len = 0;
    sample(&r, 1);
    recording_log(&r, "0 {gc-minor\n200 gc-minor}\n");
    recording_build(&r);
    assert_string_equal(recording_stack(&r, 0, 0), "main");
    assert_fact(&r, "Samples taken inside a section",
                "the times of the sections are too rough for it");
    assert_fact(&r, "Error", "not known: nothing was measured");
    recording_release(&r);
}

static void no_leaves_where_the_pairs_are_far_off(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct recording r;
        begin(&r);
        recording_pair(&r, RECORDING_ZERO_NS + 201000000,
                       RECORDING_ZERO_TICK + 201ull * RECORDING_TICKS_PER_MS,
                       i ? 101000 : 99000); /* 0.1 ms is the limit */
        sample(&r, 13);
        recording_log(&r, nested);
        recording_build(&r);
        assert_string_equal(recording_stack(&r, 0, 0), i ? "main" : "main > gc-minor[GC]");
        recording_release(&r);
    }
}

static void no_leaves_where_the_samples_times_are_not_measured(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    for (size_t i = 0; i < 20; i++)
        TAKE(&r, CODE(0x10));
    recording_log(&r, nested);
    recording_build(&r);
    assert_fact(&r, "Sample times", "ESTIMATE: ");
    for (size_t i = 0; i < 20; i++)
        assert_string_equal(recording_stack(&r, 0, i), "main");
    assert_fact(&r, "Samples taken inside a section", "the times of the samples are not measured");
    assert_fact(&r, "Source", "ESTIMATE: the log's two ends");
    recording_release(&r);
}

static void no_phases_leaves_the_stacks_as_they_are(void **state)
{
    (void)state;
    static const struct vf_build_options options = {.no_phases = true};
    struct recording r;
    begin(&r);
    r.options = &options;
    sample(&r, 13);
    recording_log(&r, nested);
    recording_build(&r);
    assert_string_equal(recording_stack(&r, 0, 0), "main");
    assert_true(thread(&r, 1)->is_runtime); /* the track stays */
    assert_fact(&r, "Samples taken inside a section", NULL);
    recording_release(&r);
}

/* ---- its place ------------------------------------------------------------------------------- */

static void the_runtime_stands_behind_the_main_thread(void **state)
{
    (void)state;
    for (size_t others = 0; others < 3; others++) {
        struct recording r;
        begin(&r);
        for (uint64_t i = 0; i < others; i++)
            sample_of(&r, 0x20 + 0x10 * i, 3);
        build(&r, nested);
        assert_int_equal(r.profile.threads.len, others + 2);
        assert_true(thread(&r, 0)->is_main);
        for (size_t i = 0; i < others + 2; i++)
            assert_int_equal(thread(&r, i)->is_runtime, i == 1);
        for (size_t i = 0; i < others; i++)
            assert_int_equal(thread(&r, i + 2)->tid, i + 2);
        recording_release(&r);
    }
}

static void a_run_without_samples_has_its_track(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    recording_stamp_ms(&r, 1); /* of a sample that was cut off */
    recording_log(&r, nested);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 2);
    CLASSES_ARE(&r, 149, 22, 9, 8, 5, 5, 2);
    recording_release(&r);
}

static void the_jits_own_stopwatch_stands_beside(void **state)
{
    (void)state;
    struct recording r;
    begin(&r);
    r.pairs.len = 0;
    build(&r, "100 {jit-tracing\n110 jit-tracing}\n150 {jit-summary\n"
              "Tracing:         \t1\t0.010000\nBackend:         \t2\t0.002500\n"
              "TOTAL:      \t\t0.025000\n160 jit-summary}\n");
    assert_fact(&r, "By the JIT's own stopwatch",
                "10.000 ms tracing and optimising, 2.500 ms backend (collections included), of "
                "25.000 ms since its first trace");
    /* 50 ms of the counter are 25 ms: the log's 60 are 30, up to the end of the run. */
    assert_fact(&r, "Source", "ESTIMATE: rate by the JIT's own stopwatch");
    TRACK(&r, {0, "running[Interpreter]"}, {170, "jit-tracing[Compile]"},
          {175, "running[Interpreter]"}, {195, "jit-summary[Compile]"},
          {200, "running[Interpreter]"});
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_track_shows_what_is_open_and_since_when),
        cmocka_unit_test(the_sums_are_the_run),
        cmocka_unit_test(the_track_is_high_where_the_runtime_works),
        cmocka_unit_test(a_backend_that_was_put_in_is_said),
        cmocka_unit_test(what_is_open_at_both_ends_is_cut_to_the_run),
        cmocka_unit_test(a_section_of_no_length_is_on_no_track),
        cmocka_unit_test(the_pairs_place_the_sections),
        cmocka_unit_test(sections_outside_the_recording_are_left_out_and_said),
        cmocka_unit_test(the_log_of_another_run_is_not_shown),
        cmocka_unit_test(a_log_without_sections_is_said),
        cmocka_unit_test(without_a_log_nothing_is_said),
        cmocka_unit_test(of_several_logs_the_recordings_own_is_shown),
        cmocka_unit_test(the_counts_are_of_the_log_that_is_shown),
        cmocka_unit_test(without_pairs_the_longest_of_several_logs_is_shown),
        cmocka_unit_test(the_programs_own_sections_are_on_the_track),
        cmocka_unit_test(the_programs_own_sections_are_never_leaves),
        cmocka_unit_test(an_own_section_around_does_not_mix_threads_up),
        cmocka_unit_test(a_sample_in_a_section_has_it_as_its_leaf),
        cmocka_unit_test(a_sample_at_an_edge_is_on_its_later_side),
        cmocka_unit_test(a_sample_without_a_stack_is_in_a_section_too),
        cmocka_unit_test(a_sample_in_another_library_is_no_work_of_the_runtime),
        cmocka_unit_test(several_threads_need_native_frames),
        cmocka_unit_test(a_section_with_samples_of_two_threads_is_in_neither),
        cmocka_unit_test(a_timer_of_wall_time_labels_one_thread_only),
        cmocka_unit_test(no_leaves_where_the_log_is_placed_by_an_estimate),
        cmocka_unit_test(no_leaves_where_the_pairs_are_far_off),
        cmocka_unit_test(no_leaves_where_the_samples_times_are_not_measured),
        cmocka_unit_test(no_phases_leaves_the_stacks_as_they_are),
        cmocka_unit_test(the_runtime_stands_behind_the_main_thread),
        cmocka_unit_test(a_run_without_samples_has_its_track),
        cmocka_unit_test(the_jits_own_stopwatch_stands_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

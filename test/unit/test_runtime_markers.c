/* The runtime thread's markers, each kind with its fields, and the counters. */
#include "test.h"

#include "rows.h"

#include <stdio.h>

enum { RPYTHON = 8 };

/* 200 ms under PyPy with this log; the runtime is thread 1. */
static void build(struct recording *r, const char *log)
{
    recording_begin(r, 6, RPYTHON, "pypy");
    recording_name(r, 0x10, "py:main:1:/a.py");
    recording_measured(r, 200);
    TAKE(r, CODE(0x10));
    recording_stamp_ms(r, 1);
    recording_log(r, log);
    recording_build(r);
    assert_true(thread(r, 1)->is_runtime);
    assert_int_equal(thread(r, 0)->markers.rows.len, 0);
}

static void assert_markers(struct recording *r, const char *const *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(recording_marker(r, 1, i), expected[i]);
    assert_int_equal(thread(r, 1)->markers.rows.len, count);
}
#define MARKERS(r, ...)                                                                            \
    assert_markers((r), (const char *const[]){__VA_ARGS__},                                        \
                   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* The log's markers, and no more of it is looked at. */
#define LOG_HAS(log, ...)                                                                          \
    do {                                                                                           \
        struct recording r;                                                                        \
        build(&r, (log));                                                                          \
        MARKERS(&r, __VA_ARGS__);                                                                  \
        recording_release(&r);                                                                     \
    } while (0)

static void assert_counter(struct recording *r, const char *name, const char *expected)
{
    const char *rows = recording_counter(r, name);
    if (!expected && rows)
        fail_msg("%s is %s", name, rows);
    if (!expected)
        return;
    if (!rows)
        fail_msg("there is no %s", name);
    assert_string_equal(rows, expected);
}

/* ---- minor collections ----------------------------------------------------------------------- */

#define NURSERY(from, to, bytes)                                                                   \
    from " {gc-set-nursery-size\nnursery size: " bytes "\n" to " gc-set-nursery-size}\n"
#define MINOR(from, to, memory, survivors, pinned)                                                 \
    from " {gc-minor\nminor collect, total memory used: " memory                                   \
         "\nnumber of pinned objects: " pinned "\ntotal size of surviving objects: " survivors     \
         "\n" to " gc-minor}\n"

static void a_minor_collection_tells_memory(void **state)
{
    (void)state;
    LOG_HAS(NURSERY("1", "2", "4096") MINOR("10", "12", "9000", "1024", "0")
                MINOR("20", "20.5", "12000", "3072", "2"),
            "MinorCollection 10..12 survivors=1024 share=0.25 nursery=4096 heap=9000 pinned=0",
            "MinorCollection 20..20.5 survivors=3072 share=0.75 nursery=4096 before=9000 "
            "heap=12000 pinned=2");
}

static void a_nursery_that_was_not_said_gives_no_share(void **state)
{
    (void)state;
    LOG_HAS(MINOR("10", "12", "9000", "1024", "0"),
            "MinorCollection 10..12 survivors=1024 heap=9000 pinned=0");
}

static void a_minor_collection_without_text_has_its_time(void **state)
{
    (void)state;
    LOG_HAS("10 {gc-minor\n12 gc-minor}\n13 {gc-minor\nsomething else\n14 gc-minor}\n",
            "MinorCollectionTime 10..12", "MinorCollectionTime 13..14");
}

/* What the sweep freed in between is not in use before the next one. */
static void a_major_collection_changes_what_is_in_use_before(void **state)
{
    (void)state;
    struct recording r;
    build(
        &r,
        MINOR("10", "12", "9000", "1024",
              "0") "20 {gc-collect-step\n"
                   "starting gc state:  SWEEPING\n21 {gc-collect-done\nbytes used in arenas: 4000\n"
                   "bytes raw-malloced: 900 => 500\n22 gc-collect-done}\n"
                   "stopping, now in gc state:  FINALIZING\n23 gc-collect-step}\n" MINOR(
                       "30", "32", "5000", "100", "0"));
    assert_string_equal(recording_marker(&r, 1, 3),
                        "MinorCollection 30..32 survivors=100 before=4500 heap=5000 pinned=0");
    recording_release(&r);
}

/* ---- major collections ----------------------------------------------------------------------- */

#define STEP(from, to, before, behind)                                                             \
    from " {gc-collect-step\nstarting gc state:  " before "\nstopping, now in gc state:  " behind  \
         "\n" to " gc-collect-step}\n"
#define DONE_STEP(from, at, to)                                                                    \
    from " {gc-collect-step\nstarting gc state:  SWEEPING\n" at " {gc-collect-done\n"              \
         "arenas:                8  =>  7\nbytes used in arenas:  2372344\n"                       \
         "bytes raw-malloced:    829160  =>  648032\n"                                             \
         "next major collection threshold:  5343543.296000\n" at " gc-collect-done}\n"             \
         "stopping, now in gc state:  FINALIZING\n" to " gc-collect-step}\n"

static void a_major_collection_goes_from_its_first_step_to_done(void **state)
{
    (void)state;
    LOG_HAS(STEP("10", "11", "SCANNING", "MARKING") STEP("20", "24", "MARKING", "MARKING")
                STEP("30", "32", "MARKING", "SWEEPING") DONE_STEP("40", "42", "43")
                    STEP("50", "50.5", "FINALIZING", "SCANNING"),
            "MajorCollectionStep 10..11 from=SCANNING to=MARKING",
            "MajorCollection 10..43 steps=4 pause=10 longest=4 "
            "states=SCANNING 1, MARKING 2, SWEEPING 1 after=3020376 arenas=2372344 "
            "rawBefore=829160 rawAfter=648032 threshold=5343543",
            "MajorCollectionStep 20..24 from=MARKING to=MARKING",
            "MajorCollectionStep 30..32 from=MARKING to=SWEEPING",
            "MajorCollectionStep 40..43 from=SWEEPING to=FINALIZING",
            "MajorCollectionStep 50..50.5 from=FINALIZING to=SCANNING");
}

static void an_unfinished_one_says_so(void **state)
{
    (void)state;
    LOG_HAS(DONE_STEP("10", "11", "12") STEP("50", "51", "SCANNING", "MARKING")
                STEP("60", "62", "MARKING", "MARKING"),
            "MajorCollectionStep 10..12 from=SWEEPING to=FINALIZING",
            "MajorCollection 10..12 steps=1 pause=2 longest=2 states=SWEEPING 1 after=3020376 "
            "arenas=2372344 rawBefore=829160 rawAfter=648032 threshold=5343543",
            "MajorCollectionStep 50..51 from=SCANNING to=MARKING",
            "MajorCollection 50..62 steps=2 pause=3 longest=2 states=SCANNING 1, MARKING 1 "
            "unfinished=the log ends before the collection does",
            "MajorCollectionStep 60..62 from=MARKING to=MARKING");
}

static void a_finalizing_step_alone_is_no_collection(void **state)
{
    (void)state;
    LOG_HAS(STEP("10", "11", "FINALIZING", "SCANNING"),
            "MajorCollectionStep 10..11 from=FINALIZING to=SCANNING");
}

static void steps_without_text_are_steps_still(void **state)
{
    (void)state;
    LOG_HAS("10 {gc-collect-step\n11 gc-collect-step}\n20 {gc-collect-step\n21 {gc-collect-done\n"
            "22 gc-collect-done}\n23 gc-collect-step}\n",
            "MajorCollectionStep 10..11", "MajorCollection 10..23 steps=2 pause=4 longest=3",
            "MajorCollectionStep 20..23");
}

/* Without texts nothing else tells it from a collection's first step. */
static void the_step_behind_a_sweep_is_finalizing(void **state)
{
    (void)state;
    LOG_HAS("20 {gc-collect-step\n21 {gc-collect-done\n22 gc-collect-done}\n23 gc-collect-step}\n"
            "30 {gc-collect-step\n31 gc-collect-step}\n40 {gc-collect-step\n42 gc-collect-step}\n",
            "MajorCollectionStep 20..23", "MajorCollection 20..23 steps=1 pause=3 longest=3",
            "MajorCollectionStep 30..31", "MajorCollectionStep 40..42",
            "MajorCollection 40..42 steps=1 pause=2 longest=2 "
            "unfinished=the log ends before the collection does");
}

/* More states than there is room for: what is shown of them is whole. */
static void many_changes_of_state_are_cut_between_two(void **state)
{
    (void)state;
    struct recording r;
    struct vf_buf log = {0};
    for (int i = 0; i < 60; i++)
        vf_buf_printf(&log, "%d {gc-collect-step\nstarting gc state: %s\n%d.5 gc-collect-step}\n",
                      i + 1, i % 2 ? "MARKING" : "SCANNING", i + 1);
    vf_buf_add(&log, "", 1);
    build(&r, log.ptr);
    /* Those that start together stand as they were added. */
    assert_string_equal(recording_marker(&r, 1, 0), "MajorCollectionStep 1..1.5 from=SCANNING");
    const char *major = recording_marker(&r, 1, 1);
    assert_non_null(strstr(major, "MajorCollection 1..60.5 steps=60 pause=30 longest=0.5 "
                                  "states=SCANNING 1, MARKING 1, SCANNING 1, "));
    const char *end = strstr(major, " unfinished=");
    assert_non_null(end);
    assert_int_equal(end[-1], '1');
    vf_buf_release(&log);
    recording_release(&r);
}

/* ---- traces ---------------------------------------------------------------------------------- */

#define WHERE "walk;/tmp/a b.py:13-15~#4 LOAD_FAST"
#define LOOP_TRACE                                                                                 \
    "20 {jit-tracing\n" WHERE "\n22 {gc-minor\n23 gc-minor}\n"                                     \
    "25 {jit-log-noopt\n# Traced loop or bridge with 166 ops\n25 jit-log-noopt}\n"                 \
    "30 {jit-optimize\n36 jit-optimize}\n40 {jit-backend\n40 {jit-mem-looptoken-alloc\n"           \
    "allocating Loop # 2\n40 jit-mem-looptoken-alloc}\n44 {jit-backend-addr\n"                     \
    "Loop 2 (" WHERE ") has address 0x1010 to 0x1100 (bootstrap 0x1000)\n"                         \
    "44 jit-backend-addr}\n45 jit-backend}\ncompiled new loop\n46 {jit-log-opt-loop\n"             \
    "# Loop 2 (" WHERE ") : loop with 96 ops\n+28: guard_true(i5, descr=<Guard0x7f>) []\n"         \
    "+29: guard_value(i5, 4) []\n46 jit-log-opt-loop}\n50 jit-tracing}\n"

static void a_trace_tells_what_became_of_what(void **state)
{
    (void)state;
    LOG_HAS(LOOP_TRACE,
            "Trace 20..50 what=loop 2: walk a b.py:15 function=walk file=/tmp/a b.py line=15 "
            "result=loop recorded=166 optimized=96 guards=2 code=256 tracing=18 optimizing=6 "
            "backend=5 collecting=1",
            "MinorCollectionTime 22..23");
}

static void runs_come_from_the_backends_counts(void **state)
{
    (void)state;
    struct recording r;
    build(&r, LOOP_TRACE "190 {jit-backend-counts\nentry 2:4711\n191 jit-backend-counts}\n");
    assert_non_null(strstr(recording_marker(&r, 1, 0), " code=256 runs=4711 tracing="));
    recording_release(&r);
}

static void a_bridge_names_its_loop(void **state)
{
    (void)state;
    LOG_HAS("60 {jit-tracing\n" WHERE "\n62 {jit-mem-looptoken-alloc\n"
            "allocating Bridge # 3 of Loop # 2\n62 jit-mem-looptoken-alloc}\n"
            "65 {jit-backend-addr\nbridge out of Guard 0xabc has address 0x2000 to 0x2080\n"
            "65 jit-backend-addr}\ncompiled new bridge\n70 jit-tracing}\n",
            "Bridge 60..70 what=bridge 3 of loop 2: walk a b.py:15 function=walk file=/tmp/a b.py "
            "line=15 result=bridge code=128 tracing=7 optimizing=0 backend=3 collecting=0");
}

static void an_aborted_trace_says_why(void **state)
{
    (void)state;
    LOG_HAS("60 {jit-tracing\n" WHERE "\n~~~ ABORTING TRACING ABORT_TOO_LONG\n70 jit-tracing}\n"
            "80 {jit-tracing\n~~~ ABORTING TRACING ABORT_OF_A_LATER_PYPY\n81 jit-tracing}\n",
            "TraceAborted 60..70 what=walk a b.py:15 function=walk file=/tmp/a b.py line=15 "
            "tracing=10 optimizing=0 backend=0 collecting=0 reason=trace too long",
            "TraceAborted 80..81 what=trace tracing=1 optimizing=0 backend=0 collecting=0 "
            "reason=ABORT_OF_A_LATER_PYPY");
}

static void each_reason_has_the_words_of_the_summary(void **state)
{
    (void)state;
    static const char *const known[][2] = {
        {"ABORT_TOO_LONG", "trace too long"},
        {"ABORT_BRIDGE", "compiling"},
        {"ABORT_ESCAPE", "vable escape"},
        {"ABORT_BAD_LOOP", "bad loop"},
        {"ABORT_FORCE_QUASIIMMUT", "force quasi-immut"},
        {"ABORT_SEGMENTED_TRACE", "segmenting trace"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct recording r;
        char log[200], expected[100];
        snprintf(log, sizeof log, "1 {jit-tracing\n~~~ ABORTING TRACING %s\n2 jit-tracing}\n",
                 known[i][0]);
        snprintf(expected, sizeof expected, " reason=%s", known[i][1]);
        build(&r, log);
        const char *marker = recording_marker(&r, 1, 0);
        assert_non_null(strstr(marker, expected));
        assert_string_equal(strstr(marker, " reason="), expected);
        recording_release(&r);
    }
}

static void of_a_trace_without_text_the_time_is_known(void **state)
{
    (void)state;
    LOG_HAS("60 {jit-tracing\n62 {jit-optimize\n65 jit-optimize}\n70 jit-tracing}\n",
            "Tracing 60..70 what=trace tracing=7 optimizing=3 backend=0 collecting=0");
}

static void a_trace_within_a_trace_has_its_own_time(void **state)
{
    (void)state;
    struct recording r;
    build(&r, "10 {jit-tracing\n" WHERE "\n20 {jit-tracing\nf;b.py:1-2~#8 LOAD_FAST\n"
              "22 {jit-optimize\n25 jit-optimize}\n30 jit-tracing}\n40 jit-tracing}\n");
    assert_int_equal(thread(&r, 1)->markers.rows.len, 2);
    const char *outer = recording_marker(&r, 1, 0);
    assert_non_null(strstr(outer, "Tracing 10..40 what=walk a b.py:15 "));
    assert_non_null(strstr(recording_marker(&r, 1, 1), "tracing=7 optimizing=3"));
    assert_string_equal(recording_fact(&r, "Tracing"), "27.000 ms (13.50 %)");
    assert_string_equal(recording_fact(&r, "Optimising"), "3.000 ms (1.50 %)");
    recording_release(&r);
}

static void a_trace_elsewhere_is_shown_as_it_stands(void **state)
{
    (void)state;
    LOG_HAS("60 {jit-tracing\nunpackiterable [list]\ncompiled new loop\n70 jit-tracing}\n",
            "Trace 60..70 what=unpackiterable [list] result=loop tracing=10 optimizing=0 "
            "backend=0 collecting=0");
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    struct recording r;
    char log[400], text[301], expected[400];
    memset(text, 'x', 300);
    text[300] = 0;
    snprintf(log, sizeof log, "60 {jit-tracing\n%s\n70 jit-tracing}\n", text);
    snprintf(expected, sizeof expected,
             "Tracing 60..70 what=%.100s tracing=10 optimizing=0 backend=0 collecting=0", text);
    build(&r, log);
    assert_string_equal(recording_marker(&r, 1, 0), expected);
    recording_release(&r);
}

static void a_function_with_a_long_name_keeps_it(void **state)
{
    (void)state;
    struct recording r;
    char log[600], name[201];
    memset(name, 'y', 200);
    name[200] = 0;
    snprintf(log, sizeof log, "60 {jit-tracing\n%s;/a.py:1-2~#8 LOAD_FAST\n70 jit-tracing}\n",
             name);
    build(&r, log);
    char expected[600];
    snprintf(expected, sizeof expected,
             "Tracing 60..70 what=%s a.py:2 function=%s file=/a.py line=2 tracing=10 optimizing=0 "
             "backend=0 collecting=0",
             name, name);
    assert_string_equal(recording_marker(&r, 1, 0), expected);
    recording_release(&r);
}

static void what_the_optimiser_gave_up_is_a_note(void **state)
{
    (void)state;
    LOG_HAS("60 {jit-tracing\n62 {jit-abort\nint bounds\n63 jit-abort}\ncompiled new loop\n"
            "70 jit-tracing}\n",
            "Trace 60..70 what=trace result=loop tracing=10 optimizing=0 backend=0 collecting=0 "
            "note=int bounds");
}

/* ---- invalidations --------------------------------------------------------------------------- */

static void an_invalidation_names_the_field(void **state)
{
    (void)state;
    LOG_HAS("60 {jit-invalidate-quasi-immutable\nfieldname mutate_version invalidated 3\n"
            "61 jit-invalidate-quasi-immutable}\n"
            "62 {jit-invalidate-quasi-immutable\n62 jit-invalidate-quasi-immutable}\n",
            "Invalidation 60..61 field=mutate_version loops=3", "Invalidation 62..62");
}

/* ---- their order and place ------------------------------------------------------------------- */

static void markers_are_sorted_by_their_start(void **state)
{
    (void)state;
    struct recording r;
    build(&r, "5 {jit-invalidate-quasi-immutable\n6 jit-invalidate-quasi-immutable}\n"
              "7 {gc-collect-step\n8 gc-collect-step}\n" LOOP_TRACE
              "60 {gc-minor\n61 gc-minor}\n70 {jit-tracing\n71 jit-tracing}\n");
    const struct vf_markers *m = &thread(&r, 1)->markers;
    assert_int_equal(m->rows.len, 7);
    for (size_t i = 1; i < m->rows.len; i++)
        assert_true(m->rows.items[i - 1].start_ms <= m->rows.items[i].start_ms);
    /* Each has kept its fields. */
    assert_non_null(strstr(recording_marker(&r, 1, 3), "Trace 20..50 what=loop 2: "));
    assert_string_equal(recording_marker(&r, 1, 5), "MinorCollectionTime 60..61");
    recording_release(&r);
}

static void what_is_outside_the_run_has_no_marker(void **state)
{
    (void)state;
    LOG_HAS("-20 {gc-minor\n-10 gc-minor}\n-3 {gc-minor\n2 gc-minor}\n10 {gc-minor\n11 gc-minor}\n"
            "20 {gc-minor\n21 gc-minor}\n198 {gc-minor\n203 gc-minor}\n"
            "210 {gc-minor\n220 gc-minor}\n",
            "MinorCollectionTime 0..2", "MinorCollectionTime 10..11", "MinorCollectionTime 20..21",
            "MinorCollectionTime 198..200");
}

/* What another process had in use is not this one's. */
static void another_logs_memory_is_not_taken_over(void **state)
{
    (void)state;
    LOG_HAS(NURSERY("9000", "9001", "4096") MINOR("9010", "9012", "70000", "1024", "0")
                MINOR("10", "12", "9000", "1024", "0"),
            "MinorCollection 10..12 survivors=1024 heap=9000 pinned=0");
}

/* ---- counters -------------------------------------------------------------------------------- */

static void the_heap_is_told_behind_each_collection(void **state)
{
    (void)state;
    struct recording r;
    build(&r, MINOR("10", "12", "9000", "1024", "0") DONE_STEP("40", "42", "43")
                  STEP("50", "50.5", "FINALIZING", "SCANNING")
                      MINOR("60", "61", "3100000", "512", "0") "70 {gc-minor\n71 gc-minor}\n");
    assert_counter(&r, "Heap in use", "12=9000 43=3020376 61=3100000");
    assert_counter(&r, "Survivors", "12=1024 61=512");
    assert_counter(&r, "Machine code", NULL);
    assert_counter(&r, "Loops alive", NULL);
    assert_counter(&r, "Bridges alive", NULL);
    recording_release(&r);
}

#define COMPILE(from, to, number, range)                                                           \
    from " {jit-tracing\n" from " {jit-mem-looptoken-alloc\nallocating " number "\n" from          \
         " jit-mem-looptoken-alloc}\n" to " {jit-backend-addr\nX has address " range "\n" to       \
         " jit-backend-addr}\n" to " jit-tracing}\n"
#define LOOK(from, to, freed, left)                                                                \
    from " {jit-mem-collect\nLoop tokens freed:  " freed "\nLoop tokens left:   " left "\n" to     \
         " jit-mem-collect}\n"

static void code_loops_and_bridges_are_levels_up_to_the_end(void **state)
{
    (void)state;
    struct recording r;
    build(&r, COMPILE("10", "12", "Loop # 1", "0x1000 to 0x1100")
                  COMPILE("20", "23", "Bridge # 1 of Loop # 1", "0x2000 to 0x2010")
                      COMPILE("30", "34", "Loop # 2", "0x3000 to 0x3001"));
    assert_counter(&r, "Machine code", "12=0 12=256 23=256 23=272 34=272 34=273 200=273");
    assert_counter(&r, "Loops alive", "12=0 12=1 34=1 34=2 200=2");
    assert_counter(&r, "Bridges alive", "23=0 23=1 200=1");
    recording_release(&r);
}

static void freed_loops_are_taken_off_when_the_jit_looks(void **state)
{
    (void)state;
    struct recording r;
    build(&r, COMPILE("10", "12", "Loop # 1", "0x1000 to 0x1100") COMPILE("20", "22", "Loop # 2",
                                                                          "0x2000 to 0x2100")
                  COMPILE("30", "32", "Loop # 3", "0x3000 to 0x3100") LOOK("40", "41", "0", "3")
                      LOOK("50", "51", "2", "1") COMPILE("60", "62", "Loop # 4", "0x4000 to 0x4100")
                          LOOK("70", "71", "1", "1"));
    assert_counter(&r, "Loops alive",
                   "12=0 12=1 22=1 22=2 32=2 32=3 51=3 51=1 62=1 62=2 71=2 71=1 200=1");
    recording_release(&r);
}

static void freed_bridges_are_known_at_the_end_only(void **state)
{
    (void)state;
    struct recording r;
    build(
        &r,
        COMPILE("10", "12", "Bridge # 1 of Loop # 1", "0x1000 to 0x1100")
            COMPILE("20", "22", "Bridge # 2 of Loop # 1", "0x2000 to 0x2100") COMPILE(
                "30", "32", "Bridge # 3 of Loop # 1",
                "0x3000 to 0x3100") "180 {jit-summary\nFreed # of bridges:\t2\n190 jit-summary}\n");
    assert_counter(&r, "Bridges alive", "12=0 12=1 22=1 22=2 32=2 32=3 180=3 180=1 200=1");
    recording_release(&r);
}

static void an_aborted_trace_leaves_no_code(void **state)
{
    (void)state;
    struct recording r;
    build(&r, COMPILE("10", "12", "Loop # 1",
                      "0x1000 to 0x1100") "20 {jit-tracing\n20 "
                                          "{jit-mem-looptoken-alloc\nallocating Loop # 2\n"
                                          "20 jit-mem-looptoken-alloc}\n21 {jit-backend-addr\n"
                                          "X has address 0x2000 to 0x2100\n21 jit-backend-addr}\n"
                                          "~~~ ABORTING TRACING ABORT_ESCAPE\n22 jit-tracing}\n");
    assert_counter(&r, "Machine code", "12=0 12=256 200=256");
    assert_counter(&r, "Loops alive", "12=0 12=1 200=1");
    recording_release(&r);
}

/* A level stays, whatever the others do; times do not fall. */
static void counters_do_not_go_back_in_time(void **state)
{
    (void)state;
    struct recording r;
    build(&r, "10 {jit-tracing\n" COMPILE(
                  "20", "22", "Loop # 1",
                  "0x1000 to 0x1100") "30 {jit-mem-looptoken-alloc\nallocating Loop # 2\n31 "
                                      "jit-mem-looptoken-alloc}\n"
                                      "32 {jit-backend-addr\nX has address 0x2000 to 0x2100\n33 "
                                      "jit-backend-addr}\n"
                                      "40 jit-tracing}\n" COMPILE("50", "52", "Loop # 3",
                                                                  "0x3000 to 0x3100"));
    for (size_t i = 0; i < r.profile.counters.len; i++) {
        const struct vf_counter *c = &r.profile.counters.items[i];
        for (size_t k = 1; k < c->rows.len; k++)
            if (c->rows.items[k].time_ms < c->rows.items[k - 1].time_ms)
                fail_msg("%s: %g ms behind %g ms", c->name, c->rows.items[k].time_ms,
                         c->rows.items[k - 1].time_ms);
    }
    assert_counter(&r, "Loops alive", "22=0 22=1 40=1 40=2 52=2 52=3 200=3");
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minor_collection_tells_memory),
        cmocka_unit_test(a_nursery_that_was_not_said_gives_no_share),
        cmocka_unit_test(a_minor_collection_without_text_has_its_time),
        cmocka_unit_test(a_major_collection_changes_what_is_in_use_before),
        cmocka_unit_test(a_major_collection_goes_from_its_first_step_to_done),
        cmocka_unit_test(an_unfinished_one_says_so),
        cmocka_unit_test(a_finalizing_step_alone_is_no_collection),
        cmocka_unit_test(steps_without_text_are_steps_still),
        cmocka_unit_test(the_step_behind_a_sweep_is_finalizing),
        cmocka_unit_test(many_changes_of_state_are_cut_between_two),
        cmocka_unit_test(a_trace_tells_what_became_of_what),
        cmocka_unit_test(runs_come_from_the_backends_counts),
        cmocka_unit_test(a_bridge_names_its_loop),
        cmocka_unit_test(an_aborted_trace_says_why),
        cmocka_unit_test(each_reason_has_the_words_of_the_summary),
        cmocka_unit_test(of_a_trace_without_text_the_time_is_known),
        cmocka_unit_test(a_trace_within_a_trace_has_its_own_time),
        cmocka_unit_test(a_trace_elsewhere_is_shown_as_it_stands),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(a_function_with_a_long_name_keeps_it),
        cmocka_unit_test(what_the_optimiser_gave_up_is_a_note),
        cmocka_unit_test(an_invalidation_names_the_field),
        cmocka_unit_test(markers_are_sorted_by_their_start),
        cmocka_unit_test(what_is_outside_the_run_has_no_marker),
        cmocka_unit_test(another_logs_memory_is_not_taken_over),
        cmocka_unit_test(the_heap_is_told_behind_each_collection),
        cmocka_unit_test(code_loops_and_bridges_are_levels_up_to_the_end),
        cmocka_unit_test(freed_loops_are_taken_off_when_the_jit_looks),
        cmocka_unit_test(freed_bridges_are_known_at_the_end_only),
        cmocka_unit_test(an_aborted_trace_leaves_no_code),
        cmocka_unit_test(counters_do_not_go_back_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

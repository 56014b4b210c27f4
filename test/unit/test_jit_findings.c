/* What is said of a JIT log to be worth a look: each sentence with figures that are counted in the
 * log, in the order of what they are about; and what a hostile log does to it. */
#include "test.h"

#include "jit_story.h"
#include "rows.h"

#include <stdio.h>

/* ---- guards ---------------------------------------------------------------------------------- */

static void a_guard_that_fails_often_says_where_and_into_what(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    loop(&s, 12, "parse", 40);
    bridge(&s, 31, 12, "parse", 44, 812000);
    bridge(&s, 32, 31, "parse", 47, 1);
    entered(&s, 12, 5);
    samples_in(&s, 31, 5);
    samples_in(&s, 12, 10);
    samples_outside(&s, 34);
    build(&s);
    assert_count(&s, 2);
    assert_finding(&s, 0,
                   "`parse` line 40: guard_true failed 812,000 times into bridge 31 (10.0 % "
                   "of the samples are in it)");
    assert_near(finding(&s, 0)->count, 812000);
    /* No sample in it: nothing is said of a share. */
    assert_finding(&s, 1, "`parse` line 44: guard_true failed once into bridge 32");
    end(&s);
}

static void where_there_are_addresses_they_are_the_measure(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    loop(&s, 1, "f", 3);
    bridge(&s, 2, 1, "f", 4, 1000);
    entered(&s, 1, 1);
    samples_in(&s, 1, 9);
    addresses(&s, code_of(2) + OP_AT, 1);
    addresses(&s, 0x10, 3);
    build(&s);
    assert_finding(&s, 0,
                   "`f` line 3: guard_true failed 1,000 times into bridge 2 (25.0 % of the "
                   "instruction addresses are in it)");
    end(&s);
}

static void without_counters_no_count_is_made_up(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.no_counters = true;
    loop(&s, 1, "f", 3);
    bridge(&s, 2, 1, "f", 4, 1000);
    samples_in(&s, 2, 9);
    build(&s);
    assert_count(&s, 0);
    assert_fact(&s.r, "How often traces ran", "not known");
    assert_fact(&s.r, "1", NULL);
    end(&s);
}

static void time_that_lies_in_many_bridges_is_said(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.no_counters = true;
    loop(&s, 1, "f", 3);
    for (uint64_t id = 2; id < 6; id++) {
        bridge(&s, id, id - 1, "f", 4, 0);
        samples_in(&s, id, 10);
    }
    loop(&s, 6, "g", 9); /* most of this one's is its own */
    bridge(&s, 7, 6, "g", 9, 0);
    bridge(&s, 8, 7, "g", 9, 0);
    samples_in(&s, 1, 9);
    samples_in(&s, 6, 20);
    samples_in(&s, 7, 10);
    samples_in(&s, 8, 9);
    samples_outside(&s, 11);
    build(&s);
    assert_count(&s, 1);
    assert_finding(&s, 0,
                   "`f` line 3: 40.0 % of the samples are in the 4 bridges of loop 1, 9.0 % "
                   "in itself");
    end(&s);
}

static void a_guard_without_a_bridge_is_seen_by_its_exit(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.no_counters = true;
    loop(&s, 1, "f", 3);
    loop(&s, 2, "g", 5);
    bridge(&s, 3, 2, "g", 6, 0);
    loop(&s, 4, "h", 7);
    addresses(&s, code_of(1) + EXIT_AT, 2);
    addresses(&s, code_of(1) + EXIT_AT + 9, 1);
    addresses(&s, code_of(2) + EXIT_AT, 5); /* from before it had a bridge */
    addresses(&s, code_of(4) + EXIT_AT, 1); /* one is too few to say so */
    addresses(&s, code_of(4) + EXIT_AT - 1, 9);
    addresses(&s, 0x10, 12);
    build(&s);
    assert_count(&s, 1);
    assert_finding(&s, 0,
                   "`f` line 3: guard_true fails and has no bridge: 3 instruction addresses "
                   "(10.0 %) are in its exit from loop 1 a.py:3");
    end(&s);
}

/* Two guards, one exit behind the other. */
static void a_hit_is_of_the_exit_that_begins_before_it(void **state)
{
    (void)state;
    static const unsigned char jumps[2][6] = {{0x0f, 0x85, EXIT_AT - OP_AT - 6},
                                              {0x0f, 0x84, EXIT_AT + 8 - OP_AT - 12}};
    static const char rest[64];
    struct story s;
    begin(&s);
    s.no_counters = true;
    jitlog_start(&s.log, 1, "loop", 0, "");
    for (unsigned stage = JITLOG_OPTIMISED; stage <= JITLOG_ASSEMBLED; stage++) {
        jitlog_stage(&s.log, stage, 1);
        if (stage == JITLOG_ASSEMBLED)
            jitlog_bounds(&s.log, code_of(1), code_of(1) + 0x80);
        for (unsigned i = 0; i < 2; i++) {
            if (stage == JITLOG_OPTIMISED)
                merge_point(&s, i ? "second" : "first", 3 + i);
            jitlog_operation(&s.log, OP_GUARD_TRUE, "?,i1,<Guard>", GUARD + 1 + i, "i1");
            if (stage == JITLOG_ASSEMBLED)
                code(&s, OP_AT + 6 * i, jumps[i], sizeof jumps[i]);
        }
        jitlog_operation(&s.log, OP_JUMP, "?", 0, "");
        if (stage == JITLOG_ASSEMBLED)
            code(&s, OP_AT + 12, rest, sizeof rest);
    }
    addresses(&s, code_of(1) + EXIT_AT + 7, 2);
    addresses(&s, code_of(1) + EXIT_AT + 8, 5);
    addresses(&s, code_of(1) + EXIT_AT + 30, 1);
    addresses(&s, 0x10, 2);
    build(&s);
    assert_count(&s, 2);
    assert_finding(&s, 0,
                   "`second` line 4: guard_true fails and has no bridge: 6 instruction "
                   "addresses (60.0 %) are in its exit from loop 1 a.py:3");
    assert_finding(&s, 1,
                   "`first` line 3: guard_true fails and has no bridge: 2 instruction "
                   "addresses (20.0 %) are in its exit from loop 1 a.py:3");
    end(&s);
}

static void bridges_that_were_given_up(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.no_counters = true;
    loop(&s, 1, "f", 3);
    loop(&s, 2, "g", 5);
    for (uint64_t id = 3; id < 6; id++)
        given_up(&s, id, "bridge", GUARD + 1, "f", 4);
    given_up(&s, 6, "bridge", GUARD + 2, "g", 6); /* and then one was compiled */
    bridge(&s, 7, 2, "g", 6, 0);
    for (uint64_t id = 8; id < 12; id++)
        given_up(&s, id, "loop", 0, "h", 8);
    build(&s);
    assert_count(&s, 3);
    assert_finding(&s, 0,
                   "`f` line 4: a bridge was begun 3 times at a guard and given up; the guard "
                   "has none");
    assert_finding(&s, 1, "`h` line 8: a trace was given up 4 times as it was optimised");
    assert_finding(&s, 2, "`g` line 6: a trace was given up once as it was optimised");
    end(&s);
}

/* Ids of objects are given out again. */
static void a_bridge_from_before_is_another_guards(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.no_counters = true;
    loop(&s, 1, "f", 3);
    bridge(&s, 2, 1, "f", 4, 0);
    given_up(&s, 3, "bridge", GUARD + 1, "g", 6);
    build(&s);
    assert_finding(&s, 0,
                   "`g` line 6: a bridge was begun once at a guard and given up; the guard has "
                   "none");
    end(&s);
}

/* ---- whole traces ---------------------------------------------------------------------------- */

static void a_place_that_is_compiled_again_and_again(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.no_counters = true;
    loop(&s, 1, "f", 3);
    loop(&s, 2, "f", 3);
    entry_bridge(&s, 3, "f", 3);
    given_up(&s, 4, "loop", 0, "g", 3); /* no code */
    loop(&s, 5, "g", 3);
    loop(&s, 6, "g", 3); /* twice is usual */
    bridge(&s, 7, 6, "g", 3, 0);
    build(&s);
    assert_count(&s, 2);
    assert_finding(&s, 0, "`f` line 3: compiled from the start 3 times (2 loops, 1 entry bridge)");
    assert_finding(&s, 1, "`g` line 3: a trace was given up once as it was optimised");
    end(&s);
}

static void traces_that_were_never_entered(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    loop(&s, 1, "f", 3);
    trace_of(&s, 2, "loop", 0, "g", 4, 0x100, 0);
    loop(&s, 3, "h", 5);
    loop(&s, 4, "i", 6); /* not counted, but a sample was taken in it */
    given_up(&s, 5, "loop", 0, "j", 7);
    entered(&s, 1, 100);
    samples_in(&s, 4, 1);
    build(&s);
    assert_count(&s, 2);
    assert_finding(&s, 0,
                   "2 of 4 compiled traces were never entered: 384 bytes of code; the largest is "
                   "loop 2 a.py:4");
    end(&s);
}

/* Other traces jump to a loop's label: its own entry does not count that. */
static void a_loop_whose_label_was_passed_was_entered(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    loop(&s, 1, "f", 3);
    jitlog_start(&s.log, 2, "loop", 0, "");
    jitlog_stage(&s.log, JITLOG_OPTIMISED, 2);
    merge_point(&s, "g", 4);
    jitlog_operation(&s.log, OP_LABEL, "?,i1,TargetToken(1)", 0xa1, "");
    jitlog_operation(&s.log, OP_JUMP, "?", 0, "");
    assembled(&s, 2, 0x80, 0);
    loop(&s, 3, "h", 5);
    entered(&s, 1, 100);
    jitlog_counter(&s.log, 0xa1, 'l', 7);
    build(&s);
    assert_finding(&s, 0,
                   "1 of 3 compiled traces was never entered: 128 bytes of code, loop 3 a.py:5");
    end(&s);
}

static void long_traces(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.no_counters = true;
    trace_of(&s, 1, "loop", 0, "f", 3, 0x80, 5000);
    trace_of(&s, 100, "loop", 0, "g", 4, 65537, 0);
    trace_of(&s, 200, "loop", 0, "h", 5, 65536, 4000);
    build(&s);
    assert_count(&s, 2);
    assert_finding(&s, 0, "loop 1 a.py:3 is long: 5,002 operations in 128 bytes of code");
    assert_finding(&s, 1, "loop 100 a.py:4 is long: 2 operations in 65,537 bytes of code");
    end(&s);
}

/* ---- the runtime's log ----------------------------------------------------------------------- */

static const char tracing[] =
    "10 {jit-tracing\nf;/a.py:3-9~#8 LOAD_FAST\n~~~ ABORTING TRACING ABORT_TOO_LONG\n"
    "14 jit-tracing}\n"
    "20 {jit-tracing\nf;/a.py:3-9~#8 LOAD_FAST\n~~~ ABORTING TRACING ABORT_TOO_LONG\n"
    "26 jit-tracing}\n"
    "30 {jit-tracing\ng;/a.py:8-9~#8 LOAD_FAST\n~~~ ABORTING TRACING ABORT_SEGMENTED_TRACE\n"
    "31 jit-tracing}\n";

static void tracing_that_was_given_up(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.no_counters = true;
    loop(&s, 1, "f", 3);
    s.runtime = tracing;
    recording_stamp_ms(&s.r, 1);
    build(&s);
    assert_count(&s, 2);
    assert_finding(&s, 0, "`f`: tracing was given up 2 times (trace too long), which took 10.0 ms");
    assert_finding(&s, 1, "`g`: too long for one trace, compiled in pieces once (1.0 ms)");
    end(&s);
}

/* ---- where it is said ------------------------------------------------------------------------ */

static bool has_marker(struct story *s, size_t thread, const char *begin)
{
    for (size_t i = 0; i < s->r.profile.threads.items[thread].markers.rows.len; i++)
        if (strncmp(recording_marker(&s->r, thread, i), begin, strlen(begin)) == 0)
            return true;
    return false;
}

static void findings_are_facts_and_markers_over_the_run(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    loop(&s, 1, "f", 3);
    bridge(&s, 2, 1, "f", 4, 1000);
    entered(&s, 1, 5);
    samples_in(&s, 1, 3);
    build(&s);
    assert_fact(&s.r, "1", "`f` line 3: guard_true failed 1,000 times into bridge 2");
    assert_true(s.r.profile.end_ms > 0);
    char expected[200];
    snprintf(expected, sizeof expected,
             "JitFinding 0..%.9g finding=`f` line 3: guard_true failed 1,000 times into bridge 2 "
             "count=1000",
             s.r.profile.end_ms);
    assert_true(has_marker(&s, 0, expected));
    /* No runtime's log: the facts of the traces that were seen. */
    snprintf(expected, sizeof expected,
             "JitTrace 0..%.9g what=loop 1 a.py:3 function=f file=/a.py line=3 recorded=0 "
             "optimized=2 assembled=2 guards=1 bridges=1 code=128 runs=5 samples=0.75",
             s.r.profile.end_ms);
    assert_true(has_marker(&s, 0, expected));
    assert_false(has_marker(&s, 0, "JitTrace 0..0"));
    end(&s);
}

static void the_runtimes_log_has_the_traces_facts_itself(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    loop(&s, 1, "f", 3);
    entered(&s, 1, 5);
    samples_in(&s, 1, 1);
    recording_stamp_ms(&s.r, 1);
    recording_stamp_ms(&s.r, 2);
    s.runtime = "10 {jit-tracing\nf;/a.py:3-9~#8 LOAD_FAST\n12 {jit-mem-looptoken-alloc\n"
                "allocating Loop # 1\n13 jit-mem-looptoken-alloc}\n14 jit-tracing}\n";
    build(&s);
    assert_true(thread(&s.r, 1)->is_runtime);
    assert_true(has_marker(&s, 1, "Trace 10..14"));
    assert_false(has_marker(&s, 1, "JitTrace"));
    assert_false(has_marker(&s, 0, "JitTrace"));
    end(&s);
}

static void at_most_ten_and_the_heaviest_first(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    loop(&s, 1, "f", 3);
    for (uint64_t id = 2; id < 42; id++)
        bridge(&s, id, id - 1, "f", (unsigned)id, id);
    entered(&s, 1, 1);
    samples_in(&s, 7, 10); /* entered seven times, and slow */
    build(&s);
    assert_count(&s, VF_JIT_FINDINGS_MAX);
    assert_fact(&s.r, "1", "7 times into bridge 7 (");
    assert_fact(&s.r, "2", "`f` line 40: guard_true failed 41 times into bridge 41");
    assert_fact(&s.r, "10", "into bridge 33");
    assert_fact(&s.r, "11", NULL);
    for (size_t i = 1; i < VF_JIT_FINDINGS_MAX; i++)
        assert_true(finding(&s, i - 1)->score >= finding(&s, i)->score);
    end(&s);
}

/* ---- hostile logs ---------------------------------------------------------------------------- */

static void names_are_cut_between_characters(void **state)
{
    (void)state;
    struct story s;
    char name[1001] = {0};
    for (size_t i = 0; i + 2 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    name[0] = name[1] = 'x';
    memmove(name, name + 1, sizeof name - 1); /* the 80th byte is within a character */
    begin(&s);
    loop(&s, 1, name, 3);
    bridge(&s, 2, 1, name, 4, 9);
    entered(&s, 1, 1);
    build(&s);
    struct vf_str text = finding(&s, 0)->text;
    assert_true(text.len < 150);
    const char *end_of_name = memchr(text.ptr + 1, '`', text.len - 1);
    assert_non_null(end_of_name);
    assert_int_equal((unsigned char)end_of_name[-1], 0xa9);
    end(&s);
}

static void a_log_that_is_cut_anywhere_does_no_harm(void **state)
{
    (void)state;
    struct story whole;
    begin(&whole);
    loop(&whole, 1, "f", 3);
    bridge(&whole, 2, 1, "f", 4, UINT64_MAX);
    bridge(&whole, 3, 2, "f", 5, UINT64_MAX);
    given_up(&whole, 4, "bridge", GUARD + 3, "f", 6);
    entered(&whole, 1, UINT64_MAX);
    addresses(&whole, code_of(3) + EXIT_AT, 3);
    for (size_t len = 0; len < whole.log.out.len; len++) {
        struct recording r;
        recording_begin(&r, 6, 12, "pypy");
        recording_name(&r, MAIN, "py:main:1:/a.py");
        TAKE(&r, CODE(MAIN));
        r.capture.jitlog = (struct vf_str){whole.log.out.ptr, len};
        r.capture.pcs = vf_buf_view(&whole.pcs);
        r.capture.info.pc_period_ns = 997000;
        recording_build(&r);
        if (r.profile.jit)
            assert_between(r.profile.jit->finding_count, 0, VF_JIT_FINDINGS_MAX);
        recording_release(&r);
    }
    build(&whole);
    assert_fact(&whole.r, "1", "fails and has no bridge");
    end(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guard_that_fails_often_says_where_and_into_what),
        cmocka_unit_test(where_there_are_addresses_they_are_the_measure),
        cmocka_unit_test(without_counters_no_count_is_made_up),
        cmocka_unit_test(time_that_lies_in_many_bridges_is_said),
        cmocka_unit_test(a_guard_without_a_bridge_is_seen_by_its_exit),
        cmocka_unit_test(a_hit_is_of_the_exit_that_begins_before_it),
        cmocka_unit_test(bridges_that_were_given_up),
        cmocka_unit_test(a_bridge_from_before_is_another_guards),
        cmocka_unit_test(a_place_that_is_compiled_again_and_again),
        cmocka_unit_test(traces_that_were_never_entered),
        cmocka_unit_test(a_loop_whose_label_was_passed_was_entered),
        cmocka_unit_test(long_traces),
        cmocka_unit_test(tracing_that_was_given_up),
        cmocka_unit_test(findings_are_facts_and_markers_over_the_run),
        cmocka_unit_test(the_runtimes_log_has_the_traces_facts_itself),
        cmocka_unit_test(at_most_ten_and_the_heaviest_first),
        cmocka_unit_test(names_are_cut_between_characters),
        cmocka_unit_test(a_log_that_is_cut_anywhere_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

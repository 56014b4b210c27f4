/* Samples that come with the instruction at which they were taken: where it is in their own thread,
 * and what it says where VMProf is wrong. */
#include "test.h"

#include "jit_story.h"
#include "rows.h"

enum { INNER = 0x20, FOO_AT = 0x1000, BAR_AT = 0x2000, NATIVE_MODE = 4, RPYTHON = 8 };
enum { OP_ENTER = 0x30 };
enum { MODE_AT = 43 }; /* in the file: behind five words, a marker and the version */
#define PYPY_AT 0x7f0000000000u
#define OTHER_AT 0x7f1000000000u
static const char maps[] = "7f0000000000-7f0000100000 r-xp 00000000 08:01 1 /lib/libpypy3.9-c.so\n"
                           "7f1000000000-7f1000100000 r-xp 00000000 08:01 2 /lib/libother.so\n"
                           "7f2000000000-7f2000100000 r-xp 00000000 00:00 0 \n"
                           "7f3000000000-7f3000001000 r-xp 00000000 00:00 0 [vdso]\n";

/* ---- symbols --------------------------------------------------------------------------------- */

static const struct symbol {
    const char *path, *name;
    uint64_t start, size;
} symbols[] = {
    {"/lib/libpypy3.9-c.so", "foo", FOO_AT, 0x100},
    {"/lib/libpypy3.9-c.so", "bar", BAR_AT, 0x100},
    {"/lib/libpypy3.9-c.so", "_PyEval_EvalFrameDefault", 0x3000, 0x100},
    {"/lib/libother.so", "sort", 0x1000, 0x100},
};

static bool find(void *context, const struct vf_native_place *place, struct vf_symbolized *out)
{
    (void)context;
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        const struct symbol *s = &symbols[i];
        if (!vf_str_eq(place->path, vf_str_from(s->path)) || place->address < s->start ||
            place->address >= s->start + s->size)
            continue;
        *out = (struct vf_symbolized){.start = s->start, .size = s->size, .count = 1};
        out->frames[0] = (struct vf_symbolized_frame){
            .name = vf_str_from(s->name), .raw = vf_str_from(s->name), .file = VF_STR("/a.c")};
        out->frames[0].first_line = 7;
        if (place->is_instruction)
            out->frames[0].line = 10 + (uint32_t)(place->address - s->start);
        return true;
    }
    return false;
}

static const struct vf_symbolizer symbolizer = {find, NULL};
static const struct vf_build_options options = {.symbolizer = &symbolizer};
static const struct vf_build_options hidden = {.symbolizer = &symbolizer, .no_traces = true};

/* Its guard stands in inner, which main calls. */
static void inlining_loop(struct story *s, uint64_t id)
{
    jitlog_le(&s->log, 0x12, 1);
    jitlog_le(&s->log, 1, 2);
    jitlog_le(&s->log, OP_ENTER, 2);
    jitlog_text(&s->log, "enter_portal_frame");
    jitlog_start(&s->log, id, "loop", 0, "pypyjit");
    jitlog_stage(&s->log, JITLOG_OPTIMISED, id);
    merge_point(s, "main", 5);
    jitlog_operation(&s->log, OP_ENTER, "?,1,77", 0, "");
    merge_point(s, "inner", 44);
    jitlog_operation(&s->log, OP_GUARD_TRUE, "?,i1,<Guard>", GUARD + id, "i1");
    jitlog_operation(&s->log, OP_JUMP, "?", 0, "");
    assembled(s, id, 0x80, 0);
}

/* A recording under PyPy with the loops 12 and 15 of main and 13 of other; 15 has inlined inner. */
static void begin_loops(struct story *s)
{
    begin(s);
    recording_name(&s->r, INNER, "py:inner:40:/a.py");
    loop(s, 12, "main", 5);
    inlining_loop(s, 15);
    loop(s, 13, "other", 60);
    s->r.capture.maps = vf_str_from(maps);
    s->r.options = &options;
}

#define SAMPLE(s, ip, ...)                                                                         \
    do {                                                                                           \
        TAKE(&(s)->r, __VA_ARGS__);                                                                \
        recording_interrupted(&(s)->r, 77, (ip));                                                  \
    } while (0)
#define ASM_OF(id)                                                                                 \
    {                                                                                              \
        6, code_of(id), 0                                                                          \
    }

/* build() adds a sample, which has no instruction here. */
static void build_them(struct story *s)
{
    recording_interrupted(&s->r, 77, 0);
    build(s);
}

static void assert_stack(struct story *s, size_t sample, const char *expected)
{
    assert_string_equal(recording_stack(&s->r, 0, sample), expected);
}

static void assert_hits(const struct story *s, uint64_t id, uint32_t offset, uint32_t count)
{
    const struct vf_jit *jit = s->r.profile.jit;
    for (uint32_t i = 0; i < jit->rows.len; i++) {
        if (jit->traces.traces.items[i].id != id)
            continue;
        struct vf_jit_hits hits = vf_jit_row_hits(jit, i);
        uint64_t sum = 0;
        uint32_t found = 0;
        for (size_t h = 0; h < hits.count; h++) {
            sum += hits.items[h].count;
            found += hits.items[h].offset == offset ? hits.items[h].count : 0;
            assert_true(h == 0 || hits.items[h - 1].offset < hits.items[h].offset);
        }
        assert_int_equal(sum, jit->rows.items[i].pcs);
        assert_int_equal(found, count);
        return;
    }
    fail();
}

/* ---- traces ---------------------------------------------------------------------------------- */

static void an_instruction_is_where_in_the_trace_the_thread_was(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    SAMPLE(&s, code_of(12) + EXIT_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    SAMPLE(&s, 0, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    build_them(&s);
    /* Rows of the family: 1 is the entry, 2 the guard, 4 what lies behind the last operation. */
    assert_stack(&s, 0, "main:5[JIT] > loop 12 a.py:5:2[JIT/Loop]");
    assert_stack(&s, 1, "main:5[JIT] > loop 12 a.py:5:2[JIT/Loop]");
    assert_stack(&s, 2, "main[JIT] > loop 12 a.py:5:4[JIT/Loop]");
    assert_stack(&s, 3, "main[JIT] > loop 12 a.py:5[JIT/Loop]");
    assert_int_equal(s.r.profile.threads.len, 1);
    assert_hits(&s, 12, OP_AT, 2);
    assert_hits(&s, 12, EXIT_AT, 1);
    assert_int_equal(s.r.profile.jit->pcs, 3);
    assert_int_equal(s.r.profile.jit->pcs_inside, 3);
    assert_fact(&s.r, "Samples with their instruction", "3: each was noted");
    assert_fact(&s.r, "In the trace at work", "3 samples");
    assert_fact(&s.r, "Samples' instructions", "3 of 3 in traces");
    assert_fact(&s.r, "Trace named by the instruction", NULL);
    end(&s);
}

static void the_trace_with_the_instruction_is_named_in_place_of_a_stale_one(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(INNER), ASM_OF(13));
    SAMPLE(&s, code_of(15) + OP_AT, CODE(MAIN), JIT(MAIN), JIT(INNER), ASM_OF(13));
    SAMPLE(&s, code_of(12) + EXIT_AT, CODE(MAIN), JIT(INNER), ASM_OF(13));
    build_them(&s);
    assert_stack(&s, 0, "main:5[JIT] > loop 12 a.py:5:2[JIT/Loop]");
    assert_stack(&s, 1, "main:5[JIT] > inner:44[JIT/Inlined] > loop 15 a.py:5:2[JIT/Loop]");
    /* Which function an exit is of is not known, but the loop's own is. */
    assert_stack(&s, 2, "main[JIT] > loop 12 a.py:5:4[JIT/Loop]");
    assert_fact(&s.r, "Trace named by the instruction", "3 samples: VMProf names another one");
    assert_fact(&s.r, "In the trace at work", "3 samples");
    assert_hits(&s, 15, OP_AT, 1);
    assert_hits(&s, 13, OP_AT, 0);
    const struct vf_jit_row *rows = s.r.profile.jit->rows.items;
    assert_near(rows[0].samples + rows[1].samples, 3);
    assert_near(rows[2].samples, 0);
    end(&s);
}

/* The functions of a trace are only sure where the outermost is the one that must be. */
static void functions_that_do_not_fit_are_not_named(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    SAMPLE(&s, code_of(13) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    build_them(&s);
    assert_stack(&s, 0, "main > loop 13 a.py:60:2[JIT/Loop]");
    end(&s);
}

static void a_trace_is_named_where_vmprof_names_none(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN));
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(MAIN), {6, 0x123450, 0});
    SAMPLE(&s, code_of(15) + OP_AT, CODE(MAIN), NATIVE(PYPY_AT + FOO_AT));
    samples_in(&s, 12, 1); /* of this run's log */
    build_them(&s);
    assert_stack(&s, 0, "main:5[JIT] > loop 12 a.py:5:2[JIT/Loop]");
    assert_stack(&s, 1, "main:5[JIT] > loop 12 a.py:5:2[JIT/Loop]");
    assert_stack(&s, 2, "main > foo[Native] > inner:44[JIT/Inlined] > loop 15 a.py:5:2[JIT/Loop]");
    assert_fact(&s.r, "Trace missing, named by the instruction", "3 samples: VMProf names none");
    end(&s);
}

static void code_of_several_traces_is_left_as_it_is(void **state)
{
    (void)state;
    struct story s;
    begin(&s);
    s.r.options = &options;
    trace_of(&s, 12, "loop", 0, "main", 5, 0x1080, 0); /* reaches into 13 */
    loop(&s, 13, "main", 60);
    loop(&s, 14, "main", 70);
    SAMPLE(&s, code_of(13) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(14));
    SAMPLE(&s, code_of(13) + OP_AT, CODE(MAIN));
    /* VMProf's own trace is one of them. */
    SAMPLE(&s, code_of(13) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    build_them(&s);
    assert_stack(&s, 0, "main[JIT] > loop 14 a.py:70[JIT/Loop]");
    assert_stack(&s, 1, "main");
    assert_stack(&s, 2, "main[JIT] > loop 12 a.py:5:4[JIT/Loop]");
    assert_fact(&s.r, "In code of several traces", "2 samples");
    assert_int_equal(s.r.profile.jit->pcs, 3);
    assert_int_equal(s.r.profile.jit->pcs_inside, 1);
    end(&s);
}

static void lines_stay_where_traces_are_hidden(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    s.r.options = &hidden;
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    SAMPLE(&s, code_of(15) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(13));
    build_them(&s);
    assert_stack(&s, 0, "main:5[JIT]");
    assert_stack(&s, 1, "main:5[JIT] > inner:44[JIT/Inlined]");
    assert_hits(&s, 15, OP_AT, 1);
    end(&s);
}

/* ---- native functions ------------------------------------------------------------------------ */

static void a_native_leaf_has_its_instruction(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    SAMPLE(&s, PYPY_AT + FOO_AT + 5, CODE(MAIN), NATIVE(PYPY_AT + FOO_AT));
    SAMPLE(&s, PYPY_AT + FOO_AT + 0x200, CODE(MAIN), NATIVE(PYPY_AT + FOO_AT));
    SAMPLE(&s, 0, CODE(MAIN), NATIVE(PYPY_AT + FOO_AT));
    build_them(&s);
    assert_stack(&s, 0, "main > foo:15[Native]");
    /* Behind foo lies another function, of which nothing is known but the library. */
    assert_stack(&s, 1, "main > foo[Native] > libpypy3.9-c.so[Native]");
    assert_stack(&s, 2, "main > foo[Native]");
    assert_fact(&s.r, "In the native function at work", "1 of the 2 samples");
    assert_fact(&s.r, "Function missing below its caller", "1 sample");
    assert_fact(&s.r, "Innermost function", NULL);
    end(&s);
}

static void a_function_that_vmprof_has_dropped_is_the_leaf(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    SAMPLE(&s, PYPY_AT + BAR_AT + 3, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    SAMPLE(&s, OTHER_AT + 0x1001, CODE(MAIN), NATIVE(PYPY_AT + FOO_AT));
    SAMPLE(&s, PYPY_AT + BAR_AT + 3, CODE(MAIN));
    SAMPLE(&s, 0x7f2000000010, CODE(MAIN), JIT(MAIN), ASM_OF(12)); /* no library's */
    SAMPLE(&s, 0x10, CODE(MAIN));
    build_them(&s);
    assert_stack(&s, 0, "main[JIT] > loop 12 a.py:5[JIT/Loop] > bar:13[Native]");
    assert_stack(&s, 1, "main > foo[Native] > sort:11[Native]");
    assert_stack(&s, 2, "main > bar:13[Native]");
    assert_stack(&s, 3, "main[JIT] > loop 12 a.py:5[JIT/Loop]");
    assert_stack(&s, 4, "main");
    assert_fact(&s.r, "Function missing below a trace", "1 sample: VMProf ends in compiled code");
    assert_fact(&s.r, "Function missing below its caller", "1 sample");
    assert_fact(&s.r, "Function missing below Python code", "1 sample");
    /* The trace is at work all the same. */
    assert_near(s.r.profile.jit->rows.items[0].samples, 2);
    end(&s);
}

static int64_t leaf_address(const struct story *s, size_t sample)
{
    const struct vf_profile *p = &s->r.profile;
    vf_stack_id stack = p->threads.items[0].samples.items[sample].stack;
    return p->stacks.frames.items[p->stacks.stacks.items[stack.i].frame.i].address;
}

/* Nothing tells where functions of the vdso end: VMProf has found where the one at work begins. */
static void a_leaf_that_no_symbol_knows_has_its_instruction(void **state)
{
    (void)state;
    for (uint64_t innermost = 0; innermost < 2; innermost++) {
        struct story s;
        begin_loops(&s);
        s.r.capture.info.native_innermost = innermost;
        SAMPLE(&s, 0x7f3000000aff, CODE(MAIN), NATIVE(0x7f3000000af0));
        SAMPLE(&s, 0x7f3000000aef, CODE(MAIN), NATIVE(0x7f3000000af0)); /* before it */
        build_them(&s);
        assert_stack(&s, 0, "main > [vdso]+0xaf0[Native]");
        assert_stack(&s, 1, "main > [vdso]+0xaf0[Native]");
        assert_int_equal(leaf_address(&s, 0), innermost ? 0xaff : 0xaf0);
        assert_int_equal(leaf_address(&s, 1), 0xaf0);
        assert_fact(&s.r, "In the native function at work",
                    innermost ? "1 of the 2" : "0 of the 2");
        end(&s);
    }
}

static void without_native_frames_none_is_added(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    s.r.file.out.ptr[MODE_AT] = RPYTHON;
    SAMPLE(&s, PYPY_AT + BAR_AT + 3, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    SAMPLE(&s, PYPY_AT + BAR_AT + 3, CODE(MAIN));
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(13));
    build_them(&s);
    assert_stack(&s, 0, "main[JIT] > loop 12 a.py:5[JIT/Loop]");
    assert_stack(&s, 1, "main");
    assert_stack(&s, 2, "main:5[JIT] > loop 12 a.py:5:2[JIT/Loop]");
    assert_int_equal(s.r.profile.jit->pcs, 3);
    end(&s);
}

/* CPython's own loop over bytecodes is what a Python frame stands for. */
static void cpython_s_loop_is_no_leaf(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, NATIVE_MODE, "cpython");
    recording_name(&r, MAIN, "py:main:1:/a.py");
    r.capture.maps = vf_str_from(maps);
    r.options = &options;
    recording_measured(&r, 200);
    static const uint64_t ips[] = {PYPY_AT + 0x3004, PYPY_AT + FOO_AT + 1, PYPY_AT + 0x9000};
    for (size_t i = 0; i < 3; i++) {
        TAKE(&r, CODE(MAIN));
        recording_stamp_ms(&r, 1 + (double)i);
        recording_interrupted(&r, 77, ips[i]);
    }
    recording_build(&r);
    assert_string_equal(recording_stack(&r, 0, 0), "main");
    assert_string_equal(recording_stack(&r, 0, 1), "main > foo:11[Native]");
    assert_string_equal(recording_stack(&r, 0, 2), "main"); /* it may be that loop */
    assert_fact(&r, "Samples with their instruction", "3");
    recording_release(&r);
}

/* ---- beside the thread of addresses ---------------------------------------------------------- */

static void hits_come_from_the_samples_where_there_are_addresses_as_well(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    addresses(&s, code_of(13) + OP_AT, 5);
    recording_stamp_ms(&s.r, 1);
    recording_stamp_ms(&s.r, 2);
    build_them(&s);
    assert_int_equal(s.r.profile.jit->pcs, 1);
    assert_hits(&s, 12, OP_AT, 1);
    assert_hits(&s, 13, OP_AT, 0);
    assert_int_equal(s.r.profile.threads.len, 2);
    assert_true(s.r.profile.threads.items[1].is_addresses);
    assert_int_equal(s.r.profile.threads.items[1].samples.len, 5);
    assert_string_equal(recording_stack(&s.r, 1, 0), "other:60[JIT] > loop 13 a.py:60:2[JIT/Loop]");
    end(&s);
}

/* A column without one instruction (--no-pc): addresses are joined as ever. */
static void without_instructions_addresses_are_joined(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    addresses(&s, code_of(12) + OP_AT, 1);
    SAMPLE(&s, 0, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    recording_stamp(&s.r, RECORDING_ZERO_NS + 1);
    recording_stamp(&s.r, RECORDING_ZERO_NS + 2);
    build_them(&s);
    assert_stack(&s, 0, "main:5[JIT] > loop 12 a.py:5:2[JIT/Loop]");
    assert_fact(&s.r, "Samples with their instruction", NULL);
    assert_fact(&s.r, "Samples with an instruction", "1: one was seen");
    end(&s);
}

/* ---- parts and damage ------------------------------------------------------------------------ */

static void a_part_has_the_hits_of_its_samples(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    struct vf_build_options part = {.window = {.from_ms = 10, .to_ms = 20}};
    s.r.options = &part;
    for (int i = 0; i < 4; i++) {
        SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
        recording_stamp_ms(&s.r, 1 + 6 * i); /* 1, 7, 13, 19 */
    }
    recording_stamp_ms(&s.r, 25);
    recording_interrupted(&s.r, 77, 0);
    build(&s);
    assert_hits(&s, 12, OP_AT, 2);
    assert_int_equal(s.r.profile.jit->pcs, 2);
    end(&s);
}

static void a_column_that_ends_early_holds_for_what_it_has(void **state)
{
    (void)state;
    struct story s;
    begin_loops(&s);
    SAMPLE(&s, code_of(12) + OP_AT, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    TAKE(&s.r, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    TAKE(&s.r, CODE(MAIN), JIT(MAIN), ASM_OF(12));
    build(&s);
    assert_stack(&s, 0, "main:5[JIT] > loop 12 a.py:5:2[JIT/Loop]");
    assert_stack(&s, 1, "main[JIT] > loop 12 a.py:5[JIT/Loop]");
    assert_int_equal(s.r.profile.threads.len, 1);
    assert_true(s.r.warnings.count >= 1);
    bool said = false;
    for (size_t i = 0; i < s.r.warnings.count; i++)
        said |= strstr(s.r.warnings.items[i].text,
                       "threads and instructions of 1 samples, there are 4") != NULL;
    assert_true(said);
    end(&s);
}

/* Numbers of all kinds in place of addresses: the stacks stay whole. */
static void absurd_addresses_do_no_harm(void **state)
{
    (void)state;
    static const uint64_t ips[] = {1,       0x7fffffffffffffff, UINT64_MAX,  CODE_AT, CODE_AT - 1,
                                   PYPY_AT, PYPY_AT + 0xfffff,  OTHER_AT - 1};
    struct story s;
    begin_loops(&s);
    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
        SAMPLE(&s, ips[i], CODE(MAIN), JIT(MAIN), ASM_OF(12));
        SAMPLE(&s, ips[i], CODE(MAIN), NATIVE(PYPY_AT + FOO_AT));
        SAMPLE(&s, ips[i], NATIVE(PYPY_AT + FOO_AT));
        TAKE(&s.r, CODE(MAIN)); /* an empty list of frames is tried by the fuzzer */
        recording_interrupted(&s.r, UINT64_MAX - i, ips[i]);
    }
    build_them(&s);
    for (size_t t = 0; t < s.r.profile.threads.len; t++)
        for (size_t i = 0; i < s.r.profile.threads.items[t].samples.len; i++)
            assert_true(strlen(recording_stack(&s.r, t, i)) > 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instruction_is_where_in_the_trace_the_thread_was),
        cmocka_unit_test(the_trace_with_the_instruction_is_named_in_place_of_a_stale_one),
        cmocka_unit_test(functions_that_do_not_fit_are_not_named),
        cmocka_unit_test(a_trace_is_named_where_vmprof_names_none),
        cmocka_unit_test(code_of_several_traces_is_left_as_it_is),
        cmocka_unit_test(lines_stay_where_traces_are_hidden),
        cmocka_unit_test(a_native_leaf_has_its_instruction),
        cmocka_unit_test(a_function_that_vmprof_has_dropped_is_the_leaf),
        cmocka_unit_test(a_leaf_that_no_symbol_knows_has_its_instruction),
        cmocka_unit_test(without_native_frames_none_is_added),
        cmocka_unit_test(cpython_s_loop_is_no_leaf),
        cmocka_unit_test(hits_come_from_the_samples_where_there_are_addresses_as_well),
        cmocka_unit_test(without_instructions_addresses_are_joined),
        cmocka_unit_test(a_part_has_the_hits_of_its_samples),
        cmocka_unit_test(a_column_that_ends_early_holds_for_what_it_has),
        cmocka_unit_test(absurd_addresses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

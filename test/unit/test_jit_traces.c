/* Traces of JIT logs: what a user is told of each, which one holds an address, and that neither a
 * cut nor a hostile log does harm. */
#include "test.h"

#include "base/file.h"
#include "capture/jit_traces.h"
#include "jitlog_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void assert_text(struct vf_str found, const char *expected)
{
    if (!vf_str_eq(found, vf_str_from(expected)))
        fail_msg("'%.*s', not '%s'", VF_STR_ARG(found), expected);
}

static struct vf_jit_traces traces_of(const struct jitlog_builder *b)
{
    struct vf_jit_traces traces;
    struct vf_error error = {0};
    if (vf_jit_traces_read(&traces, vf_buf_view(&b->out), &error) != VF_OK)
        fail_msg("%s", error.text);
    return traces;
}

static void release(struct vf_jit_traces *traces, struct jitlog_builder *b)
{
    vf_jit_traces_release(traces);
    vf_buf_release(&b->out);
}

/* ---- the story ------------------------------------------------------------------------------- */

static void check_loop(const struct vf_jit_traces *traces)
{
    const struct vf_jit_trace *loop = &traces->traces.items[0];
    const struct vf_jit_place *place = vf_jit_trace_place(traces, loop);
    assert_int_equal(loop->id, 5);
    assert_int_equal(loop->kind, VF_JIT_LOOP);
    assert_int_equal(loop->number, 0);
    assert_int_equal(loop->guard, 0);
    assert_int_equal(loop->code_start, 0x7000);
    assert_int_equal(loop->code_end, 0x7100);
    assert_int_equal(loop->recorded, 3);
    assert_int_equal(loop->optimised, 3);
    assert_int_equal(loop->assembled, 2);
    assert_int_equal(loop->guards, 2);
    assert_int_equal(loop->merge_points, 0);
    assert_int_equal(loop->run_count, 42);
    assert_false(loop->aborted);
    assert_non_null(place);
    assert_text(place->file, "/tmp/app/main.py");
    assert_int_equal(place->line, 12);
    assert_text(place->function, "work");
    assert_int_equal(place->offset, 8);
}

static void check_bridge(const struct vf_jit_traces *traces)
{
    const struct vf_jit_trace *bridge = &traces->traces.items[1];
    const struct vf_jit_place *place = vf_jit_trace_place(traces, bridge);
    assert_int_equal(bridge->id, 6);
    assert_int_equal(bridge->kind, VF_JIT_BRIDGE);
    assert_int_equal(bridge->number, 0xa2);
    assert_int_equal(bridge->guard, 0xa2);
    assert_int_equal(bridge->run_count, 30);
    assert_int_equal(bridge->merge_points, 1);
    assert_non_null(place);
    assert_text(place->file, "/tmp/app/other.py");
    assert_text(place->function, "wo");
}

static void each_trace_is_a_row(void **state)
{
    (void)state;
    for (int version = 1; version <= 4; version++) {
        for (unsigned addr_bytes = 4; addr_bytes <= 8; addr_bytes += 4) {
            struct jitlog_builder b = jitlog_story(version, addr_bytes);
            struct vf_jit_traces traces = traces_of(&b);
            assert_int_equal(traces.version, version);
            assert_text(traces.machine, "x86_64");
            assert_int_equal(traces.traces.len, 4);
            assert_int_equal(traces.unknown_runs, 9);
            check_loop(&traces);
            check_bridge(&traces);
            const struct vf_jit_trace *entry = &traces.traces.items[2];
            assert_int_equal(entry->kind, VF_JIT_ENTRY_BRIDGE);
            assert_int_equal(entry->number, 0xb0);
            assert_int_equal(entry->guard, 0);
            assert_int_equal(entry->guards, 1);
            assert_int_equal(entry->run_count, 200);
            assert_null(vf_jit_trace_place(&traces, entry));
            assert_true(traces.traces.items[3].aborted);
            assert_int_equal(traces.traces.items[3].recorded, 1);
            assert_int_equal(traces.traces.items[3].code_start, 0);
            release(&traces, &b);
        }
    }
}

static void records_out_of_place_harm_nothing(void **state)
{
    (void)state;
    struct jitlog_builder b = {.version = 4, .addr_bytes = 8};
    jitlog_header(&b, "x86_64");
    jitlog_operation(&b, OP_JUMP, "?", 0, "");
    jitlog_stitch(&b, 1, 0);
    jitlog_abort(&b, 0);
    jitlog_stage(&b, JITLOG_OPTIMISED, 3);
    jitlog_operation(&b, OP_JUMP, "?", 0, "");
    jitlog_start(&b, 3, "loop", 0, "");
    jitlog_operation(&b, OP_JUMP, "?", 0, "");
    jitlog_stage(&b, JITLOG_OPTIMISED, 2);
    jitlog_operation(&b, OP_JUMP, "?", 0, "");
    jitlog_bounds(&b, 1, 2);
    jitlog_start(&b, 4, "loop", 0, "");
    jitlog_stage(&b, JITLOG_OPTIMISED, 4);
    jitlog_counter(&b, 0, 'b', 5);
    jitlog_counter(&b, 4, 'e', UINT64_MAX);
    jitlog_counter(&b, 4, 'e', UINT64_MAX);
    struct vf_jit_traces traces = traces_of(&b);
    assert_int_equal(traces.traces.len, 0);
    assert_true(traces.unknown_runs == UINT64_MAX);
    assert_null(vf_jit_traces_find(&traces, 1));
    release(&traces, &b);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void add_code(struct jitlog_builder *b, uint64_t id, uint64_t start, uint64_t end)
{
    jitlog_start(b, id, "loop", 0, "");
    jitlog_stage(b, JITLOG_ASSEMBLED, id);
    jitlog_bounds(b, start, end);
    jitlog_operation(b, OP_JUMP, "?", 0, "");
}

static uint64_t id_at(const struct vf_jit_traces *traces, uint64_t address)
{
    const struct vf_jit_trace *trace = vf_jit_traces_find(traces, address);
    return trace ? trace->id : 0;
}

static void an_address_belongs_to_the_trace_that_holds_it(void **state)
{
    (void)state;
    struct jitlog_builder b = {.version = 4, .addr_bytes = 8};
    jitlog_header(&b, "x86_64");
    add_code(&b, 1, 300, 400);
    add_code(&b, 2, 100, 200);
    add_code(&b, 3, 200, 250);
    add_code(&b, 4, 500, 500);
    add_code(&b, 5, UINT64_MAX - 10, UINT64_MAX);
    struct vf_jit_traces traces = traces_of(&b);
    static const uint64_t expected[][2] = {
        {0, 0},
        {99, 0},
        {100, 2},
        {199, 2},
        {200, 3},
        {249, 3},
        {250, 0},
        {299, 0},
        {300, 1},
        {399, 1},
        {400, 0},
        {500, 0},
        {UINT64_MAX - 10, 5},
        {UINT64_MAX, 0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(id_at(&traces, expected[i][0]), expected[i][1]);
    release(&traces, &b);
}

/* Against a plain search, in bounds as they come when memory is used again. */
static void of_two_at_one_address_the_later_is_found(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 200; round++) {
        struct jitlog_builder b = {.version = 4, .addr_bytes = 8};
        uint64_t bounds[12][2];
        jitlog_header(&b, "x86_64");
        for (size_t i = 0; i < 12; i++) {
            seed = seed * 1664525 + 1013904223;
            bounds[i][0] = seed >> 24 & 63;
            bounds[i][1] = bounds[i][0] + (seed >> 16 & 31);
            add_code(&b, i + 1, bounds[i][0], bounds[i][1]);
        }
        struct vf_jit_traces traces = traces_of(&b);
        for (uint64_t address = 0; address < 100; address++) {
            uint64_t expected = 0;
            for (size_t i = 0; i < 12; i++)
                if (bounds[i][0] <= address && address < bounds[i][1])
                    expected = i + 1;
            assert_int_equal(id_at(&traces, address), expected);
        }
        release(&traces, &b);
    }
}

/* ---- cut and hostile logs -------------------------------------------------------------------- */

static void a_cut_log_gives_the_traces_before_the_cut(void **state)
{
    (void)state;
    struct jitlog_builder b = jitlog_story(4, 8);
    size_t header = 3 + 1 + 4 + 6, last = 0, warned = 0;
    for (size_t len = 0; len <= b.out.len; len++) {
        struct vf_jit_traces traces;
        struct vf_error error = {0};
        char *copy = vf_alloc(len, 1);
        memcpy(copy, b.out.ptr, len);
        enum vf_status status = vf_jit_traces_read(&traces, (struct vf_str){copy, len}, &error);
        assert_int_equal(status == VF_FATAL, len < header);
        assert_int_equal(status == VF_OK, !error.text[0]);
        assert_int_equal(status == VF_WARN, traces.problem.text[0] != 0);
        assert_true(traces.traces.len >= last);
        last = traces.traces.len;
        warned += status == VF_WARN;
        vf_jit_traces_release(&traces);
        free(copy);
    }
    assert_int_equal(last, 4);
    assert_int_equal(warned, b.out.len + 1 - header - (jitlog_story_records() + 1));
    vf_buf_release(&b.out);
}

static void what_is_no_log_is_refused(void **state)
{
    (void)state;
    struct vf_jit_traces traces;
    struct vf_error error = {0};
    assert_int_equal(vf_jit_traces_read(&traces, VF_STR("text"), &error), VF_FATAL);
    assert_string_equal(error.text, "expected a JIT log (byte 1e), found byte 74");
    vf_jit_traces_release(&traces);
    assert_int_equal(vf_jit_traces_read(&traces, (struct vf_str){0}, NULL), VF_FATAL);
}

enum shape { BARE, WITH_CODE, WITH_PLACE };

/* The most rows that bytes can be made into: the shortest traces in the tightest layout. */
static struct jitlog_builder many_traces(enum shape shape, uint64_t count)
{
    struct jitlog_builder b = {.version = 1, .addr_bytes = 4};
    jitlog_header(&b, "");
    for (uint64_t i = 0; i < count; i++) {
        jitlog_start(&b, i, "loop", 0, "");
        jitlog_stage(&b, JITLOG_RECORDED, i);
        if (shape == WITH_CODE)
            jitlog_bounds(&b, i, 2 * i + 1);
        if (shape == WITH_PLACE) {
            vf_buf_add(&b.out, "\x1d\1\0\1s", 5);
            jitlog_prefix(&b, 0, "a");
            vf_buf_add(&b.out, "\x1f\0\1\0\0\0b", 7);
        }
        jitlog_operation(&b, OP_JUMP, "", 0, "");
    }
    return b;
}

static void memory_stays_within_four_times_the_log(void **state)
{
    (void)state;
    for (enum shape shape = BARE; shape <= WITH_PLACE; shape++) {
        struct jitlog_builder b = many_traces(shape, 100000);
        struct vf_jit_traces traces = traces_of(&b);
        assert_int_equal(traces.traces.len, 100000);
        size_t bytes = traces.traces.cap * sizeof *traces.traces.items +
                       traces.places.cap * sizeof *traces.places.items +
                       traces.code.cap * sizeof *traces.code.items;
        /* A text a place in the arena; orders of the rows while counters are read. */
        bytes += traces.places.len * 16 + traces.traces.len * 12;
        if (bytes > 4 * b.out.len)
            fail_msg("%zu bytes for a log of %zu", bytes, b.out.len);
        release(&traces, &b);
    }
}

/* ---- real logs ------------------------------------------------------------------------------- */

struct real_log {
    struct vf_bytes bytes;
    struct vf_jit_traces traces;
};

static void read_real(struct real_log *log, const char *path)
{
    struct vf_error error = {0};
    if (vf_bytes_map(path, &log->bytes, &error) != VF_OK ||
        vf_jit_traces_read(&log->traces, vf_bytes_view(&log->bytes), &error) != VF_OK)
        fail_msg("%s: %s", path, error.text);
    for (size_t i = 0; i < log->traces.traces.len; i++) {
        const struct vf_jit_trace *trace = &log->traces.traces.items[i];
        if (!trace->code_start)
            continue;
        assert_ptr_equal(vf_jit_traces_find(&log->traces, trace->code_start), trace);
        assert_ptr_equal(vf_jit_traces_find(&log->traces, trace->code_end - 1), trace);
    }
}

static void release_real(struct real_log *log)
{
    vf_jit_traces_release(&log->traces);
    vf_bytes_release(&log->bytes);
}

/* What it says was counted by another program, and agrees with PyPy's own log of such a run. */
static void a_recorded_log_is_read(void **state)
{
    (void)state;
    struct real_log log;
    read_real(&log, VF_SOURCE_ROOT "/test/data/jitlog/small.jitlog");
    assert_int_equal(log.traces.traces.len, 4);
    const struct vf_jit_trace *t = log.traces.traces.items;
    const struct vf_jit_place *place = vf_jit_trace_place(&log.traces, t);
    assert_int_equal(t[0].kind, VF_JIT_LOOP);
    assert_int_equal(t[0].run_count, 201);
    assert_int_equal(t[0].recorded, 66);
    assert_int_equal(t[0].optimised, 44);
    assert_int_equal(t[0].assembled, 48);
    assert_int_equal(t[0].guards, 12);
    assert_int_equal(t[0].merge_points, 18);
    assert_non_null(place);
    assert_text(place->file, "/var/tmp/vmfox-data/small.py");
    assert_text(place->function, "count");
    assert_int_equal(place->line, 9);
    assert_int_equal(place->offset, 12);
    assert_int_equal(t[1].kind, VF_JIT_BRIDGE);
    assert_true(t[1].guard && t[1].guard == t[1].number);
    assert_int_equal(t[1].run_count, 290);
    assert_true(t[2].aborted && !t[2].code_start && t[2].recorded == 166);
    assert_int_equal(t[3].id, 4);
    assert_int_equal(t[3].run_count, 90);
    release_real(&log);
}

/* The path of a published log, or NULL where they are not at hand; see test_shared_data.c. */
static const char *shared(const char *name)
{
    static char path[4096];
    const char *dir = getenv("VMFOX_SHARED_DATA");
    snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : VF_SOURCE_ROOT "/../shared/data",
             name);
    return access(path, R_OK) == 0 ? path : NULL;
}

static void the_example_is_read(void **state)
{
    (void)state;
    struct real_log log;
    const char *path = shared("example.jitlog");
    if (!path)
        skip();
    read_real(&log, path);
    assert_int_equal(log.traces.traces.len, 1);
    const struct vf_jit_trace *trace = vf_jit_traces_find(&log.traces, 140249103068976);
    assert_non_null(trace);
    assert_int_equal(trace->code_start, 140249103068976);
    assert_int_equal(trace->optimised, 39);
    /* Nine groups of operations: one before the first merge point, one behind each. */
    assert_int_equal(trace->merge_points, 8);
    const struct vf_jit_place *place = vf_jit_trace_place(&log.traces, trace);
    assert_non_null(place);
    assert_text(place->file, "example.py");
    assert_text(place->function, "function_a");
    release_real(&log);
}

static void pystone_is_read(void **state)
{
    (void)state;
    struct real_log log;
    const char *path = shared("pypy-pystone.prof.jit");
    if (!path)
        skip();
    read_real(&log, path);
    assert_int_equal(log.traces.traces.len, 27);
    const struct vf_jit_trace *trace = vf_jit_traces_find(&log.traces, 140682485974400);
    assert_non_null(trace);
    assert_int_equal(trace->optimised, 44);
    assert_int_equal(trace->merge_points, 18);
    assert_int_equal(trace->kind, VF_JIT_ENTRY_BRIDGE);
    assert_int_equal(trace->run_count, 9998663);
    assert_int_equal(log.traces.unknown_runs, 0);
    release_real(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_trace_is_a_row),
        cmocka_unit_test(records_out_of_place_harm_nothing),
        cmocka_unit_test(an_address_belongs_to_the_trace_that_holds_it),
        cmocka_unit_test(of_two_at_one_address_the_later_is_found),
        cmocka_unit_test(a_cut_log_gives_the_traces_before_the_cut),
        cmocka_unit_test(what_is_no_log_is_refused),
        cmocka_unit_test(memory_stays_within_four_times_the_log),
        cmocka_unit_test(a_recorded_log_is_read),
        cmocka_unit_test(the_example_is_read),
        cmocka_unit_test(pystone_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

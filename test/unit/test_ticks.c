/* From the stamps in PyPy's log to times: which source is taken, and where a stamp comes to lie. */
#include "test.h"

#include "base/buf.h"
#include "profile/ticks.h"

#include <math.h>

/* ---- one log and what was recorded beside it ------------------------------------------------- */

static const int64_t MS = 1000000, ZERO = 500000000000;

static struct world {
    struct vf_buf pairs, cpu;
    struct vf_capture capture;
    struct vf_clock clock;
    struct vf_runtime_log log;
    struct vf_ticks ticks;
    double run_ms;
} w;

static int begin(void **state)
{
    (void)state;
    w = (struct world){.clock = {.source = VF_CLOCK_ARRIVAL, .zero_ns = ZERO}, .run_ms = 1000};
    w.capture.info.pid = 77;
    return 0;
}

static int end(void **state)
{
    (void)state;
    vf_buf_release(&w.pairs);
    vf_buf_release(&w.cpu);
    vf_runtime_log_release(&w.log);
    vf_ticks_release(&w.ticks);
    return 0;
}

static void add_row(struct vf_buf *rows, int64_t first, uint64_t second, int64_t third)
{
    vf_buf_add(rows, &first, 8);
    vf_buf_add(rows, &second, 8);
    vf_buf_add(rows, &third, 8);
}

static void pair(double ms, uint64_t tick, int64_t error_ns)
{
    add_row(&w.pairs, ZERO + llround(ms * 1e6), tick, error_ns);
}

static void cpu(double ms, uint64_t tid, int64_t cpu_ns)
{
    add_row(&w.cpu, ZERO + llround(ms * 1e6), tid, cpu_ns);
}

static void read_log(const char *text)
{
    vf_runtime_log_release(&w.log);
    vf_runtime_log_read(&w.log, vf_str_from(text));
}

/* Places the log's first part. */
static enum vf_ticks_source place(void)
{
    if (w.log.parts.len == 0)
        read_log("[3e8] {gc-minor\n[7d0] gc-minor}\n"); /* 1000 to 2000 */
    w.capture.pairs = vf_buf_view(&w.pairs);
    w.capture.cpu = vf_buf_view(&w.cpu);
    vf_ticks_release(&w.ticks);
    vf_ticks_init(&w.ticks, &w.capture, &w.clock, &w.log, &w.log.parts.items[0], w.run_ms);
    return w.ticks.source;
}

static void assert_close(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("%.12g is not %.12g", value, expected);
}

static void assert_ms(uint64_t stamp, double expected)
{
    assert_close(vf_ticks_ms(&w.ticks, stamp), expected);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static void pairs_on_one_line_give_it_back(void **state)
{
    (void)state;
    for (int i = 0; i <= 10; i++)
        pair(i * 10, (uint64_t)(7000000 + i * 20000), 0);
    assert_int_equal(place(), VF_TICKS_PAIRS);
    assert_true(vf_ticks_measured(&w.ticks));
    assert_close(w.ticks.ticks_per_ms, 2000);
    assert_close(w.ticks.error_ms, 0);
    assert_int_equal(w.ticks.knots.len, 11);
    for (uint64_t tick = 0; tick <= 200000; tick += 777)
        assert_ms(7000000 + tick, (double)tick / 2000);
}

static void between_pairs_the_line_bends(void **state)
{
    (void)state;
    pair(0, 1000, 0);
    pair(10, 2000, 0);
    pair(30, 3000, 0);
    pair(40, 4000, 0);
    assert_int_equal(place(), VF_TICKS_PAIRS);
    assert_ms(1000, 0);
    assert_ms(1500, 5);
    assert_ms(2000, 10);
    assert_ms(2500, 20);
    assert_ms(3000, 30);
    assert_ms(3900, 39);
    assert_close(w.ticks.ticks_per_ms, 75);
    /* Stamps may come in any order. */
    assert_ms(1100, 1);
    assert_ms(3500, 35);
    assert_ms(2250, 15);
}

/* 2000 lies at 10, and the line through 1000 and 4000 has it at 12. */
static void the_error_is_the_largest_residual_and_the_readings_own(void **state)
{
    (void)state;
    pair(0, 1000, 0);
    pair(10, 2000, 0);
    pair(36, 4000, 0);
    assert_int_equal(place(), VF_TICKS_PAIRS);
    assert_close(w.ticks.error_ms, 2);
    /* 4000 at 36 is 0.5 off the line through 2000 and 5000, so 2 is still the largest. */
    pair(49.5, 5000, 0);
    place();
    assert_close(w.ticks.error_ms, 2);
    pair(59.5, 5500, 1500); /* 5000 at 49.5: the line through its neighbours has it at 51.6667 */
    place();
    assert_close(w.ticks.error_ms, 36 + (59.5 - 36) * 1000 / 1500 - 49.5 + 0.0015);
}

static void the_readings_error_is_the_worst_one(void **state)
{
    (void)state;
    pair(0, 1000, 20);
    pair(10, 2000, 3000);
    pair(20, 3000, 40);
    place();
    assert_close(w.ticks.error_ms, 0.003);
}

static void outside_the_pairs_the_line_goes_on(void **state)
{
    (void)state;
    pair(10, 2000, 0);
    pair(20, 3000, 0);
    pair(40, 4000, 0);
    place();
    assert_ms(1900, 9);
    assert_ms(500, -5);
    assert_ms(0, -10);
    assert_ms(4100, 42);
    assert_ms(6000, 80);
    assert_ms(1500, 5);
    assert_true(vf_ticks_ms(&w.ticks, UINT64_MAX) > 1e15);
}

static void rows_that_fall_are_left_out(void **state)
{
    (void)state;
    pair(0, 1000, 0);
    pair(10, 2000, 0);
    pair(9, 2500, 0);  /* the time falls */
    pair(12, 1500, 0); /* the counter falls */
    pair(10, 2600, 0); /* the time stands */
    pair(15, 2000, 0); /* the counter stands */
    pair(20, 3000, 0);
    vf_buf_add(&w.pairs, "a row that is cut", 17);
    assert_int_equal(place(), VF_TICKS_PAIRS);
    assert_int_equal(w.ticks.knots.len, 3);
    assert_close(w.ticks.error_ms, 0);
    assert_ms(2500, 15);
}

static void absurd_pairs_do_no_harm(void **state)
{
    static const int64_t times[] = {INT64_MIN, INT64_MAX, -1, 0, 1};
    static const uint64_t ticks[] = {0, 1, UINT64_MAX, 1ull << 63, 77};
    for (size_t i = 0; i < 625; i++) {
        begin(state);
        w.clock.zero_ns = times[i % 5];
        for (size_t k = 0; k < 3; k++)
            add_row(&w.pairs, times[(i / 5 + k) % 5], ticks[(i / 25 + k * (i / 125)) % 5],
                    times[i % 5]);
        place();
        assert_true(w.ticks.source != VF_TICKS_NONE);
        assert_true(vf_ticks_ms(&w.ticks, UINT64_MAX) > vf_ticks_ms(&w.ticks, 0));
        end(state);
    }
}

static void fewer_than_two_pairs_are_none(void **state)
{
    (void)state;
    pair(0, 1000, 0);
    assert_int_equal(place(), VF_TICKS_ENDS);
    pair(0, 1000, 0);
    pair(5, 1000, 0);
    pair(0, 2000, 0);
    assert_int_equal(place(), VF_TICKS_ENDS);
    assert_int_equal(w.ticks.knots.len, 2);
    assert_true(w.ticks.error_ms < 0);
    assert_false(vf_ticks_measured(&w.ticks));
    pair(5, 2000, 0);
    assert_int_equal(place(), VF_TICKS_PAIRS);
}

static void pairs_are_of_use_only_where_samples_have_the_same_clock(void **state)
{
    (void)state;
    static const enum vf_clock_source others[] = {VF_CLOCK_FORK, VF_CLOCK_MONOTONIC, VF_CLOCK_CPU,
                                                  VF_CLOCK_SPREAD};
    pair(0, 1000, 0);
    pair(500, 2000, 0);
    for (size_t i = 0; i < 4; i++) {
        w.clock.source = others[i];
        assert_int_equal(place(), VF_TICKS_ENDS);
    }
}

static void the_range_of_pairs_is_known_without_a_clock(void **state)
{
    (void)state;
    uint64_t first = 1, last = 2;
    assert_false(vf_ticks_range(&w.capture, &first, &last));
    pair(0, 1000, 0);
    w.capture.pairs = vf_buf_view(&w.pairs);
    assert_false(vf_ticks_range(&w.capture, &first, &last));
    pair(1, 3000, 0);
    pair(2, 5000, 0);
    vf_buf_add(&w.pairs, "cut", 3);
    w.capture.pairs = vf_buf_view(&w.pairs);
    assert_true(vf_ticks_range(&w.capture, &first, &last));
    assert_int_equal(first, 1000);
    assert_int_equal(last, 5000);
}

/* Who asks gives what holds when there are none. */
static void without_a_range_the_callers_stays(void **state)
{
    (void)state;
    uint64_t first = 0, last = UINT64_MAX;
    pair(0, 3000, 0);
    pair(1, 1000, 0);
    w.capture.pairs = vf_buf_view(&w.pairs);
    assert_false(vf_ticks_range(&w.capture, &first, &last));
    assert_int_equal(first, 0);
    assert_int_equal(last, UINT64_MAX);
}

/* ---- the thread's CPU clock ------------------------------------------------------------------ */

/* The log counts the main thread's CPU time, the recorder what came on top of its first reading. */
static void begin_arm(void)
{
    w.capture.info.arch = VF_STR("aarch64");
    w.capture.info.main_cpu_first_ns = 30 * MS;
    cpu(0, 77, 0);
    cpu(100, 77, 100 * MS);
    cpu(100, 78, 999 * MS); /* another thread's */
    cpu(300, 77, 150 * MS); /* it waited */
}

static void without_a_counter_the_threads_cpu_clock_is_taken(void **state)
{
    (void)state;
    begin_arm();
    assert_int_equal(place(), VF_TICKS_THREAD_CPU);
    assert_true(vf_ticks_measured(&w.ticks));
    assert_int_equal(w.ticks.knots.len, 3);
    assert_ms((uint64_t)(30 * MS), 0);
    assert_ms((uint64_t)(80 * MS), 50);
    assert_ms((uint64_t)(130 * MS), 100);
    assert_ms((uint64_t)(155 * MS), 200);
    assert_ms((uint64_t)(180 * MS), 300);
    assert_close(w.ticks.ticks_per_ms, 150.0 * 1e6 / 300);
    assert_true(w.ticks.error_ms >= 10);
}

static void only_where_the_log_has_that_clock(void **state)
{
    (void)state;
    static const struct vf_str x86[] = {{"x86_64", 6}, {"i686", 4}, {"i386", 4}, {"", 0}};
    begin_arm();
    for (size_t i = 0; i < 4; i++) {
        w.capture.info.arch = x86[i];
        assert_int_equal(place(), VF_TICKS_ENDS);
    }
    w.capture.info.arch = VF_STR("riscv64");
    assert_int_equal(place(), VF_TICKS_THREAD_CPU);
    w.capture.info.main_cpu_first_ns = 0; /* recorded before it was written down */
    assert_int_equal(place(), VF_TICKS_ENDS);
    w.capture.info.main_cpu_first_ns = 30 * MS;
    w.capture.info.pid = 79; /* one without rows */
    assert_int_equal(place(), VF_TICKS_ENDS);
    w.capture.info.pid = 78; /* one with a single row */
    assert_int_equal(place(), VF_TICKS_ENDS);
    w.capture.info.pid = 77;
    w.clock.source = VF_CLOCK_FORK;
    assert_int_equal(place(), VF_TICKS_ENDS);
}

/* ---- estimates ------------------------------------------------------------------------------- */

/* The first trace begins at 2000, jit-summary stands at 12000, and between the two are 4 ms: 2500
 * ticks are a millisecond.  The log ends at 13000. */
static const char with_total[] = "[7d0] {jit-tracing\n[fa0] jit-tracing}\n[2ee0] {jit-summary\n"
                                 "TOTAL:      \t\t0.004000\n[32c8] jit-summary}\n";

static void total_gives_the_rate_and_the_ends_meet(void **state)
{
    (void)state;
    read_log(with_total);
    w.run_ms = 20;
    assert_int_equal(w.log.parts.items[0].summary.from, 2000);
    assert_int_equal(place(), VF_TICKS_TOTAL);
    assert_false(vf_ticks_measured(&w.ticks));
    assert_true(w.ticks.error_ms < 0);
    assert_close(w.ticks.ticks_per_ms, 2500);
    assert_ms(13000, 20);
    assert_ms(12000, 19.6);
    assert_ms(2000, 15.6);
}

static void without_a_total_both_ends_meet(void **state)
{
    (void)state;
    static const char *const without[] = {
        "[7d0] {jit-tracing\n[fa0] jit-tracing}\n[2ee0] {jit-summary\n[32c8] jit-summary}\n",
        "[7d0] {jit-tracing\n[fa0] jit-tracing}\n[2ee0] {jit-summary\nTOTAL:   0.000000\n"
        "[32c8] jit-summary}\n",
        "[7d0] {jit-tracing\n[fa0] jit-tracing}\n[2ee0] {jit-summary\nTOTAL:   much\n"
        "[32c8] jit-summary}\n",
        "[7d0] {gc-minor\n[fa0] gc-minor}\n[2ee0] {jit-summary\nTOTAL:   0.004\n"
        "[32c8] jit-summary}\n", /* nothing to count from */
        "[7d0] {gc-minor\n[32c8] gc-minor}\n",
    };
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        read_log(without[i]);
        w.run_ms = 22;
        assert_int_equal(place(), VF_TICKS_ENDS);
        assert_true(w.ticks.error_ms < 0);
        assert_ms(2000, 0);
        assert_ms(7500, 11);
        assert_ms(13000, 22);
        assert_close(w.ticks.ticks_per_ms, 500);
    }
}

/* The rate of another process's log says nothing of this one. */
static void a_total_of_another_part_is_not_taken(void **state)
{
    (void)state;
    read_log("[7d00000] {gc-minor\n[7d10000] gc-minor}\n"
             "[7d0] {jit-tracing\n[fa0] jit-tracing}\n[2ee0] {jit-summary\nTOTAL:   0.004000\n"
             "[32c8] jit-summary}\n");
    assert_int_equal(w.log.parts.len, 2);
    assert_int_equal(place(), VF_TICKS_ENDS);
    vf_ticks_release(&w.ticks);
    vf_ticks_init(&w.ticks, &w.capture, &w.clock, &w.log, &w.log.parts.items[1], w.run_ms);
    assert_int_equal(w.ticks.source, VF_TICKS_TOTAL);
    assert_ms(13000, w.run_ms);
}

static void nothing_to_go_by(void **state)
{
    (void)state;
    read_log("[7d0] {gc-minor\n[7d0] gc-minor}\n"); /* one moment */
    assert_int_equal(place(), VF_TICKS_NONE);
    assert_int_equal(w.ticks.knots.len, 0);
    read_log("[7d0] {gc-minor\n[fa0] gc-minor}\n");
    w.run_ms = 0;
    assert_int_equal(place(), VF_TICKS_NONE);
    w.run_ms = NAN;
    assert_int_equal(place(), VF_TICKS_NONE);
    assert_true(w.ticks.error_ms < 0);
    assert_false(vf_ticks_measured(&w.ticks));
    pair(0, 1000, 0);
    pair(1, 2000, 0);
    assert_int_equal(place(), VF_TICKS_PAIRS);
}

/* Take the best away and the next one is taken. */
static void the_best_source_is_taken(void **state)
{
    (void)state;
    begin_arm();
    read_log(with_total);
    pair(0, 1000, 0);
    pair(1, 2000, 0);
    assert_int_equal(place(), VF_TICKS_PAIRS);
    assert_ms(1500, 0.5);
    w.pairs.len = 0;
    assert_int_equal(place(), VF_TICKS_THREAD_CPU);
    w.cpu.len = 0;
    assert_int_equal(place(), VF_TICKS_TOTAL);
    w.log.parts.items[0].summary.has_text = false;
    assert_int_equal(place(), VF_TICKS_ENDS);
    w.run_ms = 0;
    assert_int_equal(place(), VF_TICKS_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pairs_on_one_line_give_it_back),
        TEST(between_pairs_the_line_bends),
        TEST(the_error_is_the_largest_residual_and_the_readings_own),
        TEST(the_readings_error_is_the_worst_one),
        TEST(outside_the_pairs_the_line_goes_on),
        TEST(rows_that_fall_are_left_out),
        TEST(absurd_pairs_do_no_harm),
        TEST(fewer_than_two_pairs_are_none),
        TEST(pairs_are_of_use_only_where_samples_have_the_same_clock),
        TEST(the_range_of_pairs_is_known_without_a_clock),
        TEST(without_a_range_the_callers_stays),
        TEST(without_a_counter_the_threads_cpu_clock_is_taken),
        TEST(only_where_the_log_has_that_clock),
        TEST(total_gives_the_rate_and_the_ends_meet),
        TEST(without_a_total_both_ends_meet),
        TEST(a_total_of_another_part_is_not_taken),
        TEST(nothing_to_go_by),
        TEST(the_best_source_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

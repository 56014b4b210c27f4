/* How much of the run the samples stand for: weights on the timer's own clock, samples that did not
 * come, and what Profile Info says of both. */
#include "test.h"

#include "rows.h"

#include <stdio.h>

enum { REAL_TIME = 16, RPYTHON = 8 };
static const int64_t MS = 1000000;

static void begin(struct recording *r, unsigned mode)
{
    recording_begin(r, 6, mode, "cpython"); /* the period is 1 ms */
    recording_measured(r, 8000);
}

static void sample(struct recording *r, uint64_t who, double ms)
{
    recording_take_at(r, who, 0);
    recording_stamp_ms(r, ms);
}

static void cpu_at(struct recording *r, double ms, uint64_t tid, double cpu_ms)
{
    recording_cpu(r, RECORDING_ZERO_NS + llround(ms * 1e6), tid, llround(cpu_ms * 1e6));
}

/* The unit of the weights, as said. */
static double unit_ms(const struct recording *r)
{
    const char *value = recording_fact(r, "Weights");
    assert_non_null(value);
    const char *unit = strstr(value, "in units of ");
    assert_non_null(unit);
    return strtod(unit + strlen("in units of "), NULL);
}

/* In ms, by the unit said; ends with a negative one.  The first of all has nothing before it and
 * weighs one unit: 0 stands for it. */
static void assert_weights(const struct recording *r, size_t t, const double *expected_ms)
{
    size_t n = 0;
    double unit = unit_ms(r);
    assert_true(thread(r, t)->weighted);
    for (; expected_ms[n] >= 0; n++) {
        assert_true(n < thread(r, t)->samples.len);
        double ms = (double)thread(r, t)->samples.items[n].weight * unit;
        double expected = expected_ms[n] > 0 ? expected_ms[n] : unit;
        if (!(fabs(ms - expected) <= 1e-5 * (1 + expected)))
            fail_msg("sample %zu weighs %.9g ms, not %.9g", n, ms, expected);
    }
    assert_int_equal(thread(r, t)->samples.len, n);
}
#define WEIGHTS_MS(r, t, ...) assert_weights((r), (t), (const double[]){__VA_ARGS__, -1})

/* Of all threads that were sampled, without the first ones' units. */
static double time_ms(const struct recording *r, double first_ones)
{
    double sum = -first_ones;
    for (size_t t = 0; t < r->profile.threads.len; t++)
        for (size_t i = 0; i < thread(r, t)->samples.len; i++)
            sum += (double)thread(r, t)->samples.items[i].weight;
    return sum * unit_ms(r);
}

static void assert_all_weigh_one(const struct recording *r)
{
    for (size_t t = 0; t < r->profile.threads.len; t++) {
        assert_false(thread(r, t)->weighted);
        for (size_t i = 0; i < thread(r, t)->samples.len; i++)
            assert_near((double)thread(r, t)->samples.items[i].weight, 1);
    }
    assert_fact(r, "Weights", "every sample counts 1: how much time it stands for is not recorded");
    assert_fact(r, "Gaps", NULL);
    assert_fact(r, "Samples that came", NULL);
    assert_int_equal(thread(r, 0)->markers.rows.len, 0);
}

/* The gap that is marked, from sample to sample; `gap_ms` on the timer's clock. */
static void assert_gap(struct recording *r, size_t i, double from, double to, double gap_ms)
{
    char expected[200];
    double unit = unit_ms(r);
    snprintf(expected, sizeof expected,
             "MissedSamples %.9g..%.9g missing=%.9g gap=%.9g interval=%.9g", from, to,
             gap_ms / unit - 1, gap_ms, unit);
    assert_string_equal(recording_marker(r, 0, i), expected);
}

/* ---- wall time ------------------------------------------------------------------------------- */

static void wall_time_goes_by_in_every_thread(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, REAL_TIME);
    sample(&r, 1, 10);
    sample(&r, 2, 10.5);
    sample(&r, 1, 11);
    sample(&r, 2, 12);
    sample(&r, 1, 12.25);
    sample(&r, 2, 13);
    recording_build(&r);
    WEIGHTS_MS(&r, 0, 0, 1, 1.25);
    WEIGHTS_MS(&r, 1, 0, 1.5, 1);
    assert_near(unit_ms(&r), 1);
    assert_near(time_ms(&r, 2), 2.25 + 2.5);
    assert_fact(&r, "Weights", "the wall time since the one before it in its thread");
    assert_int_equal(thread(&r, 0)->markers.rows.len, 0);
    assert_fact(&r, "Gaps", "too few samples to tell what is usual");
    recording_release(&r);
}

/* Nothing is lost, and the next one comes sooner. */
static void a_late_sample_weighs_more_and_the_next_one_less(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, REAL_TIME);
    for (int i = 0; i < 6; i++)
        sample(&r, 1, i == 3 ? 3.5 : i);
    recording_build(&r);
    WEIGHTS_MS(&r, 0, 0, 1, 1, 1.5, 0.5, 1);
    assert_near(time_ms(&r, 1), 5);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 0);
    recording_release(&r);
}

static void a_lost_sample_is_marked_and_counted(void **state)
{
    (void)state;
    static const double at[] = {0, 1, 2, 4, 5, 9, 10};
    struct recording r;
    begin(&r, REAL_TIME);
    for (size_t i = 0; i < 7; i++)
        sample(&r, 1, at[i]);
    recording_build(&r);
    WEIGHTS_MS(&r, 0, 0, 1, 1, 2, 1, 4, 1);
    assert_near(time_ms(&r, 1), 10);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 2);
    assert_gap(&r, 0, 2, 4, 2);
    assert_gap(&r, 1, 5, 9, 4);
    assert_fact(&r, "Samples asked for", "10: one every 1.000 ms of 10.0 ms of wall time");
    assert_fact(&r, "Samples that came", "6, 60.0 % of those");
    assert_fact(&r, "Gaps",
                "2 of more than 1.75 times the usual 1.00 ms: some 4 samples late or missing, 4.0 "
                "ms or 40.00 % of the wall time");
    recording_release(&r);
}

static void from_one_and_three_quarters_on_it_is_a_gap(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, REAL_TIME);
    for (int i = 6; i <= 10; i++)
        sample(&r, 1, i);
    sample(&r, 1, 11.75);
    sample(&r, 1, 13.5);
    sample(&r, 1, 15.26);
    recording_build(&r);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 1);
    assert_gap(&r, 0, 13.5, 15.26, 1.76);
    recording_release(&r);
}

static void more_than_a_second_is_lost_time(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, REAL_TIME);
    sample(&r, 1, 0);
    sample(&r, 1, 1000);
    sample(&r, 1, 3500);
    sample(&r, 1, 3501);
    recording_build(&r);
    WEIGHTS_MS(&r, 0, 0, 1000, 1000, 1);
    assert_fact(&r, "Lost time", "1.500 s in gaps over one second");
    assert_near(time_ms(&r, 1), 3501 - 1500);
    recording_release(&r);
}

/* The kernel's tick is 4 ms where 1 ms was asked for: no gaps, but a quarter of the samples. */
static void the_usual_interval_is_the_one_that_came(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, REAL_TIME);
    for (int i = 0; i <= 40; i++)
        sample(&r, 1, i < 20 ? i * 4 : i * 4 + 4);
    recording_build(&r);
    assert_true(fabs(unit_ms(&r) - 4) < 0.011);
    assert_near(r.profile.interval_ms, unit_ms(&r));
    assert_int_equal(thread(&r, 0)->markers.rows.len, 1);
    assert_gap(&r, 0, 76, 84, 8);
    assert_true(fabs(time_ms(&r, 1) - 164) < 1e-3);
    assert_fact(&r, "Samples that came", "40, 24.4 % of those");
    assert_null(strstr(recording_fact(&r, "Samples that came"), "tick")); /* of CPU time only */
    recording_release(&r);
}

/* ---- CPU time -------------------------------------------------------------------------------- */

/* 10 ms of work, 100 ms of sleep, 10 ms of work. */
static void on_cpu_time_a_sleep_is_no_gap(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 0);
    cpu_at(&r, 0, 77, 0);
    cpu_at(&r, 10, 77, 10);
    cpu_at(&r, 110, 77, 10);
    cpu_at(&r, 120, 77, 20);
    for (int i = 0; i <= 20; i++)
        sample(&r, 1, i <= 10 ? i : i + 100);
    recording_build(&r);
    assert_fact(&r, "Weights",
                "a sample stands for the CPU time since the one before it, in units");
    assert_true(fabs(time_ms(&r, 1) - 20) < 1e-3);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 0);
    assert_fact(&r, "Samples asked for", "20: one every 1.000 ms of 20.0 ms of CPU time");
    assert_fact(&r, "Samples that came", "20, 100.0 % of those");
    recording_release(&r);
}

static void cpu_time_is_that_of_all_threads(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 0);
    recording_thread(&r, 0, 77, "MainThread");
    /* Both work for 10 ms, then one alone: 2 ms of CPU time a ms, then 1. */
    cpu_at(&r, 0, 77, 0);
    cpu_at(&r, 0, 2, 0);
    cpu_at(&r, 10, 77, 10);
    cpu_at(&r, 10, 2, 10);
    cpu_at(&r, 20, 77, 20);
    cpu_at(&r, 20, 2, 10);
    sample(&r, 1, 1);
    sample(&r, 2, 2);
    sample(&r, 1, 3);
    sample(&r, 2, 4.5);
    sample(&r, 1, 12);
    sample(&r, 1, 13);
    recording_build(&r);
    assert_fact(&r, "CPU use of threads", "measured by the recorder every few milliseconds");
    WEIGHTS_MS(&r, 0, 0, 2, 13, 1); /* 4.5 to 10: 11 ms; 10 to 12: 2 */
    WEIGHTS_MS(&r, 1, 2, 3);
    assert_near(time_ms(&r, 1), 2 * 9 + 3);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 1);
    assert_gap(&r, 0, 4.5, 12, 13);
    recording_release(&r);
}

static void a_coarse_timer_of_cpu_time_is_explained(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 0);
    cpu_at(&r, 0, 77, 0);
    cpu_at(&r, 400, 77, 200); /* half of a processor: 2 ms of CPU time a sample */
    for (int i = 0; i <= 40; i++)
        sample(&r, 1, i * 4 + (i > 30 ? 8 : 0));
    recording_build(&r);
    assert_true(fabs(unit_ms(&r) - 2) < 0.011);
    assert_true(fabs(time_ms(&r, 1) - 84) < 1e-3);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 1);
    assert_gap(&r, 0, 120, 132, 6);
    assert_fact(&r, "Samples that came",
                "a timer of CPU time goes off on a tick of the kernel only");
    recording_release(&r);
}

/* A program that sleeps half of the time, 4 ms of CPU time to a sample; every other reading is of
 * what comes 1.8 ms later.  `lost`: a sample is missing before that one, 0: none. */
static void read_late(struct recording *r, int lost)
{
    begin(r, 0);
    for (int i = 0; i < 40; i++) {
        double more = lost && i >= lost ? 4 : 0;
        cpu_at(r, i * 8 + 2 * more, 77, i * 4 + more + (i % 2 ? 1.8 : 0));
        sample(r, 1, i * 8 + 2 * more);
    }
    recording_build(r);
}

static void readings_that_come_late_make_no_gaps(void **state)
{
    (void)state;
    struct recording r;
    read_late(&r, 0);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 0);
    assert_fact(&r, "Gaps", "0 of more than 1.75 times the usual 4.00 ms");
    recording_release(&r);
    read_late(&r, 21);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 1);
    assert_near(thread(&r, 0)->markers.rows.items[0].start_ms, 20 * 8);
    assert_near(thread(&r, 0)->markers.rows.items[0].end_ms, 21 * 8 + 8);
    recording_release(&r);
}

static void a_second_of_cpu_time_is_the_most_too(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 0);
    cpu_at(&r, 0, 77, 0);
    cpu_at(&r, 4000, 77, 4000);
    sample(&r, 1, 100);
    sample(&r, 1, 101);
    sample(&r, 1, 2601);
    recording_build(&r);
    WEIGHTS_MS(&r, 0, 0, 1, 1000);
    assert_fact(&r, "Lost time", "1.500 s in gaps over one second");
    recording_release(&r);
}

/* ---- where it is not known ------------------------------------------------------------------- */

static void without_readings_all_weigh_one(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct recording r;
        begin(&r, 0);
        if (i == 1)
            cpu_at(&r, 0, 77, 5); /* one alone */
        if (i >= 2) {
            cpu_at(&r, 0, 77, 0);
            cpu_at(&r, 50, 77, 50);
        }
        if (i == 3) /* a thread that was not measured */
            sample(&r, 2, 20);
        sample(&r, 1, 1);
        sample(&r, 1, 5);
        sample(&r, 1, 30);
        recording_build(&r);
        if (i == 2)
            WEIGHTS_MS(&r, 0, 0, 4, 25);
        else
            assert_all_weigh_one(&r);
        recording_release(&r);
    }
}

static void without_times_all_weigh_one(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode <= REAL_TIME; mode += REAL_TIME) {
        struct recording r;
        recording_begin(&r, 6, mode, "cpython");
        for (int i = 0; i < 20; i++)
            recording_take_at(&r, 1, 0);
        recording_build(&r);
        assert_all_weigh_one(&r);
        recording_release(&r);
    }
}

/* The oldest files do not say what their timer ran on. */
static void without_a_header_all_weigh_one(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, RECORDING_OLDEST, 0, "cpython");
    recording_measured(&r, 8000);
    sample(&r, 0, 1);
    sample(&r, 0, 5);
    recording_build(&r);
    assert_all_weigh_one(&r);
    recording_release(&r);
}

static void one_sample_says_nothing_of_gaps(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, REAL_TIME);
    sample(&r, 1, 10);
    recording_build(&r);
    WEIGHTS_MS(&r, 0, 0);
    assert_fact(&r, "Gaps", NULL);
    assert_fact(&r, "Samples asked for", NULL);
    recording_release(&r);
}

/* ---- the files' own times -------------------------------------------------------------------- */

/* Upstream's own rule gives the weights (test_weights.c); the gaps are marked all the same. */
static void upstreams_weights_stay(void **state)
{
    (void)state;
    static const double at[] = {500, 501, 504, 504.5, 505.5};
    static const double expected[] = {1, 1, 3, 1, 1};
    for (unsigned mode = 0; mode <= REAL_TIME; mode += REAL_TIME) {
        struct recording r;
        recording_begin(&r, 7, mode, "cpython");
        for (size_t i = 0; i < 5; i++)
            recording_take_at(&r, 1, llround(at[i] * (double)MS));
        recording_build(&r);
        for (size_t i = 0; i < 5; i++)
            assert_near((double)thread(&r, 0)->samples.items[i].weight, expected[i]);
        assert_string_equal(recording_fact(&r, "Weights"),
                            "by the time since the sample before (at most 1 s each)");
        assert_string_equal(recording_marker(&r, 0, 0),
                            "MissedSamples 1..4 missing=2 gap=3 interval=1");
        assert_fact(&r, "Samples asked for", mode ? "of wall time" : "of CPU time");
        recording_release(&r);
    }
}

static void the_forks_times_give_weights_of_wall_time(void **state)
{
    (void)state;
    struct recording r;
    recording_begin_fork(&r, RPYTHON | REAL_TIME, "pypy");
    recording_take_at(&r, 0, 100 * MS);
    recording_take_at(&r, 0, 101 * MS);
    recording_take_at(&r, 0, 105 * MS);
    recording_build(&r);
    WEIGHTS_MS(&r, 0, 0, 1, 4);
    assert_fact(&r, "Weights", "wall time since the one before it in its thread");
    recording_release(&r);
}

/* ---- both ------------------------------------------------------------------------------------ */

/* Any times, any number of threads: what the samples weigh is the time between the first and the
 * last, in each thread or, on CPU time, in all of them. */
static void the_weights_are_the_time(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 40; round++) {
        struct recording r;
        double now = 1, first[3] = {-1, -1, -1}, last[3] = {0}, expected = 0;
        bool wall = round % 2;
        begin(&r, wall ? REAL_TIME : 0);
        recording_thread(&r, 0, 77, "MainThread");
        for (double ms = 0; ms <= 900; ms += 10)
            for (uint64_t t = 0; t < 3; t++)
                cpu_at(&r, ms, t ? t + 1 : 77, ms * 0.3);
        for (int i = 0; i < 200; i++) {
            seed = seed * 1664525u + 1013904223u;
            size_t who = i ? (seed >> 8) % 3 : 0;
            now += (double)((seed >> 12) % 1000) * 0.003 + ((seed >> 22) % 50 == 0 ? 30 : 0);
            sample(&r, who + 1, now);
            if (first[who] < 0)
                first[who] = now;
            last[who] = now;
        }
        recording_build(&r);
        for (size_t t = 0; t < 3; t++)
            expected += last[t] - first[t];
        if (!wall)
            expected = (now - first[0]) * 0.9;
        double unit = unit_ms(&r);
        /* The unit is said to three places. */
        if (!(fabs(time_ms(&r, wall ? 3 : 1) / expected - 1) <= 0.001 / unit))
            fail_msg("%g ms of %g", time_ms(&r, wall ? 3 : 1), expected);
        recording_release(&r);
    }
}

/* ---- a timer for each thread ----------------------------------------------------------------- */

static void in_thread(struct recording *r, uint64_t tid, double ms)
{
    recording_take_at(r, 0, 0);
    recording_stamp_ms(r, ms);
    recording_interrupted(r, tid, 0);
}

/* Two threads are at work at the same time, and each has a timer on its own CPU time: what one has
 * used says nothing of the other's samples. */
static void a_timer_of_each_thread_weighs_by_its_own_cpu_time(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, 0);
    r.capture.info.timer = VF_STR("perf");
    for (int i = 0; i < 20; i++) {
        in_thread(&r, 77, i);
        if (i < 10 || i > 12) /* three of them got lost */
            in_thread(&r, 102, i + 0.125);
        if (i == 5)
            in_thread(&r, 103, i + 0.5); /* too short to be measured */
    }
    for (int i = 0; i < 21; i++) {
        cpu_at(&r, i, 77, i);
        cpu_at(&r, i, 102, i);
    }
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    WEIGHTS_MS(&r, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    WEIGHTS_MS(&r, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1);
    WEIGHTS_MS(&r, 2, 0);
    assert_gap(&r, 0, 9.125, 13.125, 4);
    assert_int_equal(thread(&r, 0)->markers.rows.len, 1);
    assert_fact(&r, "Weights", "the CPU time since the one before it in its thread");
    assert_fact(&r, "Samples asked for", "38: one every 1.000 ms of 38.0 ms of CPU time");
    assert_fact(&r, "Samples that came", "35,");
    recording_release(&r);
}

/* Nothing is known of any thread's CPU time, or there is no sample at all. */
static void without_their_cpu_time_samples_weigh_one(void **state)
{
    (void)state;
    for (int count = 0; count <= 2; count += 2) {
        struct recording r;
        begin(&r, 0);
        r.capture.info.timer = VF_STR("perf");
        for (int i = 0; i < count; i++)
            in_thread(&r, 77, i);
        if (count == 0)
            recording_stamp_ms(&r, 1);
        cpu_at(&r, 0, 102, 0);
        cpu_at(&r, 1, 102, 1);
        recording_build(&r);
        assert_all_weigh_one(&r);
        recording_release(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_goes_by_in_every_thread),
        cmocka_unit_test(a_late_sample_weighs_more_and_the_next_one_less),
        cmocka_unit_test(a_lost_sample_is_marked_and_counted),
        cmocka_unit_test(from_one_and_three_quarters_on_it_is_a_gap),
        cmocka_unit_test(more_than_a_second_is_lost_time),
        cmocka_unit_test(the_usual_interval_is_the_one_that_came),
        cmocka_unit_test(on_cpu_time_a_sleep_is_no_gap),
        cmocka_unit_test(cpu_time_is_that_of_all_threads),
        cmocka_unit_test(a_coarse_timer_of_cpu_time_is_explained),
        cmocka_unit_test(readings_that_come_late_make_no_gaps),
        cmocka_unit_test(a_second_of_cpu_time_is_the_most_too),
        cmocka_unit_test(without_readings_all_weigh_one),
        cmocka_unit_test(without_times_all_weigh_one),
        cmocka_unit_test(without_a_header_all_weigh_one),
        cmocka_unit_test(one_sample_says_nothing_of_gaps),
        cmocka_unit_test(upstreams_weights_stay),
        cmocka_unit_test(the_forks_times_give_weights_of_wall_time),
        cmocka_unit_test(the_weights_are_the_time),
        cmocka_unit_test(a_timer_of_each_thread_weighs_by_its_own_cpu_time),
        cmocka_unit_test(without_their_cpu_time_samples_weigh_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

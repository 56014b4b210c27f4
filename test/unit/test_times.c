/* When things happened: where the samples lie on the profile's line for each source of times, and
 * that Profile Info says what is measured and what is an ESTIMATE. */
#include "test.h"

#include "recording.h"
#include "rows.h"

#include <math.h>
#include <stdio.h>

enum { REAL_TIME = 16, MEMORY = 1 };
static const int64_t MS = 1000000, SECOND = 1000000000;

/* Times in ms of one thread's samples, ending with a negative one. */
static void assert_times(const struct recording *r, size_t t, const double *expected)
{
    size_t n = 0;
    for (; expected[n] >= 0; n++) {
        assert_true(n < thread(r, t)->samples.len);
        assert_near(thread(r, t)->samples.items[n].time_ms, expected[n]);
    }
    assert_int_equal(thread(r, t)->samples.len, n);
}
#define TIMES(r, t, ...) assert_times((r), (t), (const double[]){__VA_ARGS__, -1})

static void assert_warned(const struct recording *r, const char *part)
{
    if (!part) {
        assert_int_equal(r->warnings.count, 0);
        assert_int_equal(r->status, VF_OK);
        return;
    }
    assert_int_equal(r->status, VF_WARN);
    assert_int_equal(r->warnings.count, 1);
    assert_non_null(strstr(r->warnings.items[0].text, part));
}

static void recorded_by_vmfox(struct recording *r)
{
    r->capture.info.start_realtime_ns = 1600000000 * SECOND;
    r->capture.info.start_monotonic_ns = 500 * SECOND;
    r->capture.info.end_monotonic_ns = 502 * SECOND;
    r->capture.info.pid = 77;
}

/* ---- sources of times ------------------------------------------------------------------------ */

static void arrival_stamps_are_the_times(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    recorded_by_vmfox(&r);
    static const int64_t at[] = {1, 2, 303, 304};
    for (size_t i = 0; i < 4; i++) {
        recording_take_at(&r, 1, 0);
        recording_stamp(&r, 500 * SECOND + at[i] * MS);
    }
    recording_build(&r);
    assert_warned(&r, NULL);
    TIMES(&r, 0, 1, 2, 303, 304);
    assert_near(r.profile.start_time_ms, 1600000000e3);
    assert_near(r.profile.end_ms, 2000);
    assert_fact(&r, "Sample times", "measured: each sample stamped by the recorder");
    recording_release(&r);
}

static void stamps_win_over_the_files_own_times(void **state)
{
    (void)state;
    struct recording r;
    recording_begin_fork(&r, 8, "pypy");
    recorded_by_vmfox(&r);
    recording_take_at(&r, 0, 700 * SECOND);
    recording_stamp(&r, 500 * SECOND + 7 * MS);
    recording_build(&r);
    TIMES(&r, 0, 7);
    recording_release(&r);
}

static void a_wrong_number_of_stamps_is_said(void **state)
{
    (void)state;
    for (int64_t stamps = 1; stamps <= 5; stamps++) {
        struct recording r;
        recording_begin(&r, 6, 0, "cpython");
        recorded_by_vmfox(&r);
        for (int64_t i = 0; i < 3; i++)
            recording_take_at(&r, 1, 0);
        for (int64_t i = 1; i <= stamps; i++)
            recording_stamp(&r, 500 * SECOND + i * MS);
        vf_buf_add(&r.stamps, "cut", 3);
        recording_build(&r);
        assert_warned(&r, stamps == 3 ? NULL : "arrival stamps for 3 samples");
        TIMES(&r, 0, 1, stamps < 2 ? 1 : 2, stamps < 3 ? (double)stamps : 3);
        recording_release(&r);
    }
}

static void samples_are_put_in_order_where_stamps_fall(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, MEMORY, "cpython");
    recording_name(&r, 0x10, "py:a:1:/a.py");
    recording_name(&r, 0x20, "py:b:1:/a.py");
    recorded_by_vmfox(&r);
    static const int64_t at[] = {5, 3, 4, -2};
    for (size_t i = 0; i < 4; i++) {
        r.next.memory_kb = (uint64_t)at[i] * 10 & 63;
        TAKE(&r, CODE(i == 1 ? 0x20 : 0x10));
        recording_stamp(&r, 500 * SECOND + at[i] * MS);
    }
    recording_build(&r);
    TIMES(&r, 0, 0, 3, 4, 5); /* what came before the start came at the start */
    assert_string_equal(recording_stack(&r, 0, 1), "b");
    assert_string_equal(recording_stack(&r, 0, 2), "a");
    for (size_t i = 1; i < r.profile.counters.items[0].rows.len; i++)
        assert_true(r.profile.counters.items[0].rows.items[i].time_ms >=
                    r.profile.counters.items[0].rows.items[i - 1].time_ms);
    recording_release(&r);
}

static void fork_times_count_from_the_files_zero(void **state)
{
    (void)state;
    struct recording r;
    recording_begin_fork(&r, 8, "pypy");
    recording_take_at(&r, 0, 451 * SECOND + 370 * MS);
    recording_take_at(&r, 0, 451 * SECOND + 371 * MS);
    recording_take_at(&r, 0, 453 * SECOND);
    prof_meta(&r.file, "start_time_offset", "451.359228");
    recording_build(&r);
    assert_warned(&r, NULL);
    TIMES(&r, 0, 10.772, 11.772, 1640.772);
    assert_near(r.profile.start_time_ms, 1700000000e3);
    assert_fact(&r, "Sample times", "stamped by the program");
    assert_fact(&r, "File format", "version 7 (fork)");
    recording_release(&r);
}

static void fork_times_without_a_zero_count_from_the_first_sample(void **state)
{
    (void)state;
    static const char *const offsets[] = {NULL, "", "noon", "-5", "1e9"};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct recording r;
        recording_begin_fork(&r, 8, "pypy");
        recording_take_at(&r, 0, 451 * SECOND);
        recording_take_at(&r, 0, 452 * SECOND);
        if (offsets[i])
            prof_meta(&r.file, "start_time_offset", offsets[i]);
        recording_build(&r);
        TIMES(&r, 0, 0, 1000);
        recording_release(&r);
    }
}

static void upstream_real_time_counts_from_the_first_sample(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 7, REAL_TIME, "cpython");
    recording_take_at(&r, 1, 451 * SECOND);
    recording_take_at(&r, 1, 451 * SECOND + 3 * MS);
    recording_build(&r);
    TIMES(&r, 0, 0, 3);
    assert_fact(&r, "Sample times", "from the first sample on (CLOCK_MONOTONIC)");
    assert_fact(&r, "Sample times", "is taken as the start");
    assert_fact(&r, "Timer", "wall time");
    assert_fact(&r, "CPU use of threads", NULL);
    recording_release(&r);
}

static void upstream_cpu_time_says_that_pauses_do_not_show(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 7, 0, "cpython");
    recording_take_at(&r, 1, 20 * MS);
    recording_take_at(&r, 2, 25 * MS);
    recording_build(&r);
    TIMES(&r, 0, 0);
    TIMES(&r, 1, 5);
    assert_fact(&r, "Sample times", "CPU time of the process");
    assert_fact(&r, "Sample times", "pauses do not show");
    assert_fact(&r, "File format", "version 7 (upstream)");
    recording_release(&r);
}

static void without_times_samples_are_spread_and_that_is_said(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    for (int64_t i = 0; i < 4; i++)
        recording_take_at(&r, 1, 0);
    recording_build(&r);
    TIMES(&r, 0, 500, 1500, 2500, 3500);
    assert_near(r.profile.end_ms, 4000);
    assert_near(r.profile.interval_ms, 1000);
    assert_near(r.profile.start_time_ms, 1700000000e3);
    assert_fact(&r, "Sample times", "ESTIMATE: ");
    assert_fact(&r, "Median time between samples", NULL);
    recording_release(&r);
}

static void samples_are_spread_over_the_length_known_best(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 5, 0, "cpython"); /* an end, no start: the period is all there is */
    recording_take_at(&r, 1, 0);
    recording_take_at(&r, 1, 0);
    recording_build(&r);
    TIMES(&r, 0, 0.5, 1.5);
    recording_release(&r);

    recording_begin(&r, 5, 0, "cpython");
    r.capture.time_start_s = 1650000000;
    r.capture.time_end_s = 1650000003;
    recording_take_at(&r, 1, 0);
    recording_build(&r);
    TIMES(&r, 0, 1500);
    assert_near(r.profile.start_time_ms, 1650000000e3);
    recording_release(&r);

    recording_begin(&r, 6, 0, "cpython"); /* killed: no trailer */
    r.cut = true;
    recording_take_at(&r, 1, 0);
    recording_take_at(&r, 1, 0);
    recording_build(&r);
    TIMES(&r, 0, 0.5, 1.5);
    assert_warned(&r, "expected a record or the trailer");
    assert_fact(&r, "Incomplete", "the VMProf data end early: byte 0x");
    recording_release(&r);
}

static void the_interval_is_the_one_measured(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    recorded_by_vmfox(&r);
    for (int64_t i = 0; i < 30; i++) {
        recording_take_at(&r, 1, 0);
        recording_stamp(&r, 500 * SECOND + i * 4 * MS + MS / 500 + (i > 20 ? 900 * MS : 0));
    }
    recording_build(&r);
    assert_true(fabs(r.profile.interval_ms - 4) < 0.02);
    assert_fact(&r, "Median time between samples", "4.0");
    assert_fact(&r, "Period asked for", "1.000 ms");
    recording_release(&r);
}

/* ---- times that no clock gives --------------------------------------------------------------- */

static void absurd_times_do_no_harm(void **state)
{
    (void)state;
    static const int64_t absurd[] = {INT64_MIN, INT64_MAX, -1, 0};
    for (size_t i = 0; i < 16; i++) {
        struct recording r;
        recording_begin_period(&r, 7, i & 1 ? REAL_TIME : 0, INT64_MAX);
        recording_take_at(&r, 1, absurd[i / 4]);
        recording_take_at(&r, 1, absurd[i % 4]);
        recording_build(&r);
        for (size_t k = 0; k < 2; k++)
            assert_true(thread(&r, 0)->samples.items[k].time_ms >= 0);
        recording_release(&r);
    }
}

static void absurd_times_in_a_capture_do_no_harm(void **state)
{
    (void)state;
    static const int64_t absurd[] = {INT64_MIN, INT64_MAX, -1, 1};
    for (size_t i = 0; i < 64; i++) {
        struct recording r;
        recording_begin(&r, 6, 0, "cpython");
        r.capture.info.pid = 7;
        r.capture.info.start_monotonic_ns = absurd[i % 4];
        r.capture.info.end_monotonic_ns = absurd[i / 4 % 4];
        r.capture.info.start_realtime_ns = absurd[i / 16];
        for (size_t k = 0; k < 4; k++) {
            recording_take_at(&r, 1, 0);
            recording_stamp(&r, absurd[k]);
            recording_cpu(&r, absurd[k], 7, absurd[3 - k]);
        }
        recording_build(&r);
        for (size_t k = 1; k < 4; k++)
            assert_true(thread(&r, 0)->samples.items[k].time_ms >=
                        thread(&r, 0)->samples.items[k - 1].time_ms);
        recording_release(&r);
    }
}

static void an_absurd_start_in_the_file_does_no_harm(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    prof_start_time(&r.file, -9223372036854, 0);
    recording_take_at(&r, 1, 0);
    prof_trailer(&r.file, 9223372036854, 0);
    r.cut = true;
    recording_build(&r);
    assert_true(thread(&r, 0)->samples.items[0].time_ms >= 0);
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrival_stamps_are_the_times),
        cmocka_unit_test(stamps_win_over_the_files_own_times),
        cmocka_unit_test(a_wrong_number_of_stamps_is_said),
        cmocka_unit_test(samples_are_put_in_order_where_stamps_fall),
        cmocka_unit_test(fork_times_count_from_the_files_zero),
        cmocka_unit_test(fork_times_without_a_zero_count_from_the_first_sample),
        cmocka_unit_test(upstream_real_time_counts_from_the_first_sample),
        cmocka_unit_test(upstream_cpu_time_says_that_pauses_do_not_show),
        cmocka_unit_test(without_times_samples_are_spread_and_that_is_said),
        cmocka_unit_test(samples_are_spread_over_the_length_known_best),
        cmocka_unit_test(the_interval_is_the_one_measured),
        cmocka_unit_test(absurd_times_do_no_harm),
        cmocka_unit_test(absurd_times_in_a_capture_do_no_harm),
        cmocka_unit_test(an_absurd_start_in_the_file_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

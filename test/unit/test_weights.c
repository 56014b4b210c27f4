/* What a sample stands for: upstream's weights, threads and their CPU time, memory, allocations. */
#include "test.h"

#include "recording.h"
#include "rows.h"

#include <stdio.h>

enum { REAL_TIME = 16, MEMORY = 1, RPYTHON = 8 };
static const int64_t MS = 1000000, SECOND = 1000000000;

static const char *thread_name(const struct recording *r, size_t i)
{
    return recording_string(r, thread(r, i)->name);
}

/* ---- weights --------------------------------------------------------------------------------- */

static void assert_weights(const struct recording *r, size_t t, const double *expected)
{
    size_t n = 0;
    for (; expected[n] >= 0; n++) {
        assert_true(n < thread(r, t)->samples.len);
        assert_near((double)thread(r, t)->samples.items[n].weight, expected[n]);
    }
    assert_int_equal(thread(r, t)->samples.len, n);
}
#define WEIGHTS(r, t, ...) assert_weights((r), (t), (const double[]){__VA_ARGS__, -1})

static void a_sample_weighs_the_time_since_the_one_before(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 7, 0, "cpython"); /* the period is 1 ms */
    static const int64_t at[] = {500, 501, 504, 504, 505};
    for (size_t i = 0; i < 5; i++)
        recording_take_at(&r, 1, at[i] * MS + (i == 4 ? MS / 2 : 0));
    recording_build(&r);
    WEIGHTS(&r, 0, 1, 1, 3, 1, 1.5);
    assert_true(thread(&r, 0)->weighted);
    assert_non_null(strstr(recording_fact(&r, "Weights"), "time since the sample before"));
    assert_null(recording_fact(&r, "Lost time"));
    recording_release(&r);
}

static void more_than_a_second_is_lost_time(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 7, 0, "cpython");
    recording_take_at(&r, 1, 0);
    recording_take_at(&r, 1, SECOND);
    recording_take_at(&r, 1, 3 * SECOND + 500 * MS);
    recording_take_at(&r, 1, 5 * SECOND);
    recording_build(&r);
    WEIGHTS(&r, 0, 1, 1000, 1000, 1000);
    assert_string_equal(recording_fact(&r, "Lost time"), "2.000 s in gaps over one second");
    recording_release(&r);
}

/* A time that goes back weighs one, and the latest one stays the one to count from. */
static void a_time_that_goes_back_weighs_one(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 7, 0, "cpython");
    static const int64_t at[] = {100, 110, 105, 112, 112};
    for (size_t i = 0; i < 5; i++)
        recording_take_at(&r, 1, at[i] * MS);
    recording_build(&r);
    /* In the order of their times: 100, 105, 110, 112, 112. */
    WEIGHTS(&r, 0, 1, 1, 10, 2, 1);
    recording_release(&r);
}

static void on_real_time_each_thread_counts_for_itself(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 7, REAL_TIME, "cpython");
    recording_take_at(&r, 1, 100 * MS);
    recording_take_at(&r, 2, 103 * MS);
    recording_take_at(&r, 1, 104 * MS);
    recording_take_at(&r, 2, 109 * MS);
    recording_build(&r);
    WEIGHTS(&r, 0, 1, 4);
    WEIGHTS(&r, 1, 1, 6);
    recording_release(&r);
}

static void on_cpu_time_the_whole_process_counts(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 7, 0, "cpython");
    recording_take_at(&r, 1, 100 * MS);
    recording_take_at(&r, 2, 103 * MS);
    recording_take_at(&r, 1, 104 * MS);
    recording_take_at(&r, 2, 109 * MS);
    recording_build(&r);
    WEIGHTS(&r, 0, 1, 1);
    WEIGHTS(&r, 1, 3, 5);
    recording_release(&r);
}

static void without_a_period_or_upstreams_times_all_weigh_one(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct recording r;
        if (i == 0)
            recording_begin_period(&r, 7, 0, 0);
        else if (i == 1)
            recording_begin_fork(&r, RPYTHON, "pypy");
        else
            recording_begin(&r, 6, 0, "cpython");
        recording_take_at(&r, 1, 100 * SECOND);
        recording_take_at(&r, 1, 101 * SECOND);
        recording_build(&r);
        WEIGHTS(&r, 0, 1, 1);
        assert_false(thread(&r, 0)->weighted);
        recording_release(&r);
    }
}

/* vmprof-python 0.6.0, LogReader.sample_weight(), said over again. */
struct reference {
    bool known[3];
    int64_t before[3];
    double lost_s;
};

static double reference_weight(struct reference *ref, size_t key, int64_t time_ns,
                               int64_t period_us)
{
    bool known = ref->known[key];
    int64_t before = ref->before[key];
    if (!known || time_ns > before)
        ref->before[key] = time_ns;
    ref->known[key] = true;
    if (!known)
        return 1;
    double gap = (double)(time_ns - before);
    if (gap > 1e9) {
        ref->lost_s += (gap - 1e9) / 1e9;
        gap = 1e9;
    }
    return fmax(gap / ((double)period_us * 1000), 1);
}

/* How much time was lost in it. */
static double compare_with_reference(uint32_t seed, unsigned mode)
{
    enum { SAMPLES = 300, PERIOD_US = 990 };
    struct recording r;
    struct reference ref = {0};
    double sum[3] = {0}, got;
    int64_t now = 0;
    recording_begin_period(&r, 7, mode, PERIOD_US);
    for (size_t i = 0; i < SAMPLES; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t who = seed >> 8 & 1;
        /* Mostly a period, at times a long gap, at times a step back. */
        now += (seed >> 10) % 50 == 0  ? (seed >> 16) * (int64_t)100000
               : (seed >> 10) % 7 == 0 ? -(int64_t)(seed >> 16 & 0xfff) * 100
                                       : (int64_t)(seed >> 16) * 40;
        recording_take_at(&r, who + 1, now);
        sum[who] += reference_weight(&ref, mode & REAL_TIME ? who : 2, now, PERIOD_US);
    }
    recording_build(&r);
    for (size_t t = 0; t < 2; t++) {
        got = 0;
        for (size_t i = 0; i < thread(&r, t)->samples.len; i++)
            got += (double)thread(&r, t)->samples.items[i].weight;
        assert_near(got / sum[thread(&r, t)->tid - 1], 1);
    }
    const char *lost = recording_fact(&r, "Lost time");
    assert_near(lost ? strtod(lost, NULL) : 0, round(ref.lost_s * 1000) / 1000);
    recording_release(&r);
    return ref.lost_s;
}

static void weights_are_those_of_vmprof_python(void **state)
{
    (void)state;
    double lost_s = 0;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        lost_s += compare_with_reference(seed * 104729, 0);
        lost_s += compare_with_reference(seed * 104729, REAL_TIME);
    }
    assert_true(lost_s > 1);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void cpythons_thread_numbers_tell_threads_apart(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    static const uint64_t ids[] = {0x7f03, 0x7f01, 0x7f03, 0x7f02};
    for (size_t i = 0; i < 4; i++)
        recording_take_at(&r, ids[i], 0);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    assert_true(thread(&r, 0)->is_main); /* the one seen first */
    assert_string_equal(thread_name(&r, 0), "MainThread");
    assert_int_equal(thread(&r, 0)->tid, 0x7f03);
    assert_int_equal(thread(&r, 0)->samples.len, 2);
    assert_int_equal(thread(&r, 1)->tid, 0x7f01);
    assert_int_equal(thread(&r, 2)->tid, 0x7f02);
    assert_string_equal(thread_name(&r, 2), "Thread 32514");
    assert_false(thread(&r, 1)->is_main || thread(&r, 2)->is_main);
    recording_release(&r);
}

static void the_main_thread_comes_first_whoever_ran_first(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, RPYTHON, "pypy");
    recording_name(&r, 0x10, "py:vmfox_thread_1:1:<vmfox>");
    recording_name(&r, 0x20, "py:vmfox_thread_2:1:<vmfox>");
    recording_name(&r, 0x30, "py:main:1:/a.py");
    r.capture.info.pid = 4000;
    recording_thread(&r, 0, 4000, "MainThread");
    recording_thread(&r, 2, 4001, "second");
    recording_thread(&r, 1, 4002, "first");
    TAKE(&r, CODE(0x10), CODE(0x30));
    TAKE(&r, CODE(0x20), CODE(0x30));
    TAKE(&r, CODE(0x30));
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    assert_string_equal(thread_name(&r, 0), "MainThread");
    assert_true(thread(&r, 0)->is_main);
    assert_int_equal(thread(&r, 0)->tid, 4000);
    assert_string_equal(thread_name(&r, 1), "second");
    assert_string_equal(thread_name(&r, 2), "first");
    recording_release(&r);
}

static void a_main_thread_may_have_another_name(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    r.capture.info.pid = 4000;
    recording_thread(&r, 0, 4000, "server");
    recording_take_at(&r, 0x7f01, 0);
    recording_build(&r);
    assert_string_equal(thread_name(&r, 0), "server");
    assert_int_equal(thread(&r, 0)->tid, 4000);
    recording_release(&r);
}

static void no_samples_give_an_empty_main_thread_and_a_warning(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    recording_build(&r);
    assert_int_equal(r.status, VF_WARN);
    assert_string_equal(r.warnings.items[0].text, "there are no samples in it");
    assert_int_equal(r.profile.threads.len, 1);
    assert_true(thread(&r, 0)->is_main);
    assert_int_equal(thread(&r, 0)->samples.len, 0);
    recording_release(&r);
}

/* ---- CPU time -------------------------------------------------------------------------------- */

static void begin_stamped(struct recording *r, unsigned mode, const int64_t *at_ms, size_t count)
{
    recording_begin(r, 6, mode, "cpython");
    r->capture.info.start_monotonic_ns = 500 * SECOND;
    r->capture.info.end_monotonic_ns = 502 * SECOND;
    r->capture.info.pid = 77;
    for (size_t i = 0; i < count; i++) {
        recording_take_at(r, 1, 0);
        recording_stamp(r, 500 * SECOND + at_ms[i] * MS);
    }
}

static void assert_cpu(const struct recording *r, const double *expected_ms)
{
    assert_true(thread(r, 0)->has_cpu);
    for (size_t i = 1; i < thread(r, 0)->samples.len; i++)
        assert_near((double)thread(r, 0)->samples.items[i].cpu_ns / 1e6, expected_ms[i]);
}

static void measured_cpu_time_shows_a_pause(void **state)
{
    (void)state;
    static const int64_t at[] = {10, 20, 220, 230};
    static const double expected[] = {0, 10, 5, 8};
    struct recording r;
    begin_stamped(&r, 0, at, 4);
    recording_cpu(&r, 500 * SECOND + 10 * MS, 77, 10 * MS);
    recording_cpu(&r, 500 * SECOND + 20 * MS, 77, 20 * MS);
    recording_cpu(&r, 500 * SECOND + 20 * MS, 78, 999 * MS); /* another thread's */
    recording_cpu(&r, 500 * SECOND + 220 * MS, 77, 25 * MS);
    recording_cpu(&r, 500 * SECOND + 230 * MS, 77, 33 * MS);
    vf_buf_add(&r.cpu, "cut row", 7);
    recording_build(&r);
    assert_cpu(&r, expected);
    assert_string_equal(recording_fact(&r, "CPU use of threads"),
                        "measured by the recorder every few milliseconds");
    recording_release(&r);
}

static void cpu_time_between_readings_lies_on_a_straight_line(void **state)
{
    (void)state;
    static const int64_t at[] = {10, 30, 60};
    static const double expected[] = {0, 10, 15};
    struct recording r;
    begin_stamped(&r, 0, at, 3);
    recording_cpu(&r, 500 * SECOND, 77, 0);
    recording_cpu(&r, 500 * SECOND + 100 * MS, 77, 50 * MS);
    recording_build(&r);
    assert_cpu(&r, expected);
    recording_release(&r);
}

static void cpu_time_without_readings_is_an_estimate(void **state)
{
    (void)state;
    static const int64_t at[] = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 521, 523};
    struct recording r;
    begin_stamped(&r, 0, at, 13);
    recording_cpu(&r, 500 * SECOND, 77, 5 * MS); /* one alone says nothing */
    recording_build(&r);
    assert_near((double)thread(&r, 0)->samples.items[1].cpu_ns / 1e6, 2);
    assert_near((double)thread(&r, 0)->samples.items[11].cpu_ns / 1e6, r.profile.interval_ms);
    assert_true(r.profile.interval_ms < 3);
    assert_non_null(strstr(recording_fact(&r, "CPU use of threads"), "ESTIMATE: "));
    recording_release(&r);
}

static void a_wall_clock_timer_says_nothing_of_cpu_time(void **state)
{
    (void)state;
    static const int64_t at[] = {1, 3, 5};
    struct recording r;
    begin_stamped(&r, REAL_TIME, at, 3);
    recording_build(&r);
    assert_false(thread(&r, 0)->has_cpu);
    assert_null(recording_fact(&r, "CPU use of threads"));
    recording_release(&r);
}

/* ---- memory and allocations ------------------------------------------------------------------ */

static void memory_is_a_counter_in_bytes(void **state)
{
    (void)state;
    static const uint64_t kb[] = {100, 100, 100, 200, 50};
    static const struct vf_counter_row expected[] = {
        {400, 102400}, {2000, 102400}, {2800, 204800}, {3600, 51200}};
    struct recording r;
    recording_begin(&r, 6, MEMORY, "cpython");
    for (size_t i = 0; i < 5; i++) {
        r.next.memory_kb = kb[i];
        recording_take_at(&r, i & 1, 0);
    }
    recording_build(&r);
    assert_int_equal(r.profile.counters.len, 1);
    const struct vf_counter *c = &r.profile.counters.items[0];
    assert_string_equal(c->name, "Memory");
    assert_int_equal(c->rows.len, 4); /* a level that lasts is its first and its last row */
    for (size_t i = 0; i < 4; i++) {
        assert_near(c->rows.items[i].time_ms, expected[i].time_ms);
        assert_near(c->rows.items[i].value, expected[i].value);
    }
    recording_release(&r);
}

static void without_memory_there_is_no_counter(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 0, "cpython");
    recording_take_at(&r, 1, 0);
    recording_build(&r);
    assert_int_equal(r.profile.counters.len, 0);
    recording_release(&r);
}

static void allocations_are_kept_as_such(void **state)
{
    (void)state;
    static const struct prof_frame stack[] = {CODE(0x10), CODE(0x20)};
    struct prof_sample allocation = {stack, 2, 0, 0, 100 * SECOND + 5 * MS};
    struct recording r;
    recording_begin_fork(&r, RPYTHON, "pypy");
    recording_name(&r, 0x10, "py:main:1:/a.py");
    recording_name(&r, 0x20, "py:make:2:/a.py");
    prof_stack(&r.file, 0x09, &allocation);
    allocation.time_ns += 5 * MS;
    prof_stack(&r.file, 0x09, &allocation);
    r.next.time_ns = 100 * SECOND + 20 * MS;
    TAKE(&r, CODE(0x10));
    prof_meta(&r.file, "sample_allocated_bytes", "4096");
    prof_meta(&r.file, "start_time_offset", "100.0");
    recording_build(&r);
    assert_int_equal(thread(&r, 0)->samples.len, 1);
    assert_int_equal(thread(&r, 0)->allocations.len, 2);
    const struct vf_allocation_row *rows = thread(&r, 0)->allocations.items;
    assert_near(rows[0].time_ms, 5);
    assert_near(rows[1].time_ms, 10);
    assert_near(rows[0].bytes, 4096);
    assert_string_equal(recording_render(&r, rows[1].stack), "main > make");
    assert_string_equal(recording_fact(&r, "Allocation samples"), "2");
    assert_string_equal(recording_fact(&r, "Samples"), "1");
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_weighs_the_time_since_the_one_before),
        cmocka_unit_test(more_than_a_second_is_lost_time),
        cmocka_unit_test(a_time_that_goes_back_weighs_one),
        cmocka_unit_test(on_real_time_each_thread_counts_for_itself),
        cmocka_unit_test(on_cpu_time_the_whole_process_counts),
        cmocka_unit_test(without_a_period_or_upstreams_times_all_weigh_one),
        cmocka_unit_test(weights_are_those_of_vmprof_python),
        cmocka_unit_test(cpythons_thread_numbers_tell_threads_apart),
        cmocka_unit_test(the_main_thread_comes_first_whoever_ran_first),
        cmocka_unit_test(a_main_thread_may_have_another_name),
        cmocka_unit_test(no_samples_give_an_empty_main_thread_and_a_warning),
        cmocka_unit_test(measured_cpu_time_shows_a_pause),
        cmocka_unit_test(cpu_time_between_readings_lies_on_a_straight_line),
        cmocka_unit_test(cpu_time_without_readings_is_an_estimate),
        cmocka_unit_test(a_wall_clock_timer_says_nothing_of_cpu_time),
        cmocka_unit_test(memory_is_a_counter_in_bytes),
        cmocka_unit_test(without_memory_there_is_no_counter),
        cmocka_unit_test(allocations_are_kept_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

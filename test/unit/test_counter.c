/* Pairs of readings of the counter and the clock, as the recorder takes them. */
#include "test.h"

#include "base/clock.h"
#include "record/counter.h"

#include <stdlib.h>

static const int64_t MS = 1000000;

static void wait_ms(int64_t ms)
{
    struct timespec pause = {.tv_nsec = ms * MS};
    nanosleep(&pause, NULL);
}

#define NEEDS_COUNTER()                                                                            \
    do {                                                                                           \
        if (!vf_counter_has())                                                                     \
            skip();                                                                                \
    } while (0)

static void only_x86_has_the_counter(void **state)
{
    (void)state;
    struct vf_counter_pairs pairs = {0};
#if defined(__x86_64__) || defined(__i386__)
    assert_true(vf_counter_has());
    vf_counter_pairs_add(&pairs, 0, true);
    assert_int_equal(pairs.len, 1);
#else
    assert_false(vf_counter_has());
    vf_counter_pairs_add(&pairs, 0, true);
    assert_int_equal(pairs.len, 0);
#endif
}

static void a_pair_is_of_the_moment_it_is_read_at(void **state)
{
    (void)state;
    NEEDS_COUNTER();
    for (int i = 0; i < 100; i++) {
        int64_t before = vf_clock_now_ns(CLOCK_MONOTONIC);
        struct vf_counter_pair pair = vf_counter_read();
        int64_t behind = vf_clock_now_ns(CLOCK_MONOTONIC);
        assert_true(pair.mono_ns >= before && pair.mono_ns <= behind);
        assert_true(pair.error_ns > 0 && pair.error_ns <= (behind - before + 1) / 2);
    }
}

/* The middle one of three lies on the line through the others, as near as the three say. */
static void pairs_lie_on_a_line(void **state)
{
    (void)state;
    NEEDS_COUNTER();
    struct vf_counter_pair pair[3];
    for (int i = 0; i < 3; i++) {
        pair[i] = vf_counter_read();
        wait_ms(10);
    }
    assert_true(pair[0].counter < pair[1].counter && pair[1].counter < pair[2].counter);
    double share =
        (double)(pair[1].counter - pair[0].counter) / (double)(pair[2].counter - pair[0].counter);
    double off = share * (double)(pair[2].mono_ns - pair[0].mono_ns) -
                 (double)(pair[1].mono_ns - pair[0].mono_ns);
    double most = (double)(pair[0].error_ns + pair[1].error_ns + pair[2].error_ns) + 10000;
    if (off > most || off < -most)
        fail_msg("%.0f ns off the line, at most %.0f", off, most);
}

static void pairs_are_taken_now_and_then(void **state)
{
    (void)state;
    NEEDS_COUNTER();
    struct vf_counter_pairs pairs = {0};
    vf_counter_pairs_add(&pairs, vf_clock_now_ns(CLOCK_MONOTONIC), false);
    assert_int_equal(pairs.len, 1); /* the first one always */
    int64_t first = pairs.items[0].mono_ns;
    assert_true(pairs.every_ns > 0);
    vf_counter_pairs_add(&pairs, first + pairs.every_ns - 1, false);
    assert_int_equal(pairs.len, 1);
    vf_counter_pairs_add(&pairs, first + pairs.every_ns, false);
    assert_int_equal(pairs.len, 2);
    vf_counter_pairs_add(&pairs, first, true); /* the end */
    assert_int_equal(pairs.len, 3);
    for (size_t i = 1; i < 3; i++) {
        assert_true(pairs.items[i].mono_ns >= pairs.items[i - 1].mono_ns);
        assert_true(pairs.items[i].counter > pairs.items[i - 1].counter);
    }
}

/* Adds one as soon as it is due. */
static void add_due(struct vf_counter_pairs *pairs)
{
    int64_t last = pairs->len ? pairs->items[pairs->len - 1].mono_ns : 0;
    vf_counter_pairs_add(pairs, last + pairs->every_ns - 1, false);
    vf_counter_pairs_add(pairs, last + pairs->every_ns, false);
}

static void a_full_table_keeps_every_second_pair(void **state)
{
    (void)state;
    NEEDS_COUNTER();
    struct vf_counter_pairs pairs = {0}, full;
    while (pairs.len < VF_COUNTER_PAIRS_MAX)
        vf_counter_pairs_add(&pairs, 0, true);
    full = pairs;
    add_due(&pairs);
    assert_int_equal(pairs.len, VF_COUNTER_PAIRS_MAX / 2 + 1);
    assert_int_equal(pairs.every_ns, 2 * full.every_ns);
    for (size_t i = 0; i < VF_COUNTER_PAIRS_MAX / 2; i++) {
        assert_int_equal(pairs.items[i].counter, full.items[2 * i].counter);
        assert_int_equal(pairs.items[i].mono_ns, full.items[2 * i].mono_ns);
    }
    assert_true(pairs.items[VF_COUNTER_PAIRS_MAX / 2].counter >
                full.items[VF_COUNTER_PAIRS_MAX - 1].counter);
}

static void a_long_run_has_between_64_and_128(void **state)
{
    (void)state;
    NEEDS_COUNTER();
    struct vf_counter_pairs pairs = {0};
    add_due(&pairs);
    struct vf_counter_pair first = pairs.items[0];
    int64_t every = pairs.every_ns;
    for (int i = 0; i < 2000; i++) {
        size_t before = pairs.len;
        add_due(&pairs);
        assert_int_equal(pairs.len,
                         before < VF_COUNTER_PAIRS_MAX ? before + 1 : VF_COUNTER_PAIRS_MAX / 2 + 1);
        assert_between(pairs.len, i < 63 ? 2 : 64, VF_COUNTER_PAIRS_MAX);
        assert_int_equal(pairs.items[0].counter, first.counter);
    }
    /* 2000 due ones: 128, then 64 at twice the time, and again ... */
    assert_true(pairs.every_ns >= every << 29);
    for (size_t i = 1; i < pairs.len; i++)
        assert_true(pairs.items[i].counter > pairs.items[i - 1].counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_x86_has_the_counter),
        cmocka_unit_test(a_pair_is_of_the_moment_it_is_read_at),
        cmocka_unit_test(pairs_lie_on_a_line),
        cmocka_unit_test(pairs_are_taken_now_and_then),
        cmocka_unit_test(a_full_table_keeps_every_second_pair),
        cmocka_unit_test(a_long_run_has_between_64_and_128),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

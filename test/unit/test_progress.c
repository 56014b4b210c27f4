#include "test.h"

#include "base/progress.h"
#include "cmd/progress_line.h"

#include <pthread.h>

/* ---- what is told of the work ---------------------------------------------------------------- */

static struct vf_progress now(void)
{
    struct vf_progress progress;
    assert_true(vf_progress_get(&progress));
    return progress;
}

static void a_stage_begins_with_nothing_done(void **state)
{
    (void)state;
    vf_progress_begin("reading %s", VF_PROGRESS_BYTES, 1000);
    vf_progress_set(400);
    assert_string_equal(now().stage, "reading %s");
    assert_int_equal(now().unit, VF_PROGRESS_BYTES);
    assert_int_equal(now().done, 400);
    assert_int_equal(now().total, 1000);
    uint32_t turn = now().turn;
    vf_progress_begin("joining samples", VF_PROGRESS_SAMPLES, 20);
    assert_string_equal(now().stage, "joining samples");
    assert_int_equal(now().done, 0);
    assert_int_equal(now().total, 20);
    assert_int_not_equal(now().turn, turn);
}

static void a_stage_goes_on_after_another_one(void **state)
{
    (void)state;
    vf_progress_begin("looking up functions", VF_PROGRESS_FRAMES, 50);
    vf_progress_set(20);
    struct vf_progress before = now();
    vf_progress_begin("fetching debug info", VF_PROGRESS_BYTES, 0);
    vf_progress_set(7);
    vf_progress_resume(&before);
    assert_string_equal(now().stage, "looking up functions");
    assert_int_equal(now().unit, VF_PROGRESS_FRAMES);
    assert_int_equal(now().done, 20);
    assert_int_equal(now().total, 50);
}

enum { ROUNDS = 200000 };

static void *work(void *context)
{
    (void)context;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        vf_progress_begin(i % 2 ? "odd" : "even", i % 2 ? VF_PROGRESS_BYTES : VF_PROGRESS_FRAMES,
                          i);
        vf_progress_set(i);
    }
    return NULL;
}

static void what_is_seen_belongs_together(void **state)
{
    (void)state;
    pthread_t thread;
    struct vf_progress seen = {0};
    vf_progress_begin("even", VF_PROGRESS_FRAMES, 2);
    assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
    while (seen.total < ROUNDS) {
        if (!vf_progress_get(&seen))
            continue;
        assert_string_equal(seen.stage, seen.total % 2 ? "odd" : "even");
        assert_int_equal(seen.unit, seen.total % 2 ? VF_PROGRESS_BYTES : VF_PROGRESS_FRAMES);
        assert_true(seen.done == 0 || seen.done == seen.total);
    }
    pthread_join(thread, NULL);
}

/* ---- how fast it goes ------------------------------------------------------------------------ */

static struct vf_progress of(uint32_t turn, uint64_t done, uint64_t total)
{
    return (struct vf_progress){"reading %s", VF_PROGRESS_BYTES, turn, done, total};
}

static void look(struct vf_pace *pace, uint64_t done, int64_t now_ms)
{
    struct vf_progress progress = of(2, done, 10000);
    vf_pace_look(pace, &progress, now_ms);
}

static void the_time_left_is_known_after_some_looks(void **state)
{
    (void)state;
    struct vf_pace pace = {0};
    struct vf_progress progress = of(2, 0, 10000);
    for (int64_t i = 0; i < 5; i++) {
        look(&pace, (uint64_t)i * 100, 5000 + i * 100);
        progress.done = (uint64_t)i * 100;
        assert_int_equal(vf_pace_left_s(&pace, &progress), 0);
    }
    look(&pace, 500, 5500);
    progress.done = 500;
    assert_float_equal((float)pace.per_s, 1000.0f, 1.0f);
    assert_int_equal(vf_pace_left_s(&pace, &progress), 10);
}

static void another_stage_has_a_pace_of_its_own(void **state)
{
    (void)state;
    struct vf_pace pace = {0};
    for (int64_t i = 0; i <= 10; i++)
        look(&pace, (uint64_t)i * 100, i * 100);
    assert_true(pace.per_s > 0);
    struct vf_progress next = of(4, 5000, 10000);
    vf_pace_look(&pace, &next, 1100);
    assert_true(pace.per_s == 0);
    assert_int_equal(vf_pace_left_s(&pace, &next), 0);
    /* What was done of it before it was first seen says nothing. */
    next.done = 5010;
    vf_pace_look(&pace, &next, 1200);
    assert_float_equal((float)pace.per_s, 100.0f, 0.1f);
}

/* Work that comes in lumps, one in five looks, and the mean is 1000 a second. */
static void the_time_left_does_not_jump_about(void **state)
{
    (void)state;
    struct vf_pace pace = {0};
    struct vf_progress progress = of(2, 0, 100000);
    for (int64_t i = 0; i <= 600; i++) {
        progress.done = (uint64_t)(i / 5 * 500);
        vf_pace_look(&pace, &progress, i * 100);
        uint64_t left_s = vf_pace_left_s(&pace, &progress);
        uint64_t right_s = (100000 - progress.done) / 1000;
        if (i >= 50) {
            assert_between(left_s, right_s * 8 / 10, right_s * 12 / 10 + 1);
        }
    }
}

static void nothing_is_said_of_work_that_stands_still(void **state)
{
    (void)state;
    struct vf_pace pace = {0};
    struct vf_progress progress = of(2, 0, 100000);
    for (int64_t i = 0; i <= 100; i++)
        vf_pace_look(&pace, &progress, i * 100);
    assert_int_equal(vf_pace_left_s(&pace, &progress), 0);
}

static void looks_at_the_same_moment_do_no_harm(void **state)
{
    (void)state;
    struct vf_pace pace = {0};
    look(&pace, 100, 1000);
    look(&pace, 200, 1000);
    look(&pace, 300, 1000);
    assert_true(pace.per_s == 0);
    look(&pace, 300, 1100);
    assert_float_equal((float)pace.per_s, 2000.0f, 0.1f);
}

/* ---- the text -------------------------------------------------------------------------------- */

/* A pace that has been seen for long. */
static struct vf_pace pace_of(double per_s)
{
    return (struct vf_pace){.looks = 50, .first_ms = 0, .last_ms = 5000, .per_s = per_s};
}

static void assert_text(const struct vf_progress *progress, double per_s, size_t columns,
                        const char *name, const char *expected)
{
    struct vf_buf out = {0};
    struct vf_pace pace = pace_of(per_s);
    vf_buf_str(&out, VF_STR("\r"));
    vf_progress_text(&out, progress, &pace, vf_str_from(name), columns);
    vf_buf_add(&out, "", 1);
    assert_string_equal(out.ptr + 1, expected);
    vf_buf_release(&out);
}

static void all_that_is_known_is_said(void **state)
{
    (void)state;
    struct vf_progress progress = of(2, 1290000000, 3000000000);
    assert_text(&progress, 1.2e9, 79, "app.prof",
                "vmfox: reading app.prof  43 %  1.2 GB/s  2 s left");
    progress = (struct vf_progress){"joining samples", VF_PROGRESS_SAMPLES, 2, 500, 40000000};
    assert_text(&progress, 340000, 79, "app.prof",
                "vmfox: joining samples  0 %  340 k samples/s  118 s left");
    progress = (struct vf_progress){"writing", VF_PROGRESS_PARTS, 2, 5, 1000};
    assert_text(&progress, 0.1, 79, "app.prof", "vmfox: writing  0 %  3 h left");
    progress.total = 60;
    assert_text(&progress, 0.1, 79, "app.prof", "vmfox: writing  8 %  10 min left");
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    struct vf_progress progress = of(2, 0, 0);
    assert_text(&progress, 0, 79, "app.prof", "vmfox: reading app.prof");
    progress.done = 12345678;
    assert_text(&progress, 0, 79, "app.prof", "vmfox: reading app.prof  12 MB");
    assert_text(&progress, 9949, 79, "app.prof", "vmfox: reading app.prof  12 MB  9.9 kB/s");
    progress = of(2, 500, 1000);
    assert_text(&progress, 0, 79, "app.prof", "vmfox: reading app.prof  50 %");
    progress = (struct vf_progress){"writing", VF_PROGRESS_PARTS, 2, 5, 0};
    assert_text(&progress, 10, 79, "app.prof", "vmfox: writing");
}

/* A total can be what a damaged file says. */
static void no_more_than_all_is_done(void **state)
{
    (void)state;
    struct vf_progress progress = of(2, 1000, 1000);
    assert_text(&progress, 1000, 79, "a", "vmfox: reading a  100 %  1.0 kB/s");
    progress.done = 999;
    assert_text(&progress, 1000, 79, "a", "vmfox: reading a  99 %  1.0 kB/s  1 s left");
    progress.done = 1001;
    assert_text(&progress, 1000, 79, "a", "vmfox: reading a  1.0 kB  1.0 kB/s");
    progress = of(2, UINT64_MAX - 1, UINT64_MAX);
    assert_text(&progress, 0, 79, "a", "vmfox: reading a  100 %");
    progress = of(2, UINT64_MAX, 1);
    assert_text(&progress, 0, 79, "a", "vmfox: reading a  18447 PB");
    progress = of(2, 999, 1000000);
    assert_text(&progress, 999.6, 79, "a", "vmfox: reading a  0 %  1.0 kB/s  17 min left");
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    struct vf_progress progress = of(2, 500, 1000);
    assert_text(&progress, 100, 50, "a-very-long-name.prof",
                "vmfox: reading a-very-...  50 %  100 B/s  6 s left");
    assert_text(&progress, 100, 40, "a-very-long-name.prof",
                "vmfox: reading a-very-long-name.prof  50");
    assert_text(&progress, 0, 16, "app.prof", "vmfox: reading a");
    assert_text(&progress, 0, 0, "app.prof", "");
    /* One of these takes two columns, and none is cut in the middle. */
    assert_text(&progress, 0, 18, "\xe6\x97\xa5\xe6\x9c\xac.prof", "vmfox: reading \xe6\x97\xa5");
    assert_text(&progress, 0, 40, "\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac-and-more.prof",
                "vmfox: reading \xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac-and-mor...  50 %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stage_begins_with_nothing_done),
        cmocka_unit_test(a_stage_goes_on_after_another_one),
        cmocka_unit_test(what_is_seen_belongs_together),
        cmocka_unit_test(the_time_left_is_known_after_some_looks),
        cmocka_unit_test(another_stage_has_a_pace_of_its_own),
        cmocka_unit_test(the_time_left_does_not_jump_about),
        cmocka_unit_test(nothing_is_said_of_work_that_stands_still),
        cmocka_unit_test(looks_at_the_same_moment_do_no_harm),
        cmocka_unit_test(all_that_is_known_is_said),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(no_more_than_all_is_done),
        cmocka_unit_test(a_long_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

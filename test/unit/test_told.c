/* Threads that the program tells of, however many. */
#include "test.h"

#include "capture/capture.h"
#include "record/info.h"
#include "record/session.h"

#include <stdio.h>

static void begin(struct vf_told *told, uint64_t tid, int64_t now_ns)
{
    char name[64];
    snprintf(name, sizeof name, "Thread-%lld (work, {[\"\\)", (long long)now_ns);
    vf_told_begin(told, tid, vf_str_from(name), now_ns);
}

static const struct vf_told_thread *last_of(const struct vf_told *told, uint64_t tid)
{
    for (size_t i = told->threads.len; i > 0; i--)
        if (told->threads.items[i - 1].tid == tid)
            return &told->threads.items[i - 1];
    return NULL;
}

/* As drain.c does, with thread 1 alone alive. */
static void sweep(struct vf_told *told)
{
    if (!vf_told_is_due(told))
        return;
    vf_told_mark(told);
    vf_told_lives(told, 1);
    vf_told_sweep(told);
}

/* What a reader takes is not known to the recorder but as these limits. */
static void assert_can_be_read(struct vf_session *s)
{
    static char python[] = "python3", *argv[] = {python, NULL};
    struct vf_target target = {
        .interpreter = python, .argv = argv, .argc = 1, .kind = VF_TARGET_CODE};
    struct vf_record_options options = {.period_s = 0.001};
    struct vf_buf info = {0};
    s->target = &target;
    s->options = &options;
    vf_session_write_info(&info, s, NULL);
    assert_true(info.len < VF_ZIP_JSON_MAX);
    assert_true(vf_json_values(vf_buf_view(&info)) < VF_ZIP_JSON_VALUES_MAX);
    vf_buf_release(&info);
}

static void those_without_samples_are_dropped(void **state)
{
    (void)state;
    enum { COUNT = 300000, NUMBERS = 30000, EVERY = 1000 };
    struct vf_session s = {0};
    struct vf_told *told = &s.threads;
    begin(told, 1, 0);
    for (int i = 1; i <= COUNT; i++) {
        uint64_t tid = 100 + (uint64_t)i % NUMBERS;
        begin(told, tid, i);
        if (i % EVERY == 0)
            vf_told_sample(told, tid);
        sweep(told);
    }
    assert_true(told->threads.len < 2 * VF_TOLD_STEP);
    assert_int_equal(told->threads.len + told->idle, COUNT + 1);
    assert_int_equal(told->left_out, 0);
    assert_non_null(last_of(told, 1)); /* it lives */
    size_t sampled = 0;
    for (size_t i = 0; i < told->threads.len; i++)
        sampled += told->threads.items[i].sampled;
    assert_int_equal(sampled, COUNT / EVERY);
    assert_can_be_read(&s);
    vf_session_release(&s);
}

static void those_for_which_there_is_no_room_are_counted(void **state)
{
    (void)state;
    enum { COUNT = 400000, NUMBERS = 30000 };
    struct vf_session s = {0};
    struct vf_told *told = &s.threads;
    for (int i = 1; i <= COUNT; i++) {
        uint64_t tid = 100 + (uint64_t)i % NUMBERS;
        begin(told, tid, i);
        vf_told_sample(told, tid);
        sweep(told);
    }
    assert_true(told->threads.len <= VF_TOLD_MAX);
    assert_true(told->threads.len > VF_TOLD_MAX / 2);
    assert_int_equal(told->threads.len + told->left_out, COUNT);
    /* The number went on to one that is left out, and that one's name is not the other's. */
    const struct vf_told_thread *thread = last_of(told, 100);
    assert_true(thread->until_ns > thread->from_ns);
    char *name = vf_strdup(vf_str_from(thread->name));
    vf_told_name(told, 100, VF_STR("another"), COUNT + 1);
    assert_string_equal(last_of(told, 100)->name, name);
    free(name);
    assert_can_be_read(&s);
    vf_session_release(&s);
}

static void long_names_have_a_limit_together(void **state)
{
    (void)state;
    enum { COUNT = 3000, LENGTH = 4000 };
    struct vf_session s = {0};
    struct vf_told *told = &s.threads;
    char text[LENGTH + 1] = {0};
    memset(text, 1, LENGTH); /* six bytes each in JSON */
    for (uint64_t i = 1; i <= COUNT; i++)
        vf_told_begin(told, i, vf_str_from(text), 1);
    assert_int_equal(told->threads.len + told->left_out, COUNT);
    assert_true(told->threads.len > 50);
    vf_told_name(told, 1, VF_STR("short"), 2);
    assert_string_equal(told->threads.items[0].name, "short");
    assert_can_be_read(&s);
    vf_session_release(&s);
}

static void a_name_is_that_of_the_last_with_the_number(void **state)
{
    (void)state;
    struct vf_told told = {0};
    vf_told_begin(&told, 5, VF_STR("first"), 1);
    vf_told_begin(&told, 5, VF_STR("second"), 2);
    vf_told_name(&told, 5, VF_STR("renamed"), 3);
    vf_told_name(&told, 6, VF_STR("main"), 4);
    vf_told_sample(&told, 5);
    assert_int_equal(told.threads.len, 3);
    assert_string_equal(told.threads.items[0].name, "first");
    assert_string_equal(told.threads.items[1].name, "renamed");
    assert_string_equal(told.threads.items[2].name, "main");
    assert_false(told.threads.items[0].sampled);
    assert_true(told.threads.items[1].sampled);
    vf_told_release(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_without_samples_are_dropped),
        cmocka_unit_test(those_for_which_there_is_no_room_are_counted),
        cmocka_unit_test(long_names_have_a_limit_together),
        cmocka_unit_test(a_name_is_that_of_the_last_with_the_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

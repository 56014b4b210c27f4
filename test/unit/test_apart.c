/* Work in a process of its own, and what becomes of it. */
#include "test.h"

#include "record/apart.h"
#include "record/space.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const struct vf_apart_limits limits = {.cpu_s = 20, .wall_s = 60, .bytes = 1 << 22};

static enum vf_status run(void (*work)(void *, struct vf_buf *), void *context,
                          struct vf_error *error)
{
    struct vf_buf out = {0};
    vf_buf_str(&out, VF_STR("before "));
    enum vf_status status = vf_apart(work, context, &limits, &out, error);
    if (status == VF_OK)
        assert_true(vf_str_starts(vf_buf_view(&out), VF_STR("before result")));
    else
        assert_true(vf_str_eq(vf_buf_view(&out), VF_STR("before ")));
    vf_buf_release(&out);
    return status;
}

static void succeed(void *context, struct vf_buf *result)
{
    vf_buf_str(result, VF_STR("result"));
    for (size_t i = 0; i < *(size_t *)context; i++)
        vf_buf_add(result, "x", 1);
}

static void leave(void *context, struct vf_buf *result)
{
    vf_buf_str(result, VF_STR("result"));
    _exit(*(int *)context);
}

static void die(void *context, struct vf_buf *result)
{
    (void)context;
    vf_buf_str(result, VF_STR("result"));
    raise(SIGKILL);
}

static void need_too_much(void *context, struct vf_buf *result)
{
    (void)context, (void)result;
    vf_oom(1);
}

static void wait_for_a_signal(void *context, struct vf_buf *result)
{
    int got;
    sigset_t signals;
    (void)context;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigwait(&signals, &got);
    vf_buf_str(result, VF_STR("result"));
}

static void a_result_comes_back_whole(void **state)
{
    struct vf_error error;
    (void)state;
    for (size_t more = 0; more < 1 << 21; more = more * 8 + 1)
        assert_int_equal(run(succeed, &more, &error), VF_OK);
}

static void what_is_too_large_is_refused(void **state)
{
    struct vf_error error;
    size_t more = 1 << 23;
    (void)state;
    assert_int_equal(run(succeed, &more, &error), VF_FATAL);
}

static void an_end_in_the_middle_is_told(void **state)
{
    struct vf_error error;
    int code = 0;
    (void)state;
    assert_int_equal(run(leave, &code, &error), VF_FATAL); /* as if all were well */
    code = 1;
    assert_int_equal(run(leave, &code, &error), VF_FATAL);
    assert_non_null(strstr(error.text, "exit code 1"));
    assert_int_equal(run(die, NULL, &error), VF_FATAL);
    assert_non_null(strstr(error.text, "SIGKILL"));
    assert_int_equal(run(need_too_much, NULL, &error), VF_FATAL);
    assert_non_null(strstr(error.text, "memory"));
}

static void it_ends_where_children_are_ignored(void **state)
{
    struct vf_error error;
    size_t more = 5;
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(run(succeed, &more, &error), VF_OK);
    assert_int_equal(run(die, NULL, &error), VF_FATAL);
    signal(SIGCHLD, SIG_DFL);
}

/* A Ctrl-C that is held back while a recording is written ends the search for debug info. */
static void waiting_signals_are_handed_on(void **state)
{
    struct vf_error error;
    sigset_t held, before;
    int got;
    (void)state;
    sigemptyset(&held);
    sigaddset(&held, SIGUSR1);
    sigprocmask(SIG_BLOCK, &held, &before);
    raise(SIGUSR1);
    assert_int_equal(run(wait_for_a_signal, NULL, &error), VF_OK);
    sigwait(&held, &got);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- room on disk ---------------------------------------------------------------------------- */

static void room_is_short_before_it_is_gone(void **state)
{
    const uint64_t MB = 1 << 20;
    struct vf_space_folder temp = {.bytes_free = 1000 * MB, .device = 1},
                           output = {.bytes_free = 1000 * MB, .device = 2};
    uint64_t left;
    (void)state;
    assert_null(vf_space_short(&temp, &output, 10 * MB, 10, &left));
    assert_ptr_equal(vf_space_short(&temp, &output, 200 * MB, 10, &left), &output);
    assert_int_equal(left, 40); /* 200 MB at once, 20 MB more a second */
    temp.bytes_free = 100 * MB;
    assert_ptr_equal(vf_space_short(&temp, &output, 20 * MB, 10, &left), &temp);
    assert_int_equal(left, 50);
    output.device = 1; /* of one and the same it must hold both */
    output.bytes_free = temp.bytes_free;
    assert_ptr_equal(vf_space_short(&temp, &output, 20 * MB, 10, &left), &temp);
    assert_int_equal(left, 20);
    temp.bytes_free = output.bytes_free = MB / 2;
    assert_non_null(vf_space_short(&temp, &output, 0, 0, &left));
}

static void a_look_is_due_now_and_then(void **state)
{
    struct vf_space space = {0};
    (void)state;
    assert_true(vf_space_is_due(&space, 1));
    space.looked_ns = 1;
    assert_false(vf_space_is_due(&space, VF_SPACE_EVERY_NS));
    assert_true(vf_space_is_due(&space, VF_SPACE_EVERY_NS + 1));
    space.told = true;
    assert_false(vf_space_is_due(&space, VF_SPACE_EVERY_NS + 1));
}

static void the_first_folder_with_room_is_picked(void **state)
{
    const char *const folders[] = {"/nowhere", "/proc", "/dev/shm", NULL};
    const char *const none[] = {"/nowhere", NULL};
    (void)state;
    if (access("/dev/shm", W_OK) != 0)
        skip();
    assert_string_equal(vf_space_pick(folders), "/dev/shm");
    assert_string_equal(vf_space_pick(none), "/nowhere");
}

int main(void)
{
    const struct CMUnitTest apart[] = {
        cmocka_unit_test(a_result_comes_back_whole),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(an_end_in_the_middle_is_told),
        cmocka_unit_test(it_ends_where_children_are_ignored),
        cmocka_unit_test(waiting_signals_are_handed_on),
        cmocka_unit_test(room_is_short_before_it_is_gone),
        cmocka_unit_test(a_look_is_due_now_and_then),
        cmocka_unit_test(the_first_folder_with_room_is_picked),
    };
    return cmocka_run_group_tests(apart, NULL, NULL);
}

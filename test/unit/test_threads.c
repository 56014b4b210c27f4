/* Which thread a sample is of: by the kernel's id, by the number in its root frame, and by both. */
#include "test.h"

#include "rows.h"

enum { MAIN = 0x10, WORK = 0x20, ROOT_5 = 0x50, ROOT_9 = 0x90, PID = 77 };

static void begin(struct recording *r, const char *interpreter)
{
    recording_begin(r, 6, strcmp(interpreter, "pypy") == 0 ? 8 : 0, interpreter);
    recording_name(r, MAIN, "py:main:1:/a.py");
    recording_name(r, WORK, "py:work:9:/a.py");
    recording_name(r, ROOT_5, "py:vmfox_thread_5:1:<vmfox>");
    recording_name(r, ROOT_9, "py:vmfox_thread_9:1:<vmfox>");
    recording_measured(r, 200);
}

static void stamp(struct recording *r, uint64_t tid)
{
    recording_stamp_ms(r, 1 + (double)(r->stamps.len / 8));
    recording_interrupted(r, tid, 0);
}

static void in_main(struct recording *r, uint64_t tid)
{
    TAKE(r, CODE(MAIN));
    stamp(r, tid);
}

/* `root` 0: C code has started the thread. */
static void in_thread(struct recording *r, uint64_t root, uint64_t tid)
{
    if (root)
        TAKE(r, CODE(root), CODE(WORK));
    else
        TAKE(r, CODE(WORK));
    stamp(r, tid);
}

static void assert_thread(const struct recording *r, size_t i, const char *name, uint64_t tid,
                          size_t samples)
{
    assert_string_equal(recording_string(r, thread(r, i)->name), name);
    assert_int_equal(thread(r, i)->tid, tid);
    assert_int_equal(thread(r, i)->samples.len, samples);
    assert_int_equal(thread(r, i)->is_main, tid == PID);
}

static void threads_that_c_code_started_have_a_track(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "pypy");
    recording_thread(&r, 0, 103, "pool");
    in_thread(&r, 0, 103); /* before the main thread's first sample */
    in_main(&r, PID);
    in_thread(&r, 0, 102);
    in_main(&r, PID);
    in_thread(&r, 0, 103);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    assert_thread(&r, 0, "MainThread", PID, 2);
    assert_thread(&r, 1, "Thread 102", 102, 1);
    assert_thread(&r, 2, "pool", 103, 2);
    assert_string_equal(recording_stack(&r, 1, 0), "work");
    recording_release(&r);
}

static void the_kernel_s_id_is_taken_where_it_is_known(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "pypy");
    recording_thread(&r, 5, 104, "worker"); /* told wrongly */
    in_main(&r, PID);
    in_thread(&r, ROOT_5, 105);
    in_thread(&r, ROOT_5, 105);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 2);
    assert_thread(&r, 1, "worker", 105, 2);
    assert_string_equal(recording_stack(&r, 1, 0), "work"); /* without its root */
    recording_release(&r);
}

static void an_id_that_is_used_again_is_two_threads(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "pypy");
    recording_thread(&r, 5, 105, "first");
    recording_thread(&r, 9, 105, "second");
    in_main(&r, PID);
    in_thread(&r, ROOT_5, 105);
    in_thread(&r, 0, 105); /* the root is not always there */
    in_thread(&r, ROOT_9, 105);
    in_thread(&r, 0, 105);
    in_thread(&r, ROOT_9, 105);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    const struct vf_thread *a = thread(&r, 1), *b = thread(&r, 2);
    bool turned = strcmp(recording_string(&r, a->name), "first") != 0; /* both have one id */
    assert_thread(&r, turned ? 2 : 1, "first", 105, 2);
    assert_thread(&r, turned ? 1 : 2, "second", 105, 3);
    assert_true(a != b);
    recording_release(&r);
}

/* Samples are 1 ms apart, from 1 ms on. */
static void an_id_is_split_where_it_is_told_when_it_was_new(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "pypy");
    recording_thread_from(&r, 0, PID, "MainThread");
    recording_thread_from(&r, 6.5, 105, "second");
    recording_thread_from(&r, 2.5, 105, "first");
    recording_thread_from(&r, 2.5, 106, "other");
    for (int i = 0; i < 9; i++) {
        static const uint64_t tids[] = {PID, 105, 105, 106, 105, 105, 105, PID, 105};
        in_thread(&r, 0, tids[i]);
    }
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 4);
    assert_thread(&r, 0, "MainThread", PID, 2);
    bool turned = strcmp(recording_string(&r, thread(&r, 1)->name), "first") != 0;
    assert_thread(&r, turned ? 2 : 1, "first", 105, 4); /* one was taken before it was told of */
    assert_thread(&r, turned ? 1 : 2, "second", 105, 2);
    assert_thread(&r, 3, "other", 106, 1);
    recording_release(&r);
}

/* There were too many to be told of. */
static void an_id_that_went_on_to_a_stranger_is_two_threads(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "pypy");
    recording_thread_from(&r, 0, PID, "MainThread");
    recording_thread_from(&r, 0.5, 105, "first");
    struct vf_thread_name *first = &r.capture.info.threads.items[1];
    first->until_ns = first->from_ns + 3000000;
    for (int i = 0; i < 6; i++)
        in_thread(&r, 0, i == 1 ? PID : 105);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    bool turned = strcmp(recording_string(&r, thread(&r, 1)->name), "MainThread") == 0;
    assert_thread(&r, turned ? 0 : 1, "first", 105, 2);
    assert_thread(&r, 2, "Thread 105", 105, 3);
    recording_release(&r);
}

static void a_root_that_comes_late_names_the_thread(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "pypy");
    recording_thread(&r, 5, 105, "first");
    recording_thread(&r, 9, 105, "second");
    in_main(&r, PID);
    in_thread(&r, 0, 105);
    in_thread(&r, ROOT_5, 105);
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 2);
    assert_thread(&r, 1, "first", 105, 2);
    recording_release(&r);
}

static void samples_without_an_id_go_on_in_their_thread(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "pypy");
    recording_thread(&r, 5, 105, "worker");
    in_main(&r, 0);
    in_main(&r, PID);
    in_main(&r, 0);
    in_thread(&r, 0, 105);
    in_thread(&r, ROOT_5, 0);
    in_thread(&r, ROOT_5, 105);
    in_thread(&r, ROOT_5, 0);
    in_thread(&r, ROOT_9, 0); /* of which nothing is told */
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 3);
    assert_thread(&r, 0, "MainThread", PID, 3);
    assert_thread(&r, 1, "Thread 9", 9, 1);
    assert_thread(&r, 2, "worker", 105, 4);
    recording_release(&r);
}

/* CPython's number of a thread is an address. */
static void cpython_s_own_number_stands_in_where_the_column_ends(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "cpython");
    r.next.thread = 0x7f1000;
    in_main(&r, PID);
    r.next.thread = 0x7f2000;
    in_thread(&r, 0, 102);
    for (int i = 0; i < 3; i++) {
        r.next.thread = i < 2 ? 0x7f2000 : 0x7f1000;
        TAKE(&r, CODE(i < 2 ? WORK : MAIN));
        recording_stamp_ms(&r, 5 + i);
    }
    recording_build(&r);
    assert_int_equal(r.profile.threads.len, 2);
    assert_thread(&r, 0, "MainThread", PID, 2);
    assert_thread(&r, 1, "Thread 102", 102, 3);
    recording_release(&r);
}

/* A part of one thread: its samples before the root was seen are told by the only name there is. */
static void a_thread_can_be_picked_by_name_and_id(void **state)
{
    (void)state;
    static const char *const words[] = {"worker", "105", "Thread 102", "102"};
    for (size_t i = 0; i < 4; i++) {
        struct recording r;
        struct vf_build_options part = {.window = {.threads = vf_str_from(words[i])}};
        begin(&r, "pypy");
        r.options = &part;
        recording_thread(&r, 5, 105, "worker");
        in_main(&r, PID);
        in_thread(&r, 0, 105);
        in_thread(&r, ROOT_5, 105);
        in_thread(&r, 0, 102);
        recording_build(&r);
        assert_int_equal(r.profile.threads.len, 1);
        assert_int_equal(thread(&r, 0)->tid, i < 2 ? 105 : 102);
        assert_int_equal(thread(&r, 0)->samples.len, i < 2 ? 2 : 1);
        recording_release(&r);
    }
}

/* Every sample has another id: all are kept, none takes long. */
static void ids_of_all_kinds_do_no_harm(void **state)
{
    (void)state;
    enum { MANY = 400000 };
    struct recording r;
    begin(&r, "pypy");
    for (uint64_t i = 0; i < MANY; i++) {
        recording_thread(&r, i % 3, i % 2 ? 7 : UINT64_MAX - i, "");
        r.capture.info.threads.items[i].from_ns = (int64_t)(i * 0x9e3779b97f4a7c15u);
        in_thread(&r, i % 5 ? 0 : ROOT_5, i % 2 ? 7 : UINT64_MAX - i);
    }
    recording_build(&r);
    size_t samples = 0;
    for (size_t t = 0; t < r.profile.threads.len; t++)
        samples += thread(&r, t)->samples.len;
    assert_int_equal(samples, MANY);
    recording_release(&r);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void memory_is_what_the_recorder_has_read(void **state)
{
    (void)state;
    struct recording r;
    begin(&r, "pypy");
    in_main(&r, PID);
    static const struct {
        double ms;
        uint64_t bytes;
    } rows[] = {{-5, 1},    {0, 4096},  {10, 8192},       {20, 8192}, {30, 8192},
                {40, 8192}, {50, 4096}, {60, UINT64_MAX}, {1e9, 4096}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        recording_memory(&r, rows[i].ms, rows[i].bytes);
    recording_build(&r);
    /* A level that lasts is two rows; what lies outside of the run, or is absurd, is none. */
    assert_string_equal(recording_counter(&r, "Memory"), "0=4096 10=8192 40=8192 50=4096");
    recording_release(&r);
}

static void memory_of_older_recordings_is_what_vmprof_noted(void **state)
{
    (void)state;
    struct recording r;
    recording_begin(&r, 6, 1, "cpython");
    recording_name(&r, MAIN, "py:main:1:/a.py");
    recording_measured(&r, 200);
    r.next.memory_kb = 4;
    in_main(&r, PID);
    recording_build(&r);
    assert_string_equal(recording_counter(&r, "Memory"), "1=4096");
    recording_release(&r);
    /* Rows need the stamps' clock: without stamps nothing says where they lie. */
    begin(&r, "pypy");
    TAKE(&r, CODE(MAIN));
    recording_memory(&r, 1, 4096);
    recording_build(&r);
    assert_null(recording_counter(&r, "Memory"));
    recording_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_c_code_started_have_a_track),
        cmocka_unit_test(the_kernel_s_id_is_taken_where_it_is_known),
        cmocka_unit_test(an_id_that_is_used_again_is_two_threads),
        cmocka_unit_test(an_id_is_split_where_it_is_told_when_it_was_new),
        cmocka_unit_test(an_id_that_went_on_to_a_stranger_is_two_threads),
        cmocka_unit_test(a_root_that_comes_late_names_the_thread),
        cmocka_unit_test(samples_without_an_id_go_on_in_their_thread),
        cmocka_unit_test(cpython_s_own_number_stands_in_where_the_column_ends),
        cmocka_unit_test(a_thread_can_be_picked_by_name_and_id),
        cmocka_unit_test(ids_of_all_kinds_do_no_harm),
        cmocka_unit_test(memory_is_what_the_recorder_has_read),
        cmocka_unit_test(memory_of_older_recordings_is_what_vmprof_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

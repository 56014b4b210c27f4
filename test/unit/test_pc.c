/* Instruction addresses as the kernel gives them: of which threads, when, and where. */
#include "test.h"

#include "capture/rows.h"
#include "base/clock.h"
#include "record/pc.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile uint64_t sink;

__attribute__((noinline)) static void burn(int64_t cpu_ns)
{
    struct timespec used;
    do {
        for (int i = 0; i < 100000; i++)
            sink = sink * 6364136223846793005u + 1;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    } while (used.tv_sec * 1000000000LL + used.tv_nsec < cpu_ns);
}

static void *burn_thread(void *context)
{
    burn(200000000);
    return context;
}

/* A child that works in two threads, and the events on it; skips where the kernel refuses them. */
static pid_t start(struct vf_pc *pc, int *go)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        pthread_t thread;
        close(ends[1]);
        if (read(ends[0], &byte, 1) < 0)
            _exit(1);
        pthread_create(&thread, NULL, burn_thread, NULL);
        burn(200000000);
        pthread_join(thread, NULL);
        _exit(0);
    }
    close(ends[0]);
    *go = ends[1];
    vf_pc_init(pc, 0.00025);
    vf_pc_open(pc, pid, false);
    if (!vf_pc_is_open(pc)) {
        print_message("skipped: %s\n", pc->missing);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(*go);
        skip();
    }
    return pid;
}

static void every_thread_is_seen_where_it_works(void **state)
{
    (void)state;
    struct vf_pc pc;
    struct vf_buf rows = {0};
    int go, status;
    int64_t before = vf_clock_now_ns(CLOCK_MONOTONIC);
    pid_t pid = start(&pc, &go);
    close(go);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        vf_pc_drain(&pc, pid, &rows);
        usleep(20000);
    }
    vf_pc_drain(&pc, pid, &rows);
    vf_pc_close(&pc);
    int64_t after = vf_clock_now_ns(CLOCK_MONOTONIC);
    size_t count = vf_rows_count(vf_buf_view(&rows)), of_main = 0, of_other = 0, near = 0;
    for (size_t i = 0; i < count; i++) {
        struct vf_row row = vf_rows_get(vf_buf_view(&rows), i);
        assert_true(row.mono_ns >= before && row.mono_ns <= after);
        of_main += row.second == (uint64_t)pid;
        of_other += row.second != (uint64_t)pid;
        /* The child is a copy of this process: its code lies where ours does. */
        uint64_t distance = (uint64_t)row.third - (uint64_t)(uintptr_t)&burn;
        near += distance < 4096;
    }
    /* 200 ms in each; a busy machine may lose a few. */
    assert_true(of_main > 100 && of_main < 300);
    assert_true(of_other > 100 && of_other < 300);
    assert_true(near > count / 2);
    assert_int_equal(pc.lost, 0);
    vf_buf_release(&rows);
}

static void rows_of_other_processes_are_left_out(void **state)
{
    (void)state;
    struct vf_pc pc;
    struct vf_buf rows = {0};
    int go, status;
    pid_t pid = start(&pc, &go);
    close(go);
    waitpid(pid, &status, 0);
    vf_pc_drain(&pc, pid + 1, &rows);
    vf_pc_close(&pc);
    assert_int_equal(rows.len, 0);
}

static void one_comes_for_four_samples_and_a_thousand_a_second_at_most(void **state)
{
    (void)state;
    struct vf_pc pc;
    vf_pc_init(&pc, 0.00099);
    assert_int_equal(pc.period_ns, 3960000);
    vf_pc_init(&pc, 0.5);
    assert_int_equal(pc.period_ns, 2000000000);
    vf_pc_init(&pc, 0.000001);
    assert_int_equal(pc.period_ns, VF_PC_PERIOD_MIN_NS);
}

static void what_is_forbidden_is_said(void **state)
{
    (void)state;
    char text[200];
    vf_pc_reason(text, sizeof text, EACCES, 3);
    assert_non_null(strstr(text, "perf_event_paranoid is 3"));
    vf_pc_reason(text, sizeof text, EPERM, 2);
    assert_non_null(strstr(text, "container"));
    vf_pc_reason(text, sizeof text, ENOSYS, 2);
    assert_non_null(strstr(text, "no perf_event_open"));
    vf_pc_reason(text, sizeof text, EMFILE, 2);
    assert_non_null(strstr(text, "Too many open files"));
}

static void a_process_that_is_gone_gives_a_reason(void **state)
{
    (void)state;
    struct vf_pc pc;
    struct vf_buf rows = {0};
    vf_pc_init(&pc, 0.00099);
    vf_pc_open(&pc, INT32_MAX, false);
    assert_false(vf_pc_is_open(&pc));
    assert_true(pc.missing[0] != 0);
    vf_pc_drain(&pc, 1, &rows);
    vf_pc_close(&pc);
    assert_int_equal(rows.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_is_seen_where_it_works),
        cmocka_unit_test(rows_of_other_processes_are_left_out),
        cmocka_unit_test(one_comes_for_four_samples_and_a_thousand_a_second_at_most),
        cmocka_unit_test(what_is_forbidden_is_said),
        cmocka_unit_test(a_process_that_is_gone_gives_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

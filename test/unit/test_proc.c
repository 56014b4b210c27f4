/* /proc/PID of a process that ends, and whose number another one gets. */
#include "test.h"

#include "record/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    while (pid == 0)
        pause();
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void what_lives_can_be_asked(void **state)
{
    (void)state;
    enum { FIELD_PPID = 4 };
    struct vf_proc proc = {0};
    struct vf_buf maps = {0};
    int64_t cpu_ns = -1;
    pid_t pid = start();
    vf_proc_open(&proc, pid);
    assert_true(vf_proc_is_held(&proc) && vf_proc_is_there(&proc));
    assert_true(vf_proc_has_thread(&proc, pid));
    assert_false(vf_proc_has_thread(&proc, getpid()));
    for (int i = 0; i < 2; i++) { /* again and again */
        assert_true(vf_proc_list(&proc));
        assert_int_equal(vf_proc_next(&proc), pid);
        assert_int_equal(vf_proc_next(&proc), 0);
    }
    assert_int_equal(vf_proc_stat(&proc, FIELD_PPID), getpid());
    assert_true(vf_proc_cpu_ns(&proc, &cpu_ns) && cpu_ns >= 0);
    vf_proc_read(&proc, "maps", &maps);
    assert_true(maps.len > 0);
    end(pid);
    assert_false(vf_proc_is_there(&proc));
    vf_proc_read(&proc, "maps", &maps);
    assert_int_equal(maps.len, 0);
    vf_buf_release(&maps);
    vf_proc_close(&proc);
    assert_false(vf_proc_is_held(&proc));
}

/* Only who may choose numbers can try it. */
static bool start_with_number(pid_t wanted, pid_t *got)
{
    char text[32];
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    int len = snprintf(text, sizeof text, "%d", (int)wanted - 1);
    bool good = fd >= 0 && write(fd, text, (size_t)len) == len;
    if (fd >= 0)
        close(fd);
    *got = good ? start() : -1;
    return good && *got == wanted;
}

static void a_stranger_with_its_number_is_not_asked(void **state)
{
    (void)state;
    struct vf_proc proc = {0};
    struct vf_buf maps = {0};
    int64_t cpu_ns;
    pid_t pid = start(), stranger = -1;
    bool taken = false;
    vf_proc_open(&proc, pid);
    end(pid);
    for (int i = 0; i < 20 && !taken; i++) { /* others start processes as well */
        taken = start_with_number(pid, &stranger);
        if (!taken && stranger > 0)
            end(stranger);
    }
    if (!taken) {
        vf_proc_close(&proc);
        skip();
    }
    assert_int_equal(kill(pid, 0), 0);
    assert_false(vf_proc_is_there(&proc));
    assert_false(vf_proc_has_thread(&proc, pid));
    assert_true(!vf_proc_list(&proc) || vf_proc_next(&proc) == 0);
    assert_false(vf_proc_cpu_ns(&proc, &cpu_ns));
    vf_proc_read(&proc, "maps", &maps);
    assert_int_equal(maps.len, 0);
    vf_buf_release(&maps);
    vf_proc_close(&proc);
    end(stranger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lives_can_be_asked),
        cmocka_unit_test(a_stranger_with_its_number_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "record/apart.h"

#include "base/file.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 100, STEP = 1 << 16, NO_MEMORY = 3 };

_Noreturn static void no_memory(size_t bytes)
{
    (void)bytes;
    _exit(NO_MEMORY);
}

static void set_limit(__rlimit_resource_t what, rlim_t most)
{
    struct rlimit limit;
    if (getrlimit(what, &limit) != 0 || limit.rlim_cur < most)
        return;
    limit.rlim_cur = most;
    setrlimit(what, &limit);
}

void vf_apart_end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

/* In front of the result stands how long it is, so that half of one is not taken for all. */
_Noreturn static void run_child(void (*work)(void *context, struct vf_buf *result), void *context,
                                const struct vf_apart_limits *limits, int to, pid_t parent)
{
    struct vf_buf result = {0};
    uint64_t length = 0;
    vf_apart_end_with(parent);
    set_limit(RLIMIT_CPU, limits->cpu_s);
    set_limit(RLIMIT_CORE, 0);
    FILE *nowhere = fopen("/dev/null", "we"); /* libraries that give up say so themselves */
    if (nowhere)
        stderr = nowhere;
    vf_set_oom_handler(no_memory);
    vf_new_file_watch(NULL);
    vf_new_file_watch_in(-1, NULL);
    vf_buf_add(&result, &length, sizeof length);
    work(context, &result);
    length = result.len - sizeof length;
    memcpy(result.ptr, &length, sizeof length);
    _exit(vf_write_fd(to, vf_buf_view(&result), NULL) == VF_OK ? 0 : 1);
}

static void hand_signals_on(pid_t pid, sigset_t *handed)
{
    sigset_t waiting;
    if (sigpending(&waiting) != 0)
        return;
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&waiting, number) == 1 && sigismember(handed, number) == 0 &&
            number != SIGCHLD) {
            sigaddset(handed, number);
            kill(pid, number);
        }
}

/* Until it has written all.  False: it took too long, or wrote too much. */
static bool read_all(int from, pid_t pid, const struct vf_apart_limits *limits, struct vf_buf *got)
{
    sigset_t handed;
    int64_t until_ns =
        vf_clock_now_ns(CLOCK_MONOTONIC) + (int64_t)limits->wall_s * INT64_C(1000000000);
    sigemptyset(&handed);
    while (vf_clock_now_ns(CLOCK_MONOTONIC) < until_ns &&
           got->len <= limits->bytes + sizeof(uint64_t)) {
        struct pollfd fd = {.fd = from, .events = POLLIN};
        hand_signals_on(pid, &handed);
        if (poll(&fd, 1, LOOK_EVERY_MS) <= 0)
            continue;
        ssize_t size = read(from, vf_buf_reserve(got, STEP), STEP);
        if (size == 0)
            return true;
        if (size > 0)
            got->len += (size_t)size;
        else if (errno != EINTR)
            return true;
    }
    return false;
}

static enum vf_status explain(bool in_time, int status, struct vf_error *error)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (!in_time || number == SIGXCPU)
        return vf_fail(error, "it took too long");
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MEMORY)
        return vf_fail(error, "there was no memory for it");
    if (number)
        return vf_fail(error, "the process that did it was ended by SIG%s",
                       sigabbrev_np(number) ? sigabbrev_np(number) : "?");
    return vf_fail(error, "the process that did it ended in the middle (exit code %d)",
                   WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

enum vf_status vf_apart(void (*work)(void *context, struct vf_buf *result), void *context,
                        const struct vf_apart_limits *limits, struct vf_buf *out,
                        struct vf_error *error)
{
    int ends[2], status = 0;
    uint64_t length;
    struct vf_buf got = {0};
    fflush(stdout);
    fflush(stderr);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return vf_fail_errno(error, errno, "can't make a pipe");
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_child(work, context, limits, ends[1], parent);
    }
    int why = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return vf_fail_errno(error, why, "can't start a process");
    }
    bool in_time = read_all(ends[0], pid, limits, &got);
    close(ends[0]);
    if (!in_time)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    bool whole = in_time && got.len >= sizeof length;
    if (whole)
        memcpy(&length, got.ptr, sizeof length);
    whole = whole && length == got.len - sizeof length;
    if (whole)
        vf_buf_add(out, got.ptr + sizeof length, length);
    vf_buf_release(&got);
    return whole ? VF_OK : explain(in_time, status, error);
}

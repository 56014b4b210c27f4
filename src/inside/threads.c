/* Threads that begin and end, children, and the program that takes this one's place. */
#include "inside/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAME_BYTES = 200, NAMES = 8 };

/* ---- threads --------------------------------------------------------------------------------- */

/* Names for threads that are about to be started, by the one that starts them. */
static struct {
    uintptr_t starter; /* 0: free */
    char name[NAME_BYTES];
} next[NAMES];

struct beginning {
    void *(*routine)(void *);
    void *argument;
    char name[NAME_BYTES];
};

void inside_name_next(const char *name)
{
    uintptr_t self = (uintptr_t)pthread_self();
    for (size_t i = 0; i < NAMES; i++) {
        uintptr_t nobody = 0;
        if (next[i].starter != self &&
            !__atomic_compare_exchange_n(&next[i].starter, &nobody, self, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        size_t len = strnlen(name, NAME_BYTES - 1);
        memcpy(next[i].name, name, len);
        next[i].name[len] = 0;
        return;
    }
}

static void take_name(char *out)
{
    uintptr_t self = (uintptr_t)pthread_self();
    *out = 0;
    for (size_t i = 0; i < NAMES; i++)
        if (next[i].starter == self) {
            memcpy(out, next[i].name, NAME_BYTES);
            __atomic_store_n(&next[i].starter, 0, __ATOMIC_RELEASE);
            return;
        }
}

static void tell_begun(pid_t tid, const char *name)
{
    char words[NAME_BYTES + 64];
    int len = snprintf(words, sizeof words, "thread%c%d%c%s", 0, (int)tid, 0, name);
    inside_put(VF_RING_MESSAGE, words, (size_t)len, NULL, 0);
}

static void end_thread(void *unused)
{
    (void)unused;
    inside_timer_end(inside_tid());
}

/* It need not come back: CPython before 3.10 ends its threads by pthread_exit, and so may C code.
 */
static void *run_thread(void *data)
{
    struct beginning begin = *(struct beginning *)data;
    void *result;
    free(data);
    inside_tid_verify();
    pid_t tid = inside_tid();
    tell_begun(tid, begin.name);
    inside_timer_begin(tid);
    pthread_cleanup_push(end_thread, NULL);
    result = begin.routine(begin.argument);
    pthread_cleanup_pop(1);
    return result;
}

static int (*true_pthread_create(void))(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                                        void *)
{
    static uintptr_t found;
    if (found == 0)
        found = inside_function("pthread_create");
    return (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))found;
}

int inside_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*routine)(void *), void *argument)
{
    struct beginning *begin = inside.ring && !inside.off ? malloc(sizeof *begin) : NULL;
    if (!begin)
        return true_pthread_create()(thread, attributes, routine, argument);
    begin->routine = routine;
    begin->argument = argument;
    take_name(begin->name);
    int code = true_pthread_create()(thread, attributes, run_thread, begin);
    if (code != 0)
        free(begin);
    return code;
}

/* ---- children -------------------------------------------------------------------------------- */

static void mask_signal(int how)
{
    /* The kernel's mask has 64 bits; sigset_t is larger. */
    uint64_t bit = inside.ring ? 1ull << (inside.ring->signal - 1) : 0;
    int saved = errno;
    syscall(SYS_rt_sigprocmask, how, &bit, NULL, sizeof bit);
    errno = saved;
}

void inside_signal_let_in(void)
{
    mask_signal(SIG_UNBLOCK);
}

/* A large process takes long to fork, and a signal lets it begin again.  Threads that have blocked
 * it for that; one that has no place here forks with it, one that had blocked it itself stays so.
 */
enum { FORKS = 16 };
static uintptr_t forking[FORKS];

static void keep_signal_out(void)
{
    uint64_t before = 0;
    uintptr_t self = (uintptr_t)pthread_self();
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &before, sizeof before);
    if (before >> (inside.ring->signal - 1) & 1)
        return;
    for (size_t i = 0; i < FORKS; i++) {
        uintptr_t nobody = 0;
        if (!__atomic_compare_exchange_n(&forking[i], &nobody, self, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        mask_signal(SIG_BLOCK);
        return;
    }
}

/* A child in which VMProf seems to be taking a sample would wait for its end for ever: the thread
 * that takes it is not there. */
static void before_fork(void)
{
    if (!inside.ring || !inside.sampling || inside.off)
        return;
    keep_signal_out();
    inside_turn_take();
}

static void let_signal_in(void)
{
    uintptr_t self = (uintptr_t)pthread_self();
    for (size_t i = 0; i < FORKS; i++)
        if (forking[i] == self) {
            __atomic_store_n(&forking[i], 0, __ATOMIC_RELEASE);
            mask_signal(SIG_UNBLOCK);
            return;
        }
}

static void after_fork_in_parent(void)
{
    inside_turn_give();
    let_signal_in();
    if (inside.ring && !inside.off)
        inside_tell("forked", "");
}

/* A child is not recorded.  What it shares with us is left alone. */
static void after_fork_in_child(void)
{
    struct vf_ring *ring = inside.ring;
    if (!ring)
        return;
    inside_turn_forget();
    inside_log_forget();
    inside_signal_give_back();
    let_signal_in();
    memset(forking, 0, sizeof forking);
    inside.forked = true;
    inside.sampling = false;
    inside.off = true;
    inside.ring = NULL;
}

void inside_watch_forks(void)
{
    extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
    /* This library is never unloaded, so nobody asks for its handle. */
    __register_atfork(before_fork, after_fork_in_parent, after_fork_in_child, NULL);
}

/* ---- exec ------------------------------------------------------------------------------------ */

/* The recorded process, and not a child of it that shares its memory (vfork). */
static bool is_program(void)
{
    return inside.ring && !inside.off && (pid_t)syscall(SYS_getpid) == inside.pid;
}

/* The program that takes over would be killed by our signal. */
static bool leave(const char *path)
{
    if (!is_program())
        return false;
    inside_tell("exec", path);
    inside_sampling_stop();
    inside_signal_leave();
    return true;
}

static void stay(void)
{
    int saved = errno;
    inside_tell("exec-failed", "");
    inside_sampling_start();
    errno = saved;
}

int inside_execve(const char *path, char *const *words, char *const *environment)
{
    bool left = leave(path);
    execve(path, words, environment);
    if (left)
        stay();
    return -1;
}

int inside_execv(const char *path, char *const *words)
{
    bool left = leave(path);
    execv(path, words);
    if (left)
        stay();
    return -1;
}

int inside_fexecve(int fd, char *const *words, char *const *environment)
{
    bool left = leave("");
    fexecve(fd, words, environment);
    if (left)
        stay();
    return -1;
}

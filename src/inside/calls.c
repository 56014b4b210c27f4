/* What VMProf, PyPy and the interpreter call in place of the C library. */
#include "inside/inside.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static ssize_t inside_write(int fd, const void *bytes, size_t len)
{
    if (__builtin_expect((unsigned)fd - INSIDE_NUMBER_CONTROL > 2u, 1))
        return write(fd, bytes, len);
    int saved = errno;
    ssize_t done = (ssize_t)len;
    if (fd == INSIDE_NUMBER_VMPROF)
        inside_vmprof_record(bytes, len);
    else if (fd == INSIDE_NUMBER_JITLOG)
        inside_jitlog_write(bytes, len);
    else if (vmfox_call(bytes, (long)len) < 0)
        done = -1;
    errno = done < 0 ? EIO : saved;
    return done;
}

/* _vmprof tries whether it may read. */
static ssize_t inside_read(int fd, void *bytes, size_t len)
{
    return fd == INSIDE_NUMBER_VMPROF ? 0 : read(fd, bytes, len);
}

static int inside_close(int fd)
{
    return (unsigned)fd - INSIDE_NUMBER_CONTROL > 2u ? close(fd) : 0;
}

static int inside_fsync(int fd)
{
    return (unsigned)fd - INSIDE_NUMBER_CONTROL > 2u ? fsync(fd) : 0;
}

/* While VMProf is started or stopped, its handler is taken and nothing is set; at any other time
 * the call is the program's (PyPy's object holds both). */
static int inside_sigaction(int number, const struct sigaction *now, struct sigaction *before)
{
    if (!inside.window || (number != SIGPROF && number != SIGALRM))
        return inside_signal_change(number, now, before);
    if (now && now->sa_flags & SA_SIGINFO)
        inside.vmprof = now->sa_sigaction;
    if (before)
        memset(before, 0, sizeof *before);
    return 0;
}

static int inside_setitimer(__itimer_which_t which, const struct itimerval *now,
                            struct itimerval *before)
{
    if (!inside.window)
        return setitimer(which, now, before);
    if (before)
        memset(before, 0, sizeof *before);
    return 0;
}

/* What VMProf maps as it is started are its buffers. */
static void *inside_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    void *made = mmap(at, len, protection, flags, fd, offset);
    if (inside.window && made != MAP_FAILED && len == VMPROF_BUFFERS * VMPROF_BUFFER_BYTES)
        inside.buffers = made;
    return made;
}

static int inside_munmap(void *at, size_t len)
{
    if (!at || at != inside.buffers)
        return munmap(at, len);
    inside_vmprof_stopped();
    return 0;
}

/* VMProf stops and starts its timer around a fork, and closes its file in the child.  It has
 * neither; the number stays, so that what a child would write is taken and forgotten. */
static int inside_register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                                  void *object)
{
    extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
    return inside.window ? 0 : __register_atfork(prepare, parent, child, object);
}

/* CPython's VMProf sets a handler of SIGSEGV in each sample, while it holds a lock, and then puts
 * the former one back without its flags.  handler.c has one that calls VMProf's for so long. */
static void (*inside_signal(int number, void (*handler)(int)))(int)
{
    if (number != SIGSEGV)
        return signal(number, handler);
    inside.vmprof_fault = handler == SIG_DFL ? NULL : handler;
    return SIG_DFL;
}

/* A program that waits for all signals gets none of ours, which may be there while it is blocked.
 */
static const sigset_t *without_ours(const sigset_t *set, sigset_t *copy)
{
    struct vf_ring *ring = inside.ring;
    if (!ring || !inside.sampling || sigismember(set, ring->signal) != 1)
        return set;
    *copy = *set;
    sigdelset(copy, ring->signal);
    return sigisemptyset(copy) ? set : copy;
}

static int inside_sigwait(const sigset_t *set, int *number)
{
    sigset_t copy;
    return sigwait(without_ours(set, &copy), number);
}

static int inside_sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
    sigset_t copy;
    return sigwaitinfo(without_ours(set, &copy), info);
}

static int inside_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *limit)
{
    sigset_t copy;
    return sigtimedwait(without_ours(set, &copy), info, limit);
}

/* It ends at any signal that has a handler, and Python does not wait again.  Where the program has
 * a handler of its own for our signal it gets them all. */
static int inside_pause(void)
{
    sigset_t mask;
    if (!inside.ring || !inside.sampling || !inside_signal_is_unset() ||
        pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0)
        return pause();
    sigaddset(&mask, inside.ring->signal);
    return sigsuspend(&mask);
}

int inside_attach_vmprof(const struct inside_object *object, bool is_pypy)
{
    enum { NEEDED = 4, PYPY_ALONE = 6 };
    struct inside_slot slots[] = {
        {"write", (uintptr_t)inside_write, 0},
        {"sigaction", (uintptr_t)inside_sigaction, 0},
        {"setitimer", (uintptr_t)inside_setitimer, 0},
        {"__register_atfork", (uintptr_t)inside_register_atfork, 0},
        {"fsync", (uintptr_t)inside_fsync, 0},
        {"close", (uintptr_t)inside_close, 0},
        {is_pypy ? "getenv" : "read", is_pypy ? (uintptr_t)inside_getenv : (uintptr_t)inside_read,
         0},
        {is_pypy ? "fopen" : "signal", is_pypy ? (uintptr_t)inside_fopen : (uintptr_t)inside_signal,
         0},
        {"mmap", (uintptr_t)inside_mmap, 0},
        {"mmap64", (uintptr_t)inside_mmap, 0},
        {"munmap", (uintptr_t)inside_munmap, 0},
        {"fopen64", (uintptr_t)inside_fopen, 0},
        {"fprintf", (uintptr_t)inside_fprintf, 0},
        {"__fprintf_chk", (uintptr_t)inside_fprintf_chk, 0},
        {"fwrite", (uintptr_t)inside_fwrite, 0},
        {"fputs", (uintptr_t)inside_fputs, 0},
        {"fflush", (uintptr_t)inside_fflush, 0},
    };
    size_t count = sizeof slots / sizeof *slots;
    inside_object_patch(object, slots, is_pypy ? count : count - PYPY_ALONE);
    for (int i = 0; i < NEEDED; i++)
        if (!slots[i].found)
            return -(i + 1);
    return 0;
}

int inside_attach_interpreter(const struct inside_object *object)
{
    struct inside_slot slots[] = {
        {"pthread_create", (uintptr_t)inside_pthread_create, 0},
        {"execve", (uintptr_t)inside_execve, 0},
        {"execv", (uintptr_t)inside_execv, 0},
        {"fexecve", (uintptr_t)inside_fexecve, 0},
        {"sigaction", (uintptr_t)inside_sigaction, 0},
        {"sigwait", (uintptr_t)inside_sigwait, 0},
        {"sigwaitinfo", (uintptr_t)inside_sigwaitinfo, 0},
        {"sigtimedwait", (uintptr_t)inside_sigtimedwait, 0},
        {"pause", (uintptr_t)inside_pause, 0},
    };
    inside_object_patch(object, slots, sizeof slots / sizeof *slots);
    return slots[0].found ? 0 : -1;
}

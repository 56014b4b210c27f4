/* Who is sampled: the program's threads, and the timer that each of them has. */
#include "inside/inside.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- a thread's number ----------------------------------------------------------------------- */

/* glibc's descriptor of a thread, which pthread_self() points to, holds the number that the kernel
 * gave the thread.  Where it stands is found by looking; where it is not found, or does not hold
 * for another thread, the kernel is asked each time. */
static size_t number_at; /* in words of 32 bits; 0: not known */

static pid_t number_from_kernel(void)
{
    return (pid_t)syscall(SYS_gettid);
}

void inside_tid_learn(void)
{
    enum { FIRST = 16, LAST = 448 }; /* within the descriptor of each glibc since 2.17 */
    extern const char *gnu_get_libc_version(void) __attribute__((weak));
    const volatile int32_t *descriptor = (const void *)pthread_self();
    int32_t tid = number_from_kernel();
    size_t found = 0, at = 0;
    for (size_t i = FIRST; gnu_get_libc_version && i < LAST; i++)
        if (descriptor[i] == tid) {
            at = i;
            found++;
        }
    number_at = found == 1 ? at : 0;
}

void inside_tid_verify(void)
{
    const volatile int32_t *descriptor = (const void *)pthread_self();
    size_t at = __atomic_load_n(&number_at, __ATOMIC_RELAXED);
    if (at && descriptor[at] != number_from_kernel())
        __atomic_store_n(&number_at, 0, __ATOMIC_RELAXED);
}

pid_t inside_tid(void)
{
    const volatile int32_t *descriptor = (const void *)pthread_self();
    size_t at = __atomic_load_n(&number_at, __ATOMIC_RELAXED);
    return at ? descriptor[at] : number_from_kernel();
}

/* ---- timers ---------------------------------------------------------------------------------- */

static struct vf_ring_thread *make_thread(struct vf_ring *ring, uint32_t tid)
{
    struct vf_ring_thread *thread = vf_ring_thread_find(ring, tid);
    for (uint32_t i = 0; i < VF_RING_THREAD_TRIES && !thread; i++) {
        struct vf_ring_thread *free = vf_ring_thread_place(ring, tid, i);
        uint32_t nobody = 0;
        if (__atomic_compare_exchange_n(&free->tid, &nobody, tid, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED) ||
            nobody == tid)
            thread = free;
    }
    return thread;
}

/* The clock of a thread's CPU time (linux/posix-timers.h, CPUCLOCK_PERTHREAD and SCHED). */
static clockid_t cpu_clock(pid_t tid)
{
    return (clockid_t)(~(uint32_t)tid << 3 | 6);
}

static void set_timer(struct vf_ring_thread *thread, uint32_t first_ns, uint32_t period_ns)
{
    struct itimerspec when = {
        .it_interval = {period_ns / 1000000000, period_ns % 1000000000},
        .it_value = {first_ns / 1000000000, first_ns % 1000000000},
    };
    if (syscall(SYS_timer_settime, thread->timer, 0, &when, NULL) == 0)
        thread->period_ns = period_ns;
}

void inside_timer_set(struct vf_ring_thread *thread, uint32_t period_ns)
{
    set_timer(thread, period_ns, period_ns);
}

/* ---- short threads ---------------------------------------------------------------------------
 *
 * A thread that ends before its timer has run off would have no sample, and a program of such
 * threads none at all.  So the time that a thread has used and no sample stands for is owed, and
 * the next thread that begins has its first sample so much earlier: as if they were one thread,
 * whose time goes on.  It may be negative, as samples in the kernel come at a rate of their own. */

enum { NOT_ACCOUNTED = -1, OWED_PERIODS = 64 };
static int64_t owed_ns;

/* What its timer runs on. */
static int64_t own_clock_ns(const struct vf_ring *ring)
{
    struct timespec now = {0};
    if (ring->timer == VF_TIMER_WALL)
        return inside_now_ns();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* Of what is owed, what one thread takes.  Where that is more than a period its first sample comes
 * at once.  By the wall clock, whose timer runs off at any moment and not in ticks, that would be
 * before the thread has done anything: there chance decides how much of its first period is over,
 * so that as many of such threads have a sample as they live for parts of a period. */
static int64_t share_of(const struct vf_ring *ring, int64_t owed)
{
    const int64_t period_ns = ring->period_ns;
    if (ring->timer == VF_TIMER_WALL && owed >= period_ns && period_ns > 0)
        return (int64_t)((inside_ticks() * 0x9e3779b97f4a7c15ull >> 11) % (uint64_t)period_ns);
    return within(owed, -period_ns, period_ns - 1);
}

/* When the first sample of a thread that begins is due. */
static uint32_t begin_account(const struct vf_ring *ring, struct vf_ring_thread *thread)
{
    const int64_t period_ns = ring->period_ns;
    int64_t owed = __atomic_load_n(&owed_ns, __ATOMIC_RELAXED), taken;
    do
        taken = share_of(ring, owed);
    while (!__atomic_compare_exchange_n(&owed_ns, &owed, owed - taken, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
    thread->accounted_ns = own_clock_ns(ring) - taken;
    return (uint32_t)(period_ns - taken);
}

void inside_timer_sampled(const struct vf_ring *ring, struct vf_ring_thread *thread)
{
    if (thread->accounted_ns != NOT_ACCOUNTED)
        thread->accounted_ns += ring->period_ns;
}

static void end_account(const struct vf_ring *ring, const struct vf_ring_thread *thread)
{
    const int64_t most = OWED_PERIODS * (int64_t)ring->period_ns;
    if (thread->timer < 0 || thread->accounted_ns == NOT_ACCOUNTED)
        return;
    int64_t left = within(own_clock_ns(ring) - thread->accounted_ns, -most, most);
    int64_t owed = __atomic_load_n(&owed_ns, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&owed_ns, &owed, within(owed + left, -most, most), true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

/* ---- a thread's timer ------------------------------------------------------------------------ */

static void tell_no_timer(struct vf_ring *ring)
{
    static bool told;
    __atomic_fetch_add(&ring->refused, 1, __ATOMIC_RELAXED);
    if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
        inside_tell("trouble",
                    "a timer for a thread could not be made (ulimit -i, a container's filter, "
                    "or too many threads); it has fewer samples");
}

/* The thread itself and one that was asked to may come here at once. */
static void arm(pid_t tid, bool begins)
{
    struct vf_ring *ring = inside.ring;
    if (!ring || ring->timer == VF_TIMER_NONE || !inside.sampling)
        return; /* it has no row either, and is asked for when the recorder sees it */
    struct vf_ring_thread *thread = make_thread(ring, (uint32_t)tid);
    int32_t none = -1;
    int saved = errno, made;
    if (!thread)
        tell_no_timer(ring); /* there is no row for it */
    if (!thread || !__atomic_compare_exchange_n(&thread->timer, &none, VF_RING_TIMER_COMES, false,
                                                __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = ring->signal};
    event._sigev_un._tid = tid;
    clockid_t clock = ring->timer == VF_TIMER_WALL ? CLOCK_MONOTONIC : cpu_clock(tid);
    if (syscall(SYS_timer_create, clock, &event, &made) == 0) {
        thread->accounted_ns = NOT_ACCOUNTED;
        __atomic_store_n(&thread->timer, made, __ATOMIC_RELEASE);
        uint32_t first_ns = begins ? begin_account(ring, thread) : ring->period_ns;
        set_timer(thread, first_ns, ring->period_ns);
    } else {
        bool is_gone = errno == EINVAL || errno == ESRCH;
        __atomic_store_n(&thread->timer, -1, __ATOMIC_RELEASE);
        if (is_gone)
            __atomic_store_n(&thread->tid, 0, __ATOMIC_RELEASE);
        else
            tell_no_timer(ring);
    }
    errno = saved;
}

void inside_timer_arm(pid_t tid)
{
    arm(tid, false);
}

void inside_timer_begin(pid_t tid)
{
    inside_timer_drop(tid); /* of a thread that had this number, and was not seen to end */
    arm(tid, true);
}

void inside_timer_end(pid_t tid)
{
    struct vf_ring *ring = inside.ring;
    struct vf_ring_thread *thread = ring ? vf_ring_thread_find(ring, (uint32_t)tid) : NULL;
    int saved = errno;
    if (thread)
        end_account(ring, thread);
    inside_timer_drop(tid);
    errno = saved;
}

void inside_timer_drop(pid_t tid)
{
    struct vf_ring *ring = inside.ring;
    struct vf_ring_thread *thread = ring ? vf_ring_thread_find(ring, (uint32_t)tid) : NULL;
    int saved = errno;
    if (!thread)
        return;
    if (thread->timer >= 0)
        syscall(SYS_timer_delete, thread->timer);
    thread->timer = -1;
    thread->perf = 0;
    __atomic_store_n(&thread->tid, 0, __ATOMIC_RELEASE);
    errno = saved;
}

void inside_timers_drop_all(void)
{
    struct vf_ring *ring = inside.ring;
    for (size_t i = 0; ring && i < VF_RING_THREADS; i++)
        if (ring->threads[i].tid)
            inside_timer_drop((pid_t)ring->threads[i].tid);
}

void inside_timers_arm_waiting(struct vf_ring *ring)
{
    const uint32_t ended = 1u << 31;
    for (size_t i = 0; i < sizeof ring->arm / sizeof *ring->arm; i++) {
        if (__atomic_load_n(&ring->arm[i], __ATOMIC_RELAXED) == 0)
            continue;
        uint32_t tid = __atomic_exchange_n(&ring->arm[i], 0, __ATOMIC_ACQ_REL);
        if (tid & ended)
            inside_timer_drop((pid_t)(tid & ~ended));
        else if (tid)
            inside_timer_arm((pid_t)tid);
    }
}

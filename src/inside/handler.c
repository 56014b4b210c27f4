/* The signal at which samples are taken.
 *
 * It is one that nothing sends and nobody uses (SIGSTKFLT), so that SIGPROF, SIGALRM and the
 * interval timers stay the program's.  VMProf sets its handler for SIGPROF; that call is caught
 * (calls.c), and the handler is called from ours, with the interrupted context.
 *
 * One thread at a time is in VMProf: its buffers then hold the sample of this thread and no other,
 * and so what is noted (instruction, thread, time) is that of the record.  A thread that comes
 * meanwhile waits for some microseconds and gives this sample up; that is counted. */
#include "inside/inside.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { SPINS = 600, SEEN_BITS = 1 << 16 };

/* The sample that is being taken.
 *
 * VMProf puts it into a buffer and writes that at once, unless another thread is writing (one that
 * registers code): then it stays in its buffer until a later sample is taken, and is written before
 * that one.  Samples that were not written are counted, most of them VMProf has dropped; but where
 * others were writing meanwhile, as many of the next ones are of nobody that is known. */
static struct {
    uintptr_t owner; /* the thread that takes it; 0: nobody does */
    struct vf_ring_note note;
    bool wrote;         /* a sample, whoever's */
    bool written;       /* this one */
    unsigned unwritten; /* samples */
    bool contended;     /* they may be in buffers */
    unsigned others;    /* writes of other threads */
    sigjmp_buf back;
} taking;

static uint64_t seen[SEEN_BITS / 64];

static uintptr_t self(void)
{
    return (uintptr_t)pthread_self();
}

/* ---- the program's own signals ---------------------------------------------------------------
 */

/* What the program wants to be done at our signal, which it sees as if it was set.  Our handler
 * stays to the end: one more signal may be on its way. */
static struct sigaction theirs;
static bool is_set;

/* What others send is the program's; the recorder sends the signal where nobody makes timers, and
 * an event's signal may come without its information, and then looks like one that nobody has sent.
 */
static bool is_sent(const siginfo_t *info)
{
    if (info->si_code == SI_TKILL && inside.ring && info->si_pid == inside.ring->recorder_pid)
        return false;
    return info->si_code == SI_TKILL || info->si_code == SI_QUEUE ||
           (info->si_code == SI_USER && info->si_pid != 0);
}

static void hand_on(int number, siginfo_t *info, void *context)
{
    if (theirs.sa_flags & SA_SIGINFO) {
        theirs.sa_sigaction(number, info, context);
    } else if (theirs.sa_handler == SIG_DFL) { /* it ends the program when we come back */
        signal(number, SIG_DFL);
        syscall(SYS_tgkill, inside.pid, inside_tid(), number);
    } else if (theirs.sa_handler != SIG_IGN) {
        theirs.sa_handler(number);
    }
}

bool inside_signal_is_unset(void)
{
    return !(theirs.sa_flags & SA_SIGINFO) && theirs.sa_handler == SIG_DFL;
}

void inside_signal_give_back(void)
{
    if (inside.ring && is_set)
        sigaction(inside.ring->signal, &theirs, NULL);
    is_set = false;
}

static void set_handler(void);

/* Other threads may still get it, until the kernel has ended them: it must not find its default,
 * which ends the process.  exec itself puts that in the place of a handler. */
void inside_signal_leave(void)
{
    bool ignored = !(theirs.sa_flags & SA_SIGINFO) && theirs.sa_handler == SIG_IGN;
    signal(inside.ring->signal, SIG_IGN); /* one that is on its way is gone with this */
    if (!ignored)
        set_handler();
}

/* ---- the sample ------------------------------------------------------------------------------ */

static uintptr_t interrupted(const void *context)
{
    const ucontext_t *where = context;
#if defined(__x86_64__)
    return (uintptr_t)where->uc_mcontext.gregs[REG_RIP];
#else
    return (uintptr_t)where->uc_mcontext.pc;
#endif
}

/* True where the thread was in the kernel: it comes back behind the instruction that calls it. */
static bool is_behind_system_call(uintptr_t pc)
{
#if defined(__x86_64__)
    static const unsigned char call[] = {0x0f, 0x05};
#else
    static const unsigned char call[] = {0x01, 0x00, 0x00, 0xd4};
#endif
    return (pc & 4095) >= sizeof call &&
           memcmp((const void *)(pc - sizeof call), call, sizeof call) == 0;
}

/* A perf event gives a thread's user time at the rate that was asked for; its own timer ticks on
 * for the time it spends in the kernel, which that event does not count. */
static bool is_counted_elsewhere(const struct vf_ring_thread *thread, const siginfo_t *info,
                                 uintptr_t pc)
{
    return thread && info->si_code == SI_TIMER &&
           __atomic_load_n(&thread->perf, __ATOMIC_RELAXED) && !is_behind_system_call(pc);
}

static bool take_turn(void)
{
    for (unsigned i = 0; i < SPINS; i++) {
        uintptr_t nobody = 0;
        if (__atomic_compare_exchange_n(&taking.owner, &nobody, self(), false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    return false;
}

static void give_turn(void)
{
    __atomic_store_n(&taking.owner, 0, __ATOMIC_RELEASE);
}

/* Who has it gives it back after some microseconds, unless it is stopped. */
void inside_turn_take(void)
{
    enum { YIELDS = 1000, NAPS = 3000 };
    const struct timespec nap = {0, 100000};
    int saved = errno;
    for (unsigned i = 0; i < YIELDS + NAPS && !take_turn(); i++)
        if (i < YIELDS)
            sched_yield();
        else
            nanosleep(&nap, NULL);
    errno = saved;
}

void inside_turn_give(void)
{
    if (__atomic_load_n(&taking.owner, __ATOMIC_RELAXED) == self())
        give_turn();
}

void inside_turn_forget(void)
{
    give_turn();
}

/* While a sample is taken SIGSEGV is ours: the program neither sees that nor is its own action lost
 * when the former one is put back. */
static int change_fault(const struct sigaction *now, struct sigaction *before)
{
    inside_turn_take();
    int done = sigaction(SIGSEGV, now, before);
    int saved = errno;
    inside_turn_give();
    errno = saved;
    return done;
}

int inside_signal_change(int number, const struct sigaction *now, struct sigaction *before)
{
    struct vf_ring *ring = inside.ring;
    if (!ring || !is_set || (number != ring->signal && number != SIGSEGV))
        return sigaction(number, now, before);
    if (number == SIGSEGV)
        return inside.guard && inside.sampling ? change_fault(now, before)
                                               : sigaction(number, now, before);
    struct sigaction wanted = now ? *now : theirs;
    if (before)
        *before = theirs;
    /* A child of vfork has our memory, and actions of its own. */
    if ((pid_t)syscall(SYS_getpid) != inside.pid)
        return sigaction(number, now, NULL);
    theirs = wanted;
    return 0;
}

static void on_fault(int number, siginfo_t *info, void *context);
static struct sigaction fault_before;

/* A SIGSEGV that somebody has sent while ours was in its place is the program's. */
static siginfo_t fault_sent;
static bool is_fault_sent;

static void send_fault_again(void)
{
    if (__atomic_exchange_n(&is_fault_sent, false, __ATOMIC_ACQ_REL))
        syscall(SYS_rt_tgsigqueueinfo, inside.pid, inside_tid(), SIGSEGV, &fault_sent);
}

/* VMProf reads CPython's frames while they may be half made.  What it can't read costs a sample,
 * and not the program. */
static bool call_guarded(siginfo_t *info, void *context)
{
    if (!inside.guard) {
        inside.vmprof(SIGPROF, info, context);
        return true;
    }
    /* On the alternate stack: another thread's own may be used up. */
    struct sigaction ours = {.sa_sigaction = on_fault,
                             .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigaction(SIGSEGV, &ours, &fault_before);
    bool whole = sigsetjmp(taking.back, 0) == 0;
    if (whole)
        inside.vmprof(SIGPROF, info, context);
    sigaction(SIGSEGV, &fault_before, NULL);
    send_fault_again();
    return whole;
}

static bool call_vmprof(siginfo_t *info, void *context)
{
    if (inside.unwind_from)
        inside.unwind_from(context);
    bool whole = call_guarded(info, context);
    if (inside.unwind_from)
        inside.unwind_from(NULL);
    return whole;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code <= 0) {
        fault_sent = *info;
        __atomic_store_n(&is_fault_sent, true, __ATOMIC_RELEASE);
        return;
    }
    if (__atomic_load_n(&taking.owner, __ATOMIC_RELAXED) == self()) {
        void (*theirs_now)(int) = inside.vmprof_fault;
        inside.vmprof_fault = NULL;
        if (theirs_now)
            theirs_now(number); /* does not come back */
        inside.half_done = true;
        siglongjmp(taking.back, 1);
    }
    sigaction(number, &fault_before, NULL); /* another thread's own: it happens again */
}

/* Each time VMProf keeps the buffer that it was filling. */
static void note_fault(struct vf_ring *ring)
{
    enum { MANY = 18 }; /* it has 20 */
    ring->faults++;
    if (++inside.faults == MANY)
        inside_tell("trouble", "VMProf could not read 18 stacks and has hardly a buffer left: from "
                               "here on there are few samples, or none");
}

static void tell_waiting_names(void);

/* VMProf writes what was left over before its own record.  Once it has written, no more is left but
 * perhaps the sample that was just taken. */
static void note_unwritten(unsigned others)
{
    bool wrote = taking.wrote;
    if (wrote || taking.written) {
        taking.unwritten = 0;
        taking.contended = false;
    }
    if (taking.written)
        return;
    taking.unwritten++;
    taking.contended |= others != taking.others;
}

/* `thread`: NULL where it has no row. */
static void take(struct vf_ring *ring, struct vf_ring_thread *thread, uint32_t tid, uintptr_t pc,
                 siginfo_t *info, void *context)
{
    if (!take_turn()) {
        __atomic_fetch_add(&ring->skipped, 1, __ATOMIC_RELAXED);
        return;
    }
    if (thread)
        inside_timer_sampled(ring, thread);
    taking.note = (struct vf_ring_note){
        .stamp_ns = inside_now_ns(), .pc = ring->with_pc ? pc : 0, .tid = tid};
    taking.written = taking.wrote = false;
    unsigned others = taking.others;
    bool whole = call_vmprof(info, context);
    note_unwritten(others);
    if ((ring->samples++ & 31) == 0) {
        tell_waiting_names();
        inside_recorder_gone();
    }
    if (!whole)
        note_fault(ring);
    give_turn();
}

/* What a signal took, in time of the clock.  One that was put aside by the kernel meanwhile is not
 * counted in: that time was others'. */
static void note_time(struct vf_ring *ring, int64_t begun_ns)
{
    enum { MOST_NS = 500000 };
    int64_t took_ns = inside_now_ns() - begun_ns;
    if (took_ns < 0 || took_ns > MOST_NS)
        return;
    __atomic_fetch_add(&ring->timed_ns, (uint64_t)took_ns, __ATOMIC_RELAXED);
    __atomic_fetch_add(&ring->timed, 1, __ATOMIC_RELAXED);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    static unsigned elsewhere;
    int saved = errno;
    struct vf_ring *ring = inside.ring;
    if (is_sent(info)) {
        hand_on(number, info, context);
    } else if (ring && inside.sampling && !inside.off) {
        int64_t begun_ns = inside_now_ns();
        uint32_t tid = (uint32_t)inside_tid();
        uintptr_t pc = interrupted(context);
        struct vf_ring_thread *thread = vf_ring_thread_find(ring, tid);
        inside_timers_arm_waiting(ring);
        if (thread && thread->timer >= 0 && thread->period_ns != ring->period_ns)
            inside_timer_set(thread, ring->period_ns);
        if (!is_counted_elsewhere(thread, info, pc)) {
            take(ring, thread, tid, pc, info, context);
            note_time(ring, begun_ns);
        } else if ((__atomic_fetch_add(&elsewhere, 1, __ATOMIC_RELAXED) & 31) == 0) {
            inside_recorder_gone(); /* whose events have ended with it */
        }
    } else if (ring && inside.off) {
        inside_timers_drop_all();
    }
    errno = saved;
}

/* ---- VMProf's records ------------------------------------------------------------------------ */

bool inside_may_have_seen(uint64_t id)
{
    uint64_t bit = (id >> 4) * 0x9e3779b97f4a7c15ull >> 48;
    return seen[bit / 64] >> (bit % 64) & 1;
}

/* Ids of code in a sample, for those who want to know whether one is of interest. */
static void note_seen(const char *bytes, size_t len)
{
    for (size_t at = 17; at + 8 <= len; at += 8) {
        uint64_t id;
        memcpy(&id, bytes + at, 8);
        uint64_t bit = (id >> 4) * 0x9e3779b97f4a7c15ull >> 48;
        __atomic_fetch_or(&seen[bit / 64], 1ull << (bit % 64), __ATOMIC_RELAXED);
    }
}

/* A sample that is written in the course of taking one: that one, or one that was left over. */
static struct vf_ring_note note_of_taken(void)
{
    taking.wrote = true;
    if (taking.contended && taking.unwritten) {
        taking.unwritten--;
        return (struct vf_ring_note){.stamp_ns = taking.note.stamp_ns};
    }
    taking.contended = false;
    taking.unwritten = 0;
    taking.written = true;
    return taking.note;
}

/* One that another thread writes was left over. */
static struct vf_ring_note note_of_left(void)
{
    if (taking.unwritten)
        taking.unwritten--;
    return (struct vf_ring_note){.stamp_ns = inside_now_ns()};
}

void inside_vmprof_record(const void *bytes, size_t len)
{
    enum { SAMPLE = 0x01 };
    if (len == 0)
        return;
    bool ours = __atomic_load_n(&taking.owner, __ATOMIC_RELAXED) == self();
    if (!ours) {
        __atomic_fetch_add(&taking.others, 1, __ATOMIC_RELAXED);
        taking.contended |= taking.unwritten > 0;
    }
    if (*(const unsigned char *)bytes != SAMPLE) {
        inside_put(VF_RING_RECORDS, bytes, len, NULL, 0);
        return;
    }
    struct vf_ring_note note = ours ? note_of_taken() : note_of_left();
    if (inside.guard)
        note_seen(bytes, len);
    inside_put(VF_RING_SAMPLE, &note, sizeof note, bytes, len);
}

/* ---- names that wait ------------------------------------------------------------------------- */

/* VMProf collects names of code in a buffer until that is full; when the program is killed they are
 * lost.  So what lay in such a buffer the last time is told beforehand.  (It grows by whole
 * records, and what was there the last time is not being filled in any more.) */
struct name_buffer {
    uint32_t size, offset;
    unsigned char data[VMPROF_BUFFER_BYTES - 8];
};
static struct {
    uint64_t first; /* the id in its first record: another one is another content */
    uint32_t size, told;
} waiting[VMPROF_BUFFERS];

static void tell_waiting_names(void)
{
    enum { NAME = 0x02 };
    for (size_t i = 0; inside.buffers && i < VMPROF_BUFFERS; i++) {
        const struct name_buffer *buffer = (const void *)(inside.buffers + i * VMPROF_BUFFER_BYTES);
        uint32_t size = __atomic_load_n(&buffer->size, __ATOMIC_ACQUIRE);
        uint64_t first;
        memcpy(&first, buffer->data + 1, sizeof first);
        if (buffer->data[0] != NAME || buffer->offset || size > sizeof buffer->data ||
            first != waiting[i].first || size < waiting[i].size) {
            waiting[i].first = buffer->data[0] == NAME ? first : 0;
            waiting[i].size = waiting[i].told = 0;
            if (waiting[i].first == 0)
                continue;
        }
        if (waiting[i].size > waiting[i].told)
            inside_put(VF_RING_RECORDS, buffer->data + waiting[i].told,
                       waiting[i].size - waiting[i].told, NULL, 0);
        waiting[i].told = waiting[i].size;
        waiting[i].size = size <= sizeof buffer->data ? size : waiting[i].told;
    }
}

/* ---- start and end --------------------------------------------------------------------------- */

static struct sigaction our_action(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    /* Another handler that leaves by longjmp would leave VMProf half way. */
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&action.sa_mask, faults[i]);
    return action;
}

static void set_handler(void)
{
    struct sigaction action = our_action();
    sigaction(inside.ring->signal, &action, NULL);
}

bool inside_sampling_start(void)
{
    struct vf_ring *ring = inside.ring;
    struct sigaction action = our_action();
    if (!ring || !inside.vmprof || inside.stopped)
        return false;
    if (sigaction(ring->signal, &action, is_set ? NULL : &theirs) != 0)
        return false;
    if (!is_set) /* whoever started vmfox may have blocked all */
        inside_signal_let_in();
    is_set = true;
    __atomic_store_n(&ring->ended, 0, __ATOMIC_RELEASE);
    inside.sampling = true;
    inside_timer_arm(inside_tid());
    inside_tell("sampling", "");
    return true;
}

void inside_sampling_stop(void)
{
    inside.sampling = false;
    inside_timers_drop_all();
    if (inside.ring)
        __atomic_store_n(&inside.ring->ended, 1, __ATOMIC_RELEASE);
}

/* VMProf gives its buffers back as it is stopped.  They stay: a thread may be on its way to them.
 */
void inside_vmprof_stopped(void)
{
    inside_turn_take();
    inside.buffers = NULL;
    inside_turn_give();
    if (inside.window)
        return;
    inside.stopped =
        true; /* by the program: what VMProf does from now on is the program's affair */
    inside_sampling_stop();
    inside_tell("trouble", "the program stopped VMProf: from then on there are no samples");
}

#include "record/timers.h"

#include "base/descriptors.h"
#include "base/str.h"
#include "record/pc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const int64_t LOOK_EVERY_NS = 20000000;

/* What became of a request to the program, which takes them at its next sample. */
enum vf_asked { VF_ASKED, VF_ASKED_BEFORE, VF_NOT_ASKED };

/* ---- events ---------------------------------------------------------------------------------- */

static int open_event(pid_t tid, uint64_t period_ns)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = period_ns,
        .wakeup_events = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .disabled = 1,
        .remove_on_exec = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Has the event send the thread the signal. */
static bool aim(int fd, pid_t tid, int number)
{
    struct f_owner_ex owner = {F_OWNER_TID, tid};
    return fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_SETSIG, number) == 0 &&
           fcntl(fd, F_SETFL, O_ASYNC) == 0 && ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == 0;
}

/* Its ticks come often enough.  What is a little shorter than a tick, as the usual period is where
 * there are 250 a second, comes at each of them. */
static bool is_within_ticks(uint64_t period_ns)
{
    enum { USUAL_NS = 4000000 };
    struct timespec tick;
    bool known = clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 && tick.tv_sec == 0;
    uint64_t tick_ns = known ? (uint64_t)tick.tv_nsec : USUAL_NS;
    return period_ns >= tick_ns - tick_ns / 20;
}

static void use_events(struct vf_timers *timers, struct vf_ring_reader *ring)
{
    timers->perf = true;
    __atomic_store_n(&ring->shared->timer, VF_TIMER_PERF, __ATOMIC_RELEASE);
}

static void note_no_events(struct vf_timers *timers, int why)
{
    if (why == EINVAL || why == E2BIG)
        snprintf(timers->note, sizeof timers->note,
                 "the kernel is older than 5.13 (perf_event_open has no remove_on_exec)");
    else
        vf_pc_reason(timers->note, sizeof timers->note, why, vf_pc_paranoid());
}

void vf_timers_init(struct vf_timers *timers, struct vf_ring_reader *ring, double period_s,
                    bool real_time)
{
    *timers = (struct vf_timers){.period_ns = (uint64_t)(period_s * 1e9 + 0.5)};
    ring->shared->period_ns = (uint32_t)timers->period_ns;
    ring->shared->timer = real_time ? VF_TIMER_WALL : VF_TIMER_CPU;
    if (real_time)
        return;
    int fd = open_event(0, timers->period_ns), why = errno;
    timers->can_perf = fd >= 0;
    timers->wants_perf = !is_within_ticks(timers->period_ns);
    if (fd >= 0)
        close(fd);
    if (timers->can_perf && timers->wants_perf)
        use_events(timers, ring);
    else if (timers->wants_perf)
        note_no_events(timers, why);
}

void vf_timers_anew(struct vf_timers *timers, struct vf_ring_reader *ring)
{
    vf_timers_close(timers);
    timers->perf = timers->unknown = timers->drives = timers->seen_own = false;
    timers->without = 0;
    timers->without_why = 0;
    if (timers->can_perf && timers->wants_perf)
        use_events(timers, ring);
    else if (ring->shared->timer == VF_TIMER_PERF)
        ring->shared->timer = VF_TIMER_CPU;
    if (timers->can_perf || ring->shared->timer == VF_TIMER_WALL)
        timers->note[0] = 0; /* what stands there otherwise is the kernel's answer to us */
}

const char *vf_timers_name(const struct vf_timers *timers, const struct vf_ring_reader *ring)
{
    if (timers->perf && (timers->wants_perf || !timers->seen_own))
        return "perf";
    if (timers->drives)
        return "recorder";
    return ring->shared && ring->shared->timer == VF_TIMER_WALL ? "posix" : "ticks";
}

/* ---- threads --------------------------------------------------------------------------------- */

static void mark(struct vf_ring *ring, const struct vf_timer_thread *thread)
{
    struct vf_ring_thread *row = vf_ring_thread_find(ring, (uint32_t)thread->tid);
    if (row)
        __atomic_store_n(&row->perf, thread->fd >= 0, __ATOMIC_RELEASE);
}

static struct vf_timer_thread *find(struct vf_timers *timers, pid_t tid)
{
    for (size_t i = 0; i < timers->threads.len; i++)
        if (timers->threads.items[i].tid == tid)
            return &timers->threads.items[i];
    return NULL;
}

/* Where ticks are enough only a thread without a timer of its own. */
static bool needs_event(const struct vf_timers *timers, const struct vf_ring_reader *ring,
                        pid_t tid)
{
    if (!timers->perf || timers->wants_perf)
        return timers->perf;
    const struct vf_ring_thread *row = vf_ring_thread_find(ring->shared, (uint32_t)tid);
    return !row || __atomic_load_n(&row->timer, __ATOMIC_RELAXED) == -1;
}

void vf_timers_unknown(struct vf_timers *timers, struct vf_ring_reader *ring)
{
    timers->unknown = true;
    if (!timers->perf)
        return;
    timers->perf = false;
    __atomic_store_n(&ring->shared->timer, VF_TIMER_CPU, __ATOMIC_RELEASE);
    snprintf(timers->note, sizeof timers->note, "the program is in another pid namespace");
}

/* Whether the handler is there that the signal is for: without it the signal ends the process.
 * Another program may have taken over without a word, and C code may set what it likes. */
static bool is_caught(const struct vf_proc *proc, int number)
{
    struct vf_buf status = {0};
    uint64_t caught = 0;
    vf_proc_read(proc, "status", &status);
    struct vf_str text = vf_buf_view(&status);
    const char *line = text.len ? memmem(text.ptr, text.len, "\nSigCgt:\t", 9) : NULL;
    if (line) {
        struct vf_str rest = {line + 9, text.len - (size_t)(line + 9 - text.ptr)};
        vf_str_to_u64(vf_str_cut(&rest, '\n'), 16, &caught);
    }
    vf_buf_release(&status);
    return caught >> (number - 1) & 1;
}

/* The thread's number may be a stranger's by the time that the event is there: it is switched on
 * when the thread is the program's still. */
static void open_for(struct vf_timers *timers, struct vf_ring_reader *ring,
                     const struct vf_proc *proc, struct vf_timer_thread *thread)
{
    errno = 0;
    thread->fd = vf_descriptors_spare(open_event(thread->tid, timers->period_ns));
    thread->why = errno;
    timers->short_of |= thread->fd < 0 && (errno == EMFILE || errno == ENFILE);
    if (thread->fd >= 0 &&
        (!vf_proc_has_thread(proc, thread->tid) || !is_caught(proc, ring->shared->signal) ||
         !aim(thread->fd, thread->tid, ring->shared->signal))) {
        close(thread->fd);
        thread->fd = -1;
        thread->why = ESRCH;
    }
    mark(ring->shared, thread);
}

static struct vf_timer_thread without_event(pid_t tid)
{
    return (struct vf_timer_thread){.tid = tid, .fd = -1, .seen = true};
}

/* NULL: there are too many, or it is not the program's. */
static struct vf_timer_thread *add(struct vf_timers *timers, const struct vf_proc *proc, pid_t tid)
{
    if (timers->threads.len >= VF_TIMERS_MAX || !vf_proc_has_thread(proc, tid))
        return NULL;
    struct vf_timer_thread *thread = VF_PUSH(&timers->threads);
    *thread = without_event(tid);
    return thread;
}

static void close_event(struct vf_timers *timers, struct vf_timer_thread *thread)
{
    if (thread->fd >= 0) {
        close(thread->fd);
        timers->short_of = false;
    }
    thread->fd = -1;
}

void vf_timers_follow(struct vf_timers *timers, struct vf_ring_reader *ring,
                      const struct vf_proc *proc, pid_t tid)
{
    struct vf_timer_thread *known = find(timers, tid);
    if (known) { /* the number of a thread that has ended, perhaps */
        known->seen = true;
        if (known->fd < 0 && !timers->short_of && needs_event(timers, ring, tid))
            open_for(timers, ring, proc, known);
        return;
    }
    struct vf_timer_thread *thread = add(timers, proc, tid);
    if (thread && needs_event(timers, ring, tid))
        open_for(timers, ring, proc, thread);
}

void vf_timers_begin(struct vf_timers *timers, struct vf_ring_reader *ring,
                     const struct vf_proc *proc, pid_t tid)
{
    struct vf_timer_thread *thread = find(timers, tid);
    if (thread)
        close_event(timers, thread); /* of one that had this number, and was not seen to end */
    else
        thread = add(timers, proc, tid);
    if (!thread)
        return;
    *thread = without_event(tid);
    if (timers->perf && timers->wants_perf)
        open_for(timers, ring, proc, thread);
    else /* its own timer comes just now */
        mark(ring->shared, thread);
}

/* Asks the program for something that only it can do: a timer for a thread, or its end. */
static enum vf_asked ask(struct vf_ring *ring, uint32_t what)
{
    enum { PLACES = sizeof ring->arm / sizeof *ring->arm };
    for (size_t i = 0; i < PLACES; i++)
        if (__atomic_load_n(&ring->arm[i], __ATOMIC_ACQUIRE) == what)
            return VF_ASKED_BEFORE;
    for (size_t i = 0; i < PLACES; i++) {
        uint32_t nothing = 0;
        if (__atomic_compare_exchange_n(&ring->arm[i], &nothing, what, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return VF_ASKED;
    }
    return VF_NOT_ASKED;
}

/* The folder of threads may pass one over while another ends. */
static void drop_ended(struct vf_timers *timers, struct vf_ring *ring, const struct vf_proc *proc)
{
    const uint32_t ended = 1u << 31;
    size_t kept = 0;
    for (size_t i = 0; i < timers->threads.len; i++) {
        struct vf_timer_thread *thread = &timers->threads.items[i];
        if (thread->seen || vf_proc_has_thread(proc, thread->tid)) {
            timers->threads.items[kept++] = *thread;
            continue;
        }
        close_event(timers, thread);
        if (vf_ring_thread_find(ring, (uint32_t)thread->tid) &&
            ask(ring, (uint32_t)thread->tid | ended) == VF_NOT_ASKED)
            timers->threads.items[kept++] = *thread; /* there is no place: the next time */
    }
    timers->threads.len = kept;
}

/* One that is just ending has no event, and needs none. */
static bool is_without(const struct vf_timers *timers, const struct vf_ring_reader *ring, pid_t tid,
                       const struct vf_timer_thread *thread)
{
    return needs_event(timers, ring, tid) &&
           (thread ? thread->fd < 0 && thread->why != ESRCH : timers->threads.len >= VF_TIMERS_MAX);
}

/* Threads of C libraries have no timer yet.  Where no other thread takes a sample meanwhile, and so
 * nobody the request, the thread is sent the signal itself. */
static void ask_for_timer(struct vf_timers *timers, struct vf_ring *ring,
                          const struct vf_proc *proc, pid_t tid)
{
    if (ask(ring, (uint32_t)tid) == VF_ASKED_BEFORE && !timers->perf &&
        is_caught(proc, ring->signal))
        syscall(SYS_tgkill, proc->pid, tid, ring->signal);
}

/* True: the thread is left to its own timer. */
static bool see(struct vf_timers *timers, struct vf_ring_reader *ring, const struct vf_proc *proc,
                pid_t tid)
{
    const struct vf_ring_thread *row = vf_ring_thread_find(ring->shared, (uint32_t)tid);
    timers->seen_own |= row && __atomic_load_n(&row->timer, __ATOMIC_RELAXED) >= 0;
    if (!row)
        ask_for_timer(timers, ring->shared, proc, tid);
    vf_timers_follow(timers, ring, proc, tid);
    struct vf_timer_thread *thread = find(timers, tid);
    if (thread && timers->perf)
        mark(ring->shared, thread);
    if (!is_without(timers, ring, tid, thread))
        return false;
    timers->without_why = thread ? thread->why : timers->without_why;
    return true;
}

void vf_timers_look(struct vf_timers *timers, struct vf_ring_reader *ring, struct vf_proc *proc,
                    int64_t now_ns)
{
    size_t without = 0;
    pid_t tid;
    if (now_ns - timers->listed_ns < LOOK_EVERY_NS || !vf_proc_list(proc))
        return;
    timers->listed_ns = now_ns;
    for (size_t i = 0; i < timers->threads.len; i++)
        timers->threads.items[i].seen = false;
    while ((tid = vf_proc_next(proc)))
        without += see(timers, ring, proc, tid);
    if (without > timers->without)
        timers->without = without;
    drop_ended(timers, ring->shared, proc);
}

void vf_timers_note(const struct vf_timers *timers, char *out, size_t size)
{
    size_t at = strlen(out);
    int why = timers->without_why;
    if (!timers->without || at >= size)
        return;
    snprintf(out + at, size - at,
             "%sup to %zu threads at once had no event of their own (%s), and samples of CPU time "
             "in ticks of the kernel",
             at ? "; " : "", timers->without,
             why == 0        ? "1,024 have one"
             : why == EMFILE ? "too few descriptors, ulimit -n"
                             : strerror(why));
}

/* The CPU time of a thread as of its last tick; 0: not known. */
static uint64_t ran_ns(const struct vf_proc *proc, pid_t tid)
{
    char name[80], text[96];
    uint64_t value = 0;
    snprintf(name, sizeof name, "task/%d/schedstat", (int)tid);
    int fd = vf_proc_file(proc, name);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    struct vf_str rest = {text, got > 0 ? (size_t)got : 0};
    vf_str_to_u64(vf_str_cut(&rest, ' '), 10, &value);
    return value;
}

/* Events are better than signals of ours, where there may be such; for threads without a timer. */
static void give_events(struct vf_timers *timers, struct vf_ring_reader *ring,
                        const struct vf_proc *proc)
{
    use_events(timers, ring);
    for (size_t i = 0; i < timers->threads.len; i++)
        if (needs_event(timers, ring, timers->threads.items[i].tid))
            open_for(timers, ring, proc, &timers->threads.items[i]);
}

void vf_timers_drive(struct vf_timers *timers, struct vf_ring_reader *ring,
                     const struct vf_proc *proc, int64_t now_ns)
{
    uint32_t refused = __atomic_load_n(&ring->shared->refused, __ATOMIC_RELAXED);
    bool wall = ring->shared->timer == VF_TIMER_WALL;
    if (!refused || timers->perf || now_ns - timers->driven_ns < (int64_t)timers->period_ns ||
        !is_caught(proc, ring->shared->signal))
        return;
    if (timers->can_perf && !timers->unknown) {
        give_events(timers, ring, proc);
        return;
    }
    timers->driven_ns = now_ns;
    if (!timers->drives && !timers->note[0])
        snprintf(timers->note, sizeof timers->note,
                 "the program is refused timers; vmfox sends the signals, at most 200 a second");
    timers->drives = true;
    for (size_t i = 0; i < timers->threads.len; i++) {
        struct vf_timer_thread *thread = &timers->threads.items[i];
        const struct vf_ring_thread *row = vf_ring_thread_find(ring->shared, (uint32_t)thread->tid);
        if (row && __atomic_load_n(&row->timer, __ATOMIC_RELAXED) >= 0)
            continue; /* it has got one */
        uint64_t ran = wall ? 0 : ran_ns(proc, thread->tid);
        if (!wall && ran < thread->ran_ns + timers->period_ns)
            continue;
        thread->ran_ns = ran;
        syscall(SYS_tgkill, proc->pid, thread->tid, ring->shared->signal);
    }
}

void vf_timers_set_period(struct vf_timers *timers, struct vf_ring_reader *ring, uint64_t period_ns)
{
    timers->period_ns = period_ns;
    __atomic_store_n(&ring->shared->period_ns, (uint32_t)period_ns, __ATOMIC_RELEASE);
    for (size_t i = 0; i < timers->threads.len; i++)
        if (timers->threads.items[i].fd >= 0)
            ioctl(timers->threads.items[i].fd, PERF_EVENT_IOC_PERIOD, &period_ns);
}

void vf_timers_close(struct vf_timers *timers)
{
    for (size_t i = 0; i < timers->threads.len; i++)
        if (timers->threads.items[i].fd >= 0)
            close(timers->threads.items[i].fd);
    free(timers->threads.items);
    timers->threads.items = NULL;
    timers->threads.len = timers->threads.cap = 0;
    timers->short_of = false;
}

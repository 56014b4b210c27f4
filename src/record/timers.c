#include "record/timers.h"

#include "base/str.h"
#include "record/pc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int64_t LOOK_EVERY_NS = 20000000;

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

void vf_timers_init(struct vf_timers *timers, struct vf_ring_reader *ring, double period_s,
                    bool real_time)
{
    *timers = (struct vf_timers){.period_ns = (uint64_t)(period_s * 1e9 + 0.5)};
    ring->shared->period_ns = (uint32_t)timers->period_ns;
    ring->shared->timer = real_time ? VF_TIMER_WALL : VF_TIMER_CPU;
    if (real_time)
        return;
    int fd = open_event(0, timers->period_ns);
    if (fd < 0) {
        int why = errno;
        if (why == EINVAL || why == E2BIG)
            snprintf(timers->note, sizeof timers->note,
                     "the kernel is older than 5.13 (perf_event_open has no remove_on_exec)");
        else
            vf_pc_reason(timers->note, sizeof timers->note, why, vf_pc_paranoid());
        return;
    }
    close(fd);
    timers->perf = true;
    ring->shared->timer = VF_TIMER_PERF;
}

const char *vf_timers_name(const struct vf_timers *timers, const struct vf_ring_reader *ring)
{
    if (timers->perf)
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

static bool is_thread_of(pid_t pid, pid_t tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", (int)pid, (int)tid);
    return pid > 0 && tid > 0 && access(path, F_OK) == 0;
}

void vf_timers_unknown(struct vf_timers *timers, struct vf_ring_reader *ring)
{
    if (!timers->perf)
        return;
    timers->perf = false;
    __atomic_store_n(&ring->shared->timer, VF_TIMER_CPU, __ATOMIC_RELEASE);
    snprintf(timers->note, sizeof timers->note, "the program is in another pid namespace");
}

void vf_timers_follow(struct vf_timers *timers, struct vf_ring_reader *ring, pid_t pid, pid_t tid)
{
    struct vf_timer_thread thread = {.tid = tid, .fd = -1, .seen = true};
    struct vf_timer_thread *known = find(timers, tid);
    if (known) { /* the number of a thread that has ended, perhaps */
        known->seen = true;
        return;
    }
    if (timers->threads.len >= VF_TIMERS_MAX || !is_thread_of(pid, tid))
        return;
    if (timers->perf) {
        thread.fd = open_event(tid, timers->period_ns);
        if (thread.fd >= 0 && !aim(thread.fd, tid, ring->shared->signal)) {
            close(thread.fd);
            thread.fd = -1;
        }
        mark(ring->shared, &thread);
    }
    VF_APPEND(&timers->threads, thread);
}

/* Asks the program for something that only it can do: a timer for a thread, or its end. */
static void ask(struct vf_ring *ring, uint32_t what)
{
    for (size_t i = 0; i < sizeof ring->arm / sizeof *ring->arm; i++) {
        uint32_t nothing = 0;
        if (__atomic_compare_exchange_n(&ring->arm[i], &nothing, what, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return;
    }
}

static void drop_ended(struct vf_timers *timers, struct vf_ring *ring)
{
    const uint32_t ended = 1u << 31;
    size_t kept = 0;
    for (size_t i = 0; i < timers->threads.len; i++) {
        struct vf_timer_thread *thread = &timers->threads.items[i];
        if (thread->seen) {
            timers->threads.items[kept++] = *thread;
            continue;
        }
        if (thread->fd >= 0)
            close(thread->fd);
        if (vf_ring_thread_find(ring, (uint32_t)thread->tid))
            ask(ring, (uint32_t)thread->tid | ended);
    }
    timers->threads.len = kept;
}

/* Threads of C libraries have no timer yet. */
static void see(struct vf_timers *timers, struct vf_ring_reader *ring, pid_t pid, pid_t tid)
{
    if (!vf_ring_thread_find(ring->shared, (uint32_t)tid))
        ask(ring->shared, (uint32_t)tid);
    vf_timers_follow(timers, ring, pid, tid);
    struct vf_timer_thread *thread = find(timers, tid);
    if (thread && timers->perf)
        mark(ring->shared, thread);
}

void vf_timers_look(struct vf_timers *timers, struct vf_ring_reader *ring, pid_t pid,
                    int64_t now_ns)
{
    char path[64];
    if (now_ns - timers->listed_ns < LOOK_EVERY_NS)
        return;
    timers->listed_ns = now_ns;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    if (!folder)
        return;
    for (size_t i = 0; i < timers->threads.len; i++)
        timers->threads.items[i].seen = false;
    while ((entry = readdir(folder))) {
        uint64_t tid;
        if (vf_str_to_u64(vf_str_from(entry->d_name), 10, &tid) && tid <= INT32_MAX)
            see(timers, ring, pid, (pid_t)tid);
    }
    closedir(folder);
    drop_ended(timers, ring->shared);
}

/* The CPU time of a thread as of its last tick; 0: not known. */
static uint64_t ran_ns(pid_t pid, pid_t tid)
{
    char path[80], text[96];
    uint64_t value = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    struct vf_str rest = {text, got > 0 ? (size_t)got : 0};
    vf_str_to_u64(vf_str_cut(&rest, ' '), 10, &value);
    return value;
}

void vf_timers_drive(struct vf_timers *timers, struct vf_ring_reader *ring, pid_t pid,
                     int64_t now_ns)
{
    uint32_t refused = __atomic_load_n(&ring->shared->refused, __ATOMIC_RELAXED);
    bool wall = ring->shared->timer == VF_TIMER_WALL;
    if (!refused || timers->perf || now_ns - timers->driven_ns < (int64_t)timers->period_ns)
        return;
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
        uint64_t ran = wall ? 0 : ran_ns(pid, thread->tid);
        if (!wall && ran < thread->ran_ns + timers->period_ns)
            continue;
        thread->ran_ns = ran;
        syscall(SYS_tgkill, pid, thread->tid, ring->shared->signal);
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
}

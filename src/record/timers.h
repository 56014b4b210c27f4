/* When samples are taken: the recorder's part of it.
 *
 * Each thread of the program has a timer there (inside/handler.c): of its CPU time, which the
 * kernel looks at in its ticks only (often 250 a second), or with --real-time of the wall clock.
 * Where samples are wanted more often than ticks come there is an event of perf_event_open(2) a
 * thread beside, of its CPU clock in user space, which sends the thread the signal.  It is opened
 * here, so that the program has no descriptor of it, and it ends with this process.  A thread that
 * has none, for there are too few descriptors or too many threads, is left to its own timer, and
 * counted.  Where ticks are enough there are no events: they don't count the time in the kernel, of
 * which a timer's signal tells only where it ended a system call, and page faults are none.
 *
 * Threads that the interpreter starts tell of themselves; others are looked for in
 * /proc/PID/task. */
#ifndef VF_RECORD_TIMERS_H
#define VF_RECORD_TIMERS_H

#include "base/mem.h"
#include "record/proc.h"
#include "record/ring.h"

#include <sys/types.h>

enum { VF_TIMERS_MAX = 1024 }; /* threads that have an event */

struct vf_timer_thread {
    pid_t tid;
    int fd;          /* its event; -1: none */
    int why;         /* with the errno of that */
    bool seen;       /* in the folder of threads, when that was read last */
    uint64_t ran_ns; /* with vf_timers_drive(): its CPU time as of its last signal */
};

struct vf_timers {
    bool perf;       /* events are used */
    bool wants_perf; /* ticks don't come often enough */
    bool can_perf;   /* the kernel allows them; by the wall clock there are none */
    bool unknown;    /* the program's threads have other numbers here */
    bool seen_own;   /* threads with a timer of their own */
    uint64_t period_ns;
    VF_VEC(struct vf_timer_thread) threads;
    int64_t listed_ns, driven_ns;
    bool drives;     /* the program can't make timers: the signals are sent from here */
    bool short_of;   /* descriptors, since an event was last closed */
    size_t without;  /* the most threads at once that should have an event and had none, */
    int without_why; /* with the errno of that; 0: there were too many threads */
    char note[200];  /* why there are no events, where they are wanted; else empty */
};

/* Finds out what the kernel allows, and sets the ring's timer and period. */
void vf_timers_init(struct vf_timers *timers, struct vf_ring_reader *ring, double period_s,
                    bool real_time);
/* A thread of the process that is to be sampled from now on.  The signal would end a stranger: what
 * the program tells is believed when the kernel says the same. */
void vf_timers_follow(struct vf_timers *timers, struct vf_ring_reader *ring,
                      const struct vf_proc *proc, pid_t tid);
/* The same for a thread that has told that it begins. */
void vf_timers_begin(struct vf_timers *timers, struct vf_ring_reader *ring,
                     const struct vf_proc *proc, pid_t tid);
/* Another interpreter begins: what held for the one before is of no interest. */
void vf_timers_anew(struct vf_timers *timers, struct vf_ring_reader *ring);
/* The program's threads have numbers here that it does not know (it is in another pid namespace):
 * there are no events, only its own timers. */
void vf_timers_unknown(struct vf_timers *timers, struct vf_ring_reader *ring);
/* Looks for threads that have begun or ended, at most every 20 ms. */
void vf_timers_look(struct vf_timers *timers, struct vf_ring_reader *ring, struct vf_proc *proc,
                    int64_t now_ns);
/* Where the kernel makes no timers for the program (a container's filter, too many signals that
 * wait), gives the threads events; where that can't be, sends their signals from here: to all
 * threads by the wall clock, else to those that have used CPU time. */
void vf_timers_drive(struct vf_timers *timers, struct vf_ring_reader *ring,
                     const struct vf_proc *proc, int64_t now_ns);
/* Another time between samples, for all threads. */
void vf_timers_set_period(struct vf_timers *timers, struct vf_ring_reader *ring,
                          uint64_t period_ns);
/* Ends all events. */
void vf_timers_close(struct vf_timers *timers);
/* Adds to a note how many threads had no event, where some had none. */
void vf_timers_note(const struct vf_timers *timers, char *out, size_t size);
/* "perf", "ticks" (of each thread's CPU time), "posix" (wall clock) or "recorder", as capture.json
 * has it. */
const char *vf_timers_name(const struct vf_timers *timers, const struct vf_ring_reader *ring);

#endif

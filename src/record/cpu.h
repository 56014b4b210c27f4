/* How much CPU time each thread of the program has used, read while samples come in.
 *
 * With it the timeline shows a thread as idle where it was, instead of guessing from the samples
 * that came.  The kernel keeps a thread's time (/proc/PID/task/TID/schedstat) only as of its last
 * tick, some milliseconds ago, but the process's time (its CPU clock) to the nanosecond; so the
 * process's time is shared out among the threads as their own figures say, but none gets more than
 * its own figure and a tick.  What no thread that was seen can have used (of threads that live for
 * less than the time between two looks, or beyond the first 64) is given to none.
 *
 * A row is three 8-byte little-endian numbers: CLOCK_MONOTONIC in ns, thread id, CPU time in ns
 * since the recording's first row. */
#ifndef VF_RECORD_CPU_H
#define VF_RECORD_CPU_H

#include "base/buf.h"
#include "record/proc.h"

#include <sys/types.h>
#include <time.h>

enum { VF_CPU_THREADS_MAX = 64 }; /* more are not followed */

struct vf_cpu_thread {
    pid_t tid;
    int fd;           /* schedstat; -1: it is opened each time, for there are few descriptors */
    int64_t first_ns; /* its figure when it was seen first; 0 for a thread that began later */
    int64_t seen_ns;  /* its figure when it was read last */
    int64_t given_ns; /* what has been given to it */
    int64_t row_ns, row_given_ns; /* its last row; 0: it has none */
    bool seen;                    /* in the folder, when that was read last */
};

struct vf_cpu {
    VF_VEC(struct vf_cpu_thread) threads;
    int64_t process_ns;    /* of the process's clock, shared out so far */
    int64_t read_ns;       /* up to when */
    int64_t listed_ns;     /* when the folder of threads was read last */
    int64_t main_first_ns; /* the main thread's figure when it was seen first */
    bool started, failed;
};

/* Reads the times, which are those of `now_ns` (CLOCK_MONOTONIC), and appends rows for the threads
 * that have run; of the others one a second. */
void vf_cpu_read(struct vf_cpu *cpu, struct vf_proc *proc, int64_t now_ns, struct vf_buf *rows);
/* Appends the last rows of all threads, up to the last reading. */
void vf_cpu_end(struct vf_cpu *cpu, struct vf_buf *rows);
/* Closes what is open; what was read stays. */
void vf_cpu_close(struct vf_cpu *cpu);
void vf_cpu_release(struct vf_cpu *cpu);

#endif

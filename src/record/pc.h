/* Instruction addresses of the program, taken by the kernel (perf_event_open(2)).
 *
 * VMProf says in which trace of PyPy's JIT a thread is, but not where in it.  So the kernel is
 * asked to note, each time a thread of the program has used some milliseconds of CPU time, when
 * that was, which thread it is and at which instruction it is.  It is the timer of CPU time of the
 * thread (PERF_COUNT_SW_CPU_CLOCK), in user space alone, which an unprivileged user may ask for
 * unless /proc/sys/kernel/perf_event_paranoid is above 2 or a container forbids the call.  The
 * program itself notices nothing: no signal, no descriptor, no code of ours.
 *
 * Each is an interrupt, which a virtual machine takes 20 us and more for: so there is one for four
 * periods of the samples, and never more than about one a millisecond.
 *
 * There is an event and a ring of memory for each CPU, as the kernel wants it for events that
 * follow the program's threads.  The rows come out of the rings in no order of time.
 *
 * A row is three 8-byte little-endian numbers: CLOCK_MONOTONIC in ns, thread id, address. */
#ifndef VF_RECORD_PC_H
#define VF_RECORD_PC_H

#include "base/buf.h"

#include <sys/types.h>

/* Not a whole millisecond, so as not to run in step with the program. */
enum { VF_PC_PERIOD_MIN_NS = 997000, VF_PC_SAMPLE_PERIODS = 4 };

struct vf_pc_ring {
    int fd;
    void *pages; /* the kernel's: a page about the ring, and the ring */
};

struct vf_pc {
    uint64_t period_ns; /* CPU time of a thread between two rows */
    VF_VEC(struct vf_pc_ring) rings;
    uint64_t lost;     /* rows that the kernel had no room for */
    char missing[200]; /* why the kernel gives none; empty where it does */
};

/* Sets how often they are taken: `sample_period_s` is that of the samples. */
void vf_pc_init(struct vf_pc *pc, double sample_period_s);
/* Opens the events on the process `pid`, which has one thread.  With `on_exec` they begin when it
 * runs another program, else at once.  Where the kernel refuses, `missing` says why and there are
 * no rings. */
void vf_pc_open(struct vf_pc *pc, pid_t pid, bool on_exec);
/* Appends the rows of the process `pid` that have come. */
void vf_pc_drain(struct vf_pc *pc, pid_t pid, struct vf_buf *rows);
/* Switches the events of all threads off, and on again. */
void vf_pc_switch(struct vf_pc *pc, bool on);
/* Ends the events; what has come and was not taken is gone. */
void vf_pc_close(struct vf_pc *pc);

static inline bool vf_pc_is_open(const struct vf_pc *pc)
{
    return pc->rings.len > 0;
}

/* In words why there are no events: `error` is the errno of perf_event_open(), or ENOBUFS where
 * their memory was refused; `paranoid` is what the kernel's setting says. */
void vf_pc_reason(char *out, size_t size, int error, int paranoid);
/* That setting (/proc/sys/kernel/perf_event_paranoid); -1: not known. */
int vf_pc_paranoid(void);

#endif

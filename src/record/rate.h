/* How often samples are taken, where that may be less often than was asked for.
 *
 * Looked at twice a second: what the samples of the last half second have cost.  Their handlers'
 * time is measured in the program; what the kernel needs to deliver a signal is
 * not, and is taken for VF_RATE_SIGNAL_NS: an estimate, as the whole is one.
 *
 * - With a budget (--budget) samples, and the JIT's log beside, are to cost no more than that part
 * of the program's CPU time.
 * - By the wall clock each thread is sampled whether it runs or not, so many threads would take the
 *   machine from the program: there the samples of a second may cost VF_RATE_WALL of one CPU, and
 *   VF_RATE_WALL_BUSY of one where no CPU is idle.
 *
 * The time between samples grows as far as is needed, at once, and goes back to what was asked for
 * step by step. */
#ifndef VF_RECORD_RATE_H
#define VF_RECORD_RATE_H

#include "record/timers.h"

#define VF_RATE_SIGNAL_NS 8000.0
#define VF_RATE_WALL 0.20
#define VF_RATE_WALL_BUSY 0.03

struct vf_rate {
    double budget; /* part of the program's CPU time; 0: none */
    uint64_t asked_ns, longest_ns;
    int64_t looked_ns, lowered_ns; /* when; 0: never */
    uint64_t signals;              /* as of then */
    double logs_ns;
    int64_t cpu_ns;
    uint64_t idle, ticks; /* of all CPUs, in ticks */
};

/* Sets what the JIT's log may have, too: `jitlog_auto` holds it below 2 % where there is no budget.
 */
void vf_rate_init(struct vf_rate *rate, struct vf_ring_reader *ring, double budget,
                  bool jitlog_auto, uint64_t period_ns);
void vf_rate_look(struct vf_rate *rate, struct vf_timers *timers, struct vf_ring_reader *ring,
                  pid_t pid, int64_t now_ns);
/* Another interpreter begins: what was lowered before is of no interest. */
void vf_rate_anew(struct vf_rate *rate, const struct vf_timers *timers, int64_t now_ns);
/* In words what was lowered, behind what stands in `out`; nothing where nothing was. */
void vf_rate_note(const struct vf_rate *rate, int64_t start_ns, char *out, size_t size);

#endif

/* CPU time between a thread's samples, for the timeline's height.
 *
 * From the recorder's readings (rows of 3 × i64: CLOCK_MONOTONIC in ns, thread id, CPU time in ns)
 * the time at a sample is taken on the straight line between the readings around it.  Without
 * readings, where the timer ran on CPU time and the samples have wall times, a sample stands for at
 * most one interval of CPU time: an estimate, and said to be one.  Where nothing is known the
 * samples carry no CPU time. */
#ifndef VF_PROFILE_CPU_H
#define VF_PROFILE_CPU_H

#include "profile/clock.h"
#include "profile/profile.h"

enum vf_cpu_source { VF_CPU_NONE, VF_CPU_MEASURED, VF_CPU_PARTLY_MEASURED, VF_CPU_ESTIMATE };

/* CPU time of the whole process over the recording. */
struct vf_cpu_reading {
    double time_ms, cpu_ns;
};
struct vf_cpu_curve {
    VF_VEC(struct vf_cpu_reading) readings; /* both columns rise */
    size_t at;                              /* where the last search ended */
};
/* Sums the readings of all threads.  Free curve->readings.items. */
void vf_cpu_curve_read(struct vf_cpu_curve *curve, struct vf_str readings,
                       const struct vf_clock *clock);
/* The CPU time at `time_ms`, which must not fall from call to call; before the first and behind the
 * last reading the process is taken to run all the time, as it did when it was sampled there. */
double vf_cpu_curve_at(struct vf_cpu_curve *curve, double time_ms);

/* Fills cpu_ns of every sample that has a sample before it in its thread.  Samples must be in
 * order; profile->interval_ms is set. */
enum vf_cpu_source vf_cpu_fill(struct vf_profile *profile, struct vf_str readings,
                               const struct vf_clock *clock, const struct vf_vmprof *header);

#endif

/* How much of the run the samples stand for.
 *
 * VMProf's timer runs on wall time or on the process's CPU time; the recorder's own may run on each
 * thread's CPU time.  Where that clock's reading at each sample is known, a sample weighs as much
 * of it as has passed since the sample before (with the process's CPU time the one before in any
 * thread, else the one before in its own), in units of the
 * usual gap on that clock: so the sum of the weights is the time, also where a sample came late or
 * was lost.  The first sample weighs 1.  Time beyond one second in a gap is lost time, as in
 * VMProf's own rule (profile/clock.h). */
#ifndef VF_PROFILE_COVERAGE_H
#define VF_PROFILE_COVERAGE_H

#include "profile/clock.h"
#include "profile/profile.h"

enum vf_coverage_clock {
    VF_COVERAGE_NONE, /* not known what the timer's clock said */
    VF_COVERAGE_WALL,
    VF_COVERAGE_CPU,
};

struct vf_coverage {
    enum vf_coverage_clock clock;
    bool by_thread;     /* the clock is each thread's CPU time */
    bool by_format;     /* the file's own stamps give the weights (profile/clock.h) */
    bool in_ticks;      /* older recordings: one timer for the process, which may go off late */
    bool usual_known;   /* false: interval_ms is not measured, and no gap is called one */
    uint64_t samples;   /* of all threads; with wall time of the main one */
    double covered_ms;  /* of that clock, from the first sample to the last */
    double interval_ms; /* the usual gap */
    uint64_t gaps;      /* more than VF_COVERAGE_GAP times as long */
    double missing;     /* samples that should have come in them */
    double missing_ms;
    double lost_ms; /* of weights: gaps beyond a second */
};

/* From here on a gap is said to miss a sample, in usual intervals. */
#define VF_COVERAGE_GAP 1.75

/* Weighs the samples and adds a marker to the main thread for each gap.  Samples must be in order
 * and have their CPU times; profile->interval_ms is set. */
void vf_coverage_run(struct vf_coverage *coverage, struct vf_profile *profile,
                     const struct vf_capture *capture, const struct vf_clock *clock,
                     const struct vf_vmprof *header);
/* What Profile Info says of it. */
void vf_coverage_add_facts(const struct vf_coverage *coverage, struct vf_profile *profile,
                           const struct vf_vmprof *header);

#endif

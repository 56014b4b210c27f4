/* The one clock: where on the profile's line (milliseconds from its start) each sample lies.
 *
 * Sources, best first: the recorder's arrival stamps (CLOCK_MONOTONIC); the file's own stamps in
 * either dialect of version 7; else the samples are spread evenly over the run, which is an
 * estimate and is said to be one. */
#ifndef VF_PROFILE_CLOCK_H
#define VF_PROFILE_CLOCK_H

#include "capture/capture.h"
#include "profile/scan.h"

enum vf_clock_source {
    VF_CLOCK_ARRIVAL,   /* wall time, stamped by the recorder */
    VF_CLOCK_FORK,      /* wall time, stamped by the program */
    VF_CLOCK_MONOTONIC, /* wall time, but the file does not say of which moment */
    VF_CLOCK_CPU,       /* the process's CPU time: pauses do not show */
    VF_CLOCK_SPREAD,    /* an estimate */
};

struct vf_clock {
    enum vf_clock_source source;
    const unsigned char *stamps; /* VF_CLOCK_ARRIVAL: i64 ns each */
    uint64_t stamp_count;
    int64_t zero_ns;        /* the stamp clock's reading at the profile's start */
    double run_ms, step_ms; /* VF_CLOCK_SPREAD: the run, and the time between two samples */
    double last_ms;         /* latest time given out */
    double start_time_ms;   /* the profile's start, since the epoch; 0: not known */
    bool zero_from_first;   /* zero_ns comes from the first sample */
};

/* Chooses the source for a capture. */
void vf_clock_init(struct vf_clock *clock, const struct vf_capture *capture,
                   const struct vf_scan *scan, struct vf_warnings *warnings);
/* The time of the index-th sample (both kinds counted together, in file order); `time_ns` is what
 * the file says of it, 0 where it says nothing. */
double vf_clock_sample_ms(struct vf_clock *clock, uint64_t index, int64_t time_ns);
/* A sentence for Profile Info on where the times come from. */
const char *vf_clock_describe(const struct vf_clock *clock);

/* A reading of the stamp clock, as milliseconds from the profile's start. */
double vf_clock_ms(const struct vf_clock *clock, int64_t reading_ns);

/* From one reading of a clock to another; damaged files have any numbers for them. */
int64_t vf_clock_between(int64_t from, int64_t to);

/* How far samples lie apart: a histogram of gaps, of fixed size. */
enum { VF_GAP_BUCKETS = 20000 }; /* of 10 us: up to 200 ms */
struct vf_gaps {
    uint32_t counts[VF_GAP_BUCKETS];
    uint64_t total;
    double last_ms;
    bool has_last;
};
void vf_gaps_add(struct vf_gaps *gaps, double time_ms);
/* The median gap in ms; 0 with fewer than ten gaps. */
double vf_gaps_median(const struct vf_gaps *gaps);

/* What a sample stands for at most; the rest of a longer gap is lost time. */
enum { VF_GAP_LIMIT_NS = 1000000000 };

/* Weights of version 7 (upstream): how many periods a sample stands for, by the time since the one
 * before it in the same thread (real time) or in any (CPU time).  Gaps over one second count as one
 * second, the rest is lost time.  The formula is vmprof-python's sample_weight(). */
struct vf_weight_thread {
    uint64_t thread;
    int64_t last_ns;
};
struct vf_weights {
    bool per_thread;
    int64_t period_ns;
    int64_t lost_ns;
    VF_VEC(struct vf_weight_thread) threads;
    struct vf_table index; /* by thread */
};
void vf_weights_init(struct vf_weights *weights, const struct vf_vmprof *header);
/* `time_ns` as above, `thread` as the file has it. */
double vf_weights_next(struct vf_weights *weights, uint64_t thread, int64_t time_ns);
void vf_weights_release(struct vf_weights *weights);

#endif

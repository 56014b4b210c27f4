/* From the counter PyPy stamps its log with to the profile's line (milliseconds from its start).
 *
 * Sources, best first:
 * - pairs of readings the recorder took (record/counter.h), with straight lines between them.  The
 *   error that is stated is the most any pair lies off the line through its two neighbours (there
 *   is none with two pairs), and the most the two readings of a pair may be apart;
 * - where the log is stamped with the thread's CPU clock (no x86), the recorder's readings of it.
 *   The error is a tick of the kernel, and the longest time the thread slept between two readings;
 * - the rate that jit-summary's TOTAL gives, with the log's end laid on the profile's end: an
 *   estimate;
 * - the log's two ends laid over the profile's run: an estimate. */
#ifndef VF_PROFILE_TICKS_H
#define VF_PROFILE_TICKS_H

#include "capture/capture.h"
#include "capture/runtime_log.h"
#include "profile/clock.h"

enum vf_ticks_source {
    VF_TICKS_NONE, /* nothing to go by: the log can't be placed */
    VF_TICKS_PAIRS,
    VF_TICKS_THREAD_CPU,
    VF_TICKS_TOTAL,
    VF_TICKS_ENDS,
};

struct vf_tick_knot {
    uint64_t tick;
    double ms;
};

struct vf_ticks {
    enum vf_ticks_source source;
    VF_VEC(struct vf_tick_knot) knots; /* both columns rise; at least two, unless NONE */
    double ticks_per_ms;               /* over all of them */
    double error_ms;                   /* negative: not known */
    bool unsteady;                     /* cores' counters may differ: error_ms is not all of it */
    size_t at;                         /* the piece used last */
};

/* Chooses the source.  `part` is the part of the log that is to be placed (estimates lay out that
 * one); `run_ms` the profile's length. */
void vf_ticks_init(struct vf_ticks *ticks, const struct vf_capture *capture,
                   const struct vf_clock *clock, const struct vf_runtime_log *log,
                   const struct vf_log_part *part, double run_ms);
/* Where the times come from, and that they are an estimate where they are. */
const char *vf_ticks_describe(enum vf_ticks_source source);
/* True where stamps have measured times, so that one outside the recording is of another run. */
static inline bool vf_ticks_measured(const struct vf_ticks *ticks)
{
    return ticks->source == VF_TICKS_PAIRS || ticks->source == VF_TICKS_THREAD_CPU;
}
/* The time of a stamp; may lie before 0 or behind the end.  Fast when stamps rise. */
double vf_ticks_ms(struct vf_ticks *ticks, uint64_t stamp);
void vf_ticks_release(struct vf_ticks *ticks);

/* The first and last stamp of the pairs, for choosing the part.  False, and nothing is set, when
 * there are none that rise. */
bool vf_ticks_range(const struct vf_capture *capture, uint64_t *first, uint64_t *last);

#endif

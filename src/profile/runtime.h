/* What PyPy's runtime did, on the profile's line: its log (capture/runtime_log.h) placed in time.
 *
 * From the log come a thread whose stacks are the open sections, markers and counters, the leaf of
 * every sample that was taken inside a section, and sums for Profile Info.
 *
 * Which thread a section is of, the log does not say; the runtime works under the interpreter's
 * lock.  So a sample gets no leaf where its own last frame is of another library: a thread that
 * works without the lock, or what a trace calls while it is recorded.  With several threads that
 * needs native frames; without them, and where samples are taken by the wall clock, none gets one.
 * A section that holds samples of two threads is put into the stacks of neither. */
#ifndef VF_PROFILE_RUNTIME_H
#define VF_PROFILE_RUNTIME_H

#include "capture/capture.h"
#include "profile/profile.h"
#include "profile/ticks.h"

/* What the time of a run goes to; together they are the run. */
enum vf_runtime_class {
    VF_RUNTIME_RUNNING, /* interpreter and compiled code, and waiting */
    VF_RUNTIME_TRACING,
    VF_RUNTIME_OPTIMIZING,
    VF_RUNTIME_BACKEND,
    VF_RUNTIME_MINOR,
    VF_RUNTIME_MAJOR,
    VF_RUNTIME_OTHER,
    VF_RUNTIME_CLASSES,
};

/* From this time to that of the next phase, `section` was the innermost open one. */
struct vf_phase {
    double time_ms;
    uint32_t section; /* VF_LOG_NONE: none */
};

struct vf_runtime {
    struct vf_profile *profile;
    struct vf_runtime_log log;
    struct vf_ticks ticks;
    struct vf_log_part part; /* of the log, the one that is shown */
    bool shown;
    VF_VEC(struct vf_phase) phases; /* the first at 0; the last ends at the profile's end */
    vf_frame_id *frames;            /* by row of log.names */
    double class_ms[VF_RUNTIME_CLASSES];
    double whole_tracing_ms;                /* jit-tracing with all that happens inside it */
    double (*trace_ms)[VF_RUNTIME_CLASSES]; /* the same for each row of log.traces */
    struct vf_log_damage outside; /* sections wholly before the profile's start or behind its end */
    uint64_t labelled, ambiguous, elsewhere; /* samples */
    const char *not_labelled; /* why none was; NULL: they were, or nobody asked for it */
    bool has_jitlog;
};

/* Reads the capture's log and places it; `runtime->shown` says whether there is anything to show.
 * Samples must be in order and profile->run_ms set: it is always of the whole run.  Problems become
 * warnings. */
void vf_runtime_init(struct vf_runtime *runtime, struct vf_profile *profile,
                     const struct vf_capture *capture, const struct vf_clock *clock,
                     struct vf_warnings *warnings);
/* Gives samples taken inside a section that section as their leaf, where both the samples' times
 * and the log's are measured.  `mode` is that of the VMProf file (enum in capture/vmprof.h). */
void vf_runtime_label_samples(struct vf_runtime *runtime, const struct vf_capture *capture,
                              const struct vf_clock *clock, unsigned mode);
/* Adds the thread "PyPy runtime" with its samples. */
void vf_runtime_add_thread(struct vf_runtime *runtime);
/* runtime_join.c: what the JIT's log knows of the traces: operations, guards, runs. */
void vf_runtime_join_jitlog(struct vf_runtime *runtime);
/* runtime_markers.c: the markers of that thread, and the counters. */
void vf_runtime_add_markers(struct vf_runtime *runtime, struct vf_markers *markers);
/* runtime_facts.c: what Profile Info says of the clock and of the sums. */
void vf_runtime_add_facts(struct vf_runtime *runtime);
void vf_runtime_release(struct vf_runtime *runtime);

/* A section's times, cut to the profile's.  False where it is not shown: of another part of the
 * log, or wholly outside of the profile. */
bool vf_runtime_span(struct vf_runtime *runtime, uint32_t section, double *start_ms,
                     double *end_ms);

#endif

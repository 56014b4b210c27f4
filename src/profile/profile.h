/* The profile: all captures joined into tables on one clock.  It knows no file format; writers read
 * it and ask nobody else.
 *
 * Times are milliseconds from the profile's start (start_time_ms, since the epoch). */
#ifndef VF_PROFILE_PROFILE_H
#define VF_PROFILE_PROFILE_H

#include "base/error.h"
#include "profile/markers.h"
#include "profile/stacks.h"

struct vf_sample_row {
    double time_ms;
    vf_stack_id stack; /* VF_NONE: nothing was on the stack */
    float weight; /* how many usual gaps it stands for (profile/coverage.h); of the runtime: ms */
    float cpu_ns; /* CPU time since the sample before, where the thread has_cpu */
};

struct vf_allocation_row {
    double time_ms;
    vf_stack_id stack;
    double bytes; /* how much one sample stands for */
};

struct vf_thread {
    vf_string_id name;
    uint64_t tid;
    bool is_main;
    bool is_addresses; /* instruction addresses of the program's threads (profile/jit.h) */
    bool is_runtime;   /* PyPy's runtime: weights are milliseconds (profile/runtime.h) */
    VF_VEC(struct vf_sample_row) samples;
    bool weighted; /* the weights say something */
    bool has_cpu;
    bool cpu_measured; /* cpu_ns is, and no estimate */
    VF_VEC(struct vf_allocation_row) allocations;
    struct vf_markers markers;
};

struct vf_counter_row {
    double time_ms;
    double value; /* the absolute level */
};

struct vf_counter {
    /* Literals.  `unit` is "bytes" or "number"; `rows_label` says what the level is, `color` is one
     * of the front-end's. */
    const char *name, *category, *description, *unit, *color, *rows_label;
    VF_VEC(struct vf_counter_row) rows;
};

/* One line of the front-end's Profile Info, and a group of them. */
struct vf_extra_entry {
    struct vf_str label, value;
};
struct vf_extra {
    const char *label;
    VF_VEC(struct vf_extra_entry) entries;
};

struct vf_jit;

struct vf_profile {
    struct vf_strings strings;
    struct vf_funcs funcs;
    struct vf_stacks stacks;
    VF_VEC(struct vf_thread) threads; /* the main thread first */
    VF_VEC(struct vf_counter) counters;
    VF_VEC(struct vf_extra) extras;
    vf_string_id marker_titles[VF_MARKER_COUNT]; /* VF_NONE: no marker of that kind */
    double start_time_ms;                        /* since the epoch */
    double begin_ms, end_ms; /* what is shown of the run: all of it, or a window of it */
    double run_ms;           /* length of the run */
    double interval_ms;      /* between samples: as measured, else as asked for */
    uint64_t pid;            /* 0: not known */
    struct vf_str product, process_name, arguments, cpu, os, platform, abi;
    uint64_t logical_cpus, memory_bytes;
    struct vf_jit *jit;    /* PyPy's traces (profile/jit.h); owned; NULL: no log of them */
    struct vf_arena arena; /* texts above */
};

void vf_thread_release(struct vf_thread *thread);
/* Adds a line to the Profile Info section `label` (a literal). */
void vf_profile_extra(struct vf_profile *profile, const char *section, const char *label,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Names the kinds of marker that are in it; frees what is only needed while rows are added; nothing
 * may be added afterwards. */
void vf_profile_freeze(struct vf_profile *profile);
/* After a freeze: strings and markers may be added again, until the next one. */
void vf_profile_thaw(struct vf_profile *profile);
void vf_profile_release(struct vf_profile *profile);

#endif

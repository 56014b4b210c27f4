/* What vf_profile_build() works with; for build*.c. */
#ifndef VF_PROFILE_BUILD_PARTS_H
#define VF_PROFILE_BUILD_PARTS_H

#include "profile/build.h"
#include "profile/clock.h"
#include "profile/instructions.h"
#include "profile/jit_build.h"
#include "profile/native.h"
#include "profile/walk.h"

/* By what a sample's thread is told: the number in its root frame, the kernel's id, and where there
 * is neither the number in the file.  0: not known. */
struct vf_thread_key {
    uint64_t root, tid, id;
    uint32_t life1;  /* with an id that several threads had: row in the capture's list, + 1;
                        or VF_LIFE_UNTOLD */
    uint32_t thread; /* row of profile->threads */
    bool outside;    /* of the window */
};

/* All threads of an id that nothing is told of, behind one that is told of. */
#define VF_LIFE_UNTOLD UINT32_MAX

/* The last thread that had a kernel's id. */
struct vf_tid_key {
    uint64_t tid;
    uint32_t life1;
    uint32_t key; /* row of thread_keys */
};

/* What a list of raw frames means. */
struct vf_walked_stack {
    struct vf_walked is;
    bool known;
    bool thread_known; /* is.thread is, at least */
};

struct vf_build {
    struct vf_profile *profile;
    const struct vf_capture *capture;
    struct vf_build_options options;
    struct vf_scan scan;
    struct vf_clock clock;
    struct vf_jit_build jit;
    struct vf_pcs pcs;
    struct vf_natives natives;
    struct vf_walk walk;
    struct vf_instructions instructions;
    struct vf_walked_stack *walked; /* by row of scan.gathered.stacks */
    struct vf_weights weights;
    struct vf_gaps *gaps;
    bool has_main;
    struct vf_table told_index;     /* of the names in the capture: by number, or by tid */
    struct vf_table told_tid_index; /* of the same, by tid */
    uint32_t *lives;                /* rows in the capture's list by tid and time; NULL: no id was
                                       used again */
    size_t life_count;
    struct vf_table thread_index; /* of thread_keys, by all that is told */
    struct vf_table tid_index;    /* of tid_keys */
    VF_VEC(struct vf_tid_key) tid_keys;
    VF_VEC(struct vf_thread_key) thread_keys;
    uint32_t last_key; /* most samples are of the thread before */
    double sample_bytes;
};

/* ---- build_threads.c ------------------------------------------------------------------------- */

/* Makes what the capture tells of threads ready to be looked up. */
void vf_build_index_told(struct vf_build *b);
/* The thread of a sample, by the number in its root frame, the kernel's id, and the number in the
 * file; 0: not known.  b->last_key is its row afterwards. */
struct vf_thread *vf_build_find_thread(struct vf_build *b, uint64_t root, uint64_t tid, uint64_t id,
                                       double time_ms);
void vf_build_release_threads(struct vf_build *b);

/* ---- build_samples.c ------------------------------------------------------------------------- */

/* The samples become rows of their threads, those outside of the window too, without a stack
 * (VF_OUTSIDE); there is one thread at least. */
void vf_build_add_samples(struct vf_build *b);

#endif

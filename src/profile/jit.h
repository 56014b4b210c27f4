/* The JIT's traces in the profile: which trace a sample was in, and at which instruction.
 *
 * Two sources meet here.  VMProf's samples say in which traces a thread was, but not where in them;
 * the recorder's instruction addresses (record/pc.h) say where, but nothing of the callers.
 *
 * A trace is a function of a library of its own, "PyPy JIT", in which the traces lie one behind the
 * other in the order of the log: memory of traces that were freed is used again, so that real
 * addresses would not be unique.  A sample whose instruction is not known has the address of the
 * trace's first byte, where no instruction is (capture/jit_code.h).
 *
 * A sample gets the instruction that was seen at the same time: in the same thread, in the same
 * trace, at most half a period away.  Nothing is guessed beyond that. */
#ifndef VF_PROFILE_JIT_H
#define VF_PROFILE_JIT_H

#include "capture/capture.h"
#include "capture/jit_code.h"
#include "profile/profile.h"

/* What the profile knows of a trace, in the log's order. */
struct vf_jit_row {
    vf_func_id func;       /* VF_NONE: in no sample */
    vf_native_id native;   /* likewise */
    int64_t address;       /* of its first byte in the library; -1: it has no code */
    double samples;        /* weight of VMProf's samples in which it is the innermost trace */
    uint32_t first, count; /* its hits, by offset */
    uint64_t pcs;          /* instruction addresses in it: the sum of its hits */
};

/* Something in the log that is worth a look (profile/jit_findings.h). */
struct vf_jit_finding {
    struct vf_str text;
    double count; /* the figure in it */
    double score;
};
enum { VF_JIT_FINDINGS_MAX = 10 };

struct vf_jit {
    struct vf_jit_traces traces;
    struct vf_jit_finding findings[VF_JIT_FINDINGS_MAX];
    size_t finding_count;
    VF_VEC(struct vf_jit_row) rows;
    VF_VEC(struct vf_jit_hit) hits;
    vf_lib_id lib;       /* VF_NONE: no trace is shown */
    bool present;        /* there is a log, and it is this run's */
    bool foreign;        /* there is one, but it is another run's */
    double samples;      /* weight of all samples of the program's threads */
    uint64_t asm_frames; /* assembler frames in samples */
    uint64_t unowned;    /* of these, in no trace */
    uint64_t left_over;  /* samples in which VMProf has made up a group of frames, left out */
    uint64_t continued;  /* frames left out: the activation above them went on */
    size_t pcs;          /* instruction addresses that were taken */
    uint64_t pcs_inside; /* of these, in a trace */
    uint64_t placed;     /* samples that got an instruction */
};

/* The name of the traces' library. */
#define VF_JIT_LIB "PyPy JIT"

/* The hits of a trace, by its row. */
struct vf_jit_hits vf_jit_row_hits(const struct vf_jit *jit, uint32_t trace);

/* Counts a sample of the program, whose innermost trace is `trace` (VF_NONE: it has none). */
static inline void vf_jit_count_sample(struct vf_jit *jit, uint32_t trace, double weight)
{
    jit->samples += weight;
    if (trace != VF_NONE)
        jit->rows.items[trace].samples += weight;
}

/* Frees it; NULL is fine. */
void vf_jit_free(struct vf_jit *jit);

/* The trace whose code begins at an address of the library; VF_NONE: none. */
uint32_t vf_jit_find_address(const struct vf_jit *jit, uint64_t address);

#endif

/* The instruction at which each sample was taken, where the recording has a column of them
 * (interrupted.i64 in docs/formats/vmfox.md).
 *
 * It says where in its trace or native function a thread was.  And it decides where VMProf's stack
 * says otherwise: VMProf drops native frames where it can't unwind them, and without native frames
 * it takes the innermost trace from what an earlier call has left below the stack pointer.  A trace
 * is named only where the code of exactly one covers the instruction: memory of traces that were
 * freed is used again.
 *
 * What a stack and an instruction give together is found once, for most samples share both. */
#ifndef VF_PROFILE_INSTRUCTIONS_H
#define VF_PROFILE_INSTRUCTIONS_H

#include "capture/rows.h"
#include "profile/jit_build.h"
#include "profile/native.h"
#include "profile/walk.h"

/* What the instruction said of a sample. */
enum vf_instruction_kind {
    VF_INSTRUCTION_UNUSED,        /* nothing: the stack is as VMProf has it */
    VF_INSTRUCTION_IN_TRACE,      /* where in the trace that VMProf names */
    VF_INSTRUCTION_OTHER_TRACE,   /* that another trace is at work than VMProf names */
    VF_INSTRUCTION_MISSING_TRACE, /* that a trace is, where VMProf names none */
    VF_INSTRUCTION_IN_NATIVE,     /* where in the native function that VMProf names */
    VF_INSTRUCTION_BELOW_TRACE,   /* which native function is, where VMProf ends in a trace */
    VF_INSTRUCTION_BELOW_NATIVE,  /* likewise: in its caller */
    VF_INSTRUCTION_BELOW_PYTHON,  /* likewise: in Python code */
    VF_INSTRUCTION_SHARED,        /* nothing: code of several traces has lain there */
    VF_INSTRUCTION_KINDS,
};

/* A stack and an instruction. */
struct vf_instruction {
    uint64_t ip;
    uint32_t raw; /* row of the raw stacks (profile/gather.h) */
    vf_stack_id stack;
    uint32_t trace;  /* the innermost one; VF_NONE: none */
    uint32_t hit;    /* the trace that the instruction is in; VF_NONE: none */
    uint32_t offset; /* in its code */
    uint32_t samples;
    uint8_t kind;        /* enum vf_instruction_kind */
    bool ends_in_native; /* the stack, as VMProf has it */
};

struct vf_instructions {
    struct vf_str rows;
    uint64_t count; /* of rows */
    bool known;     /* some row has an instruction */
    bool native;    /* native functions are wanted */
    bool pypy;
    struct vf_jit_build *jit;
    struct vf_walk *walk;
    struct vf_natives *natives;
    uint64_t *starts, *ends; /* of all traces' code, sorted each; made when first wanted */
    size_t traces;           /* how many of these */
    VF_VEC(struct vf_instruction) seen;
    struct vf_table index;
};

/* Whether the capture tells the instruction of any sample; to be asked before the JIT's log is
 * read. */
bool vf_instructions_known(const struct vf_capture *capture);

/* The parts are used until the release.  Rows that do not fit the samples are warned of. */
void vf_instructions_init(struct vf_instructions *in, const struct vf_capture *capture,
                          const struct vf_scan *scan, struct vf_jit_build *jit,
                          struct vf_walk *walk, struct vf_natives *natives,
                          struct vf_warnings *warnings);
void vf_instructions_release(struct vf_instructions *in);

/* The thread's id and the instruction of the i-th sample; 0: not known. */
static inline struct vf_row_pair vf_instructions_row(const struct vf_instructions *in, uint64_t i)
{
    return i < in->count ? vf_pairs_get(in->rows, i) : (struct vf_row_pair){0, 0};
}

/* What a sample with the list `raw` of frames, which `walked` is of, is with the instruction `ip`;
 * good until the next call.  The caller counts it in `samples`. */
struct vf_instruction *vf_instructions_place(struct vf_instructions *in, uint32_t raw,
                                             const struct vf_walked *walked, uint64_t ip);

/* When all samples are placed: their hits become those of the traces. */
void vf_instructions_count(const struct vf_instructions *in);

/* instruction_facts.c: what Profile Info says of it. */
void vf_instructions_add_facts(const struct vf_instructions *in, struct vf_profile *profile);

#endif

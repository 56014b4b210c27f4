/* How the JIT's traces come into the profile; for profile/build.c and profile/walk.c.  What stays
 * of it is struct vf_jit. */
#ifndef VF_PROFILE_JIT_BUILD_H
#define VF_PROFILE_JIT_BUILD_H

#include "profile/clock.h"
#include "profile/jit.h"
#include "profile/jit_calls.h"
#include "profile/pcs.h"
#include "profile/scan.h"

/* A Python function that a name record tells of. */
struct vf_jit_named {
    struct vf_code_name name;
    uint32_t next1; /* the next one of this name, + 1; behind the first in no order */
};

struct vf_jit_build {
    struct vf_jit *jit; /* NULL: nothing is known of traces, all below is empty */
    struct vf_profile *profile;
    const struct vf_capture *capture;
    const struct vf_scan *scan;
    bool hidden; /* traces get no frames of their own */
    /* By trace, read when they are first asked for. */
    struct vf_jit_code **codes;
    struct vf_jit_calls calls;
    VF_VEC(uint32_t) graph_roots; /* by source: the head of the family that its graph shows */
    VF_VEC(struct vf_jit_named) named;
    struct vf_table named_index; /* the first of each name */
    bool names_indexed;
    struct vf_pcs *pcs; /* the instruction addresses beside the samples */
    bool own_addresses; /* the samples have theirs: those are counted */
    const struct vf_clock *clock;
};

/* Reads the log, and holds it against the samples: one that belongs to another run is said and not
 * used. */
void vf_jit_build_init(struct vf_jit_build *b, struct vf_profile *profile,
                       const struct vf_capture *capture, const struct vf_scan *scan,
                       const struct vf_clock *clock, struct vf_pcs *pcs, bool own_addresses,
                       struct vf_warnings *warnings);
void vf_jit_build_release(struct vf_jit_build *b);

/* The trace of an assembler frame's value; VF_NONE: none. */
uint32_t vf_jit_build_find(const struct vf_jit_build *b, uint64_t value);

/* The operations of a trace; lives as long as `b`. */
const struct vf_jit_code *vf_jit_build_code(struct vf_jit_build *b, uint32_t trace);

/* The trace's function, made when it is first asked for. */
vf_func_id vf_jit_build_func(struct vf_jit_build *b, uint32_t trace);
/* A frame in it.  `offset` is that of the instruction in its code, 0 where that is not known. */
vf_frame_id vf_jit_build_frame(struct vf_jit_build *b, uint32_t trace, uint32_t offset);

/* ---- activations ----------------------------------------------------------------------------- */

/* True for a group of frames that VMProf has made up.  Where a thread is at work in compiled code
 * itself, VMProf takes the trace from the program counter and then walks the stack, in which the
 * first entry is that very code's; it takes that entry's trace from the return address of a call
 * that it is not in (rpython/rlib/rvmprof/src/shared/vmp_stack.c, _write_python_stack_entry), which
 * is what some earlier call has left there: often an address in another trace.  So of the last two
 * groups in such a sample, `outer` and `inner`, the outer one is left out unless it can have called
 * the inner one. */
bool vf_jit_build_is_left_over(struct vf_jit_build *b, uint32_t outer, uint32_t inner);

/* Whether the function `function`, which is at work in the trace `inner`, is the same activation as
 * the one that `outer`, which has called assembler code, was at work for.
 *
 * The tracer inlines a call and then meets a loop in the callee that is compiled already: it leaves
 * the rest of the callee to that loop and calls it as assembler (rpython/jit/metainterp/pyjitpl.py,
 * opimpl_jit_merge_point).  A real call that is not inlined is compiled likewise
 * (_opimpl_recursive_call), but goes to code that begins at the function's first bytecode.  So it
 * is asked where the traces begin that `outer` calls: all of those in this function elsewhere than
 * at the first bytecode, then its activation goes on.  Where they differ, or none is known, the
 * beginning of the family decides that `inner` belongs to. */
bool vf_jit_build_continues(struct vf_jit_build *b, uint32_t outer, uint32_t inner,
                            struct vf_str function);

/* ---- instruction addresses (jit_pcs.c, pc_thread.c) ------------------------------------------ */

/* Gives each address its trace, and counts them unless the samples have addresses of their own. */
void vf_jit_pcs_read(struct vf_jit_build *b);
/* The stack with the instruction that was seen in the thread `tid` at `mono_ns`, where the leaf of
 * `stack` is the frame of `trace`; the same stack when none was.  The lines of the functions that
 * are at work in the trace come with it. */
vf_stack_id vf_jit_pcs_place(struct vf_jit_build *b, vf_stack_id stack, uint32_t trace,
                             uint64_t tid, int64_t mono_ns);
/* The same for an instruction that is known, by its offset in the trace's code. */
vf_stack_id vf_jit_place_at(struct vf_jit_build *b, vf_stack_id stack, uint32_t trace,
                            uint32_t offset);
struct vf_walk;
/* Adds the thread with all addresses: in traces, in native functions, elsewhere. */
void vf_pc_thread_add(struct vf_jit_build *b, struct vf_walk *walk);

/* Counts the samples anew, by the weights that they have in the end. */
void vf_jit_count_samples(struct vf_jit_build *b);

/* ---- what is said (jit_facts.c) -------------------------------------------------------------- */

void vf_jit_facts_add(struct vf_jit_build *b);

#endif

/* Where in the program an instruction of a trace is; for the files that put
 * instructions into stacks. */
#ifndef VF_PROFILE_JIT_PCS_H
#define VF_PROFILE_JIT_PCS_H

#include "profile/jit_build.h"

/* Functions inlined into each other in one trace; deeper ones are damage. */
enum { VF_JIT_FRAMES_MAX = 128 };

/* The functions at work at an instruction, innermost first.  A bridge's outer ones are those of the
 * guard it hangs on, and so on up to the loop. */
struct vf_jit_chain {
    const struct vf_jit_place *places[VF_JIT_FRAMES_MAX];
    size_t count; /* 0: not known */
};

void vf_jit_find_chain(struct vf_jit_build *b, uint32_t trace, uint32_t offset,
                       struct vf_jit_chain *chain);

/* True where a name record's file, which may be cut, is `file`. */
bool vf_jit_same_file(struct vf_str recorded, struct vf_str file);

/* True where a function of the profile's is the one that `place` names. */
bool vf_jit_is_function(const struct vf_profile *profile, vf_func_id func,
                        const struct vf_jit_place *place);

/* The stack with the lines of `chain` in its leaves; frames of traces between them stay as they
 * are.  It stops at the first function that is another one. */
vf_stack_id vf_jit_put_lines(struct vf_jit_build *b, vf_stack_id stack,
                             const struct vf_jit_chain *chain);

struct vf_walk;
/* jit_names.c: a frame of compiled code at that place; `outermost`: the function that runs into it,
 * else one that is inlined there. */
vf_frame_id vf_jit_place_frame(struct vf_jit_build *b, struct vf_walk *walk,
                               const struct vf_jit_place *place, bool outermost);

#endif

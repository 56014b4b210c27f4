/* Which compiled code leads where: calls of it, and jumps from one trace to another; for jit.c and
 * jit_calls.c. */
#ifndef VF_PROFILE_JIT_CALLS_H
#define VF_PROFILE_JIT_CALLS_H

#include "base/table.h"
#include "capture/jit_traces.h"

struct vf_jit_edge {
    uint32_t from, to; /* rows of traces; of a jump: of the heads of their families */
};

/* An answer of vf_jit_calls_reach(), kept. */
struct vf_jit_reach {
    uint32_t from, root;
    bool reached;
};

struct vf_jit_calls {
    const struct vf_jit_traces *traces;
    VF_VEC(struct vf_jit_edge) calls, jumps; /* by from and to, each once */
    VF_VEC(struct vf_jit_reach) known;
    struct vf_table known_index;
};

/* Walks over the log once. */
void vf_jit_calls_init(struct vf_jit_calls *calls, const struct vf_jit_traces *traces);
void vf_jit_calls_release(struct vf_jit_calls *calls);

/* The traces that `from` calls: how many, and the first of their edges. */
size_t vf_jit_calls_of(const struct vf_jit_calls *calls, uint32_t from,
                       const struct vf_jit_edge **first);

/* True when code that `from` calls can come to be in the family of `trace`, by jumps and bridges,
 * without another call. */
bool vf_jit_calls_reach(struct vf_jit_calls *calls, uint32_t from, uint32_t trace);

#endif

/* The samples of a VMProf file as columns: what the first pass keeps of them, so that the file's
 * bytes are touched once.
 *
 * A sample's frames are most of its bytes, and most samples have frames that another one had
 * before.  So each different list of frames is kept once, as a slice of the file, and a sample is
 * the number of its list: 4 bytes.  What the frames mean is found out later, once a list, when all
 * names are known (profile/walk.h).
 *
 * Columns that say nothing are empty: threads while all samples are of one, times where the file
 * has none. */
#ifndef VF_PROFILE_GATHER_H
#define VF_PROFILE_GATHER_H

#include "base/mem.h"
#include "base/table.h"
#include "capture/vmprof.h"

/* A list of frames, leaf first as in the file; `vf_raw_stack_sample()` makes it readable. */
struct vf_raw_stack {
    const unsigned char *frames; /* in the file's bytes */
    uint32_t words, depth;       /* as in struct vf_sample */
};

/* Samples one behind the other that all told of the same memory. */
struct vf_raw_memory {
    uint64_t first, last; /* samples */
    uint64_t kb;
};

/* Set in a row of `samples` that is a sampled allocation. */
#define VF_RAW_ALLOCATION 0x80000000u

struct vf_gathered {
    VF_VEC(struct vf_raw_stack) stacks;
    VF_VEC(uint32_t) samples;    /* in the file's order: a row of `stacks`, and the bit above */
    VF_VEC(uint32_t) threads;    /* for each sample a row of `thread_ids`; empty: all of row 0 */
    VF_VEC(uint64_t) thread_ids; /* as the file has them */
    VF_VEC(int64_t) times_ns;    /* for each sample; empty: the file has none */
    VF_VEC(struct vf_raw_memory) memory;
    struct vf_table stack_index, thread_index;
    uint32_t last_thread;
    uint64_t left_out; /* samples beyond the most different lists that can be told apart */
};

/* Adds a sample; `addr_bytes` is what a word of its frames takes in the file. */
void vf_gathered_add(struct vf_gathered *g, const struct vf_sample *sample, unsigned addr_bytes,
                     bool is_allocation);
/* Frees what is only needed while samples are added. */
void vf_gathered_freeze(struct vf_gathered *g);
void vf_gathered_release(struct vf_gathered *g);

/* The row of the i-th sample's list in `stacks`. */
static inline uint32_t vf_gathered_stack(const struct vf_gathered *g, size_t i)
{
    return g->samples.items[i] & ~VF_RAW_ALLOCATION;
}
static inline bool vf_gathered_is_allocation(const struct vf_gathered *g, size_t i)
{
    return (g->samples.items[i] & VF_RAW_ALLOCATION) != 0;
}
/* The thread's number in the file; 0 where it has none. */
static inline uint64_t vf_gathered_thread(const struct vf_gathered *g, size_t i)
{
    return g->thread_ids.items[g->threads.len ? g->threads.items[i] : 0];
}
/* A list as vf_vmprof_frame() reads it. */
static inline struct vf_sample vf_raw_stack_sample(const struct vf_raw_stack *stack)
{
    return (struct vf_sample){
        .frames = stack->frames, .words = stack->words, .depth = stack->depth};
}

#endif

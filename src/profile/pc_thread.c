/* The thread of all instruction addresses. */
#include "profile/jit_build.h"
#include "profile/jit_pcs.h"
#include "profile/walk.h"

/* ---- stacks ---------------------------------------------------------------------------------- */

static vf_stack_id stack_inside(struct vf_jit_build *b, struct vf_walk *walk,
                                const struct vf_pc *pc)
{
    struct vf_stacks *stacks = &b->profile->stacks;
    struct vf_jit_chain chain;
    vf_stack_id stack = {VF_NONE};
    vf_jit_find_chain(b, pc->trace, pc->offset, &chain);
    for (size_t i = chain.count; i > 0; i--)
        stack = vf_stacks_push(stacks, stack,
                               vf_jit_place_frame(b, walk, chain.places[i - 1], i == chain.count));
    if (b->hidden && stack.i != VF_NONE)
        return stack;
    return vf_stacks_push(stacks, stack, vf_jit_build_frame(b, pc->trace, pc->offset));
}

/* Outside of traces: who has called the function there is not known. */
static vf_stack_id stack_outside(struct vf_jit_build *b, struct vf_natives *natives, uint64_t ip)
{
    struct vf_stacks *stacks = &b->profile->stacks;
    vf_stack_id stack = vf_natives_push(natives, (vf_stack_id){VF_NONE}, ip);
    if (stack.i != VF_NONE)
        return stack;
    struct vf_frame_row row = vf_natives_outside(natives, vf_maps_find(&natives->maps, ip));
    return vf_stacks_push(stacks, stack, vf_stacks_frame(stacks, row));
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* A pair of trace and offset, and its stack. */
struct seen {
    uint32_t trace, offset;
    vf_stack_id stack;
};

struct seen_pairs {
    VF_VEC(struct seen) pairs;
    struct vf_table index;
};

/* Each pair has one stack: found once. */
static vf_stack_id find_inside(struct vf_jit_build *b, struct vf_walk *walk,
                               struct seen_pairs *seen, const struct vf_pc *pc)
{
    uint64_t hash = vf_hash_u64(pc->trace, pc->offset);
    struct vf_probe probe = vf_table_probe(&seen->index, hash);
    uint32_t row;
    while (vf_table_next(&seen->index, &probe, &row))
        if (seen->pairs.items[row].trace == pc->trace &&
            seen->pairs.items[row].offset == pc->offset)
            return seen->pairs.items[row].stack;
    vf_stack_id stack = stack_inside(b, walk, pc);
    vf_table_insert(&seen->index, hash, (uint32_t)seen->pairs.len);
    VF_APPEND(&seen->pairs, ((struct seen){pc->trace, pc->offset, stack}));
    return stack;
}

static int by_time(const void *a, const void *b)
{
    const struct vf_sample_row *x = a, *y = b;
    return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

void vf_pc_thread_add(struct vf_jit_build *b, struct vf_walk *walk)
{
    struct seen_pairs seen = {0};
    if (b->pcs->v.len == 0)
        return;
    struct vf_thread *thread = VF_PUSH(&b->profile->threads);
    thread->name = vf_strings_add(&b->profile->strings, VF_STR("Machine code (pc samples)"));
    thread->is_addresses = true;
    for (size_t i = 0; i < b->pcs->v.len; i++) {
        const struct vf_pc *pc = &b->pcs->v.items[i];
        double time_ms = vf_clock_ms(b->clock, pc->mono_ns);
        if (pc->outside || !(time_ms >= 0 && time_ms <= b->profile->run_ms))
            continue;
        vf_stack_id stack = pc->trace == VF_NONE ? stack_outside(b, walk->natives, pc->ip)
                                                 : find_inside(b, walk, &seen, pc);
        VF_APPEND(&thread->samples, ((struct vf_sample_row){time_ms, stack, 1, 0}));
    }
    if (thread->samples.len)
        qsort(thread->samples.items, thread->samples.len, sizeof *thread->samples.items, by_time);
    free(seen.pairs.items);
    vf_table_release(&seen.index);
}

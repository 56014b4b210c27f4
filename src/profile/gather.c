#include "profile/gather.h"

#include "profile/ids.h"

/* `size` is what the frames take in the file.  VF_NONE: there are too many. */
static uint32_t find_stack(struct vf_gathered *g, const struct vf_sample *sample, size_t size)
{
    uint64_t hash = vf_hash_bytes(sample->frames, size);
    struct vf_probe probe = vf_table_probe(&g->stack_index, hash);
    uint32_t row;
    while (vf_table_next(&g->stack_index, &probe, &row)) {
        const struct vf_raw_stack *stack = &g->stacks.items[row];
        if (stack->words == sample->words && stack->depth == sample->depth &&
            memcmp(stack->frames, sample->frames, size) == 0)
            return row;
    }
    if (g->stacks.len >= VF_RAW_ALLOCATION)
        return VF_NONE;
    row = (uint32_t)g->stacks.len;
    VF_APPEND(&g->stacks, ((struct vf_raw_stack){sample->frames, sample->words, sample->depth}));
    vf_table_insert(&g->stack_index, hash, row);
    return row;
}

static uint32_t find_thread(struct vf_gathered *g, uint64_t id)
{
    if (g->thread_ids.len && g->thread_ids.items[g->last_thread] == id)
        return g->last_thread; /* most samples are of the thread before */
    uint64_t hash = vf_hash_u64(id, 0);
    struct vf_probe probe = vf_table_probe(&g->thread_index, hash);
    uint32_t row;
    while (vf_table_next(&g->thread_index, &probe, &row))
        if (g->thread_ids.items[row] == id)
            return g->last_thread = row;
    row = (uint32_t)g->thread_ids.len;
    VF_APPEND(&g->thread_ids, id);
    vf_table_insert(&g->thread_index, hash, row);
    return g->last_thread = row;
}

/* The column begins with the second thread: until then it says nothing. */
static void add_thread(struct vf_gathered *g, uint64_t id)
{
    uint32_t thread = find_thread(g, id);
    if (thread && g->threads.len == 0)
        while (g->threads.len + 1 < g->samples.len)
            VF_APPEND(&g->threads, 0);
    if (g->threads.len || thread)
        VF_APPEND(&g->threads, thread);
}

static void add_memory(struct vf_gathered *g, uint64_t kb)
{
    uint64_t at = g->samples.len - 1;
    struct vf_raw_memory *last = g->memory.len ? &g->memory.items[g->memory.len - 1] : NULL;
    if (last && last->kb == kb)
        last->last = at;
    else
        VF_APPEND(&g->memory, ((struct vf_raw_memory){at, at, kb}));
}

void vf_gathered_add(struct vf_gathered *g, const struct vf_sample *sample, unsigned addr_bytes,
                     bool is_allocation)
{
    uint32_t stack = find_stack(g, sample, (size_t)sample->words * addr_bytes);
    if (stack == VF_NONE) {
        g->left_out++;
        return;
    }
    VF_APPEND(&g->samples, stack | (is_allocation ? VF_RAW_ALLOCATION : 0));
    add_thread(g, sample->thread);
    if (sample->has_time) {
        while (g->times_ns.len + 1 < g->samples.len) /* a header that came late */
            VF_APPEND(&g->times_ns, 0);
        VF_APPEND(&g->times_ns, sample->time_ns);
    }
    if (sample->has_memory && !is_allocation)
        add_memory(g, sample->memory_kb);
}

void vf_gathered_freeze(struct vf_gathered *g)
{
    vf_table_release(&g->stack_index);
    vf_table_release(&g->thread_index);
}

void vf_gathered_release(struct vf_gathered *g)
{
    vf_gathered_freeze(g);
    free(g->stacks.items);
    free(g->samples.items);
    free(g->threads.items);
    free(g->thread_ids.items);
    free(g->times_ns.items);
    free(g->memory.items);
    *g = (struct vf_gathered){0};
}

#include "profile/stacks.h"

static bool same_frame(const struct vf_frame_row *a, const struct vf_frame_row *b)
{
    return a->func.i == b->func.i && a->native.i == b->native.i && a->address == b->address &&
           a->line == b->line && a->category == b->category && a->subcategory == b->subcategory &&
           a->inline_depth == b->inline_depth;
}

vf_frame_id vf_stacks_frame(struct vf_stacks *s, struct vf_frame_row frame)
{
    uint64_t hash = vf_hash_u64((uint64_t)frame.func.i << 32 | frame.line,
                                (uint64_t)frame.address << 16 ^ (uint64_t)frame.inline_depth << 56 ^
                                    (uint64_t)(frame.category << 8 | frame.subcategory));
    struct vf_probe probe = vf_table_probe(&s->frame_index, hash);
    uint32_t row;
    while (vf_table_next(&s->frame_index, &probe, &row))
        if (same_frame(&s->frames.items[row], &frame))
            return (vf_frame_id){row};
    row = (uint32_t)s->frames.len;
    VF_APPEND(&s->frames, frame);
    vf_table_insert(&s->frame_index, hash, row);
    return (vf_frame_id){row};
}

vf_stack_id vf_stacks_push(struct vf_stacks *s, vf_stack_id parent, vf_frame_id frame)
{
    uint64_t hash = vf_stacks_hash((struct vf_stack_row){parent, frame});
    struct vf_probe probe = vf_table_probe(&s->stack_index, hash);
    uint32_t row;
    while (vf_table_next(&s->stack_index, &probe, &row)) {
        const struct vf_stack_row *x = &s->stacks.items[row];
        if (x->parent.i == parent.i && x->frame.i == frame.i)
            return (vf_stack_id){row};
    }
    row = (uint32_t)s->stacks.len;
    VF_APPEND(&s->stacks, ((struct vf_stack_row){parent, frame}));
    vf_table_insert(&s->stack_index, hash, row);
    return (vf_stack_id){row};
}

void vf_stacks_release(struct vf_stacks *s)
{
    free(s->frames.items);
    free(s->stacks.items);
    vf_table_release(&s->frame_index);
    vf_table_release(&s->stack_index);
    *s = (struct vf_stacks){0};
}

/* Frames and stacks.
 *
 * A frame is a func at a line or address, with the category of the time spent there; a stack is a
 * frame below another stack.  Both are tables of unique rows; a stack's parent always stands
 * before it. */
#ifndef VF_PROFILE_STACKS_H
#define VF_PROFILE_STACKS_H

#include "profile/funcs.h"

/* Rows of the front-end's category list; output/firefox.c gives them colours. */
enum vf_category {
    VF_CATEGORY_OTHER,
    VF_CATEGORY_PYTHON,
    VF_CATEGORY_JIT,
    VF_CATEGORY_NATIVE,
    VF_CATEGORY_GC,
    VF_CATEGORY_INTERPRETER,
    VF_CATEGORY_JIT_COMPILATION, /* tracing, optimising, backend */
    VF_CATEGORY_COUNT,
};

/* Subcategories of VF_CATEGORY_JIT; 0 is "Other" in every category. */
enum {
    VF_JIT_COMPILED = 1, /* the function that runs into compiled code */
    VF_JIT_INLINED = 2,  /* a function inside a trace */
    VF_JIT_LOOPS = 3,    /* a trace itself */
    VF_JIT_BRIDGES = 4,
};

struct vf_frame_row {
    vf_func_id func;
    vf_native_id native; /* VF_NONE: none */
    int64_t address;     /* relative to the func's library; -1: none */
    uint32_t line;       /* 0: not known */
    uint8_t category, subcategory;
    uint8_t inline_depth; /* 0: a function itself, 1: inlined into it, and so on */
};

struct vf_stack_row {
    vf_stack_id parent; /* VF_NONE: a root */
    vf_frame_id frame;
};

struct vf_stacks {
    VF_VEC(struct vf_frame_row) frames;
    VF_VEC(struct vf_stack_row) stacks;
    struct vf_table frame_index, stack_index;
};

/* For stack_index. */
static inline uint64_t vf_stacks_hash(struct vf_stack_row row)
{
    return vf_hash_u64(row.parent.i, row.frame.i);
}

vf_frame_id vf_stacks_frame(struct vf_stacks *s, struct vf_frame_row frame);
vf_stack_id vf_stacks_push(struct vf_stacks *s, vf_stack_id parent, vf_frame_id frame);
void vf_stacks_release(struct vf_stacks *s);

#endif

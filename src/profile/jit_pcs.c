#include "profile/jit_pcs.h"

/* ---- reading --------------------------------------------------------------------------------- */

static int by_trace_and_offset(const void *a, const void *b)
{
    const struct vf_pc *const *x = a, *const *y = b;
    if ((*x)->trace != (*y)->trace)
        return (*x)->trace < (*y)->trace ? -1 : 1;
    return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

static void find_traces(struct vf_jit_build *b)
{
    const struct vf_jit *jit = b->jit;
    for (size_t i = 0; i < b->pcs->v.len; i++) {
        struct vf_pc *pc = &b->pcs->v.items[i];
        const struct vf_jit_trace *trace = vf_jit_traces_find(&jit->traces, pc->ip);
        if (!trace || trace->code_end - trace->code_start > INT32_MAX)
            continue;
        pc->trace = vf_jit_traces_row(&jit->traces, trace);
        pc->offset = (uint32_t)(pc->ip - trace->code_start);
    }
}

static bool is_counted(const struct vf_pc *pc)
{
    return pc->trace != VF_NONE && !pc->outside;
}

static void count_hits(struct vf_jit *jit, const struct vf_pcs *pcs)
{
    size_t n = 0;
    jit->pcs = pcs->inside;
    for (size_t i = 0; i < pcs->v.len; i++)
        jit->pcs_inside += is_counted(&pcs->v.items[i]);
    const struct vf_pc **order = vf_alloc(jit->pcs_inside, sizeof *order);
    for (size_t i = 0; i < pcs->v.len; i++)
        if (is_counted(&pcs->v.items[i]))
            order[n++] = &pcs->v.items[i];
    if (n)
        qsort(order, n, sizeof *order, by_trace_and_offset);
    for (size_t i = 0; i < n; i++) {
        struct vf_jit_row *row = &jit->rows.items[order[i]->trace];
        row->pcs++;
        if (row->count == 0)
            row->first = (uint32_t)jit->hits.len;
        if (row->count && jit->hits.items[jit->hits.len - 1].offset == order[i]->offset) {
            jit->hits.items[jit->hits.len - 1].count++;
            continue;
        }
        VF_APPEND(&jit->hits, ((struct vf_jit_hit){order[i]->offset, 1}));
        row->count++;
    }
    free(order);
}

void vf_jit_pcs_read(struct vf_jit_build *b)
{
    if (b->pcs->v.len == 0)
        return;
    find_traces(b);
    if (!b->own_addresses)
        count_hits(b->jit, b->pcs);
}

/* ---- where in the program -------------------------------------------------------------------- */

/* Calls that are walked through for one chain; more are damage. */
enum { STEPS_MAX = 32 * VF_JIT_FRAMES_MAX };

static void add_point(struct vf_jit_chain *chain, const struct vf_jit_code *code,
                      const struct vf_jit_point *point, uint32_t *skip, uint32_t *steps)
{
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_OPTIMISED];
    while (++*steps < STEPS_MAX) {
        if (*skip)
            --*skip;
        else if (chain->count < VF_JIT_FRAMES_MAX)
            chain->places[chain->count++] = &point->place;
        if (point->caller1 == 0)
            break;
        point = &stage->points.items[point->caller1 - 1];
    }
    *skip += point->inherit;
}

void vf_jit_find_chain(struct vf_jit_build *b, uint32_t trace, uint32_t offset,
                       struct vf_jit_chain *chain)
{
    const struct vf_jit_code *code = vf_jit_build_code(b, trace);
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_ASSEMBLED];
    uint32_t at = vf_jit_code_find(code, offset), skip = 0, steps = 0;
    const struct vf_jit_op *op = at < stage->ops.len ? &stage->ops.items[at] : NULL;
    chain->count = 0;
    if (at == VF_JIT_EXITS) /* which guard has failed is not known */
        return;
    while (chain->count < VF_JIT_FRAMES_MAX && ++steps < STEPS_MAX) {
        const struct vf_jit_point *point = op ? vf_jit_code_point(code, op) : NULL;
        if (point)
            add_point(chain, code, point, &skip, &steps);
        const struct vf_jit_trace *info = &b->jit->traces.traces.items[trace];
        if (info->parent1 == 0)
            return;
        trace = info->parent1 - 1;
        code = vf_jit_build_code(b, trace);
        op = vf_jit_code_guard(code, info->guard);
    }
}

bool vf_jit_same_file(struct vf_str recorded, struct vf_str file)
{
    if (recorded.len != VF_PYPY_NAME_MAX || !vf_str_ends(recorded, VF_STR("...")))
        return vf_str_eq(recorded, file);
    return file.len > VF_PYPY_NAME_MAX && memcmp(recorded.ptr, file.ptr, VF_PYPY_NAME_KEPT) == 0;
}

/* ---- the instruction of a sample ------------------------------------------------------------- */

static bool is_in_trace(const void *context, const struct vf_pc *pc)
{
    return pc->trace == *(const uint32_t *)context;
}

bool vf_jit_is_function(const struct vf_profile *p, vf_func_id id, const struct vf_jit_place *place)
{
    const struct vf_func *func = &p->funcs.funcs.items[id.i];
    if (!vf_str_eq(vf_strings_get(&p->strings, func->name), place->function))
        return false;
    return func->source.i == VF_NONE ||
           vf_jit_same_file(
               vf_strings_get(&p->strings, p->funcs.sources.items[func->source.i].path),
               place->file);
}

vf_stack_id vf_jit_put_lines(struct vf_jit_build *b, vf_stack_id stack,
                             const struct vf_jit_chain *chain)
{
    struct vf_stacks *stacks = &b->profile->stacks;
    vf_frame_id frames[2 * VF_JIT_FRAMES_MAX];
    size_t count = 0, done = 0;
    while (stack.i != VF_NONE && count < 2 * VF_JIT_FRAMES_MAX && done < chain->count) {
        struct vf_stack_row row = stacks->stacks.items[stack.i];
        struct vf_frame_row frame = stacks->frames.items[row.frame.i];
        vf_lib_id lib = b->profile->funcs.funcs.items[frame.func.i].lib;
        if (lib.i == VF_NONE || lib.i != b->jit->lib.i) {
            if (!vf_jit_is_function(b->profile, frame.func, chain->places[done]))
                break;
            frame.line = chain->places[done++]->line;
        }
        frames[count++] = vf_stacks_frame(stacks, frame);
        stack = row.parent;
    }
    while (count > 0)
        stack = vf_stacks_push(stacks, stack, frames[--count]);
    return stack;
}

vf_stack_id vf_jit_place_at(struct vf_jit_build *b, vf_stack_id stack, uint32_t trace,
                            uint32_t offset)
{
    struct vf_stacks *stacks = &b->profile->stacks;
    struct vf_jit_chain chain;
    vf_jit_find_chain(b, trace, offset, &chain);
    if (b->hidden)
        return vf_jit_put_lines(b, stack, &chain);
    struct vf_stack_row leaf = stacks->stacks.items[stack.i];
    if (stacks->frames.items[leaf.frame.i].func.i != b->jit->rows.items[trace].func.i)
        return stack;
    vf_stack_id above = vf_jit_put_lines(b, leaf.parent, &chain);
    return vf_stacks_push(stacks, above, vf_jit_build_frame(b, trace, offset));
}

vf_stack_id vf_jit_pcs_place(struct vf_jit_build *b, vf_stack_id stack, uint32_t trace,
                             uint64_t tid, int64_t mono_ns)
{
    if (stack.i == VF_NONE)
        return stack;
    const struct vf_pc *pc = vf_pcs_near(b->pcs, tid, mono_ns, is_in_trace, &trace);
    if (!pc || pc->offset == 0)
        return stack;
    b->jit->placed++;
    return vf_jit_place_at(b, stack, trace, pc->offset);
}

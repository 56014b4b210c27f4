#include "profile/instructions.h"

#include "profile/jit_pcs.h"

bool vf_instructions_known(const struct vf_capture *capture)
{
    for (size_t i = 0; i < vf_pairs_count(capture->interrupted); i++)
        if (vf_pairs_get(capture->interrupted, i).second)
            return true;
    return false;
}

void vf_instructions_init(struct vf_instructions *in, const struct vf_capture *capture,
                          const struct vf_scan *scan, struct vf_jit_build *jit,
                          struct vf_walk *walk, struct vf_natives *natives,
                          struct vf_warnings *warnings)
{
    uint64_t samples = scan->samples + scan->allocations;
    *in = (struct vf_instructions){
        .rows = capture->interrupted,
        .count = vf_pairs_count(capture->interrupted),
        .known = jit->own_addresses,
        .native = (scan->header.mode & VF_MODE_NATIVE) != 0,
        .pypy = vf_str_eq(scan->header.interpreter, VF_STR("pypy")),
        .jit = jit,
        .walk = walk,
        .natives = natives,
    };
    if (in->rows.len && in->count != samples)
        vf_warn(warnings, "threads and instructions of %llu samples, there are %llu",
                (unsigned long long)in->count, (unsigned long long)samples);
}

void vf_instructions_release(struct vf_instructions *in)
{
    free(in->starts);
    free(in->ends);
    free(in->seen.items);
    vf_table_release(&in->index);
}

/* ---- which trace ----------------------------------------------------------------------------- */

static bool has_code(const struct vf_jit_trace *trace)
{
    return trace->code_end > trace->code_start && trace->code_end - trace->code_start <= INT32_MAX;
}

static bool has_traces(const struct vf_instructions *in)
{
    return in->jit->jit && in->jit->jit->present;
}

static const struct vf_jit_trace *trace_of(const struct vf_instructions *in, uint32_t row)
{
    return &in->jit->jit->traces.traces.items[row];
}

static int by_address(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sort_bounds(struct vf_instructions *in)
{
    size_t count = in->jit->jit->rows.len;
    in->starts = vf_alloc(count, sizeof *in->starts);
    in->ends = vf_alloc(count, sizeof *in->ends);
    for (uint32_t i = 0; i < count; i++) {
        const struct vf_jit_trace *trace = trace_of(in, i);
        if (!has_code(trace))
            continue;
        in->starts[in->traces] = trace->code_start;
        in->ends[in->traces++] = trace->code_end;
    }
    if (in->traces) {
        qsort(in->starts, in->traces, sizeof *in->starts, by_address);
        qsort(in->ends, in->traces, sizeof *in->ends, by_address);
    }
}

/* How many of the sorted addresses are at most `address`. */
static size_t count_to(const uint64_t *sorted, size_t count, uint64_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of how many traces the code has lain there. */
static size_t count_covering(struct vf_instructions *in, uint64_t ip)
{
    if (!has_traces(in))
        return 0;
    if (!in->starts)
        sort_bounds(in);
    return count_to(in->starts, in->traces, ip) - count_to(in->ends, in->traces, ip);
}

static bool covers(const struct vf_instructions *in, uint32_t row, uint64_t ip)
{
    const struct vf_jit_trace *trace = trace_of(in, row);
    return has_code(trace) && ip >= trace->code_start && ip < trace->code_end;
}

/* ---- a trace that VMProf does not name ------------------------------------------------------- */

static struct vf_func *func_of(const struct vf_instructions *in, vf_stack_id stack)
{
    struct vf_profile *p = in->jit->profile;
    vf_frame_id frame = p->stacks.stacks.items[stack.i].frame;
    return &p->funcs.funcs.items[p->stacks.frames.items[frame.i].func.i];
}

/* The Python function that the end of the stack is at work for, through native ones; VF_NONE:
 * compiled code is, or nobody. */
static vf_stack_id find_python(const struct vf_instructions *in, vf_stack_id stack)
{
    while (stack.i != VF_NONE && func_of(in, stack)->lib.i != VF_NONE) {
        if (func_of(in, stack)->lib.i == in->jit->jit->lib.i)
            return (vf_stack_id){VF_NONE};
        stack = in->jit->profile->stacks.stacks.items[stack.i].parent;
    }
    return stack;
}

/* Whether the function in which the trace runs is the one that the stack ends with. */
static bool runs_in(const struct vf_instructions *in, vf_stack_id stack,
                    const struct vf_jit_place *outermost)
{
    const struct vf_profile *p = in->jit->profile;
    vf_stack_id python = find_python(in, stack);
    if (!outermost || python.i == VF_NONE)
        return false;
    vf_frame_id frame = p->stacks.stacks.items[python.i].frame;
    return vf_jit_is_function(p, p->stacks.frames.items[frame.i].func, outermost);
}

/* The stack whose leaf, a Python function, is at work in compiled code. */
static vf_stack_id in_compiled(struct vf_instructions *in, vf_stack_id stack)
{
    struct vf_stacks *stacks = &in->jit->profile->stacks;
    struct vf_stack_row row = stacks->stacks.items[stack.i];
    struct vf_frame_row frame = stacks->frames.items[row.frame.i];
    if (frame.category != VF_CATEGORY_PYTHON && frame.category != VF_CATEGORY_JIT)
        return stack;
    if (frame.category == VF_CATEGORY_PYTHON)
        frame.subcategory = VF_JIT_COMPILED;
    frame.category = VF_CATEGORY_JIT;
    return vf_stacks_push(stacks, row.parent, vf_stacks_frame(stacks, frame));
}

/* Which trace has called the code at the end of the stack; VF_NONE: none. */
static uint32_t caller_of(const struct vf_walked *walked, bool kept)
{
    if (kept)
        return walked->ends_in_trace ? walked->trace : VF_NONE;
    return walked->base_trace;
}

/* True where the compiled code that VMProf's stack ends with is to stay: it may have called the
 * trace, and the trace does not run in the function below which that code stands. */
static bool stays(struct vf_instructions *in, const struct vf_walked *walked, uint32_t trace,
                  const struct vf_jit_place *outermost)
{
    if (!walked->ends_compiled)
        return true;
    return walked->ends_in_trace && !runs_in(in, walked->base, outermost) &&
           vf_jit_calls_reach(&in->jit->calls, walked->trace, trace);
}

/* The functions of `chain` on the stack, outermost first.  Where the
 * outermost is not the one that must be, none of them is sure. */
static vf_stack_id push_chain(struct vf_instructions *in, vf_stack_id stack, uint32_t caller,
                              uint32_t trace, const struct vf_jit_chain *chain)
{
    struct vf_stacks *stacks = &in->jit->profile->stacks;
    size_t left = chain->count;
    const struct vf_jit_place *outermost = left ? chain->places[left - 1] : NULL;
    if (caller != VF_NONE && outermost) {
        if (!vf_jit_calls_reach(&in->jit->calls, caller, trace))
            return stack;
        if (vf_jit_build_continues(in->jit, caller, trace, outermost->function))
            left--;
    } else if (runs_in(in, stack, outermost)) {
        stack = in_compiled(in, stack);
        left--;
    } else {
        return stack;
    }
    for (; left > 0; left--)
        stack = vf_stacks_push(
            stacks, stack, vf_jit_place_frame(in->jit, in->walk, chain->places[left - 1], false));
    return stack;
}

/* The stack with the trace at work, which VMProf does not name, in place of what VMProf takes for
 * it. */
static vf_stack_id name_trace(struct vf_instructions *in, const struct vf_walked *walked,
                              uint32_t trace, uint32_t offset)
{
    const struct vf_jit_traces *traces = &in->jit->jit->traces;
    struct vf_jit_chain chain;
    vf_jit_find_chain(in->jit, trace, offset, &chain);
    const struct vf_jit_place *outermost =
        chain.count ? chain.places[chain.count - 1]
                    : vf_jit_trace_place(traces, trace_of(in, trace_of(in, trace)->root));
    bool kept = stays(in, walked, trace, outermost);
    vf_stack_id stack = kept ? walked->stack : walked->base;
    if (chain.count)
        stack = vf_jit_put_lines(
            in->jit, push_chain(in, stack, caller_of(walked, kept), trace, &chain), &chain);
    else if (runs_in(in, stack, outermost))
        stack = in_compiled(in, stack);
    if (in->jit->hidden)
        return stack.i == VF_NONE ? walked->stack : stack;
    return vf_stacks_push(&in->jit->profile->stacks, stack,
                          vf_jit_build_frame(in->jit, trace, offset));
}

static void place_in_trace(struct vf_instructions *in, const struct vf_walked *walked,
                           uint32_t trace, struct vf_instruction *out)
{
    out->hit = out->trace = trace;
    out->offset = (uint32_t)(out->ip - trace_of(in, trace)->code_start);
    if (walked->ends_in_trace && walked->trace == trace) {
        out->kind = VF_INSTRUCTION_IN_TRACE;
        if (out->offset)
            out->stack = vf_jit_place_at(in->jit, walked->stack, trace, out->offset);
        return;
    }
    out->kind = walked->ends_in_trace ? VF_INSTRUCTION_OTHER_TRACE : VF_INSTRUCTION_MISSING_TRACE;
    out->stack = name_trace(in, walked, trace, out->offset);
}

/* ---- native functions ------------------------------------------------------------------------ */

/* A function that is at work below the stack's end, and that VMProf has dropped.  On CPython a
 * stack without it is right where that is the loop over bytecodes, so its name must be known. */
static void place_below(struct vf_instructions *in, const struct vf_walked *walked,
                        const struct vf_native_stack *at, struct vf_instruction *out)
{
    bool in_python = !walked->ends_compiled && !walked->ends_in_native;
    if (at->is_eval || (in_python && !in->pypy && !at->is_named))
        return;
    out->kind = walked->ends_compiled    ? VF_INSTRUCTION_BELOW_TRACE
                : walked->ends_in_native ? VF_INSTRUCTION_BELOW_NATIVE
                                         : VF_INSTRUCTION_BELOW_PYTHON;
    out->stack = vf_natives_push(in->natives, walked->stack, out->ip);
}

static void place_in_native(struct vf_instructions *in, const struct vf_walked *walked,
                            struct vf_instruction *out)
{
    if (!in->native)
        return;
    struct vf_native_stack at = vf_natives_at(in->natives, out->ip);
    if (at.count == 0 || at.is_sampler)
        return;
    enum vf_native_fit fit = VF_NATIVE_CALLEE;
    if (walked->ends_in_native)
        fit = vf_natives_fit(in->natives, walked->stack, walked->native, walked->native_end, &at);
    vf_stack_id parent = {VF_NONE};
    if (walked->ends_in_native)
        parent = in->jit->profile->stacks.stacks.items[walked->stack.i].parent;
    switch (fit) {
    case VF_NATIVE_CALLEE:
        place_below(in, walked, &at, out);
        break;
    case VF_NATIVE_LEAF:
        out->kind = VF_INSTRUCTION_IN_NATIVE;
        out->stack = vf_natives_push(in->natives, parent, out->ip);
        break;
    case VF_NATIVE_UNNAMED:
        out->kind = VF_INSTRUCTION_IN_NATIVE;
        out->stack = vf_natives_push_same(in->natives, walked->stack, out->ip);
        break;
    case VF_NATIVE_UNSURE:
        break;
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void place(struct vf_instructions *in, const struct vf_walked *walked,
                  struct vf_instruction *out)
{
    size_t covering = count_covering(in, out->ip);
    if (!walked->in_program)
        return;
    if (covering > 1 && walked->ends_in_trace && covers(in, walked->trace, out->ip)) {
        place_in_trace(in, walked, walked->trace, out);
    } else if (covering > 1) {
        out->kind = VF_INSTRUCTION_SHARED;
    } else if (covering == 1) {
        const struct vf_jit_trace *trace = vf_jit_traces_find(&in->jit->jit->traces, out->ip);
        if (trace && has_code(trace))
            place_in_trace(in, walked, vf_jit_traces_row(&in->jit->jit->traces, trace), out);
    } else {
        place_in_native(in, walked, out);
    }
}

struct vf_instruction *vf_instructions_place(struct vf_instructions *in, uint32_t raw,
                                             const struct vf_walked *walked, uint64_t ip)
{
    uint64_t hash = vf_hash_u64(ip, raw);
    struct vf_probe probe = vf_table_probe(&in->index, hash);
    uint32_t row;
    while (vf_table_next(&in->index, &probe, &row))
        if (in->seen.items[row].ip == ip && in->seen.items[row].raw == raw)
            return &in->seen.items[row];
    vf_table_insert(&in->index, hash, (uint32_t)in->seen.len);
    struct vf_instruction *made = VF_PUSH(&in->seen);
    made->ip = ip;
    made->raw = raw;
    made->stack = walked->stack;
    made->trace = walked->trace;
    made->hit = VF_NONE;
    made->ends_in_native = walked->ends_in_native;
    place(in, walked, made);
    return made;
}

static int by_place(const void *a, const void *b)
{
    const struct vf_instruction *const *x = a, *const *y = b;
    if ((*x)->hit != (*y)->hit)
        return (*x)->hit < (*y)->hit ? -1 : 1;
    return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

static void add_hit(struct vf_jit *jit, const struct vf_instruction *at)
{
    struct vf_jit_row *row = &jit->rows.items[at->hit];
    row->pcs += at->samples;
    jit->pcs_inside += at->samples;
    jit->placed += at->samples;
    if (row->count == 0)
        row->first = (uint32_t)jit->hits.len;
    if (row->count && jit->hits.items[jit->hits.len - 1].offset == at->offset) {
        jit->hits.items[jit->hits.len - 1].count += at->samples;
        return;
    }
    VF_APPEND(&jit->hits, ((struct vf_jit_hit){at->offset, at->samples}));
    row->count++;
}

void vf_instructions_count(const struct vf_instructions *in)
{
    struct vf_jit *jit = in->jit->jit;
    if (!jit || !in->known)
        return;
    const struct vf_instruction **order = vf_alloc(in->seen.len, sizeof *order);
    size_t count = 0;
    for (size_t i = 0; i < in->seen.len; i++) {
        jit->pcs += in->seen.items[i].samples;
        if (in->seen.items[i].hit != VF_NONE && in->seen.items[i].samples)
            order[count++] = &in->seen.items[i];
    }
    if (count)
        qsort(order, count, sizeof *order, by_place);
    for (size_t i = 0; i < count; i++)
        add_hit(jit, order[i]);
    free(order);
}

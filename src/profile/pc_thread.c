/* The thread of all instruction addresses. */
#include "profile/jit_build.h"
#include "profile/jit_pcs.h"
#include "profile/walk.h"

/* ---- functions by name ----------------------------------------------------------------------- */

static struct vf_jit_named *find_named(const struct vf_jit_build *b, struct vf_str name)
{
    struct vf_probe probe = vf_table_probe(&b->named_index, vf_hash_bytes(name.ptr, name.len));
    uint32_t row;
    while (vf_table_next(&b->named_index, &probe, &row))
        if (vf_str_eq(b->named.items[row].name.name, name))
            return &b->named.items[row];
    return NULL;
}

static void index_names(struct vf_jit_build *b)
{
    const struct vf_scan *scan = b->scan;
    if (b->named.len)
        return;
    for (size_t i = 0; i < scan->names.len; i++) {
        struct vf_jit_named named = {.name = vf_code_name_parse(scan->names.items[i].text)};
        if (scan->names.items[i].is_native || !vf_str_eq(named.name.lang, VF_STR("py")))
            continue;
        struct vf_jit_named *first = find_named(b, named.name.name);
        if (first) {
            named.next1 = first->next1;
            first->next1 = (uint32_t)b->named.len + 1;
        } else {
            vf_table_insert(&b->named_index,
                            vf_hash_bytes(named.name.name.ptr, named.name.name.len),
                            (uint32_t)b->named.len);
        }
        VF_APPEND(&b->named, named);
    }
}

/* The function that a place in the program belongs to: of those of this name in the file the one
 * that begins last before the line. */
static const struct vf_code_name *find_name(struct vf_jit_build *b,
                                            const struct vf_jit_place *place)
{
    enum { LOOK_AT = 1000 };
    const struct vf_code_name *best = NULL;
    const struct vf_jit_named *named = find_named(b, place->function);
    for (int i = 0; i < LOOK_AT && named; i++) {
        const struct vf_code_name *name = &named->name;
        if (name->line <= place->line && (!best || best->line < name->line) &&
            vf_jit_same_file(name->file, place->file))
            best = name;
        named = named->next1 ? &b->named.items[named->next1 - 1] : NULL;
    }
    return best;
}

static vf_frame_id place_frame(struct vf_jit_build *b, struct vf_walk *walk,
                               const struct vf_jit_place *place, bool outermost)
{
    const struct vf_code_name *found = find_name(b, place);
    struct vf_code_name name = {.lang = VF_STR("py"), .name = place->function, .file = place->file};
    struct vf_frame_row row = {
        .func = vf_walk_func(walk, found ? found : &name),
        .native = {VF_NONE},
        .address = -1,
        .line = place->line,
        .category = VF_CATEGORY_JIT,
        .subcategory = outermost ? VF_JIT_COMPILED : VF_JIT_INLINED,
    };
    return vf_stacks_frame(&b->profile->stacks, row);
}

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
                               place_frame(b, walk, chain.places[i - 1], i == chain.count));
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

/* Each pair of trace and offset has one stack: found once. */
static vf_stack_id *stack_of_hit(const struct vf_jit *jit, vf_stack_id *stacks,
                                 const struct vf_pc *pc)
{
    const struct vf_jit_row *row = &jit->rows.items[pc->trace];
    size_t low = row->first, high = low + row->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (jit->hits.items[middle].offset <= pc->offset)
            low = middle;
        else
            high = middle;
    }
    return &stacks[low];
}

static int by_time(const void *a, const void *b)
{
    const struct vf_sample_row *x = a, *y = b;
    return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

void vf_pc_thread_add(struct vf_jit_build *b, struct vf_walk *walk)
{
    struct vf_jit *jit = b->jit;
    size_t hits = jit ? jit->hits.len : 0;
    if (b->pcs->v.len == 0)
        return;
    index_names(b);
    vf_stack_id *known = vf_alloc(hits, sizeof *known);
    memset(known, 0xff, hits * sizeof *known);
    struct vf_thread *thread = VF_PUSH(&b->profile->threads);
    thread->name = vf_strings_add(&b->profile->strings, VF_STR("Machine code (pc samples)"));
    thread->is_addresses = true;
    for (size_t i = 0; i < b->pcs->v.len; i++) {
        const struct vf_pc *pc = &b->pcs->v.items[i];
        vf_stack_id stack;
        double time_ms = vf_clock_ms(b->clock, pc->mono_ns);
        if (pc->outside || !(time_ms >= 0 && time_ms <= b->profile->run_ms))
            continue;
        if (pc->trace == VF_NONE) {
            stack = stack_outside(b, walk->natives, pc->ip);
        } else {
            vf_stack_id *slot = stack_of_hit(jit, known, pc);
            if (slot->i == VF_NONE)
                *slot = stack_inside(b, walk, pc);
            stack = *slot;
        }
        VF_APPEND(&thread->samples, ((struct vf_sample_row){time_ms, stack, 1, 0}));
    }
    if (thread->samples.len)
        qsort(thread->samples.items, thread->samples.len, sizeof *thread->samples.items, by_time);
    free(known);
}

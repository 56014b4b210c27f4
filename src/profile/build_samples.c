#include "profile/build_parts.h"

#include "base/progress.h"

/* ---- samples ----------------------------------------------------------------------------------
 */

/* What the file says of a sample's time; 0: nothing. */
static int64_t told_ns(const struct vf_build *b, uint64_t index)
{
    const struct vf_gathered *g = &b->scan.gathered;
    return index < g->times_ns.len ? g->times_ns.items[index] : 0;
}

static double sample_ms(struct vf_build *b, uint64_t index)
{
    return vf_clock_sample_ms(&b->clock, index, told_ns(b, index));
}

static struct vf_counter *add_memory_counter(struct vf_build *b)
{
    struct vf_counter *counter = VF_PUSH(&b->profile->counters);
    counter->name = "Memory";
    counter->category = "Memory";
    counter->description = "Resident memory of the process";
    counter->unit = "bytes";
    counter->color = "orange";
    counter->rows_label = "resident memory";
    return counter;
}

/* What the recorder has read, on the stamps' clock.  Of a level that lasts the first row and the
 * last are kept. */
static void add_read_memory(struct vf_build *b)
{
    struct vf_counter *counter = NULL;
    struct vf_row_pair before = {0, 0};
    struct vf_str rows = b->capture->memory;
    double end_ms = b->clock.run_ms > b->clock.last_ms ? b->clock.run_ms : b->clock.last_ms;
    for (size_t i = 0, count = vf_pairs_count(rows); i < count; i++) {
        struct vf_row_pair row = vf_pairs_get(rows, i);
        double time_ms = vf_clock_ms(&b->clock, (int64_t)row.first);
        bool ends = i + 1 == count || vf_pairs_get(rows, i + 1).second != row.second;
        if (!(time_ms >= 0 && time_ms <= end_ms) || row.second > INT64_MAX)
            continue;
        if (counter && !ends && before.second == row.second)
            continue;
        if (!counter)
            counter = add_memory_counter(b);
        VF_APPEND(&counter->rows, ((struct vf_counter_row){time_ms, (double)row.second}));
        before = row;
    }
}

/* What VMProf has noted with the samples. */
static void add_noted_memory(struct vf_build *b)
{
    const struct vf_gathered *g = &b->scan.gathered;
    if (g->memory.len == 0)
        return;
    struct vf_counter *counter = add_memory_counter(b);
    for (size_t i = 0; i < g->memory.len; i++) {
        const struct vf_raw_memory *level = &g->memory.items[i];
        double bytes = (double)level->kb * 1024;
        VF_APPEND(&counter->rows, ((struct vf_counter_row){sample_ms(b, level->first), bytes}));
        /* A level that lasts is two rows, its first and its last: between rows the front-end draws
         * a straight line. */
        if (level->last != level->first)
            VF_APPEND(&counter->rows, ((struct vf_counter_row){sample_ms(b, level->last), bytes}));
    }
}

/* What the sample's frames mean; found out when a sample has them for the first time. */
static const struct vf_walked *find_walked(struct vf_build *b, size_t index)
{
    uint32_t row = vf_gathered_stack(&b->scan.gathered, index);
    struct vf_walked_stack *walked = &b->walked[row];
    if (!walked->known) {
        struct vf_sample sample = vf_raw_stack_sample(&b->scan.gathered.stacks.items[row]);
        walked->is = vf_walk_sample(&b->walk, &sample);
        walked->known = walked->thread_known = true;
    }
    return &walked->is;
}

/* The number of the thread whose frames they are; the rest is not looked at. */
static uint64_t find_root(struct vf_build *b, size_t index)
{
    uint32_t row = vf_gathered_stack(&b->scan.gathered, index);
    struct vf_walked_stack *walked = &b->walked[row];
    if (!walked->thread_known) {
        struct vf_sample sample = vf_raw_stack_sample(&b->scan.gathered.stacks.items[row]);
        walked->is.thread = vf_walk_thread(&b->walk, &sample);
        walked->thread_known = true;
    }
    return walked->is.thread;
}

static void count_traces(struct vf_jit *jit, const struct vf_walked *walked)
{
    jit->asm_frames += walked->asm_frames;
    jit->unowned += walked->unowned;
    jit->continued += walked->continued;
    jit->left_over += walked->left_over;
}

/* When a sample was on the stamps' clock; damaged ones can be of any time. */
static int64_t mono_ns(const struct vf_clock *clock, double time_ms)
{
    const double most_ms = 4e12; /* half of what fits: others are a little later than it */
    int64_t ns = (int64_t)((time_ms < most_ms ? time_ms : most_ms) * 1e6), sum;
    if (__builtin_add_overflow(clock->zero_ns, ns, &sum) || sum > INT64_MAX / 2)
        return INT64_MAX / 2;
    return sum < INT64_MIN / 2 ? INT64_MIN / 2 : sum;
}

static void add_memory(struct vf_build *b)
{
    if (vf_pairs_count(b->capture->memory) && b->clock.source == VF_CLOCK_ARRIVAL)
        add_read_memory(b);
    else
        add_noted_memory(b);
}

/* The sample's stack, with the instruction where one was seen at its time; for recordings in which
 * samples have no instruction of their own. */
static vf_stack_id place(struct vf_build *b, const struct vf_walked *walked, uint64_t tid,
                         double time_ms)
{
    if (walked->ends_in_trace)
        return vf_jit_pcs_place(&b->jit, walked->stack, walked->trace, tid,
                                mono_ns(&b->clock, time_ms));
    if (walked->ends_in_native)
        return vf_natives_place(&b->natives, walked->stack, walked->native, walked->native_end, tid,
                                mono_ns(&b->clock, time_ms));
    return walked->stack;
}

static void add_row(struct vf_build *b, size_t index, struct vf_thread *thread, double time_ms,
                    vf_stack_id stack, uint32_t trace)
{
    const struct vf_gathered *g = &b->scan.gathered;
    double weight = 1;
    if (g->times_ns.len) {
        weight = vf_weights_next(&b->weights, vf_gathered_thread(g, index), told_ns(b, index));
        thread->weighted |= weight != 1;
    }
    if (b->jit.jit && stack.i != VF_OUTSIDE && !b->thread_keys.items[b->last_key].outside)
        vf_jit_count_sample(b->jit.jit, trace, weight);
    VF_APPEND(&thread->samples, ((struct vf_sample_row){time_ms, stack, (float)weight, 0}));
    if (b->clock.source == VF_CLOCK_SPREAD) /* there is but one gap */
        return;
    /* A timer of wall time goes off in every thread, all but at the same moment. */
    if (thread->is_main || !(b->scan.header.mode & VF_MODE_REAL_TIME))
        vf_gaps_add(b->gaps, time_ms);
}

/* A sample outside of the window: only when it was, and in which thread, is of importance. */
static void add_outside(struct vf_build *b, size_t index, double time_ms)
{
    const struct vf_gathered *g = &b->scan.gathered;
    struct vf_thread *thread = vf_build_find_thread(
        b, find_root(b, index), vf_instructions_row(&b->instructions, index).first,
        vf_gathered_thread(g, index), time_ms);
    if (!vf_gathered_is_allocation(g, index))
        add_row(b, index, thread, time_ms, (vf_stack_id){VF_OUTSIDE}, VF_NONE);
}

/* The stack and the innermost trace of a sample in the window. */
static vf_stack_id find_stack(struct vf_build *b, size_t index, const struct vf_walked *walked,
                              uint64_t ip, uint64_t tid, double time_ms, uint32_t *trace)
{
    *trace = walked->trace;
    if (!b->instructions.known)
        return place(b, walked, tid, time_ms);
    if (ip == 0)
        return walked->stack;
    struct vf_instruction *found = vf_instructions_place(
        &b->instructions, vf_gathered_stack(&b->scan.gathered, index), walked, ip);
    found->samples++;
    *trace = found->trace;
    return found->stack;
}

static void add_sample(struct vf_build *b, size_t index)
{
    const struct vf_gathered *g = &b->scan.gathered;
    double time_ms = sample_ms(b, index);
    if (!vf_window_has_time(&b->options.window, time_ms)) {
        add_outside(b, index, time_ms);
        return;
    }
    const struct vf_walked *walked = find_walked(b, index);
    struct vf_row_pair row = vf_instructions_row(&b->instructions, index);
    struct vf_thread *thread =
        vf_build_find_thread(b, walked->thread, row.first, vf_gathered_thread(g, index), time_ms);
    bool outside = b->thread_keys.items[b->last_key].outside;
    if (b->jit.jit && !outside)
        count_traces(b->jit.jit, walked);
    if (vf_gathered_is_allocation(g, index)) {
        VF_APPEND(&thread->allocations,
                  ((struct vf_allocation_row){time_ms, walked->stack, b->sample_bytes}));
        return;
    }
    uint32_t trace = walked->trace;
    vf_stack_id stack = walked->stack;
    if (!outside)
        stack = find_stack(b, index, walked, row.second, thread->tid, time_ms, &trace);
    add_row(b, index, thread, time_ms, stack, trace);
}

void vf_build_add_samples(struct vf_build *b)
{
    b->walked = vf_alloc_zeroed(b->scan.gathered.stacks.len, sizeof *b->walked);
    vf_progress_begin("joining samples", VF_PROGRESS_SAMPLES, b->scan.gathered.samples.len);
    for (size_t i = 0; i < b->scan.gathered.samples.len; i++) {
        if (vf_progress_due(i))
            vf_progress_set(i);
        add_sample(b, i);
    }
    if (b->profile->threads.len == 0)
        vf_build_find_thread(b, 0, 0, 0, 0);
    vf_instructions_count(&b->instructions);
    add_memory(b);
    free(b->walked);
}

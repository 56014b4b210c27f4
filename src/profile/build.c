#include "profile/build.h"

#include "base/progress.h"
#include "profile/clock.h"
#include "profile/coverage.h"
#include "profile/cpu.h"
#include "profile/facts.h"
#include "profile/jit_findings.h"
#include "profile/runtime.h"
#include "profile/walk.h"

#include <stdio.h>

struct thread_key {
    uint64_t root, id;
    uint32_t thread; /* row of profile->threads */
};

/* What a list of raw frames means. */
struct walked_stack {
    struct vf_walked is;
    bool known;
};

struct build {
    struct vf_profile *profile;
    const struct vf_capture *capture;
    struct vf_build_options options;
    struct vf_scan scan;
    struct vf_clock clock;
    struct vf_jit_build jit;
    struct vf_pcs pcs;
    struct vf_natives natives;
    struct vf_walk walk;
    struct walked_stack *walked; /* by row of scan.gathered.stacks */
    struct vf_weights weights;
    struct vf_gaps *gaps;
    bool has_main;
    struct vf_table told_index;   /* of the names in the capture: by number, or by tid */
    struct vf_table thread_index; /* by (root id, file's id) to a row of thread_keys */
    VF_VEC(struct thread_key) thread_keys;
    uint32_t last_key; /* most samples are of the thread before */
    double sample_bytes;
};

/* ---- threads ----------------------------------------------------------------------------------
 */

static uint64_t told_hash(uint64_t number, uint64_t tid)
{
    return vf_hash_u64(number, number ? 0 : tid);
}

/* What the capture tells of a thread, by the number in its root frame or, without one, its id. */
static const struct vf_thread_name *find_told(const struct build *b, uint64_t number, uint64_t tid)
{
    struct vf_probe probe = vf_table_probe(&b->told_index, told_hash(number, tid));
    uint32_t row;
    while (vf_table_next(&b->told_index, &probe, &row)) {
        const struct vf_thread_name *told = &b->capture->info.threads.items[row];
        if (told->number == number && (number || told->tid == tid))
            return told;
    }
    return NULL;
}

static void index_told(struct build *b)
{
    const struct vf_capture_info *info = &b->capture->info;
    for (size_t i = 0; i < info->threads.len; i++) {
        const struct vf_thread_name *told = &info->threads.items[i];
        if (!find_told(b, told->number, told->tid))
            vf_table_insert(&b->told_index, told_hash(told->number, told->tid), (uint32_t)i);
    }
}

/* The recorder's threads carry a number in their root frame (`root`); without one the file's own
 * number tells threads apart: 0 for all on PyPy, the address of the thread's state on CPython.
 * There, the thread seen first is the main one. */
static struct vf_thread *new_thread(struct build *b, uint64_t root, uint64_t id)
{
    struct vf_profile *profile = b->profile;
    const struct vf_capture_info *info = &b->capture->info;
    struct vf_thread *thread = VF_PUSH(&profile->threads);
    if (profile->threads.len == 1) /* it has most samples, or all */
        VF_RESERVE(&thread->samples, b->scan.samples);
    char made[64];
    struct vf_str name = VF_STR("");
    thread->is_main = root == 0 && !b->has_main;
    b->has_main |= thread->is_main;
    thread->tid = root ? root : thread->is_main && info->pid ? info->pid : id;
    const struct vf_thread_name *told = find_told(b, root, thread->tid);
    if (told) {
        thread->tid = told->tid;
        name = told->name;
    }
    if (name.len == 0) {
        snprintf(made, sizeof made, thread->is_main ? "MainThread" : "Thread %llu",
                 (unsigned long long)thread->tid);
        name = vf_str_from(made);
    }
    thread->name = vf_strings_add(&profile->strings, name);
    return thread;
}

static struct vf_thread *find_thread(struct build *b, uint64_t root, uint64_t id)
{
    struct vf_profile *profile = b->profile;
    if (root)
        id = 0; /* the root's number is enough, and CPython's number is used again by later threads
                 */
    if (b->thread_keys.len) {
        const struct thread_key *last = &b->thread_keys.items[b->last_key];
        if (last->root == root && last->id == id)
            return &profile->threads.items[last->thread];
    }
    uint64_t hash = vf_hash_u64(root, id);
    struct vf_probe probe = vf_table_probe(&b->thread_index, hash);
    uint32_t row;
    while (vf_table_next(&b->thread_index, &probe, &row)) {
        const struct thread_key *key = &b->thread_keys.items[row];
        if (key->root == root && key->id == id) {
            b->last_key = row;
            return &profile->threads.items[key->thread];
        }
    }
    b->last_key = (uint32_t)b->thread_keys.len;
    vf_table_insert(&b->thread_index, hash, b->last_key);
    VF_APPEND(&b->thread_keys, ((struct thread_key){root, id, (uint32_t)profile->threads.len}));
    return new_thread(b, root, id);
}

/* ---- samples ----------------------------------------------------------------------------------
 */

/* What the file says of a sample's time; 0: nothing. */
static int64_t told_ns(const struct build *b, uint64_t index)
{
    const struct vf_gathered *g = &b->scan.gathered;
    return index < g->times_ns.len ? g->times_ns.items[index] : 0;
}

static double sample_ms(struct build *b, uint64_t index)
{
    return vf_clock_sample_ms(&b->clock, index, told_ns(b, index));
}

static void add_memory(struct build *b)
{
    const struct vf_gathered *g = &b->scan.gathered;
    if (g->memory.len == 0)
        return;
    struct vf_counter *counter = VF_PUSH(&b->profile->counters);
    counter->name = "Memory";
    counter->category = "Memory";
    counter->description = "Resident memory of the process";
    counter->unit = "bytes";
    counter->color = "orange";
    counter->rows_label = "resident memory";
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
static const struct vf_walked *find_walked(struct build *b, size_t index)
{
    uint32_t row = b->scan.gathered.samples.items[index] & ~VF_RAW_ALLOCATION;
    struct walked_stack *walked = &b->walked[row];
    if (!walked->known) {
        struct vf_sample sample = vf_raw_stack_sample(&b->scan.gathered.stacks.items[row]);
        walked->is = vf_walk_sample(&b->walk, &sample);
        walked->known = true;
    }
    return &walked->is;
}

static void count_traces(struct vf_jit *jit, const struct vf_walked *walked)
{
    jit->asm_frames += walked->asm_frames;
    jit->unowned += walked->unowned;
    jit->continued += walked->continued;
    jit->left_over += walked->left_over;
}

/* The sample's stack, with the instruction where one was seen. */
static vf_stack_id place(struct build *b, const struct vf_walked *walked, uint64_t tid,
                         double time_ms)
{
    int64_t mono_ns = b->clock.zero_ns + (int64_t)(time_ms * 1e6);
    if (walked->ends_in_trace)
        return vf_jit_pcs_place(&b->jit, walked->stack, walked->trace, tid, mono_ns);
    if (walked->ends_in_native)
        return vf_natives_place(&b->natives, walked->stack, walked->native, walked->native_end, tid,
                                mono_ns);
    return walked->stack;
}

static void add_sample(struct build *b, size_t index)
{
    const struct vf_gathered *g = &b->scan.gathered;
    const struct vf_walked *walked = find_walked(b, index);
    struct vf_thread *thread = find_thread(b, walked->thread, vf_gathered_thread(g, index));
    double time_ms = sample_ms(b, index), weight = 1;
    if (b->jit.jit)
        count_traces(b->jit.jit, walked);
    if (g->samples.items[index] & VF_RAW_ALLOCATION) {
        VF_APPEND(&thread->allocations,
                  ((struct vf_allocation_row){time_ms, walked->stack, b->sample_bytes}));
        return;
    }
    if (g->times_ns.len) {
        weight = vf_weights_next(&b->weights, vf_gathered_thread(g, index), told_ns(b, index));
        thread->weighted |= weight != 1;
    }
    vf_stack_id stack = place(b, walked, thread->tid, time_ms);
    if (b->jit.jit)
        vf_jit_count_sample(b->jit.jit, walked->trace, weight);
    VF_APPEND(&thread->samples, ((struct vf_sample_row){time_ms, stack, (float)weight, 0}));
    /* A timer of wall time goes off in every thread, all but at the same moment. */
    if (thread->is_main || !(b->scan.header.mode & VF_MODE_REAL_TIME))
        vf_gaps_add(b->gaps, time_ms);
}

static void add_samples(struct build *b)
{
    b->walked = vf_alloc_zeroed(b->scan.gathered.stacks.len, sizeof *b->walked);
    vf_progress_begin("joining samples", VF_PROGRESS_SAMPLES, b->scan.gathered.samples.len);
    for (size_t i = 0; i < b->scan.gathered.samples.len; i++) {
        if (vf_progress_due(i))
            vf_progress_set(i);
        add_sample(b, i);
    }
    add_memory(b);
    free(b->walked);
}

/* ---- order ------------------------------------------------------------------------------------
 */

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The front-end wants times that do not fall.  They fall where two threads' buffers were written in
 * another order than they were filled. */
static void sort_rows(void *rows, size_t count, size_t size)
{
    const char *p = rows;
    for (size_t i = 1; i < count; i++)
        if (by_time(p + (i - 1) * size, p + i * size) > 0) {
            qsort(rows, count, size, by_time);
            return;
        }
}

static int by_main_and_id(const void *a, const void *b)
{
    const struct vf_thread *x = a, *y = b;
    if (x->is_main != y->is_main)
        return x->is_main ? -1 : 1;
    return (x->tid > y->tid) - (x->tid < y->tid);
}

static void put_in_order(struct vf_profile *profile)
{
    _Static_assert(offsetof(struct vf_sample_row, time_ms) == 0, "by_time() reads the time first");
    _Static_assert(offsetof(struct vf_allocation_row, time_ms) == 0, "likewise");
    _Static_assert(offsetof(struct vf_counter_row, time_ms) == 0, "likewise");
    for (size_t i = 0; i < profile->threads.len; i++) {
        struct vf_thread *t = &profile->threads.items[i];
        sort_rows(t->samples.items, t->samples.len, sizeof *t->samples.items);
        sort_rows(t->allocations.items, t->allocations.len, sizeof *t->allocations.items);
    }
    for (size_t i = 0; i < profile->counters.len; i++)
        sort_rows(profile->counters.items[i].rows.items, profile->counters.items[i].rows.len,
                  sizeof *profile->counters.items[i].rows.items);
    if (profile->threads.len)
        qsort(profile->threads.items, profile->threads.len, sizeof *profile->threads.items,
              by_main_and_id);
}

/* ---- sources ----------------------------------------------------------------------------------
 */

static struct vf_str source_name(const struct vf_source_text *source)
{
    return source->real_path.len ? source->real_path : source->path;
}

static const struct vf_source_text *
find_source(const struct vf_table *index, const struct vf_capture *capture, struct vf_str path)
{
    struct vf_probe probe = vf_table_probe(index, vf_hash_bytes(path.ptr, path.len));
    uint32_t row;
    while (vf_table_next(index, &probe, &row))
        if (vf_str_eq(source_name(&capture->sources.items[row]), path))
            return &capture->sources.items[row];
    return NULL;
}

static void add_source_texts(struct vf_profile *profile, const struct vf_capture *capture)
{
    struct vf_table index = {0};
    for (size_t i = 0; i < capture->sources.len; i++) {
        struct vf_str path = source_name(&capture->sources.items[i]);
        if (!find_source(&index, capture, path))
            vf_table_insert(&index, vf_hash_bytes(path.ptr, path.len), (uint32_t)i);
    }
    for (size_t i = 0; i < profile->funcs.sources.len; i++) {
        struct vf_source *source = &profile->funcs.sources.items[i];
        const struct vf_source_text *found =
            find_source(&index, capture, vf_strings_get(&profile->strings, source->path));
        if (found)
            source->text = found->text.ptr ? found->text : VF_STR("");
    }
    vf_table_release(&index);
}

/* ---- the runtime ------------------------------------------------------------------------------
 */

/* The thread just added, to stand behind the main one. */
static void move_up(struct vf_profile *profile)
{
    size_t n = profile->threads.len;
    struct vf_thread added = profile->threads.items[n - 1];
    if (n < 3)
        return;
    memmove(&profile->threads.items[2], &profile->threads.items[1],
            (n - 2) * sizeof *profile->threads.items);
    profile->threads.items[1] = added;
}

static void add_runtime(struct build *b, struct vf_runtime *runtime)
{
    struct vf_profile *profile = b->profile;
    if (!runtime->shown)
        return;
    if (!b->options.no_phases)
        vf_runtime_label_samples(runtime, b->capture, &b->clock, b->scan.header.mode);
    vf_runtime_add_thread(runtime);
    vf_runtime_add_markers(runtime, &profile->threads.items[profile->threads.len - 1].markers);
    move_up(profile);
}

/* Beside what the runtime did, where that is known. */
static void add_findings(struct build *b)
{
    struct vf_profile *profile = b->profile;
    bool runtime = profile->threads.len > 1 && profile->threads.items[1].is_runtime;
    vf_jit_findings_add_markers(&b->jit, &profile->threads.items[runtime ? 1 : 0].markers);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static void finish(struct build *b, struct vf_warnings *warnings)
{
    struct vf_profile *profile = b->profile;
    double median = b->clock.source == VF_CLOCK_SPREAD ? b->clock.step_ms : vf_gaps_median(b->gaps);
    profile->start_time_ms = b->clock.start_time_ms;
    profile->end_ms = b->clock.run_ms > b->clock.last_ms ? b->clock.run_ms : b->clock.last_ms;
    profile->interval_ms = median > 0 ? median : (double)b->scan.header.period_us / 1e3;
    if (!(profile->interval_ms > 0))
        profile->interval_ms = 1;
    if (profile->threads.len == 0)
        find_thread(b, 0, 0);
    vf_progress_begin("joining what else was recorded", VF_PROGRESS_PARTS, 0);
    put_in_order(profile);
    add_source_texts(profile, b->capture);
    enum vf_cpu_source cpu = vf_cpu_fill(profile, b->capture->cpu, &b->clock, &b->scan.header);
    struct vf_coverage coverage;
    vf_coverage_run(&coverage, profile, b->capture, &b->clock, &b->scan.header);
    vf_jit_count_samples(&b->jit);
    struct vf_runtime runtime;
    vf_runtime_init(&runtime, profile, b->capture, &b->clock, warnings);
    add_runtime(b, &runtime);
    vf_jit_findings_find(&b->jit);
    add_findings(b);
    vf_pc_thread_add(&b->jit, &b->walk);
    struct vf_facts facts = {
        .capture = b->capture,
        .scan = &b->scan,
        .clock = &b->clock,
        .median_gap_ms = vf_gaps_median(b->gaps),
        .cpu = cpu,
        .lost_ns = b->weights.lost_ns,
        .frames_folded = b->walk.frames_folded,
        .frames_max = b->walk.frames_max,
        .unnamed_code = b->walk.unnamed_code,
        .natives = &b->natives,
    };
    vf_facts_add(profile, &facts, warnings);
    vf_coverage_add_facts(&coverage, profile, &b->scan.header);
    vf_runtime_add_facts(&runtime);
    vf_jit_facts_add(&b->jit);
    vf_runtime_release(&runtime);
    vf_profile_freeze(profile);
}

enum vf_status vf_profile_build(struct vf_profile *profile, const struct vf_capture *capture,
                                const struct vf_build_options *options,
                                struct vf_warnings *warnings, struct vf_error *error)
{
    struct build b = {.profile = profile, .capture = capture};
    if (options)
        b.options = *options;
    *profile = (struct vf_profile){0};
    enum vf_status status = vf_scan_run(&b.scan, capture->prof, error);
    if (status == VF_FATAL)
        return status;
    size_t warned = warnings ? warnings->count : 0;
    uint64_t bytes = 0;
    if (vf_str_to_u64(vf_scan_meta(&b.scan, VF_STR("sample_allocated_bytes")), 10, &bytes))
        b.sample_bytes = (double)bytes;
    b.gaps = vf_alloc_zeroed(1, sizeof *b.gaps);
    vf_clock_init(&b.clock, capture, &b.scan, warnings);
    vf_pcs_read(&b.pcs, capture, &b.clock);
    vf_jit_build_init(&b.jit, profile, capture, &b.scan, &b.clock, &b.pcs, warnings);
    b.jit.hidden = b.options.no_traces;
    vf_natives_init(&b.natives, profile, capture, &b.scan, b.options.symbolizer, &b.pcs);
    vf_walk_init(&b.walk, profile, &b.scan, capture, &b.jit, &b.natives);
    vf_weights_init(&b.weights, &b.scan.header);
    index_told(&b);
    add_samples(&b);
    finish(&b, warnings);
    vf_walk_release(&b.walk);
    vf_natives_release(&b.natives);
    vf_pcs_release(&b.pcs);
    vf_jit_build_release(&b.jit);
    vf_weights_release(&b.weights);
    vf_scan_release(&b.scan);
    vf_table_release(&b.thread_index);
    vf_table_release(&b.told_index);
    free(b.thread_keys.items);
    free(b.gaps);
    return warnings && warnings->count > warned ? VF_WARN : status;
}

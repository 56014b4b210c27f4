#include "base/progress.h"
#include "profile/build_parts.h"
#include "profile/coverage.h"
#include "profile/cpu.h"
#include "profile/facts.h"
#include "profile/jit_findings.h"
#include "profile/runtime.h"
#include "profile/thin.h"

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

static void add_runtime(struct vf_build *b, struct vf_runtime *runtime)
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
static void add_findings(struct vf_build *b)
{
    struct vf_profile *profile = b->profile;
    size_t at = 0;
    while (at < profile->threads.len && !profile->threads.items[at].is_runtime)
        at++;
    if (at == profile->threads.len)
        at = 0;
    if (profile->threads.len)
        vf_jit_findings_add_markers(&b->jit, &profile->threads.items[at].markers);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static void set_times(struct vf_build *b)
{
    struct vf_profile *profile = b->profile;
    double median = b->clock.source == VF_CLOCK_SPREAD ? b->clock.step_ms : vf_gaps_median(b->gaps);
    profile->start_time_ms = b->clock.start_time_ms;
    profile->run_ms = b->clock.run_ms > b->clock.last_ms ? b->clock.run_ms : b->clock.last_ms;
    profile->end_ms = profile->run_ms;
    profile->interval_ms = median > 0 ? median : (double)b->scan.header.period_us / 1e3;
    if (!(profile->interval_ms > 0))
        profile->interval_ms = 1;
}

/* The runtime and the instruction addresses beside the samples, and of all this what lies in the
 * window. */
static void join(struct vf_build *b, struct vf_runtime *runtime, struct vf_warnings *warnings)
{
    struct vf_profile *profile = b->profile;
    const struct vf_window *window = &b->options.window;
    add_runtime(b, runtime);
    vf_window_apply(window, profile);
    vf_jit_count_samples(&b->jit);
    vf_jit_findings_find(&b->jit);
    add_findings(b);
    vf_pc_thread_add(&b->jit, &b->walk);
    vf_window_drop_texts(window, profile);
    vf_window_add_facts(window, profile);
    if (vf_window_is_cut(window) && vf_count_programs_samples(profile) == 0)
        vf_warn(warnings, "there are no samples in the part that was asked for");
}

static enum vf_status finish(struct vf_build *b, struct vf_warnings *warnings,
                             struct vf_error *error)
{
    struct vf_profile *profile = b->profile;
    set_times(b);
    vf_progress_begin("joining what else was recorded", VF_PROGRESS_PARTS, 0);
    put_in_order(profile);
    if (vf_window_check(&b->options.window, profile, &b->capture->info, error) == VF_FATAL)
        return VF_FATAL;
    add_source_texts(profile, b->capture);
    enum vf_cpu_source cpu = vf_cpu_fill(profile, b->capture->cpu, &b->clock, &b->scan.header);
    struct vf_coverage coverage;
    vf_coverage_run(&coverage, profile, b->capture, &b->clock, &b->scan.header);
    struct vf_runtime runtime;
    vf_runtime_init(&runtime, profile, b->capture, &b->clock, warnings);
    join(b, &runtime, warnings);
    struct vf_thinned thinned = vf_thin(profile, b->options.max_samples);
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
        .own_addresses = b->instructions.known,
    };
    vf_facts_add(profile, &facts, warnings);
    vf_instructions_add_facts(&b->instructions, profile);
    vf_thin_add_facts(&thinned, profile);
    vf_coverage_add_facts(&coverage, profile, &b->scan.header);
    vf_runtime_add_facts(&runtime);
    vf_jit_facts_add(&b->jit);
    vf_runtime_release(&runtime);
    vf_profile_freeze(profile);
    return VF_OK;
}

enum vf_status vf_profile_build(struct vf_profile *profile, const struct vf_capture *capture,
                                const struct vf_build_options *options,
                                struct vf_warnings *warnings, struct vf_error *error)
{
    struct vf_build b = {.profile = profile, .capture = capture};
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
    vf_pcs_read(&b.pcs, capture, &b.clock, &b.options.window);
    vf_jit_build_init(&b.jit, profile, capture, &b.scan, &b.clock, &b.pcs,
                      vf_instructions_known(capture), warnings);
    b.jit.hidden = b.options.no_traces;
    vf_natives_init(&b.natives, profile, capture, &b.scan, b.options.symbolizer, &b.pcs);
    vf_walk_init(&b.walk, profile, &b.scan, capture, &b.jit, &b.natives);
    vf_instructions_init(&b.instructions, capture, &b.scan, &b.jit, &b.walk, &b.natives, warnings);
    vf_weights_init(&b.weights, &b.scan.header);
    vf_build_index_told(&b);
    vf_build_add_samples(&b);
    if (finish(&b, warnings, error) == VF_FATAL)
        status = VF_FATAL;
    vf_instructions_release(&b.instructions);
    vf_walk_release(&b.walk);
    vf_natives_release(&b.natives);
    vf_pcs_release(&b.pcs);
    vf_jit_build_release(&b.jit);
    vf_weights_release(&b.weights);
    vf_scan_release(&b.scan);
    vf_build_release_threads(&b);
    free(b.gaps);
    if (status == VF_FATAL)
        return status;
    return warnings && warnings->count > warned ? VF_WARN : status;
}

#include "profile/clock.h"

/* ---- times ------------------------------------------------------------------------------------
 */

int64_t vf_clock_between(int64_t from, int64_t to)
{
    int64_t between;
    if (__builtin_sub_overflow(to, from, &between))
        return to > from ? INT64_MAX : INT64_MIN;
    return between;
}

static void choose_run(struct vf_clock *clock, const struct vf_capture *capture,
                       const struct vf_scan *scan)
{
    uint64_t n = scan->samples + scan->allocations;
    if (capture->info.start_monotonic_ns && capture->info.end_monotonic_ns)
        clock->run_ms = (double)vf_clock_between(capture->info.start_monotonic_ns,
                                                 capture->info.end_monotonic_ns) /
                        1e6;
    else if (scan->has_end && scan->start_us && scan->end_us > scan->start_us)
        clock->run_ms = (double)vf_clock_between(scan->start_us, scan->end_us) / 1e3;
    else if (capture->time_end_s > capture->time_start_s)
        clock->run_ms = (capture->time_end_s - capture->time_start_s) * 1e3;
    else
        clock->run_ms = (double)n * (double)scan->header.period_us / 1e3;
    clock->step_ms = n ? clock->run_ms / (double)n : 0;
}

static void choose_start(struct vf_clock *clock, const struct vf_capture *capture,
                         const struct vf_scan *scan)
{
    if (clock->source == VF_CLOCK_ARRIVAL && capture->info.start_realtime_ns)
        clock->start_time_ms = (double)capture->info.start_realtime_ns / 1e6;
    else if (scan->start_us)
        clock->start_time_ms = (double)scan->start_us / 1e3;
    else
        clock->start_time_ms = capture->time_start_s * 1e3;
}

void vf_clock_init(struct vf_clock *clock, const struct vf_capture *capture,
                   const struct vf_scan *scan, struct vf_warnings *warnings)
{
    uint64_t n = scan->samples + scan->allocations;
    int64_t offset_ns;
    *clock = (struct vf_clock){.source = VF_CLOCK_SPREAD};
    if (capture->stamps.len >= 8 && capture->info.start_monotonic_ns) {
        clock->source = VF_CLOCK_ARRIVAL;
        clock->stamps = (const unsigned char *)capture->stamps.ptr;
        clock->stamp_count = capture->stamps.len / 8;
        clock->zero_ns = capture->info.start_monotonic_ns;
        if (clock->stamp_count != n)
            vf_warn(warnings, "%llu arrival stamps for %llu samples",
                    (unsigned long long)clock->stamp_count, (unsigned long long)n);
    } else if (scan->header.dialect == VF_DIALECT_FORK) {
        clock->source = VF_CLOCK_FORK;
        if (vf_str_to_ns(vf_scan_meta(scan, VF_STR("start_time_offset")), &offset_ns))
            clock->zero_ns = offset_ns;
        else
            clock->zero_from_first = true;
    } else if (scan->header.dialect == VF_DIALECT_UPSTREAM) {
        bool real_time = (scan->header.mode & VF_MODE_REAL_TIME) != 0;
        clock->source = real_time ? VF_CLOCK_MONOTONIC : VF_CLOCK_CPU;
        clock->zero_from_first = true;
    }
    choose_run(clock, capture, scan);
    choose_start(clock, capture, scan);
}

double vf_clock_ms(const struct vf_clock *clock, int64_t reading_ns)
{
    return (double)vf_clock_between(clock->zero_ns, reading_ns) / 1e6;
}

double vf_clock_sample_ms(struct vf_clock *clock, uint64_t index, int64_t time_ns)
{
    double ms;
    if (clock->source == VF_CLOCK_SPREAD) {
        ms = ((double)index + 0.5) * clock->step_ms;
    } else if (clock->source == VF_CLOCK_ARRIVAL) {
        uint64_t at = index < clock->stamp_count ? index : clock->stamp_count - 1;
        ms = vf_clock_ms(clock, (int64_t)vf_load_u64(clock->stamps + 8 * at));
    } else {
        if (clock->zero_from_first) {
            clock->zero_ns = time_ns;
            clock->zero_from_first = false;
        }
        ms = vf_clock_ms(clock, time_ns);
    }
    if (ms < 0)
        ms = 0;
    if (ms > clock->last_ms)
        clock->last_ms = ms;
    return ms;
}

const char *vf_clock_describe(const struct vf_clock *clock)
{
    switch (clock->source) {
    case VF_CLOCK_ARRIVAL:
        return "measured: each sample stamped by the recorder (CLOCK_MONOTONIC)";
    case VF_CLOCK_FORK:
        return "measured: each sample stamped by the program (CLOCK_MONOTONIC)";
    case VF_CLOCK_MONOTONIC:
        return "measured by the program from the first sample on (CLOCK_MONOTONIC); when the first "
               "sample came is not recorded and is taken as the start";
    case VF_CLOCK_CPU:
        return "CPU time of the process from the first sample on: pauses do not show";
    case VF_CLOCK_SPREAD:
        break;
    }
    return "ESTIMATE: this file has no sample times; the samples are spread evenly over the run";
}

/* ---- gaps -------------------------------------------------------------------------------------
 */

void vf_gaps_add(struct vf_gaps *gaps, double time_ms)
{
    double gap = time_ms - gaps->last_ms;
    if (gaps->has_last && gap >= 0) {
        double bucket = gap * 100;
        gaps->counts[bucket < VF_GAP_BUCKETS - 1 ? (size_t)bucket : VF_GAP_BUCKETS - 1]++;
        gaps->total++;
    }
    gaps->last_ms = time_ms;
    gaps->has_last = true;
}

double vf_gaps_median(const struct vf_gaps *gaps)
{
    uint64_t seen = 0;
    if (gaps->total < 10)
        return 0;
    for (size_t i = 0; i < VF_GAP_BUCKETS; i++) {
        seen += gaps->counts[i];
        if (seen * 2 >= gaps->total)
            return ((double)i + 0.5) / 100;
    }
    return 0;
}

/* ---- weights ----------------------------------------------------------------------------------
 */

void vf_weights_init(struct vf_weights *weights, const struct vf_vmprof *header)
{
    *weights = (struct vf_weights){.per_thread = (header->mode & VF_MODE_REAL_TIME) != 0};
    if (header->dialect == VF_DIALECT_UPSTREAM &&
        __builtin_mul_overflow(header->period_us, 1000, &weights->period_ns))
        weights->period_ns = INT64_MAX;
}

/* The thread's entry; `*is_new` where this is its first sample. */
static struct vf_weight_thread *find_thread(struct vf_weights *weights, uint64_t thread,
                                            bool *is_new)
{
    uint64_t hash = vf_hash_u64(thread, 0);
    struct vf_probe probe = vf_table_probe(&weights->index, hash);
    uint32_t row;
    *is_new = false;
    while (vf_table_next(&weights->index, &probe, &row))
        if (weights->threads.items[row].thread == thread)
            return &weights->threads.items[row];
    *is_new = true;
    vf_table_insert(&weights->index, hash, (uint32_t)weights->threads.len);
    struct vf_weight_thread *added = VF_PUSH(&weights->threads);
    added->thread = thread;
    return added;
}

double vf_weights_next(struct vf_weights *weights, uint64_t thread_id, int64_t time_ns)
{
    bool is_new;
    if (weights->period_ns <= 0)
        return 1;
    struct vf_weight_thread *thread =
        find_thread(weights, weights->per_thread ? thread_id : 0, &is_new);
    int64_t gap = 0;
    if (!is_new)
        gap = vf_clock_between(thread->last_ns, time_ns);
    if (is_new || gap > 0)
        thread->last_ns = time_ns;
    if (gap > VF_GAP_LIMIT_NS) {
        if (__builtin_add_overflow(weights->lost_ns, gap - VF_GAP_LIMIT_NS, &weights->lost_ns))
            weights->lost_ns = INT64_MAX;
        gap = VF_GAP_LIMIT_NS;
    }
    double weight = (double)gap / (double)weights->period_ns;
    return weight > 1 ? weight : 1;
}

void vf_weights_release(struct vf_weights *weights)
{
    free(weights->threads.items);
    vf_table_release(&weights->index);
    *weights = (struct vf_weights){0};
}

#include "profile/coverage.h"

#include "profile/cpu.h"
#include "profile/facts.h"

/* ---- the timer's clock ------------------------------------------------------------------------
 */

static enum vf_coverage_clock choose_clock(const struct vf_profile *profile,
                                           const struct vf_clock *clock,
                                           const struct vf_vmprof *header, bool by_thread)
{
    if (!header->has_header)
        return VF_COVERAGE_NONE;
    if (clock->source == VF_CLOCK_CPU)
        return VF_COVERAGE_CPU;
    if (clock->source == VF_CLOCK_SPREAD)
        return VF_COVERAGE_NONE;
    if (header->mode & VF_MODE_REAL_TIME)
        return VF_COVERAGE_WALL;
    size_t measured = 0, others = 0;
    for (size_t i = 0; i < profile->threads.len; i++)
        if (profile->threads.items[i].samples.len)
            profile->threads.items[i].cpu_measured ? measured++ : others++;
    bool known = by_thread ? measured > 0 : others == 0;
    return known ? VF_COVERAGE_CPU : VF_COVERAGE_NONE;
}

/* The readings of the timer's clock come from a curve, unless the samples' times are of that clock
 * themselves. */
static bool by_curve(const struct vf_coverage *c, const struct vf_clock *clock)
{
    return c->clock == VF_COVERAGE_CPU && clock->source != VF_CLOCK_CPU;
}

/* ---- weights ----------------------------------------------------------------------------------
 */

static void weigh(struct vf_coverage *c, struct vf_sample_row *sample, double gap_ms)
{
    const double limit_ms = (double)VF_GAP_LIMIT_NS / 1e6;
    if (gap_ms > limit_ms) {
        c->lost_ms += gap_ms - limit_ms;
        gap_ms = limit_ms;
    }
    sample->weight = (float)(gap_ms / c->interval_ms);
}

/* Wall time goes by in every thread. */
static void weigh_threads(struct vf_coverage *c, struct vf_profile *profile)
{
    for (size_t i = 0; i < profile->threads.len; i++) {
        struct vf_thread *t = &profile->threads.items[i];
        for (size_t s = 1; s < t->samples.len; s++)
            weigh(c, &t->samples.items[s],
                  t->samples.items[s].time_ms - t->samples.items[s - 1].time_ms);
    }
}

/* ---- gaps -------------------------------------------------------------------------------------
 */

static int by_time(const void *a, const void *b)
{
    const struct vf_sample_row *x = *(struct vf_sample_row *const *)a;
    const struct vf_sample_row *y = *(struct vf_sample_row *const *)b;
    return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

/* The samples of all threads (or of the main one) in order: a timer of CPU time is one for the
 * process, and goes off in whichever thread runs. */
static struct vf_sample_row **merge(struct vf_profile *profile, bool main_only, size_t *count)
{
    size_t n = 0, threads = main_only ? 1 : profile->threads.len;
    for (size_t i = 0; i < threads; i++)
        n += profile->threads.items[i].samples.len;
    struct vf_sample_row **merged = vf_alloc(n + 1, sizeof *merged);
    *count = 0;
    for (size_t i = 0; i < threads; i++)
        for (size_t s = 0; s < profile->threads.items[i].samples.len; s++)
            merged[(*count)++] = &profile->threads.items[i].samples.items[s];
    if (threads > 1)
        qsort(merged, n, sizeof *merged, by_time);
    return merged;
}

static void add_gap(struct vf_coverage *c, struct vf_markers *markers, double from_ms, double to_ms,
                    double gap_ms)
{
    double missing = gap_ms / c->interval_ms - 1;
    c->gaps++;
    c->missing += missing;
    c->missing_ms += gap_ms - c->interval_ms;
    vf_markers_add(markers, VF_MARKER_MISSED, from_ms, to_ms);
    vf_markers_number(markers, "missing", missing);
    vf_markers_number(markers, "gap", gap_ms);
    vf_markers_number(markers, "interval", c->interval_ms);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of a few gaps; 0 with less than three, of which none is the usual one. */
static double median_of_few(const double *readings, size_t count)
{
    enum { FEW = 16 };
    double gaps[FEW];
    size_t n = count ? count - 1 : 0;
    if (n < 3 || n > FEW)
        return 0;
    for (size_t i = 0; i < n; i++)
        gaps[i] = readings[i + 1] - readings[i];
    qsort(gaps, n, sizeof *gaps, by_size);
    return gaps[(n - 1) / 2];
}

/* The usual gap on the timer's clock: on a busy machine less than that of the samples' times.  A
 * reading of CPU time may belong to a tick before or behind its sample, so single gaps jitter:
 * there the mean of four that stand together is looked at. */
static void measure_interval(struct vf_coverage *c, const double *readings, size_t count,
                             bool jittery)
{
    struct vf_gaps *gaps = vf_alloc_zeroed(1, sizeof *gaps);
    size_t step = jittery && count > 16 ? 4 : 1;
    double sum = 0;
    for (size_t i = 0; i + step < count; i++) {
        vf_gaps_add(gaps, sum);
        sum += (readings[i + step] - readings[i]) / (double)step;
    }
    vf_gaps_add(gaps, sum);
    double median = vf_gaps_median(gaps);
    if (median <= 0)
        median = median_of_few(readings, count);
    c->usual_known = median > 0;
    if (median > 0)
        c->interval_ms = median;
    free(gaps);
}

/* True where a sample is missing before the i-th.  What jitter adds to one gap it takes from the
 * ones beside it; a sample that is not there leaves the three together longer. */
static bool is_gap(const struct vf_coverage *c, const double *readings, size_t count, size_t i,
                   bool jittery)
{
    double gap = readings[i] - readings[i - 1];
    if (!c->usual_known || gap <= VF_COVERAGE_GAP * c->interval_ms)
        return false;
    if (!jittery || i < 2 || i + 1 >= count)
        return true;
    const double three = 3.5; /* half way to four, for the ends jitter as well */
    return readings[i + 1] - readings[i - 2] > three * c->interval_ms;
}

static void walk_gaps(struct vf_coverage *c, struct vf_profile *profile, struct vf_cpu_curve *curve)
{
    size_t n;
    struct vf_sample_row **samples = merge(profile, c->clock == VF_COVERAGE_WALL, &n);
    double *readings = vf_alloc(n + 1, sizeof *readings);
    for (size_t i = 0; i < n; i++)
        readings[i] =
            curve ? vf_cpu_curve_at(curve, samples[i]->time_ms) / 1e6 : samples[i]->time_ms;
    measure_interval(c, readings, n, curve != NULL);
    for (size_t i = 1; i < n; i++) {
        double gap = readings[i] - readings[i - 1];
        if (curve && !c->by_format)
            weigh(c, samples[i], gap);
        if (is_gap(c, readings, n, i, curve != NULL))
            add_gap(c, &profile->threads.items[0].markers, samples[i - 1]->time_ms,
                    samples[i]->time_ms, gap);
    }
    c->samples = n;
    c->covered_ms = n ? readings[n - 1] - readings[0] : 0;
    free(readings);
    free(samples);
}

/* ---- timers of threads ------------------------------------------------------------------------
 */

/* The thread's CPU time at each of its samples, in ms.  To be freed. */
static double *thread_readings(const struct vf_thread *thread)
{
    double *readings = vf_alloc(thread->samples.len + 1, sizeof *readings);
    double sum = 0;
    for (size_t i = 0; i < thread->samples.len; i++) {
        sum += (double)thread->samples.items[i].cpu_ns / 1e6;
        readings[i] = sum;
    }
    return readings;
}

static void walk_thread(struct vf_coverage *c, struct vf_profile *profile, struct vf_thread *thread)
{
    size_t n = thread->samples.len;
    struct vf_sample_row *samples = thread->samples.items;
    double *readings = thread_readings(thread);
    for (size_t i = 1; i < n; i++) {
        weigh(c, &samples[i], readings[i] - readings[i - 1]);
        if (is_gap(c, readings, n, i, true))
            add_gap(c, &profile->threads.items[0].markers, samples[i - 1].time_ms,
                    samples[i].time_ms, readings[i] - readings[i - 1]);
    }
    if (n) {
        c->samples += n - 1;
        c->covered_ms += readings[n - 1] - readings[0];
    }
    free(readings);
}

/* Each thread has a timer on its own CPU time: what is usual is seen in the one with most samples.
 * In a thread whose CPU time is not measured each sample stands for what is usual. */
static void walk_threads(struct vf_coverage *c, struct vf_profile *profile)
{
    const struct vf_thread *most = NULL;
    for (size_t i = 0; i < profile->threads.len; i++) {
        const struct vf_thread *thread = &profile->threads.items[i];
        if (thread->cpu_measured && (!most || thread->samples.len > most->samples.len))
            most = thread;
    }
    double *readings = thread_readings(most);
    measure_interval(c, readings, most->samples.len, true);
    free(readings);
    c->samples = 1; /* the first one, before which nothing is asked for */
    for (size_t i = 0; i < profile->threads.len; i++)
        if (profile->threads.items[i].cpu_measured)
            walk_thread(c, profile, &profile->threads.items[i]);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

void vf_coverage_run(struct vf_coverage *c, struct vf_profile *profile,
                     const struct vf_capture *capture, const struct vf_clock *clock,
                     const struct vf_vmprof *header)
{
    struct vf_cpu_curve curve = {0};
    bool by_thread = vf_facts_timer_is_of_thread(capture->info.timer);
    *c = (struct vf_coverage){.clock = choose_clock(profile, clock, header, by_thread),
                              .by_format = header->dialect == VF_DIALECT_UPSTREAM,
                              .in_ticks = !capture->info.timer.len,
                              .interval_ms = profile->interval_ms};
    if (c->clock == VF_COVERAGE_NONE)
        return;
    c->by_thread = by_thread && by_curve(c, clock) && !c->by_format;
    if (c->by_thread) {
        walk_threads(c, profile);
    } else if (by_curve(c, clock)) {
        vf_cpu_curve_read(&curve, capture->cpu, clock);
        if (curve.readings.len < 2)
            c->clock = VF_COVERAGE_NONE;
        else
            walk_gaps(c, profile, &curve);
    } else {
        walk_gaps(c, profile, NULL);
        if (!c->by_format)
            weigh_threads(c, profile);
    }
    for (size_t i = 0; i < profile->threads.len; i++)
        profile->threads.items[i].weighted |= c->clock != VF_COVERAGE_NONE && !c->by_format;
    free(curve.readings.items);
}

void vf_coverage_add_facts(const struct vf_coverage *c, struct vf_profile *profile,
                           const struct vf_vmprof *header)
{
    static const char section[] = "Coverage";
    const char *kind = c->clock == VF_COVERAGE_CPU ? "CPU time" : "wall time";
    double period_ms = (double)header->period_us / 1e3;
    if (c->clock == VF_COVERAGE_NONE) {
        vf_profile_extra(profile, section, "Weights",
                         "every sample counts 1: how much time it stands for is not recorded");
        return;
    }
    if (!c->by_format)
        vf_profile_extra(
            profile, section, "Weights",
            "a sample stands for the %s since the one before it%s, in units of %.3f ms", kind,
            c->clock == VF_COVERAGE_WALL || c->by_thread ? " in its thread" : "", c->interval_ms);
    if (c->samples < 2 || !(c->covered_ms > 0))
        return;
    double came = (double)(c->samples - 1);
    if (period_ms > 0) {
        double asked = c->covered_ms / period_ms;
        vf_profile_extra(profile, section, "Samples asked for",
                         "%.0f: one every %.3f ms of %.1f ms of %s", asked, period_ms,
                         c->covered_ms, kind);
        vf_profile_extra(profile, section, "Samples that came", "%.0f, %.1f %% of those%s", came,
                         100 * came / asked,
                         c->interval_ms > 1.5 * period_ms && c->clock == VF_COVERAGE_CPU &&
                                 c->in_ticks
                             ? ": a timer of CPU time goes off on a tick of the kernel only"
                             : "");
    }
    if (c->lost_ms > 0)
        vf_profile_extra(profile, section, "Lost time", "%.3f s in gaps over one second",
                         c->lost_ms / 1e3);
    if (!c->usual_known) {
        vf_profile_extra(profile, section, "Gaps", "too few samples to tell what is usual");
        return;
    }
    vf_profile_extra(
        profile, section, "Gaps",
        "%llu of more than %.2f times the usual %.2f ms: some %.0f samples late or "
        "missing, %.1f ms or %.2f %% of the %s%s",
        (unsigned long long)c->gaps, VF_COVERAGE_GAP, c->interval_ms, c->missing, c->missing_ms,
        100 * c->missing_ms / c->covered_ms, kind,
        c->clock == VF_COVERAGE_CPU && !c->by_format ? ", as near as the kernel's ticks tell" : "");
}

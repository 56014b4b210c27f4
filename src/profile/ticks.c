#include "profile/ticks.h"

#include "capture/rows.h"

#include <math.h>

static double distance(uint64_t from, uint64_t to)
{
    return to >= from ? (double)(to - from) : -(double)(from - to);
}

static void add_knot(struct vf_ticks *ticks, uint64_t tick, double ms)
{
    const struct vf_tick_knot *last =
        ticks->knots.len ? &ticks->knots.items[ticks->knots.len - 1] : NULL;
    if (!last || (tick > last->tick && ms > last->ms))
        VF_APPEND(&ticks->knots, ((struct vf_tick_knot){tick, ms}));
}

/* The line through `a` and `b` at `tick`. */
static double on_line(const struct vf_tick_knot *a, const struct vf_tick_knot *b, uint64_t tick)
{
    return a->ms + distance(a->tick, tick) * (b->ms - a->ms) / distance(a->tick, b->tick);
}

/* ---- measured ---------------------------------------------------------------------------------
 */

static void use_pairs(struct vf_ticks *ticks, struct vf_str rows, const struct vf_clock *clock)
{
    double reading_ms = 0, residual_ms = 0;
    for (size_t i = 0; i < vf_rows_count(rows); i++) {
        struct vf_row row = vf_rows_get(rows, i);
        double error_ms = (double)row.third / 1e6;
        add_knot(ticks, row.second, vf_clock_ms(clock, row.mono_ns));
        reading_ms = error_ms > reading_ms ? error_ms : reading_ms;
    }
    const struct vf_tick_knot *k = ticks->knots.items;
    for (size_t i = 1; i + 1 < ticks->knots.len; i++) {
        double off = fabs(on_line(&k[i - 1], &k[i + 1], k[i].tick) - k[i].ms);
        residual_ms = off > residual_ms ? off : residual_ms;
    }
    ticks->error_ms = reading_ms + residual_ms;
    ticks->source = VF_TICKS_PAIRS;
}

static bool is_x86(struct vf_str arch)
{
    return vf_str_eq(arch, VF_STR("x86_64")) || (arch.len == 4 && arch.ptr[0] == 'i');
}

/* The main thread's CPU clock.  The recorder's rows count from the first one. */
static void use_thread_cpu(struct vf_ticks *ticks, const struct vf_capture *capture,
                           const struct vf_clock *clock)
{
    const double tick_ms = 10; /* the kernel keeps a thread's time as of its last tick */
    double most_idle_ms = 0;
    uint64_t first = (uint64_t)capture->info.main_cpu_first_ns;
    for (size_t i = 0; i < vf_rows_count(capture->cpu); i++) {
        struct vf_row row = vf_rows_get(capture->cpu, i);
        if (row.second == capture->info.pid)
            add_knot(ticks, first + (uint64_t)row.third, vf_clock_ms(clock, row.mono_ns));
    }
    /* Between two readings the thread may have slept first and run then, or the other way. */
    for (size_t i = 1; i < ticks->knots.len; i++) {
        const struct vf_tick_knot *k = &ticks->knots.items[i];
        double idle_ms = k->ms - k[-1].ms - distance(k[-1].tick, k->tick) / 1e6;
        most_idle_ms = idle_ms > most_idle_ms ? idle_ms : most_idle_ms;
    }
    ticks->error_ms = tick_ms + most_idle_ms;
    ticks->source = VF_TICKS_THREAD_CPU;
}

/* ---- estimated --------------------------------------------------------------------------------
 */

static void use_estimate(struct vf_ticks *ticks, const struct vf_runtime_log *log,
                         const struct vf_log_part *part, double run_ms)
{
    const struct vf_log_summary *s = &part->summary;
    uint64_t first = part->first_stamp, last = part->last_stamp;
    ticks->error_ms = -1;
    if (last <= first || !(run_ms > 0))
        return;
    if (s->has_text && s->total_s > 0 && s->from &&
        log->sections.items[s->section].start > s->from) {
        double rate = distance(s->from, log->sections.items[s->section].start) / s->total_s / 1e3;
        add_knot(ticks, first, run_ms - distance(first, last) / rate);
        add_knot(ticks, last, run_ms);
        ticks->source = VF_TICKS_TOTAL;
        return;
    }
    add_knot(ticks, first, 0);
    add_knot(ticks, last, run_ms);
    ticks->source = VF_TICKS_ENDS;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

void vf_ticks_init(struct vf_ticks *ticks, const struct vf_capture *capture,
                   const struct vf_clock *clock, const struct vf_runtime_log *log,
                   const struct vf_log_part *part, double run_ms)
{
    struct vf_str arch = capture->info.arch;
    *ticks = (struct vf_ticks){.error_ms = -1};
    if (clock->source == VF_CLOCK_ARRIVAL && vf_rows_count(capture->pairs) >= 2) {
        use_pairs(ticks, capture->pairs, clock);
        ticks->unsteady = capture->info.counter_unsteady != 0;
    } else if (clock->source == VF_CLOCK_ARRIVAL && arch.len && !is_x86(arch) &&
               capture->info.main_cpu_first_ns > 0)
        use_thread_cpu(ticks, capture, clock);
    if (ticks->knots.len < 2) {
        ticks->knots.len = 0;
        ticks->source = VF_TICKS_NONE;
        use_estimate(ticks, log, part, run_ms);
    }
    if (ticks->knots.len < 2) {
        ticks->source = VF_TICKS_NONE;
        return;
    }
    const struct vf_tick_knot *a = ticks->knots.items, *b = a + ticks->knots.len - 1;
    ticks->ticks_per_ms = distance(a->tick, b->tick) / (b->ms - a->ms);
}

const char *vf_ticks_describe(enum vf_ticks_source source)
{
    switch (source) {
    case VF_TICKS_PAIRS:
        return "measured: the time stamp counter in PyPy's log, laid on CLOCK_MONOTONIC";
    case VF_TICKS_THREAD_CPU:
        return "measured: the main thread's CPU clock in PyPy's log, laid on CLOCK_MONOTONIC; "
               "sections of other threads are misplaced";
    case VF_TICKS_TOTAL:
        return "ESTIMATE: rate by the JIT's own stopwatch (TOTAL in jit-summary), the log's end "
               "laid on the profile's end";
    case VF_TICKS_ENDS:
        return "ESTIMATE: the log's two ends laid over the profile's run";
    case VF_TICKS_NONE:
        break;
    }
    return "not known";
}

double vf_ticks_ms(struct vf_ticks *ticks, uint64_t stamp)
{
    const struct vf_tick_knot *k = ticks->knots.items;
    size_t i = ticks->at;
    while (i > 0 && stamp < k[i].tick)
        i--;
    while (i + 2 < ticks->knots.len && stamp >= k[i + 1].tick)
        i++;
    ticks->at = i;
    return on_line(&k[i], &k[i + 1], stamp);
}

bool vf_ticks_range(const struct vf_capture *capture, uint64_t *first, uint64_t *last)
{
    size_t count = vf_rows_count(capture->pairs);
    if (count < 2)
        return false;
    uint64_t from = vf_rows_get(capture->pairs, 0).second;
    uint64_t to = vf_rows_get(capture->pairs, count - 1).second;
    if (from >= to)
        return false;
    *first = from;
    *last = to;
    return true;
}

void vf_ticks_release(struct vf_ticks *ticks)
{
    free(ticks->knots.items);
    *ticks = (struct vf_ticks){0};
}

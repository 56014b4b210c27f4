#include "profile/cpu.h"

struct reading {
    double time_ms, cpu_ns;
};

struct readings {
    VF_VEC(struct reading) v;
};

static void collect(struct readings *out, struct vf_str rows, uint64_t tid,
                    const struct vf_clock *clock)
{
    enum { ROW = 24 };
    const unsigned char *p = (const unsigned char *)rows.ptr;
    out->v.len = 0;
    for (size_t at = 0; at + ROW <= rows.len; at += ROW) {
        if (vf_load_u64(p + at + 8) != tid)
            continue;
        struct reading reading = {
            (double)vf_clock_between(clock->zero_ns, (int64_t)vf_load_u64(p + at)) / 1e6,
            (double)(int64_t)vf_load_u64(p + at + 16),
        };
        struct reading *last = out->v.len ? &out->v.items[out->v.len - 1] : NULL;
        if (!last || (reading.time_ms > last->time_ms && reading.cpu_ns >= last->cpu_ns))
            VF_APPEND(&out->v, reading);
    }
}

/* The CPU time at `time_ms`; before the first and behind the last reading the thread is taken to
 * run all the time, as it did when it was sampled there.  `*from` is where the last search ended.
 */
static double cpu_at(const struct readings *r, double time_ms, size_t *from)
{
    const struct reading *items = r->v.items;
    size_t i = *from;
    while (i + 1 < r->v.len && items[i + 1].time_ms < time_ms)
        i++;
    *from = i;
    if (time_ms <= items[0].time_ms || i + 1 == r->v.len)
        return items[i].cpu_ns + (time_ms - items[i].time_ms) * 1e6;
    double share = (time_ms - items[i].time_ms) / (items[i + 1].time_ms - items[i].time_ms);
    return items[i].cpu_ns + share * (items[i + 1].cpu_ns - items[i].cpu_ns);
}

static void fill_measured(struct vf_thread *t, const struct readings *readings)
{
    size_t from = 0;
    double before = 0;
    for (size_t i = 0; i < t->samples.len; i++) {
        struct vf_sample_row *sample = &t->samples.items[i];
        double now = cpu_at(readings, sample->time_ms, &from);
        sample->cpu_ns = i && now > before ? (float)(now - before) : 0;
        before = now;
    }
    t->has_cpu = true;
}

static void fill_estimate(struct vf_thread *t, double interval_ms)
{
    for (size_t i = 1; i < t->samples.len; i++) {
        double gap = t->samples.items[i].time_ms - t->samples.items[i - 1].time_ms;
        /* Half an interval more: timers jitter, and a busy thread shall look busy. */
        double most = interval_ms * 1.5;
        t->samples.items[i].cpu_ns = (float)((gap < most ? gap : interval_ms) * 1e6);
    }
    t->has_cpu = true;
}

enum vf_cpu_source vf_cpu_fill(struct vf_profile *profile, struct vf_str readings,
                               const struct vf_clock *clock, const struct vf_vmprof *header)
{
    struct readings own = {0};
    enum vf_cpu_source source = VF_CPU_NONE;
    bool wall = clock->source == VF_CLOCK_ARRIVAL || clock->source == VF_CLOCK_FORK;
    bool cpu_timer = header->has_header && !(header->mode & VF_MODE_REAL_TIME);
    for (size_t i = 0; i < profile->threads.len; i++) {
        struct vf_thread *t = &profile->threads.items[i];
        if (clock->source == VF_CLOCK_ARRIVAL)
            collect(&own, readings, t->tid, clock);
        if (own.v.len >= 2) {
            fill_measured(t, &own);
            source = VF_CPU_MEASURED;
        } else if (wall && cpu_timer) {
            fill_estimate(t, profile->interval_ms);
            if (source == VF_CPU_NONE)
                source = VF_CPU_ESTIMATE;
        }
        own.v.len = 0;
    }
    free(own.v.items);
    return source;
}

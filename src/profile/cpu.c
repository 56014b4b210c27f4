#include "profile/cpu.h"

struct reading {
    double time_ms, cpu_ns;
};

struct readings {
    VF_VEC(struct reading) v;
};

static void add_reading(struct readings *out, const unsigned char *row,
                        const struct vf_clock *clock)
{
    struct reading reading = {
        (double)vf_clock_between(clock->zero_ns, (int64_t)vf_load_u64(row)) / 1e6,
        (double)(int64_t)vf_load_u64(row + 16),
    };
    struct reading *last = out->v.len ? &out->v.items[out->v.len - 1] : NULL;
    if (!last || (reading.time_ms > last->time_ms && reading.cpu_ns >= last->cpu_ns))
        VF_APPEND(&out->v, reading);
}

static bool find_tid(const struct vf_table *index, const struct vf_profile *profile, uint64_t tid,
                     uint32_t *row)
{
    struct vf_probe probe = vf_table_probe(index, vf_hash_u64(tid, 0));
    while (vf_table_next(index, &probe, row))
        if (profile->threads.items[*row].tid == tid)
            return true;
    return false;
}

/* Gives each row to its thread, in one pass.  `out` goes by profile->threads; of threads with one
 * id, which lived one after the other, the first gets all. */
static void collect(struct readings *out, const struct vf_profile *profile, struct vf_str rows,
                    const struct vf_clock *clock)
{
    enum { ROW = 24 };
    const unsigned char *p = (const unsigned char *)rows.ptr;
    struct vf_table index = {0};
    uint32_t row;
    for (size_t i = 0; i < profile->threads.len; i++) {
        uint64_t tid = profile->threads.items[i].tid;
        if (!find_tid(&index, profile, tid, &row))
            vf_table_insert(&index, vf_hash_u64(tid, 0), (uint32_t)i);
    }
    for (size_t at = 0; at + ROW <= rows.len; at += ROW)
        if (find_tid(&index, profile, vf_load_u64(p + at + 8), &row))
            add_reading(&out[row], p + at, clock);
    vf_table_release(&index);
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
    struct readings *own = vf_alloc_zeroed(profile->threads.len, sizeof *own);
    size_t measured = 0, estimated = 0;
    bool wall = clock->source == VF_CLOCK_ARRIVAL || clock->source == VF_CLOCK_FORK;
    bool cpu_timer = header->has_header && !(header->mode & VF_MODE_REAL_TIME);
    if (clock->source == VF_CLOCK_ARRIVAL)
        collect(own, profile, readings, clock);
    for (size_t i = 0; i < profile->threads.len; i++) {
        struct vf_thread *t = &profile->threads.items[i];
        if (own[i].v.len >= 2) {
            fill_measured(t, &own[i]);
            measured++;
        } else if (wall && cpu_timer) {
            fill_estimate(t, profile->interval_ms);
            estimated += t->samples.len > 1;
        }
        free(own[i].v.items);
    }
    free(own);
    if (measured)
        return estimated ? VF_CPU_PARTLY_MEASURED : VF_CPU_MEASURED;
    return wall && cpu_timer ? VF_CPU_ESTIMATE : VF_CPU_NONE;
}

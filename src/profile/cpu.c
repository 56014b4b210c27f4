#include "profile/cpu.h"

#include "capture/rows.h"

/* `threads` can't have used more CPU time than has passed.  They seem to where the kernel's figure
 * is of a tick behind the sample that the reading is said to belong to; then the next one has less.
 */
static void add_reading(struct vf_cpu_curve *out, double time_ms, double cpu_ns, size_t threads)
{
    const struct vf_cpu_reading *last =
        out->readings.len ? &out->readings.items[out->readings.len - 1] : NULL;
    if (last && !(time_ms > last->time_ms && cpu_ns >= last->cpu_ns))
        return;
    double most = last ? last->cpu_ns + (time_ms - last->time_ms) * 1e6 * (double)threads : cpu_ns;
    VF_APPEND(&out->readings, ((struct vf_cpu_reading){time_ms, cpu_ns < most ? cpu_ns : most}));
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
static void collect(struct vf_cpu_curve *out, const struct vf_profile *profile, struct vf_str rows,
                    const struct vf_clock *clock)
{
    struct vf_table index = {0};
    uint32_t thread;
    for (size_t i = 0; i < profile->threads.len; i++) {
        uint64_t tid = profile->threads.items[i].tid;
        if (!find_tid(&index, profile, tid, &thread))
            vf_table_insert(&index, vf_hash_u64(tid, 0), (uint32_t)i);
    }
    for (size_t i = 0; i < vf_rows_count(rows); i++) {
        struct vf_row row = vf_rows_get(rows, i);
        if (find_tid(&index, profile, row.second, &thread))
            add_reading(&out[thread], vf_clock_ms(clock, row.mono_ns), (double)row.third, 1);
    }
    vf_table_release(&index);
}

double vf_cpu_curve_at(struct vf_cpu_curve *curve, double time_ms)
{
    const struct vf_cpu_reading *items = curve->readings.items;
    size_t i = curve->at;
    while (i + 1 < curve->readings.len && items[i + 1].time_ms < time_ms)
        i++;
    curve->at = i;
    if (time_ms <= items[0].time_ms || i + 1 == curve->readings.len)
        return items[i].cpu_ns + (time_ms - items[i].time_ms) * 1e6;
    double share = (time_ms - items[i].time_ms) / (items[i + 1].time_ms - items[i].time_ms);
    return items[i].cpu_ns + share * (items[i + 1].cpu_ns - items[i].cpu_ns);
}

static void fill_measured(struct vf_thread *t, struct vf_cpu_curve *curve)
{
    double before = 0;
    for (size_t i = 0; i < t->samples.len; i++) {
        struct vf_sample_row *sample = &t->samples.items[i];
        double now = vf_cpu_curve_at(curve, sample->time_ms);
        sample->cpu_ns = i && now > before ? (float)(now - before) : 0;
        before = now;
    }
    t->has_cpu = t->cpu_measured = true;
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
    struct vf_cpu_curve *own = vf_alloc_zeroed(profile->threads.len, sizeof *own);
    size_t measured = 0, estimated = 0;
    bool wall = clock->source == VF_CLOCK_ARRIVAL || clock->source == VF_CLOCK_FORK;
    bool cpu_timer = header->has_header && !(header->mode & VF_MODE_REAL_TIME);
    if (clock->source == VF_CLOCK_ARRIVAL)
        collect(own, profile, readings, clock);
    for (size_t i = 0; i < profile->threads.len; i++) {
        struct vf_thread *t = &profile->threads.items[i];
        if (own[i].readings.len >= 2) {
            fill_measured(t, &own[i]);
            measured++;
        } else if (wall && cpu_timer) {
            fill_estimate(t, profile->interval_ms);
            estimated += t->samples.len > 1;
        }
        free(own[i].readings.items);
    }
    free(own);
    if (measured)
        return estimated ? VF_CPU_PARTLY_MEASURED : VF_CPU_MEASURED;
    return wall && cpu_timer ? VF_CPU_ESTIMATE : VF_CPU_NONE;
}

/* ---- the process ------------------------------------------------------------------------------
 */

struct last_row {
    uint64_t tid;
    double cpu_ns;
};

struct last_rows {
    VF_VEC(struct last_row) rows;
    struct vf_table index; /* by tid */
};

/* The thread's figure before, and puts the new one in its place. */
static double exchange(struct last_rows *last, uint64_t tid, double cpu_ns)
{
    uint64_t hash = vf_hash_u64(tid, 0);
    struct vf_probe probe = vf_table_probe(&last->index, hash);
    uint32_t row;
    while (vf_table_next(&last->index, &probe, &row))
        if (last->rows.items[row].tid == tid) {
            double before = last->rows.items[row].cpu_ns;
            last->rows.items[row].cpu_ns = cpu_ns;
            return before;
        }
    vf_table_insert(&last->index, hash, (uint32_t)last->rows.len);
    VF_APPEND(&last->rows, ((struct last_row){tid, cpu_ns}));
    return 0;
}

void vf_cpu_curve_read(struct vf_cpu_curve *curve, struct vf_str rows, const struct vf_clock *clock)
{
    struct last_rows last = {0};
    double sum = 0;
    size_t group = 0; /* rows of the same moment, one a thread */
    *curve = (struct vf_cpu_curve){0};
    for (size_t i = 0, count = vf_rows_count(rows); i < count; i++) {
        struct vf_row row = vf_rows_get(rows, i);
        double more = (double)row.third - exchange(&last, row.second, (double)row.third);
        sum += more > 0 ? more : 0; /* less: the id was used again */
        group++;
        if (i + 1 == count || vf_rows_get(rows, i + 1).mono_ns != row.mono_ns) {
            add_reading(curve, vf_clock_ms(clock, row.mono_ns), sum, group);
            group = 0;
        }
    }
    free(last.rows.items);
    vf_table_release(&last.index);
}

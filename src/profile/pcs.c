#include "profile/pcs.h"

#include "capture/rows.h"

static int by_thread_and_time(const void *a, const void *b)
{
    const struct vf_pc *x = a, *y = b;
    if (x->tid != y->tid)
        return x->tid < y->tid ? -1 : 1;
    return (x->mono_ns > y->mono_ns) - (x->mono_ns < y->mono_ns);
}

void vf_pcs_read(struct vf_pcs *pcs, const struct vf_capture *capture, const struct vf_clock *clock,
                 const struct vf_window *window)
{
    size_t count = vf_rows_count(capture->pcs);
    *pcs = (struct vf_pcs){0};
    if (count == 0)
        return;
    /* Only the recorder's stamps are of the clock that the addresses have. */
    if (clock->source == VF_CLOCK_ARRIVAL && capture->info.pc_period_ns < INT64_MAX)
        pcs->half_period_ns = (int64_t)capture->info.pc_period_ns / 2;
    const double near_ms = (double)pcs->half_period_ns / 1e6;
    struct vf_window_tids tids;
    vf_window_find_tids(window, &capture->info, &tids);
    pcs->v.items = vf_alloc(count, sizeof *pcs->v.items);
    pcs->v.cap = count;
    for (size_t i = 0; i < count; i++) {
        struct vf_row row = vf_rows_get(capture->pcs, i);
        double time_ms = vf_clock_ms(clock, row.mono_ns);
        bool inside = vf_window_has_time(window, time_ms) || !vf_window_is_cut(window);
        if ((!inside && !vf_window_has_time(window, time_ms - near_ms) &&
             !vf_window_has_time(window, time_ms + near_ms)) ||
            !vf_window_has_tid(&tids, row.second))
            continue;
        pcs->inside += inside;
        pcs->v.items[pcs->v.len++] =
            (struct vf_pc){row.mono_ns, row.second, (uint64_t)row.third, VF_NONE, 0, !inside};
    }
    free(tids.v.items);
    if (pcs->v.len)
        qsort(pcs->v.items, pcs->v.len, sizeof *pcs->v.items, by_thread_and_time);
}

void vf_pcs_release(struct vf_pcs *pcs)
{
    free(pcs->v.items);
    *pcs = (struct vf_pcs){0};
}

const struct vf_pc *vf_pcs_near(const struct vf_pcs *pcs, uint64_t tid, int64_t mono_ns,
                                vf_pc_fits *fits, const void *context)
{
    const struct vf_pc *rows = pcs->v.items, *best = NULL;
    int64_t half = pcs->half_period_ns;
    const struct vf_pc from = {.tid = tid, .mono_ns = mono_ns - half};
    size_t low = 0, high = pcs->v.len;
    if (half == 0)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_thread_and_time(&rows[middle], &from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < pcs->v.len; i++) {
        if (rows[i].tid != tid || rows[i].mono_ns > mono_ns + half)
            break;
        if (fits(context, &rows[i]) &&
            (!best || llabs(rows[i].mono_ns - mono_ns) < llabs(best->mono_ns - mono_ns)))
            best = &rows[i];
    }
    return best;
}

#include "profile/window.h"

#include "base/buf.h"

/* ---- threads ----------------------------------------------------------------------------------
 */

static bool is_named(const struct vf_profile *profile, const struct vf_thread *thread,
                     struct vf_str word)
{
    uint64_t tid;
    if (vf_str_to_u64(word, 10, &tid) && tid == thread->tid)
        return true;
    return vf_str_eq(word, vf_strings_get(&profile->strings, thread->name));
}

bool vf_window_has_thread(const struct vf_window *window, const struct vf_profile *profile,
                          const struct vf_thread *thread)
{
    struct vf_str rest = window->threads;
    if (rest.len == 0)
        return true;
    while (rest.len)
        if (is_named(profile, thread, vf_str_cut(&rest, ',')))
            return true;
    return false;
}

static bool is_word(const struct vf_window *window, struct vf_str name)
{
    struct vf_str rest = window->threads;
    while (rest.len)
        if (vf_str_eq(vf_str_cut(&rest, ','), name))
            return true;
    return false;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void vf_window_find_tids(const struct vf_window *window, const struct vf_capture_info *info,
                         struct vf_window_tids *tids)
{
    const struct vf_str made = VF_STR("Thread "); /* the name of a thread that was told none */
    struct vf_str rest = window->threads;
    bool main_told = false;
    uint64_t tid;
    *tids = (struct vf_window_tids){.all = rest.len == 0};
    for (size_t i = 0; i < info->threads.len; i++) {
        const struct vf_thread_name *told = &info->threads.items[i];
        main_told |= told->tid == info->pid && told->name.len > 0;
        if (told->name.len && is_word(window, told->name))
            VF_APPEND(&tids->v, told->tid);
    }
    if (!main_told && is_word(window, VF_STR("MainThread")))
        VF_APPEND(&tids->v, info->pid);
    while (rest.len) {
        struct vf_str word = vf_str_cut(&rest, ',');
        if (vf_str_starts(word, made))
            word = (struct vf_str){word.ptr + made.len, word.len - made.len};
        if (vf_str_to_u64(word, 10, &tid))
            VF_APPEND(&tids->v, tid);
    }
    if (tids->v.len)
        qsort(tids->v.items, tids->v.len, sizeof *tids->v.items, by_number);
}

bool vf_window_has_tid(const struct vf_window_tids *tids, uint64_t tid)
{
    return tids->all || (tids->v.len && bsearch(&tid, tids->v.items, tids->v.len,
                                                sizeof *tids->v.items, by_number) != NULL);
}

static enum vf_status fail_thread(const struct vf_profile *profile, struct vf_str word,
                                  struct vf_error *error)
{
    enum { NAMED_MAX = 10 };
    struct vf_buf list = {0};
    size_t count = profile->threads.len < NAMED_MAX ? profile->threads.len : NAMED_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct vf_thread *thread = &profile->threads.items[i];
        vf_buf_printf(&list, "%s%.*s (%llu)", i ? ", " : "",
                      VF_STR_ARG(vf_strings_get(&profile->strings, thread->name)),
                      (unsigned long long)thread->tid);
    }
    if (profile->threads.len > count)
        vf_buf_printf(&list, " and %zu more", profile->threads.len - count);
    vf_fail(error, "there is no thread %.*s; there are %.*s", VF_STR_ARG(word),
            VF_STR_ARG(vf_buf_view(&list)));
    vf_buf_release(&list);
    return VF_FATAL;
}

static enum vf_status check_threads(const struct vf_window *window,
                                    const struct vf_profile *profile, struct vf_error *error)
{
    struct vf_str rest = window->threads;
    while (rest.len) {
        struct vf_str word = vf_str_cut(&rest, ',');
        size_t i = 0;
        while (i < profile->threads.len && !is_named(profile, &profile->threads.items[i], word))
            i++;
        if (i == profile->threads.len)
            return fail_thread(profile, word, error);
    }
    return VF_OK;
}

enum vf_status vf_window_check(const struct vf_window *window, const struct vf_profile *profile,
                               const struct vf_capture_info *info, struct vf_error *error)
{
    if (window->pid && info->pid && window->pid != info->pid)
        return vf_fail(error, "there is no process %llu in it; it is of process %llu",
                       (unsigned long long)window->pid, (unsigned long long)info->pid);
    if (window->pid && !info->pid)
        return vf_fail(error, "it does not say of which process it is; --pid can't be used");
    if (window->from_ms >= profile->end_ms && window->from_ms > 0)
        return vf_fail(error, "it ends after %.3f s; there is nothing from %.3f s on",
                       profile->end_ms / 1e3, window->from_ms / 1e3);
    return check_threads(window, profile, error);
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* The runtime's samples weigh the time until the next one: they are cut at the window's ends. */
static void cut_runtime(struct vf_thread *thread, const struct vf_profile *profile)
{
    struct vf_sample_row *rows = thread->samples.items;
    size_t kept = 0, count = thread->samples.len;
    for (size_t i = 0; i < count; i++) {
        struct vf_sample_row row = rows[i];
        double end = i + 1 < count ? rows[i + 1].time_ms : profile->run_ms;
        if (end < profile->begin_ms || row.time_ms > profile->end_ms)
            continue;
        double from = row.time_ms > profile->begin_ms ? row.time_ms : profile->begin_ms;
        double to = end < profile->end_ms ? end : profile->end_ms;
        row.time_ms = from;
        if (row.weight > 0) /* else it only marks where the one before it ended */
            row.weight = (float)(to - from);
        float most_ns = (float)((from - profile->begin_ms) * 1e6);
        row.cpu_ns = row.cpu_ns < most_ns ? row.cpu_ns : most_ns;
        rows[kept++] = row;
    }
    thread->samples.len = kept;
}

static void cut_samples(struct vf_thread *thread)
{
    size_t kept = 0;
    for (size_t i = 0; i < thread->samples.len; i++)
        if (thread->samples.items[i].stack.i != VF_OUTSIDE)
            thread->samples.items[kept++] = thread->samples.items[i];
    thread->samples.len = kept;
}

/* Markers that lie outside; one that reaches into the window stays as it is. */
static void cut_markers(struct vf_markers *markers, const struct vf_window *window)
{
    size_t kept = 0;
    for (size_t i = 0; i < markers->rows.len; i++) {
        struct vf_marker_row row = markers->rows.items[i];
        double end = row.end_ms > row.start_ms ? row.end_ms : row.start_ms;
        if (end >= window->from_ms && (window->to_ms <= 0 || row.start_ms < window->to_ms))
            markers->rows.items[kept++] = row;
    }
    markers->rows.len = kept;
}

/* What the line through the rows says between two of them: it is what is drawn. */
static double level_at(const struct vf_counter_row *before, double time_ms)
{
    const struct vf_counter_row *after = before + 1;
    double length = after->time_ms - before->time_ms;
    if (!(length > 0))
        return after->value;
    return before->value + (after->value - before->value) * (time_ms - before->time_ms) / length;
}

/* A row at the window's start and one at its end, where the counter has rows on both sides. */
static void cut_counter(struct vf_counter *counter, double begin_ms, double end_ms)
{
    struct vf_counter_row *rows = counter->rows.items;
    size_t n = counter->rows.len, first = 0, end = n;
    while (first < n && rows[first].time_ms < begin_ms)
        first++;
    while (end > first && rows[end - 1].time_ms > end_ms)
        end--;
    struct vf_counter_row last = {end_ms, 0};
    bool has_last = end > 0 && end < n && rows[end - 1].time_ms < end_ms;
    if (has_last)
        last.value = level_at(&rows[end - 1], end_ms);
    if (first > 0 && first < n && rows[first].time_ms > begin_ms) {
        first--;
        rows[first] = (struct vf_counter_row){begin_ms, level_at(&rows[first], begin_ms)};
        end = end > first ? end : first + 1;
    }
    memmove(rows, rows + first, (end - first) * sizeof *rows);
    counter->rows.len = end - first;
    if (has_last && counter->rows.len)
        VF_APPEND(&counter->rows, last);
}

static void cut_counters(struct vf_profile *profile)
{
    size_t kept = 0;
    for (size_t i = 0; i < profile->counters.len; i++) {
        struct vf_counter counter = profile->counters.items[i];
        cut_counter(&counter, profile->begin_ms, profile->end_ms);
        if (counter.rows.len)
            profile->counters.items[kept++] = counter;
        else
            free(counter.rows.items);
    }
    profile->counters.len = kept;
}

/* ---- stacks -----------------------------------------------------------------------------------
 */

static void mark(bool *used, const struct vf_stacks *stacks, vf_stack_id id)
{
    while (id.i < stacks->stacks.len && !used[id.i]) {
        used[id.i] = true;
        id = stacks->stacks.items[id.i].parent;
    }
}

/* Leaves out the stacks that no sample has; the order stays. */
static void drop_unused_stacks(struct vf_profile *profile)
{
    struct vf_stacks *stacks = &profile->stacks;
    size_t count = stacks->stacks.len, kept = 0;
    bool *used = vf_alloc_zeroed(count, sizeof *used);
    uint32_t *moved = vf_alloc(count, sizeof *moved);
    for (size_t t = 0; t < profile->threads.len; t++) {
        const struct vf_thread *thread = &profile->threads.items[t];
        for (size_t i = 0; i < thread->samples.len; i++)
            mark(used, stacks, thread->samples.items[i].stack);
        for (size_t i = 0; i < thread->allocations.len; i++)
            mark(used, stacks, thread->allocations.items[i].stack);
    }
    vf_table_release(&stacks->stack_index);
    for (size_t i = 0; i < count; i++) {
        struct vf_stack_row row = stacks->stacks.items[i];
        moved[i] = (uint32_t)kept;
        if (!used[i])
            continue;
        if (row.parent.i != VF_NONE)
            row.parent.i = moved[row.parent.i];
        stacks->stacks.items[kept++] = row;
        vf_table_insert(&stacks->stack_index, vf_stacks_hash(row), moved[i]);
    }
    stacks->stacks.len = kept;
    for (size_t t = 0; t < profile->threads.len; t++) {
        struct vf_thread *thread = &profile->threads.items[t];
        for (size_t i = 0; i < thread->samples.len; i++)
            if (thread->samples.items[i].stack.i != VF_NONE)
                thread->samples.items[i].stack.i = moved[thread->samples.items[i].stack.i];
        for (size_t i = 0; i < thread->allocations.len; i++)
            if (thread->allocations.items[i].stack.i != VF_NONE)
                thread->allocations.items[i].stack.i = moved[thread->allocations.items[i].stack.i];
    }
    free(moved);
    free(used);
}

/* ---- sources ----------------------------------------------------------------------------------
 */

/* Texts of which no function is in a stack any more. */
static void drop_unused_texts(struct vf_profile *profile)
{
    struct vf_funcs *funcs = &profile->funcs;
    bool *used = vf_alloc_zeroed(funcs->sources.len, sizeof *used);
    for (size_t i = 0; i < profile->stacks.stacks.len; i++) {
        const struct vf_frame_row *frame =
            &profile->stacks.frames.items[profile->stacks.stacks.items[i].frame.i];
        vf_source_id source = funcs->funcs.items[frame->func.i].source;
        if (source.i != VF_NONE)
            used[source.i] = true;
    }
    for (size_t i = 0; i < funcs->sources.len; i++)
        if (!used[i])
            funcs->sources.items[i].text = (struct vf_str){0};
    free(used);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static bool is_empty(const struct vf_thread *thread)
{
    return thread->samples.len == 0 && thread->allocations.len == 0 &&
           thread->markers.rows.len == 0 && !thread->is_main;
}

static void drop_threads(const struct vf_window *window, struct vf_profile *profile)
{
    size_t kept = 0;
    for (size_t i = 0; i < profile->threads.len; i++) {
        struct vf_thread *thread = &profile->threads.items[i];
        bool named = window->threads.len && vf_window_has_thread(window, profile, thread);
        if (thread->is_runtime || named || (window->threads.len == 0 && !is_empty(thread)))
            profile->threads.items[kept++] = *thread;
        else
            vf_thread_release(thread);
    }
    profile->threads.len = kept;
}

void vf_window_apply(const struct vf_window *window, struct vf_profile *profile)
{
    if (!vf_window_is_cut(window))
        return;
    profile->begin_ms = window->from_ms;
    if (window->to_ms > 0 && window->to_ms < profile->end_ms)
        profile->end_ms = window->to_ms;
    for (size_t i = 0; i < profile->threads.len; i++) {
        struct vf_thread *thread = &profile->threads.items[i];
        if (thread->is_runtime)
            cut_runtime(thread, profile);
        else
            cut_samples(thread);
        cut_markers(&thread->markers, window);
    }
    cut_counters(profile);
    drop_threads(window, profile);
    drop_unused_stacks(profile);
}

void vf_window_drop_texts(const struct vf_window *window, struct vf_profile *profile)
{
    if (vf_window_is_cut(window))
        drop_unused_texts(profile);
}

void vf_window_add_facts(const struct vf_window *window, struct vf_profile *profile)
{
    static const char section[] = "Part of the recording";
    if (window->from_ms > 0 || window->to_ms > 0)
        vf_profile_extra(profile, section, "Time", "%.3f s to %.3f s of %.3f s",
                         profile->begin_ms / 1e3, profile->end_ms / 1e3, profile->run_ms / 1e3);
    if (window->threads.len)
        vf_profile_extra(profile, section, "Threads", "%.*s", VF_STR_ARG(window->threads));
    if (vf_window_is_cut(window))
        vf_profile_extra(profile, section, "Figures here",
                         "of the whole recording, but those of traces and instruction addresses");
}

#include "profile/thin.h"

/* Samples of one stack that stand behind each other. */
struct run {
    uint32_t stack; /* its row, or the row behind all for "nothing was on the stack" */
    uint32_t length;
    bool kept;
};

struct thinning {
    struct vf_thread *thread;
    uint32_t stacks; /* rows of the arrays below */
    VF_VEC(struct run) runs;
    uint32_t *runs_of; /* how many runs a stack has */
    uint32_t *seen;    /* of these, how many a walk has met */
    double *pending;   /* weight of left out samples */
    uint64_t step;     /* of the samples inside a run each such one is kept */
    uint64_t run_step; /* of a stack's runs each such one is kept */
};

static uint32_t row_of(const struct thinning *t, vf_stack_id stack)
{
    return stack.i < t->stacks - 1 ? stack.i : t->stacks - 1;
}

static void find_runs(struct thinning *t)
{
    const struct vf_sample_row *rows = t->thread->samples.items;
    for (size_t i = 0; i < t->thread->samples.len; i++) {
        uint32_t stack = row_of(t, rows[i].stack);
        struct run *last = t->runs.len ? &t->runs.items[t->runs.len - 1] : NULL;
        if (last && last->stack == stack && last->length < UINT32_MAX) {
            last->length++;
            continue;
        }
        VF_APPEND(&t->runs, ((struct run){stack, 1, true}));
        t->runs_of[stack]++;
    }
}

/* How many samples of a run are kept: its ends, and one in `step` of those between. */
static uint64_t kept_of_run(const struct run *run, uint64_t step)
{
    return run->length <= 2 ? run->length : 2 + (run->length - 2) / step;
}

/* Decides which runs are kept, and says how many samples then are. */
static uint64_t choose(struct thinning *t)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < t->runs.len; i++)
        t->seen[t->runs.items[i].stack] = 0;
    for (size_t i = 0; i < t->runs.len; i++) {
        struct run *run = &t->runs.items[i];
        uint32_t at = t->seen[run->stack]++;
        run->kept = at % t->run_step == 0 || at + 1 == t->runs_of[run->stack];
        if (run->kept)
            kept += kept_of_run(run, t->step);
    }
    return kept;
}

/* The least value of *step, from 1 to `most`, with which at most `max` samples are kept; `most`
 * where none is enough. */
static bool find_step(struct thinning *t, uint64_t *step, uint64_t most, uint64_t max)
{
    uint64_t low = 1, high = most;
    *step = most;
    if (choose(t) > max)
        return false;
    while (low < high) {
        *step = low + (high - low) / 2;
        if (choose(t) <= max)
            high = *step;
        else
            low = *step + 1;
    }
    *step = high;
    choose(t);
    return true;
}

/* The i-th sample of a run of which some are left out. */
static bool is_kept(const struct thinning *t, const struct run *run, uint32_t i)
{
    if (!run->kept)
        return false;
    return i == 0 || i + 1 == run->length || i % t->step == 0;
}

static void leave_out(struct thinning *t)
{
    struct vf_sample_row *rows = t->thread->samples.items;
    size_t at = 0, kept = 0;
    double cpu_ns = 0;
    for (size_t r = 0; r < t->runs.len; r++) {
        const struct run *run = &t->runs.items[r];
        double *pending = &t->pending[run->stack];
        for (uint32_t i = 0; i < run->length; i++) {
            struct vf_sample_row row = rows[at++];
            cpu_ns += (double)row.cpu_ns;
            if (!is_kept(t, run, i)) {
                *pending += (double)row.weight;
                continue;
            }
            row.weight = (float)((double)row.weight + *pending);
            row.cpu_ns = (float)cpu_ns;
            *pending = cpu_ns = 0;
            rows[kept++] = row;
        }
    }
    t->thread->weighted |= kept < t->thread->samples.len;
    t->thread->samples.len = kept;
}

/* True when runs were left out.  What is counted by stack is 0 before and after: there may be many
 * threads, and many stacks that are not the thread's. */
static bool thin_thread(struct thinning *t, struct vf_thread *thread, uint64_t max)
{
    t->thread = thread;
    t->step = t->run_step = 1;
    t->runs.len = 0;
    find_runs(t);
    bool dropped = !find_step(t, &t->step, thread->samples.len + 1, max);
    if (dropped)
        find_step(t, &t->run_step, t->runs.len + 1, max);
    leave_out(t);
    for (size_t i = 0; i < t->runs.len; i++)
        t->runs_of[t->runs.items[i].stack] = 0;
    return dropped;
}

uint64_t vf_count_samples(const struct vf_profile *profile)
{
    uint64_t count = 0;
    for (size_t i = 0; i < profile->threads.len; i++)
        count += profile->threads.items[i].samples.len;
    return count;
}

static bool is_programs(const struct vf_thread *thread)
{
    return !thread->is_runtime && !thread->is_addresses;
}

uint64_t vf_count_programs_samples(const struct vf_profile *profile)
{
    uint64_t count = 0;
    for (size_t i = 0; i < profile->threads.len; i++)
        if (is_programs(&profile->threads.items[i]))
            count += profile->threads.items[i].samples.len;
    return count;
}

struct vf_thinned vf_thin(struct vf_profile *profile, uint64_t max)
{
    struct vf_thinned thinned = {.before = vf_count_samples(profile)};
    thinned.after = thinned.before;
    if (max == 0)
        return thinned;
    size_t stacks = profile->stacks.stacks.len + 1;
    struct thinning t = {.stacks = (uint32_t)stacks,
                         .runs_of = vf_alloc_zeroed(stacks, sizeof *t.runs_of),
                         .seen = vf_alloc_zeroed(stacks, sizeof *t.seen),
                         .pending = vf_alloc_zeroed(stacks, sizeof *t.pending)};
    uint64_t programs = vf_count_programs_samples(profile);
    for (size_t i = 0; i < profile->threads.len; i++) {
        struct vf_thread *thread = &profile->threads.items[i];
        uint64_t of = is_programs(thread) ? programs : thread->samples.len;
        double share = of ? (double)thread->samples.len / (double)of : 0;
        if (of > max)
            thinned.dropped_runs |= thin_thread(&t, thread, (uint64_t)((double)max * share));
    }
    free(t.runs.items);
    free(t.runs_of);
    free(t.seen);
    free(t.pending);
    thinned.after = vf_count_samples(profile);
    return thinned;
}

void vf_thin_add_facts(const struct vf_thinned *thinned, struct vf_profile *profile)
{
    if (thinned->after == thinned->before)
        return;
    vf_profile_extra(profile, "Samples", "Thinned",
                     "%llu of %llu are in this file; the others' weight was added to samples with "
                     "the same stack, so totals are as they were%s",
                     (unsigned long long)thinned->after, (unsigned long long)thinned->before,
                     thinned->dropped_runs ? "; the timeline does not show each change of the stack"
                                           : "");
}

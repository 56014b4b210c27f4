#include "record/counter.h"

#include "base/clock.h"

#include <string.h>

static const int64_t FIRST_EVERY_NS = 50000000;

#if defined(__x86_64__) || defined(__i386__)

#include <x86intrin.h>

bool vf_counter_has(void)
{
    return true;
}

/* Between fences, so that it is read neither before nor behind the clocks around it.  (Not rdtscp:
 * some virtual machines lack it.) */
static uint64_t read_counter(void)
{
#if defined(__SSE2__)
    _mm_lfence();
    uint64_t value = __rdtsc();
    _mm_lfence();
    return value;
#else
    return __rdtsc();
#endif
}

#else

bool vf_counter_has(void)
{
    return false;
}

static uint64_t read_counter(void)
{
    return 0;
}

#endif

struct vf_counter_pair vf_counter_read(void)
{
    enum { TRIES = 8 };
    struct vf_counter_pair best = {.error_ns = INT64_MAX};
    for (int i = 0; i < TRIES; i++) {
        int64_t before = vf_clock_now_ns(CLOCK_MONOTONIC);
        uint64_t counter = read_counter();
        int64_t behind = vf_clock_now_ns(CLOCK_MONOTONIC);
        int64_t half = (behind - before + 1) / 2;
        if (half < best.error_ns)
            best = (struct vf_counter_pair){before + (behind - before) / 2, counter, half};
    }
    return best;
}

static void halve(struct vf_counter_pairs *pairs)
{
    size_t kept = 0;
    for (size_t i = 0; i < pairs->len; i += 2)
        pairs->items[kept++] = pairs->items[i];
    pairs->len = kept;
    pairs->every_ns *= 2;
}

void vf_counter_pairs_add(struct vf_counter_pairs *pairs, int64_t now_ns, bool must)
{
    if (!vf_counter_has())
        return;
    if (pairs->every_ns == 0)
        pairs->every_ns = FIRST_EVERY_NS;
    if (!must && pairs->len && now_ns - pairs->items[pairs->len - 1].mono_ns < pairs->every_ns)
        return;
    if (pairs->len == VF_COUNTER_PAIRS_MAX)
        halve(pairs);
    pairs->items[pairs->len++] = vf_counter_read();
}

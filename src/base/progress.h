/* How far the work at hand has got: what is being done, how much of it is there, how much is done.
 *
 * Whoever works says it here and goes on; whoever wants to show it looks from another thread.
 * Nothing is printed.  One work is told of at a time: where several go on at once, as a program
 * that uses the library may have it, what is read makes no sense but does no harm. */
#ifndef VF_BASE_PROGRESS_H
#define VF_BASE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is counted. */
enum vf_progress_unit {
    VF_PROGRESS_PARTS, /* parts of the whole, which say nothing by themselves */
    VF_PROGRESS_BYTES,
    VF_PROGRESS_SAMPLES,
    VF_PROGRESS_TRACES,
    VF_PROGRESS_FRAMES,
};

struct vf_progress {
    const char *stage; /* NULL: nothing is being done */
    enum vf_progress_unit unit;
    uint32_t turn; /* another one with each stage that begins */
    uint64_t done, total;
};

/* Begins a stage with nothing done.  `stage` says what is done, "joining samples", and is a
 * literal: it is kept.  "%s" in it stands for the file that the command reads, whose name is not
 * known here.  `total` 0: not known, or nothing is counted. */
void vf_progress_begin(const char *stage, enum vf_progress_unit unit, uint64_t total);

/* How much is done.  One store; where an item takes no longer than that, not for each of them:
 * see vf_progress_due(). */
extern _Atomic uint64_t vf_progress_done;
static inline void vf_progress_set(uint64_t done)
{
    atomic_store_explicit(&vf_progress_done, done, memory_order_relaxed);
}
/* True for one of some thousand items, `n` being its number. */
static inline bool vf_progress_due(size_t n)
{
    return (n & 4095) == 0;
}

/* What has been said last.  False: another stage was just beginning; look again. */
bool vf_progress_get(struct vf_progress *out);
/* Goes back to a stage that was left for another one. */
void vf_progress_resume(const struct vf_progress *before);

#endif

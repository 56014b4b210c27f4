/* Fewer samples, for profiles with more than a page can hold.
 *
 * Weight only moves between samples of one stack in one thread, so every total of a call tree stays
 * what it was, up to the rounding of the weights (float).  CPU time moves to the next sample that
 * is kept.  First, where samples with one stack stand behind each other (a run), some of those
 * between the first and the last are left out, as evenly as it goes; nothing that can be seen gets
 * lost.  Where that is not enough whole runs are left out, their weight going to a later run of the
 * same stack; of each stack the first and the last run stay. */
#ifndef VF_PROFILE_THIN_H
#define VF_PROFILE_THIN_H

#include "profile/profile.h"

struct vf_thinned {
    uint64_t before, after; /* samples; equal: nothing was left out */
    bool dropped_runs;
};

/* Leaves at most `max` samples in the program's threads together, and as many in that of the
 * runtime and in that of the instruction addresses, if that can be: each stack keeps up to four.
 * `max` 0: all. */
struct vf_thinned vf_thin(struct vf_profile *profile, uint64_t max);

/* All samples of a profile, and those of the program's own threads. */
uint64_t vf_count_samples(const struct vf_profile *profile);
uint64_t vf_count_programs_samples(const struct vf_profile *profile);

/* What Profile Info says of it. */
void vf_thin_add_facts(const struct vf_thinned *thinned, struct vf_profile *profile);

#endif

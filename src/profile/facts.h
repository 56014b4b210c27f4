/* What the profile says of itself: the product line, the machine, and Profile Info. */
#ifndef VF_PROFILE_FACTS_H
#define VF_PROFILE_FACTS_H

#include "profile/clock.h"
#include "profile/cpu.h"
#include "profile/native.h"
#include "profile/profile.h"

struct vf_facts {
    const struct vf_capture *capture;
    const struct vf_scan *scan;
    const struct vf_clock *clock;
    double median_gap_ms; /* 0: not measured */
    int64_t lost_ns;
    enum vf_cpu_source cpu;
    uint64_t frames_folded, frames_max; /* see walk.h */
    uint64_t unnamed_code;
    const struct vf_natives *natives;
    bool own_addresses; /* samples have their instructions (profile/instructions.h) */
};

/* Fills the profile's descriptive fields and sections, and turns what is missing from the input
 * into warnings. */
void vf_facts_add(struct vf_profile *profile, const struct vf_facts *facts,
                  struct vf_warnings *warnings);

/* ---- recorder_facts.c ------------------------------------------------------------------------ */

/* The channel, what was left out, and the cost, as far as the capture tells. */
void vf_facts_add_recorder(struct vf_profile *profile, const struct vf_facts *facts);
/* Sentences on the timer, and on who stamped the samples. */
const char *vf_facts_timer(struct vf_str timer, bool real_time);
/* True for timers that each thread has of its own CPU time. */
bool vf_facts_timer_is_of_thread(struct vf_str timer);
const char *vf_facts_stamps(struct vf_str stamps, const struct vf_clock *clock);

#endif

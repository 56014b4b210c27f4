/* A part of a recording: some seconds of it, some of its threads.
 *
 * What lies outside is left out before its stacks are looked at, so a minute out of hours costs
 * little more than that minute.  But its times are still looked at: what a sample stands for is the
 * time since the sample before it, which may be outside (profile/coverage.h), so the parts of a
 * recording add up to the whole. */
#ifndef VF_PROFILE_WINDOW_H
#define VF_PROFILE_WINDOW_H

#include "capture/capture.h"
#include "profile/profile.h"

struct vf_window {
    double from_ms, to_ms; /* [from, to) from the profile's start; to_ms 0: to the end */
    struct vf_str threads; /* ids or names, with commas between; empty: all */
    uint64_t pid;          /* 0: any */
};

/* In place of the stack of a sample that lies outside. */
#define VF_OUTSIDE (UINT32_MAX - 1)

static inline bool vf_window_is_cut(const struct vf_window *window)
{
    return window->from_ms > 0 || window->to_ms > 0 || window->threads.len > 0;
}

static inline bool vf_window_has_time(const struct vf_window *window, double time_ms)
{
    return time_ms >= window->from_ms && (window->to_ms <= 0 || time_ms < window->to_ms);
}

/* The ids of the threads in the window, by what the capture tells of threads; free v.items. */
struct vf_window_tids {
    VF_VEC(uint64_t) v; /* sorted */
    bool all;
};
void vf_window_find_tids(const struct vf_window *window, const struct vf_capture_info *info,
                         struct vf_window_tids *tids);
bool vf_window_has_tid(const struct vf_window_tids *tids, uint64_t tid);

/* True for a thread of the profile's that is in the window. */
bool vf_window_has_thread(const struct vf_window *window, const struct vf_profile *profile,
                          const struct vf_thread *thread);

/* VF_FATAL: there is nothing in the window, or no such thread or process; the error says what there
 * is. */
enum vf_status vf_window_check(const struct vf_window *window, const struct vf_profile *profile,
                               const struct vf_capture_info *info, struct vf_error *error);

/* Takes the samples outside out of the profile, whole threads too, and the stacks that nobody has
 * any more; the profile's times become the window's.  All samples must have their weights. */
void vf_window_apply(const struct vf_window *window, struct vf_profile *profile);

/* Takes out the texts of sources that nothing in the profile is of, when all its stacks are made.
 */
void vf_window_drop_texts(const struct vf_window *window, struct vf_profile *profile);

/* What Profile Info says of it. */
void vf_window_add_facts(const struct vf_window *window, struct vf_profile *profile);

#endif

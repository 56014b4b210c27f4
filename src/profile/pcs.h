/* The instruction addresses that the recorder took (record/pc.h), by thread and time.
 *
 * VMProf's samples say in which function a thread was, but not where in it; an address says where,
 * but nothing of the callers.  A sample gets the address that was seen at the same time: in the
 * same thread, in the same piece of code, at most half a period away.  Nothing is guessed beyond
 * that. */
#ifndef VF_PROFILE_PCS_H
#define VF_PROFILE_PCS_H

#include "capture/capture.h"
#include "profile/clock.h"
#include "profile/ids.h"
#include "profile/window.h"

struct vf_pc {
    int64_t mono_ns;
    uint64_t tid, ip;
    uint32_t trace;  /* of the JIT; VF_NONE: in none */
    uint32_t offset; /* in the trace's code */
    bool outside;    /* of the window, but near enough for a sample inside */
};

struct vf_pcs {
    VF_VEC(struct vf_pc) v;
    size_t inside;          /* how many are not outside */
    int64_t half_period_ns; /* 0: they can't be joined with the samples */
};

/* Those in the window, and those that are at most half a period away from it. */
void vf_pcs_read(struct vf_pcs *pcs, const struct vf_capture *capture, const struct vf_clock *clock,
                 const struct vf_window *window);
void vf_pcs_release(struct vf_pcs *pcs);

/* The address nearest to a time that `fits`; NULL: none. */
typedef bool vf_pc_fits(const void *context, const struct vf_pc *pc);
const struct vf_pc *vf_pcs_near(const struct vf_pcs *pcs, uint64_t tid, int64_t mono_ns,
                                vf_pc_fits *fits, const void *context);

#endif

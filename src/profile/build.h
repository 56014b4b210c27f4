/* Captures joined into a profile. */
#ifndef VF_PROFILE_BUILD_H
#define VF_PROFILE_BUILD_H

#include "capture/capture.h"
#include "profile/profile.h"
#include "profile/symbolizer.h"
#include "profile/window.h"

struct vf_build_options {
    bool no_traces;                         /* the JIT's traces get no frames of their own */
    const struct vf_symbolizer *symbolizer; /* names native functions; NULL: nobody does */
    struct vf_window window;                /* what is left of the recording; zeroed: all of it */
    uint64_t max_samples;                   /* more are thinned (profile/thin.h); 0: never */
    bool no_phases; /* samples taken inside a section of the runtime get no leaf for it */
};

/* Builds the tables; `options` may be NULL, then all is as usual.  Source texts and build ids stay
 * borrowed from the capture, which must live as long as the profile.  VF_WARN: the file is cut or
 * damaged, or something does not fit together; what is whole is in the profile, and `warnings` says
 * what is not. */
enum vf_status vf_profile_build(struct vf_profile *profile, const struct vf_capture *capture,
                                const struct vf_build_options *options,
                                struct vf_warnings *warnings, struct vf_error *error);

#endif

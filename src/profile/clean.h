/* Makes a profile one that may be shown to others: all that is taken out of its tables before they
 * are written is taken out here.
 *
 * Texts of sources always go: the front-end drops them from what is uploaded.  Names of threads
 * always stay. */
#ifndef VF_PROFILE_CLEAN_H
#define VF_PROFILE_CLEAN_H

#include "profile/profile.h"

struct vf_clean {
    bool no_paths;     /* files have short names (profile/clean_paths.h), wherever they are named */
    bool no_arguments; /* of the command line only the program's short name stays */
    /* What tells of the machine and the time goes: host, processor, memory, system, folders, the
     * start.  Homes and the names below are replaced wherever they are. */
    bool no_env;
    /* Of the one who asks for it and of the recording; each may be empty.  Homes and users that
     * paths in the profile name are found in these. */
    struct vf_str home, user, host;
};

/* Between vf_profile_thaw() and vf_profile_freeze(). */
void vf_profile_clean(struct vf_profile *profile, const struct vf_clean *how);

#endif

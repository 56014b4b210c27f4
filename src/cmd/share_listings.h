/* The listings of the JIT's traces as text that an upload keeps: markers with a table. */
#ifndef VF_CMD_SHARE_LISTINGS_H
#define VF_CMD_SHARE_LISTINGS_H

#include "cmd/common.h"

struct vf_share_listings {
    size_t sampled, listed;
    size_t bytes;      /* of their text */
    double left_share; /* of all samples: those in traces that are left out; 0 to 1 */
};

/* Adds a marker for each trace that was sampled, the hottest first, beside what PyPy's runtime did
 * or, where that is not known, in the main thread.  A listing that does not fit into what is left
 * of `bytes_max` is left out.  The profile is thawed. */
struct vf_share_listings vf_share_add_listings(struct vf_input *input, size_t bytes_max);

#endif

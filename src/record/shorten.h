/* The beginning of a profile, for where there is no room for all of it. */
#ifndef VF_RECORD_SHORTEN_H
#define VF_RECORD_SHORTEN_H

#include "base/buf.h"

/* Appends a profile (docs/formats/vmprof.md) to `out` that has the first `samples` samples of one,
 * and all its other records but names of what is not in these.  It comes in two pieces of whole
 * records, either of which may be empty. */
void vf_shorten(struct vf_buf *out, struct vf_str first, struct vf_str second, uint64_t samples);

#endif

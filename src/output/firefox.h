/* Writer of the Firefox Profiler's processed profile format; the shape is described in
 * docs/formats/firefox-profiler.md. */
#ifndef VF_OUTPUT_FIREFOX_H
#define VF_OUTPUT_FIREFOX_H

#include "base/buf.h"
#include "profile/profile.h"

/* The version of the processed format that is written.  Front-ends upgrade older ones and refuse
 * newer ones; every deployment since August 2026 reads this. */
enum { VF_FIREFOX_FORMAT_VERSION = 69 };

/* Appends the profile as JSON text. */
void vf_firefox_write(struct vf_buf *out, const struct vf_profile *profile);

#endif

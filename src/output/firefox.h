/* Writer of the Firefox Profiler's processed profile format; the shape is described in
 * docs/formats/firefox-profiler.md. */
#ifndef VF_OUTPUT_FIREFOX_H
#define VF_OUTPUT_FIREFOX_H

#include "base/buf.h"
#include "base/error.h"
#include "profile/profile.h"

/* The version of the processed format that is written.  Front-ends upgrade older ones and refuse
 * newer ones; every deployment since August 2026 reads this. */
enum { VF_FIREFOX_FORMAT_VERSION = 69 };

enum {
    /* The texts of sources are left out: who shows the file asks a server for them. */
    VF_FIREFOX_NO_SOURCES = 1,
    /* JSON Slabs instead of JSON (output/columns.h). */
    VF_FIREFOX_SLABS = 2,
};

/* Appends the profile as JSON text or as slabs; `flags` of the above.  JSON always fits; VF_FATAL:
 * as slabs it does not (vf_writer_finish()).
 *
 * The front-end asks a server for a source's text only with an "address proof": a library, and an
 * address in it, of the first frame of the source's first function (its
 * src/profile-logic/profile-data.ts, getAddressProofForFunc).  So functions of Python are put into
 * a library "Python" without an id, which nobody looks symbols up for, and their frames at the
 * function's first line. */
enum vf_status vf_firefox_write(struct vf_buf *out, const struct vf_profile *profile,
                                unsigned flags, struct vf_error *error);

#endif

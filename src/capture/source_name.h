/* Which files are sources, by their names: others are never read because a profile names them. */
#ifndef VF_CAPTURE_SOURCE_NAME_H
#define VF_CAPTURE_SOURCE_NAME_H

#include "base/file.h"

/* Python and Cython. */
bool vf_source_is_python(struct vf_str path);
/* What native functions are written in. */
bool vf_source_is_native(struct vf_str path);

#define VF_SOURCE_MAX ((uint64_t)64 << 20)

/* Reads a file that is text: no NUL byte near its start.  VF_WARN: it is longer than `limit`. */
enum vf_status vf_source_text(const char *path, uint64_t limit, struct vf_bytes *out);
/* The source that debug information of this machine calls so.  Only by a whole path: one that is
 * counted from the folder of the build says nothing here.  A link may lead to anything, so what it
 * leads to must be a source too. */
enum vf_status vf_source_text_native(struct vf_str path, uint64_t limit, struct vf_bytes *out);

#endif

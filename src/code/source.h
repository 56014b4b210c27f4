/* Sources on this machine's disk.
 *
 * A path in a profile is only what some file says, and a profile gets passed on: so a source is
 * read only from below a folder that the user has named, and only where it is called like one. */
#ifndef VF_CODE_SOURCE_H
#define VF_CODE_SOURCE_H

#include "base/file.h"

/* Reads the source that a profile calls `path`, if it lies below `folder` once all links are
 * followed; a relative path is taken from there.  False: it does not, or is no source file, or
 * can't be read. */
bool vf_source_read(struct vf_str path, const char *folder, struct vf_bytes *out);

#endif

/* Which files are sources, by their names: others are never read because a profile names them. */
#ifndef VF_CAPTURE_SOURCE_NAME_H
#define VF_CAPTURE_SOURCE_NAME_H

#include "base/str.h"

/* Python and Cython. */
bool vf_source_is_python(struct vf_str path);
/* What native functions are written in. */
bool vf_source_is_native(struct vf_str path);

#endif

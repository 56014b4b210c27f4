/* The parts of a Firefox Profiler file that are no tables: `meta` and a library's entry. */
#ifndef VF_OUTPUT_FIREFOX_META_H
#define VF_OUTPUT_FIREFOX_META_H

#include "base/buf.h"
#include "profile/profile.h"

void vf_firefox_write_meta(struct vf_json *json, const struct vf_profile *profile);
void vf_firefox_write_lib(struct vf_json *json, const struct vf_lib *lib, struct vf_str name,
                          struct vf_str path);

#endif

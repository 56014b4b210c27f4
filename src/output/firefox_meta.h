/* The parts of a Firefox Profiler file that are no tables: `meta` and a library's entry. */
#ifndef VF_OUTPUT_FIREFOX_META_H
#define VF_OUTPUT_FIREFOX_META_H

#include "base/buf.h"
#include "profile/profile.h"

/* A breakpad id of a GNU build id (hex digits): its first 16 bytes as a GUID, the first three
 * fields turned to big-endian order, then the age 0. */
enum { VF_BREAKPAD_ID_SIZE = 34 };
void vf_firefox_breakpad_id(struct vf_str build_id, char out[VF_BREAKPAD_ID_SIZE]);

void vf_firefox_write_meta(struct vf_json *json, const struct vf_profile *profile);
void vf_firefox_write_lib(struct vf_json *json, const struct vf_lib *lib, struct vf_str name,
                          struct vf_str path);

#endif

/* The sources that go into a capture: every Python file with a function in the samples,
 * and the files of native functions. */
#ifndef VF_RECORD_SOURCES_H
#define VF_RECORD_SOURCES_H

#include "base/file.h"
#include "record/session.h"
#include "symbols/pack.h"

#define VF_SOURCES_LIMIT ((uint64_t)64 << 20) /* all together */

struct vf_found_source {
    struct vf_str path;      /* as the name records have it */
    struct vf_str real_path; /* where it is longer than a record can hold; else empty */
    struct vf_bytes bytes;
    bool is_native; /* named by symbols */
};

struct vf_found_sources {
    VF_VEC(struct vf_found_source) v;
    uint64_t left;     /* bytes that they may still have */
    uint64_t left_out; /* over the limit */
};

/* True for the name of a Python source: by its ending, or the script itself. */
bool vf_sources_is_python(const struct vf_session *session, struct vf_str path);

/* Finds and reads them: what an editor writes meanwhile is no longer seen.  Taken are regular files
 * with a Python ending, and the script itself whatever it is called, and the sources that symbols
 * name; a path is only what code in the program said, so nothing else is read. */
void vf_sources_find(struct vf_found_sources *sources, struct vf_session *session,
                     const struct vf_pack *symbols);
void vf_sources_release(struct vf_found_sources *sources);

#endif

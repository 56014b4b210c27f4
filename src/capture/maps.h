/* Memory maps of a process (`/proc/PID/maps`, proc(5)): which file lies where. */
#ifndef VF_CAPTURE_MAPS_H
#define VF_CAPTURE_MAPS_H

#include "base/buf.h"

struct vf_map {
    uint64_t start, end;
    uint64_t base;      /* where the module's file offset 0 lies, or would lie */
    uint64_t offset;    /* in the file */
    struct vf_str path; /* of the text given; "[vdso]"; "" for memory that is no file's */
    bool executable;
    bool deleted; /* what is called so now, if anything, is another file */
};

/* Sorted by start, not overlapping. */
struct vf_maps {
    VF_VEC(struct vf_map) v;
};

/* Reads the text, line by line; a line that is no map is passed over.  The paths are slices of
 * `text`. */
void vf_maps_parse(struct vf_maps *maps, struct vf_str text);
/* Appends the lines of `old`, an earlier text of the same process, whose memory `fresh` has nothing
 * in: libraries that were unloaded since. */
void vf_maps_keep_old(struct vf_buf *fresh, struct vf_str old);
/* The map that holds `address`, or NULL. */
const struct vf_map *vf_maps_find(const struct vf_maps *maps, uint64_t address);
void vf_maps_release(struct vf_maps *maps);

#endif

/* Frames of a finished file under other names; shared by relabel.c, restack.c, symbolicate.c. */
#ifndef VF_FINISHED_RELABEL_H
#define VF_FINISHED_RELABEL_H

#include "base/table.h"
#include "finished/edit.h"
#include "finished/symbolicate.h"

enum vf_frame_change {
    VF_FRAME_KEPT,
    VF_FRAME_NAMED,
    VF_FRAME_DROPPED, /* in a stack only because it was sampled */
};

/* What became of a frame of the file. */
struct vf_frame_fate {
    uint32_t first;      /* the frames of what is inlined there, outermost first: new rows */
    uint8_t count, what; /* enum vf_frame_change */
};

struct vf_relabel {
    struct vf_finished file; /* its columns are what they are to be */
    const struct vf_symbolicate_options *options;
    struct vf_symbolicated *told;
    size_t old_strings, old_frames, old_funcs, old_natives, old_sources;
    VF_VEC(uint32_t) frame_templates; /* for each new frame the old one it is like */
    VF_VEC(uint32_t) func_templates;
    struct vf_frame_fate *fates; /* of the old frames */
    bool restack;                /* a frame became none or several */
    struct vf_table strings, funcs, natives, sources;
};

/* Reads the file and indexes its tables. */
enum vf_status vf_relabel_init(struct vf_relabel *r, struct vf_str text,
                               const struct vf_symbolicate_options *options,
                               struct vf_symbolicated *told, struct vf_error *error);
/* Looks all frames up. */
void vf_relabel_frames(struct vf_relabel *r);
void vf_relabel_release(struct vf_relabel *r);

/* The stacks for the new frames, where they change, and all that names a stack by its row.
 * VF_FATAL: a row of the file names none. */
enum vf_status vf_restack(struct vf_relabel *r, struct vf_edits *edits, struct vf_error *error);

#endif

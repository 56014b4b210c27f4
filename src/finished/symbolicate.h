/* Names for the native functions of a finished file that has none: the front-end's own
 * re-symbolication (its src/profile-logic/symbolication.ts), done to a file.
 *
 * A frame is looked up by its library's path and code id and its address.  It is changed only where
 * more is known now than the file says: a name where it has "libfoo.so+0x1234", a line and inlined
 * functions where it has none.  Nothing that is there gets lost, and what is not about names is
 * copied byte for byte. */
#ifndef VF_FINISHED_SYMBOLICATE_H
#define VF_FINISHED_SYMBOLICATE_H

#include "base/buf.h"
#include "base/error.h"
#include "profile/symbolizer.h"

struct vf_symbolicate_options {
    struct vf_symbolizer symbolizer;
    /* The text of a source that a function names, which lives as long as the call; false: the file
     * is to have none.  NULL: none of them. */
    bool (*source)(void *context, struct vf_str path, struct vf_str *text);
    void *source_context;
};

struct vf_symbolicated {
    size_t functions;       /* native ones that frames are in */
    size_t named;           /* that got a name */
    size_t unnamed;         /* that have none still */
    size_t sources;         /* that they name now and whose text is not in the file */
    size_t frames, inlined; /* frames that were changed; that were added for inlined functions */
};

/* Appends the file with what is known now to `out`.  VF_FATAL: the text is no such file; `out` is
 * as it was. */
enum vf_status vf_finished_symbolicate(struct vf_buf *out, struct vf_str text,
                                       const struct vf_symbolicate_options *options,
                                       struct vf_symbolicated *told, struct vf_error *error);

#endif

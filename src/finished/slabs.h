/* JSON Slabs (.jslb): a finished file whose long columns lie beside its JSON text, and the JSON
 * text that all of it comes to.
 *
 * The file is a table of "slabs", each an array of numbers or a piece of JSON text.  In the text an
 * object {"$s":k} with no other member stands for slab k.  Layout:
 * docs/formats/firefox-profiler.md.
 *
 * Files come from anywhere: the table is checked as a whole before a slab is used, nothing is
 * allocated for it, and slabs may overlap. */
#ifndef VF_FINISHED_SLABS_H
#define VF_FINISHED_SLABS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/jslb.h"

struct vf_slabs {
    struct vf_str file; /* borrowed */
    uint32_t count, root;
};

/* Checks the header and the table.  VF_FATAL: `error` says where something else was expected. */
enum vf_status vf_slabs_open(struct vf_slabs *slabs, struct vf_str file, struct vf_error *error);

/* The text of the root, a slice of the file: all that is not a column or a text of its own. */
struct vf_str vf_slabs_root(const struct vf_slabs *slabs);

/* Appends the profile as JSON: the root with every slab in its place, and a newline.  Read again,
 * each number is the one of the slab; what is not a number or infinite becomes null.  A marker
 * without an end, which in a binary column has 0, gets the null that JSON has for it, where the
 * phases are a list right behind the "endTime".  Text is passed on as it lies; whether it is JSON
 * is for its reader to find.
 *
 * VF_FATAL: a slab is meant that there is not, or that holds itself, or they hold each other more
 * than VF_SLABS_DEPTH deep; or slabs are meant so often that more than twice the file and
 * VF_SLABS_ALWAYS bytes would be laid in.  Something may then have been appended. */
enum vf_status vf_slabs_to_json(const struct vf_slabs *slabs, struct vf_buf *out,
                                struct vf_error *error);
enum { VF_SLABS_DEPTH = 32, VF_SLABS_ALWAYS = 1 << 20 };

/* For slabs_text.c: what is in slab k, which there is. */
struct vf_str vf_slabs_get(const struct vf_slabs *slabs, uint32_t k, enum vf_slabs_type *type);

#endif

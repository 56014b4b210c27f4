/* A Firefox Profiler file being written: JSON text, and the columns of numbers in it, which are
 * JSON arrays or, in JSON Slabs, binary.
 *
 * JSON Slabs (.jslb) is a container: a table of "slabs", which are little-endian arrays or pieces
 * of JSON text; in the text {"$s":k} stands for slab k.  The layout is described in
 * docs/formats/firefox-profiler.md.  The page takes a binary column as it is, where JSON would be
 * parsed number by number.
 *
 * What can be binary is written by one function in either shape, so that the two can't differ. */
#ifndef VF_OUTPUT_COLUMNS_H
#define VF_OUTPUT_COLUMNS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/jslb.h"

enum vf_column_type {
    VF_COLUMN_U8 = VF_SLABS_U8,   /* uint8_t */
    VF_COLUMN_I32 = VF_SLABS_I32, /* int32_t */
    VF_COLUMN_MS = VF_SLABS_F64,  /* int64_t nanoseconds, which are written as milliseconds */
};

/* Puts the values of the rows [first, first + count) into `out`, an array of the type above. */
typedef void vf_column_fill(const void *table, size_t first, size_t count, void *out);

struct vf_slab {
    enum vf_slabs_type type;
    size_t count; /* rows */
    vf_column_fill *fill;
    const void *table;
    struct vf_buf text; /* VF_SLABS_JSON: in place of the three above */
};

struct vf_writer {
    struct vf_json json; /* where values go now */
    struct vf_buf *out;  /* the file */
    struct vf_buf root;  /* in slabs: the text of the root */
    struct vf_buf apart; /* and of the value between vf_writer_begin_apart() and _end_apart() */
    bool binary;
    VF_VEC(struct vf_slab) slabs;
};

/* Begins a file at the end of `out`; `binary`: as JSON Slabs. */
void vf_writer_init(struct vf_writer *w, struct vf_buf *out, bool binary);

/* `"name":` and a column.  `table` is used until the writer is finished. */
void vf_writer_column(struct vf_writer *w, const char *name, enum vf_column_type type, size_t count,
                      vf_column_fill *fill, const void *table);

/* `"name":` and a JSON value that is written between the two calls; in slabs it becomes a slab of
 * its own, so that no text gets longer than a string can be in the page.  There are no columns in
 * it. */
void vf_writer_begin_apart(struct vf_writer *w, const char *name);
void vf_writer_end_apart(struct vf_writer *w);

/* Ends the file and releases the writer.  VF_FATAL: it would be larger than the container can tell
 * of (4 GiB), or a text in it longer than a page can take (512 MiB). */
enum vf_status vf_writer_finish(struct vf_writer *w, struct vf_error *error);

#endif

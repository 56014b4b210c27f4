/* A finished Firefox Profiler file (JSON, processed format version 69 or 70), of which the
 * tables that say what functions are called are read and everything else is left as it lies.
 *
 * Format: docs/formats/firefox-profiler.md.  Tables are columns; here each is an array of numbers
 * in which null is VF_JSON_NULL.  Numbers are rows of other tables and are NOT checked when the
 * file is read: whoever follows one checks it. */
#ifndef VF_FINISHED_FILE_H
#define VF_FINISHED_FILE_H

#include "base/error.h"
#include "finished/json_text.h"

struct vf_finished_lib {
    struct vf_str name, path, debug_name; /* texts, decoded */
    struct vf_str code_id, breakpad_id;   /* empty where there is none */
};

/* VF_FATAL: the text does not end where its object does; it is cut, or no JSON. */
enum vf_status vf_finished_ends(struct vf_str text, struct vf_error *error);

/* The libraries alone, without reading what else is in the text; nothing where it has none. */
struct vf_finished_libs {
    VF_VEC(struct vf_finished_lib) v;
    struct vf_arena arena;
};
void vf_finished_libs_read(struct vf_finished_libs *libs, struct vf_str text);
void vf_finished_libs_release(struct vf_finished_libs *libs);

struct vf_column {
    int32_t *items;
    size_t len, cap;
};

enum vf_finished_column {
    VF_STACK_FRAME,
    VF_STACK_PREFIX, /* distance to the parent, which stands before; 0: a root */
    VF_FRAME_ADDRESS,
    VF_FRAME_DEPTH,
    VF_FRAME_FUNC,
    VF_FRAME_NATIVE,
    VF_FRAME_LINE,
    VF_FRAME_LIB, /* from version 70 on; empty before */
    VF_FUNC_NAME,
    VF_FUNC_RESOURCE,
    VF_FUNC_SOURCE,
    VF_FUNC_LINE,
    VF_RESOURCE_LIB, /* before version 70; empty from there on */
    VF_NATIVE_LIB,
    VF_NATIVE_ADDRESS,
    VF_NATIVE_NAME,
    VF_NATIVE_SIZE,
    VF_SOURCE_FILENAME,
    VF_FINISHED_COLUMNS,
};

/* Slices lie in the text, which is borrowed, or in the arena. */
struct vf_finished {
    struct vf_str text, meta, shared, threads;
    struct vf_finished_libs libs;
    struct vf_column columns[VF_FINISHED_COLUMNS];
    VF_VEC(struct vf_str) strings; /* decoded */
    struct vf_arena arena;
};

/* VF_FATAL: the text is no such file, `error` says where and what is missing; release in either
 * case. */
enum vf_status vf_finished_read(struct vf_finished *file, struct vf_str text,
                                struct vf_error *error);
void vf_finished_release(struct vf_finished *file);

/* The value of a row, VF_JSON_NULL where the column has no such row. */
static inline int32_t vf_finished_get(const struct vf_finished *file,
                                      enum vf_finished_column column, int32_t row)
{
    const struct vf_column *c = &file->columns[column];
    return row >= 0 && (size_t)row < c->len ? c->items[row] : VF_JSON_NULL;
}

/* The library of a frame; -1: none. */
int32_t vf_finished_frame_lib(const struct vf_finished *file, int32_t frame);

/* A list of numbers, to be freed; false: the value is none. */
bool vf_column_read(struct vf_column *column, struct vf_str value);

#endif

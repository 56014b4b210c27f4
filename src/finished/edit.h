/* Changes to a text, noted in any order and carried out at once: what is not changed is copied as
 * it lies. */
#ifndef VF_FINISHED_EDIT_H
#define VF_FINISHED_EDIT_H

#include "base/buf.h"
#include "finished/file.h"

struct vf_edit {
    size_t at, cut;   /* bytes of the text that go */
    size_t from, len; /* of `made`, which come in their place */
};

struct vf_edits {
    struct vf_str text; /* borrowed */
    VF_VEC(struct vf_edit) v;
    struct vf_buf made;
};

/* Begins a change; what is written to edits->made until the next call takes its place.  `old` lies
 * in the text; one of no length is a place to insert at. */
void vf_edits_begin(struct vf_edits *edits, struct vf_str old);
/* The same, inside a list or object behind its last value; puts the comma where one is needed.
 * False: `value` is neither. */
bool vf_edits_append(struct vf_edits *edits, struct vf_str value);
/* Appends the changed text to `out`. */
void vf_edits_write(struct vf_edits *edits, struct vf_buf *out);
void vf_edits_release(struct vf_edits *edits);

/* How the new rows of a table are filled, a column each. */
struct vf_new_values {
    const char *key;
    const struct vf_column *whole; /* the whole column, old rows too, as it is to be */
    struct vf_str text;            /* else: the new values, with commas between them */
};

/* Makes a table `count` rows longer.  A column that `values` does not name is filled with copies:
 * of the rows `templates`, one for each new row, or null where `templates` is NULL.  `values` ends
 * with key NULL. */
void vf_edits_grow_table(struct vf_edits *edits, struct vf_str table, size_t count,
                         const uint32_t *templates, const struct vf_new_values *values);
/* The column as it is to be. */
void vf_edits_set_column(struct vf_edits *edits, struct vf_str value,
                         const struct vf_column *column);

#endif

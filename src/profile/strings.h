/* The string table: every text of the profile once. */
#ifndef VF_PROFILE_STRINGS_H
#define VF_PROFILE_STRINGS_H

#include "base/mem.h"
#include "base/table.h"
#include "profile/ids.h"

struct vf_strings {
    VF_VEC(struct vf_str) rows; /* texts in the arena */
    struct vf_table index;
    struct vf_arena arena;
};

/* The row that holds `text`; it is copied when it is new. */
vf_string_id vf_strings_add(struct vf_strings *strings, struct vf_str text);
static inline struct vf_str vf_strings_get(const struct vf_strings *strings, vf_string_id id)
{
    return strings->rows.items[id.i];
}
/* Makes the index anew where it was freed, so that strings can be added again. */
void vf_strings_index(struct vf_strings *strings);
void vf_strings_release(struct vf_strings *strings);

#endif

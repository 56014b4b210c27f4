/* JSON text, walked in place: values are slices of it, and no tree is made, for a profile may have
 * gigabytes of them.
 *
 * Only what is walked over is looked at, and brackets are only counted: text that is no JSON gives
 * values that are none.  Nothing is read beyond the text. */
#ifndef VF_FINISHED_JSON_TEXT_H
#define VF_FINISHED_JSON_TEXT_H

#include "base/mem.h"

/* The members of an object or the items of a list that are still to come. */
struct vf_json_walk {
    struct vf_str rest;
};

/* Begins at `value`; false where it is no object ('{') or list ('['), as `bracket` says. */
bool vf_json_enter(struct vf_json_walk *walk, struct vf_str value, char bracket);
/* The next member: its key as it is written, without the quotes, and its value.  False: none. */
bool vf_json_next_member(struct vf_json_walk *walk, struct vf_str *key, struct vf_str *value);
/* The next item of a list.  False: none. */
bool vf_json_next_item(struct vf_json_walk *walk, struct vf_str *value);

/* The value of the object's first member that is written `key`; ptr NULL: there is none. */
struct vf_str vf_json_member(struct vf_str object, struct vf_str key);

/* A number without a fraction that fits, or VF_JSON_NULL for null; false: anything else. */
#define VF_JSON_NULL INT32_MIN
bool vf_json_to_int(struct vf_str value, int32_t *out);

/* What a string says, in the arena, or a slice of it where nothing is escaped; empty for anything
 * else. */
struct vf_str vf_json_to_text(struct vf_str value, struct vf_arena *arena);

#endif

#include "profile/strings.h"

vf_string_id vf_strings_add(struct vf_strings *strings, struct vf_str text)
{
    uint64_t hash = vf_hash_bytes(text.ptr, text.len);
    struct vf_probe probe = vf_table_probe(&strings->index, hash);
    uint32_t row;
    while (vf_table_next(&strings->index, &probe, &row))
        if (vf_str_eq(strings->rows.items[row], text))
            return (vf_string_id){row};
    row = (uint32_t)strings->rows.len;
    VF_APPEND(&strings->rows, vf_arena_str(&strings->arena, text));
    vf_table_insert(&strings->index, hash, row);
    return (vf_string_id){row};
}

void vf_strings_index(struct vf_strings *strings)
{
    vf_table_release(&strings->index);
    for (uint32_t i = 0; i < strings->rows.len; i++) {
        struct vf_str text = strings->rows.items[i];
        vf_table_insert(&strings->index, vf_hash_bytes(text.ptr, text.len), i);
    }
}

void vf_strings_release(struct vf_strings *strings)
{
    free(strings->rows.items);
    vf_table_release(&strings->index);
    vf_arena_release(&strings->arena);
    *strings = (struct vf_strings){0};
}

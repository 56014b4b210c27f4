/* From a place in a trace to a function of the profile. */
#include "profile/jit_pcs.h"
#include "profile/walk.h"

static struct vf_jit_named *find_named(const struct vf_jit_build *b, struct vf_str name)
{
    struct vf_probe probe = vf_table_probe(&b->named_index, vf_hash_bytes(name.ptr, name.len));
    uint32_t row;
    while (vf_table_next(&b->named_index, &probe, &row))
        if (vf_str_eq(b->named.items[row].name.name, name))
            return &b->named.items[row];
    return NULL;
}

static void index_names(struct vf_jit_build *b)
{
    const struct vf_scan *scan = b->scan;
    if (b->names_indexed)
        return;
    b->names_indexed = true;
    for (size_t i = 0; i < scan->names.len; i++) {
        struct vf_jit_named named = {.name = vf_code_name_parse(scan->names.items[i].text)};
        if (scan->names.items[i].is_native || !vf_str_eq(named.name.lang, VF_STR("py")))
            continue;
        struct vf_jit_named *first = find_named(b, named.name.name);
        if (first) {
            named.next1 = first->next1;
            first->next1 = (uint32_t)b->named.len + 1;
        } else {
            vf_table_insert(&b->named_index,
                            vf_hash_bytes(named.name.name.ptr, named.name.name.len),
                            (uint32_t)b->named.len);
        }
        VF_APPEND(&b->named, named);
    }
}

/* The function that a place in the program belongs to: of those of this name in the file the one
 * that begins last before the line. */
static const struct vf_code_name *find_name(struct vf_jit_build *b,
                                            const struct vf_jit_place *place)
{
    enum { LOOK_AT = 1000 };
    const struct vf_code_name *best = NULL;
    const struct vf_jit_named *named = find_named(b, place->function);
    for (int i = 0; i < LOOK_AT && named; i++) {
        const struct vf_code_name *name = &named->name;
        if (name->line <= place->line && (!best || best->line < name->line) &&
            vf_jit_same_file(name->file, place->file))
            best = name;
        named = named->next1 ? &b->named.items[named->next1 - 1] : NULL;
    }
    return best;
}

vf_frame_id vf_jit_place_frame(struct vf_jit_build *b, struct vf_walk *walk,
                               const struct vf_jit_place *place, bool outermost)
{
    index_names(b);
    const struct vf_code_name *found = find_name(b, place);
    struct vf_code_name name = {.lang = VF_STR("py"), .name = place->function, .file = place->file};
    struct vf_frame_row row = {
        .func = vf_walk_func(walk, found ? found : &name),
        .native = {VF_NONE},
        .address = -1,
        .line = place->line,
        .category = VF_CATEGORY_JIT,
        .subcategory = outermost ? VF_JIT_COMPILED : VF_JIT_INLINED,
    };
    return vf_stacks_frame(&b->profile->stacks, row);
}

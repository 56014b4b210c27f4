#include "profile/funcs.h"

vf_source_id vf_funcs_source(struct vf_funcs *f, vf_string_id path)
{
    uint64_t hash = vf_hash_u64(path.i, 0);
    struct vf_probe probe = vf_table_probe(&f->source_index, hash);
    uint32_t row;
    while (vf_table_next(&f->source_index, &probe, &row))
        if (f->sources.items[row].path.i == path.i)
            return (vf_source_id){row};
    row = (uint32_t)f->sources.len;
    VF_APPEND(&f->sources, ((struct vf_source){.path = path}));
    vf_table_insert(&f->source_index, hash, row);
    return (vf_source_id){row};
}

vf_lib_id vf_funcs_lib(struct vf_funcs *f, vf_string_id path, vf_string_id name)
{
    uint64_t hash = vf_hash_u64(path.i, name.i);
    struct vf_probe probe = vf_table_probe(&f->lib_index, hash);
    uint32_t row;
    while (vf_table_next(&f->lib_index, &probe, &row))
        if (f->libs.items[row].path.i == path.i && f->libs.items[row].name.i == name.i)
            return (vf_lib_id){row};
    row = (uint32_t)f->libs.len;
    VF_APPEND(&f->libs, ((struct vf_lib){.path = path, .name = name}));
    vf_table_insert(&f->lib_index, hash, row);
    return (vf_lib_id){row};
}

vf_native_id vf_funcs_native(struct vf_funcs *f, vf_lib_id lib, uint64_t address, vf_string_id name)
{
    uint64_t hash = vf_hash_u64(address, lib.i);
    struct vf_probe probe = vf_table_probe(&f->native_index, hash);
    uint32_t row;
    while (vf_table_next(&f->native_index, &probe, &row)) {
        const struct vf_native *n = &f->natives.items[row];
        if (n->lib.i == lib.i && n->address == address && n->name.i == name.i)
            return (vf_native_id){row};
    }
    row = (uint32_t)f->natives.len;
    VF_APPEND(&f->natives, ((struct vf_native){.lib = lib, .address = address, .name = name}));
    vf_table_insert(&f->native_index, hash, row);
    return (vf_native_id){row};
}

vf_func_id vf_funcs_func(struct vf_funcs *f, struct vf_func func)
{
    uint64_t hash = vf_hash_u64((uint64_t)func.name.i << 32 | func.source.i,
                                (uint64_t)func.lib.i << 32 | func.line);
    struct vf_probe probe = vf_table_probe(&f->func_index, hash);
    uint32_t row;
    while (vf_table_next(&f->func_index, &probe, &row)) {
        const struct vf_func *x = &f->funcs.items[row];
        if (x->name.i == func.name.i && x->source.i == func.source.i && x->lib.i == func.lib.i &&
            x->line == func.line && x->is_python == func.is_python)
            return (vf_func_id){row};
    }
    row = (uint32_t)f->funcs.len;
    VF_APPEND(&f->funcs, func);
    vf_table_insert(&f->func_index, hash, row);
    return (vf_func_id){row};
}

void vf_funcs_release(struct vf_funcs *f)
{
    free(f->sources.items);
    free(f->libs.items);
    free(f->natives.items);
    free(f->funcs.items);
    vf_table_release(&f->source_index);
    vf_table_release(&f->lib_index);
    vf_table_release(&f->native_index);
    vf_table_release(&f->func_index);
    *f = (struct vf_funcs){0};
}

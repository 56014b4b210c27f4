#include "symbols/symbols.h"

struct vf_library *vf_symbols_library(struct vf_symbols *symbols, struct vf_str path,
                                      struct vf_str build_id)
{
    for (size_t i = 0; i < symbols->rows.len; i++) {
        const struct vf_symbols_row *row = &symbols->rows.items[i];
        if (vf_str_eq(row->path, path) && vf_str_eq(row->build_id, build_id))
            return row->library;
    }
    struct vf_symbols_row row = {.path = vf_arena_str(&symbols->arena, path),
                                 .build_id = vf_arena_str(&symbols->arena, build_id)};
    row.library = vf_library_open(row.path.ptr, row.build_id, &symbols->debug);
    VF_APPEND(&symbols->rows, row);
    return row.library;
}

void vf_symbols_release(struct vf_symbols *symbols)
{
    for (size_t i = 0; i < symbols->rows.len; i++)
        vf_library_close(symbols->rows.items[i].library);
    free(symbols->rows.items);
    vf_arena_release(&symbols->arena);
    *symbols = (struct vf_symbols){0};
}

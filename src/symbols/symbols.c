#include "symbols/symbols.h"

#include "base/descriptors.h"

#include <sys/stat.h>

/* The same file under another name. */
static struct vf_library *find_twin(const struct vf_symbols *symbols,
                                    const struct vf_symbols_row *row)
{
    for (size_t i = 0; row->inode && i < symbols->rows.len; i++) {
        const struct vf_symbols_row *other = &symbols->rows.items[i];
        if (other->inode == row->inode && other->device == row->device &&
            vf_str_eq(other->build_id, row->build_id))
            return other->library;
    }
    return NULL;
}

struct vf_library *vf_symbols_library(struct vf_symbols *symbols, struct vf_str path,
                                      struct vf_str build_id)
{
    struct stat st;
    for (size_t i = symbols->rows.len; i > 0; i--) { /* mostly one of the last */
        const struct vf_symbols_row *row = &symbols->rows.items[i - 1];
        if (vf_str_eq(row->path, path) && vf_str_eq(row->build_id, build_id))
            return row->library;
    }
    if (symbols->rows.len == 0)
        vf_descriptors_raise();
    if (symbols->rows.len == VF_SYMBOLS_MAX)
        return symbols->rows.items[VF_SYMBOLS_MAX - 1].library;
    struct vf_symbols_row row = {.path = vf_arena_str(&symbols->arena, path),
                                 .build_id = vf_arena_str(&symbols->arena, build_id)};
    if (stat(row.path.ptr, &st) == 0) {
        row.device = (uint64_t)st.st_dev;
        row.inode = (uint64_t)st.st_ino;
    }
    bool last = symbols->rows.len == VF_SYMBOLS_MAX - 1; /* stands for all others: of no file */
    row.library = last ? NULL : find_twin(symbols, &row);
    row.is_own = !row.library;
    if (row.is_own)
        row.library =
            vf_library_open(last ? "" : row.path.ptr, row.build_id, last ? NULL : &symbols->debug);
    VF_APPEND(&symbols->rows, row);
    return row.library;
}

void vf_symbols_release(struct vf_symbols *symbols)
{
    for (size_t i = 0; i < symbols->rows.len; i++)
        if (symbols->rows.items[i].is_own)
            vf_library_close(symbols->rows.items[i].library);
    free(symbols->rows.items);
    vf_arena_release(&symbols->arena);
    *symbols = (struct vf_symbols){0};
}

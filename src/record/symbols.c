#include "record/symbols.h"

#include "capture/rows.h"

static struct vf_str module_id(const struct vf_session *s, struct vf_str path)
{
    for (size_t i = 0; i < s->modules.len; i++)
        if (vf_str_eq(s->modules.items[i].path, path))
            return s->modules.items[i].build_id;
    return VF_STR("");
}

/* Notes the address where it lies in a library that is known. */
static void want(struct vf_pack *pack, const struct vf_session *s, uint64_t address,
                 bool is_instruction)
{
    const struct vf_map *map = vf_maps_find(&s->known_maps, address);
    struct vf_str id = map && map->executable ? module_id(s, map->path) : VF_STR("");
    if (id.len && !map->deleted)
        vf_pack_add(pack, map->path, id, address - map->base, is_instruction);
}

/* Code of Python lies in no library, so it need not be told from native functions.  VMProf sets the
 * lowest bit of theirs: which it is without the bit is found when both are known. */
static void want_functions(struct vf_pack *pack, const struct vf_session *s)
{
    for (size_t i = 0; i < s->addresses.len; i++) {
        uint64_t address = s->addresses.items[i];
        want(pack, s, address & ~(uint64_t)1, false);
        if (address & 1)
            want(pack, s, address, false);
    }
}

/* The instructions that were interrupted, and those of --pc-thread. */
static void want_instructions(struct vf_pack *pack, struct vf_session *s)
{
    struct vf_bytes rows;
    if (vf_spool_map(&s->spool, VF_SPOOL_INTERRUPTED, &rows)) {
        int64_t row[2];
        for (size_t at = 0; at + sizeof row <= rows.len; at += sizeof row) {
            memcpy(row, rows.ptr + at, sizeof row);
            want(pack, s, (uint64_t)row[1], true);
        }
        vf_bytes_release(&rows);
    }
    if (vf_spool_map(&s->spool, VF_SPOOL_PC, &rows)) {
        struct vf_str view = vf_bytes_view(&rows);
        for (size_t i = 0; i < vf_rows_count(view); i++)
            want(pack, s, (uint64_t)vf_rows_get(view, i).third, true);
        vf_bytes_release(&rows);
    }
}

void vf_symbols_find(struct vf_found_symbols *found, struct vf_session *s)
{
    struct vf_symbols symbols = {0};
    *found = (struct vf_found_symbols){0};
    if (s->options->debug)
        symbols.debug = *s->options->debug;
    if (s->native)
        want_functions(&found->pack, s);
    want_instructions(&found->pack, s);
    struct vf_pack_source source = vf_pack_files(&symbols);
    if (found->pack.libraries.len)
        vf_pack_write(&found->pack, &source, s->options->targets, &found->json,
                      s->options->code ? &found->code : NULL);
    if (found->pack.left_out)
        vf_warn(s->warnings, "symbols of %zu addresses were left out: over the limit of %d",
                found->pack.left_out, VF_PACK_MAX);
    if (found->pack.cut)
        vf_warn(s->warnings,
                "lines or machine code of native functions were left out: there are too "
                "many");
    vf_symbols_release(&symbols);
}

void vf_symbols_found_release(struct vf_found_symbols *found)
{
    vf_buf_release(&found->json);
    vf_buf_release(&found->code);
    vf_pack_release(&found->pack);
}

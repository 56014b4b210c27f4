#include "cmd/symbols.h"

#include "symbols/names.h"

void vf_name_source_init(struct vf_name_source *source, const struct vf_capture *capture,
                         const struct vf_debug_files *debug, struct vf_warnings *warnings)
{
    struct vf_error error;
    *source = (struct vf_name_source){.files = {.debug = *debug},
                                      .ask_files = debug->folder || debug->fetch};
    if (capture->symbols.len && vf_packed_symbols_read(&source->packed, capture->symbols,
                                                       capture->code, &error) == VF_FATAL)
        vf_warn_error(warnings, &error);
}

void vf_name_source_release(struct vf_name_source *source)
{
    vf_packed_symbols_release(&source->packed);
    vf_symbols_release(&source->files);
    free(source->read.items);
    vf_table_release(&source->read_index);
    vf_arena_release(&source->arena);
}

/* Raw names live as long as the source does. */
static struct vf_str read_name(struct vf_name_source *source, struct vf_str raw)
{
    uint64_t hash = vf_hash_bytes(raw.ptr, raw.len);
    struct vf_probe probe = vf_table_probe(&source->read_index, hash);
    uint32_t row;
    while (vf_table_next(&source->read_index, &probe, &row))
        if (vf_str_eq(source->read.items[row].raw, raw))
            return source->read.items[row].name;
    struct vf_read_name read = {raw, vf_name_readable(raw, &source->arena)};
    vf_table_insert(&source->read_index, hash, (uint32_t)source->read.len);
    VF_APPEND(&source->read, read);
    return read.name;
}

static void set_name(struct vf_name_source *source, struct vf_symbolized_frame *frame,
                     struct vf_str raw, struct vf_str file)
{
    frame->raw = raw;
    frame->file = file;
    if (raw.len)
        frame->name = read_name(source, raw);
}

/* ---- the recording --------------------------------------------------------------------------- */

static bool find_packed(struct vf_name_source *source, const struct vf_native_place *place,
                        struct vf_symbolized *out)
{
    const struct vf_packed_library *library =
        vf_packed_library(&source->packed, place->path, place->build_id);
    const struct vf_packed_function *f =
        library ? vf_packed_function(library, place->address) : NULL;
    if (!f)
        return false;
    out->start = f->start;
    out->size = f->size;
    out->is_sampler = f->is_signal || vf_name_is_sampler(f->name, vf_str_basename(place->path));
    out->count = 1;
    set_name(source, &out->frames[0], f->name, f->file);
    out->frames[0].first_line = f->line;
    const struct vf_packed_place *at =
        place->is_instruction ? vf_packed_place(library, f, place->address) : NULL;
    if (!at)
        return true;
    out->frames[0].line = at->line;
    for (uint32_t i = 0; i < at->count && out->count < VF_SYMBOLIZED_MAX; i++) {
        const struct vf_packed_inline *inlined = &source->packed.inlines.items[at->first + i];
        struct vf_symbolized_frame *frame = &out->frames[out->count++];
        set_name(source, frame, inlined->name, inlined->file);
        frame->first_line = inlined->first_line;
        frame->line = inlined->line;
    }
    return true;
}

/* ---- this machine ---------------------------------------------------------------------------- */

/* Only a whole path is opened; without one a debug file of that build may still be there. */
static struct vf_library *find_any_library(struct vf_name_source *source,
                                           const struct vf_native_place *place)
{
    if (place->build_id.len == 0)
        return NULL;
    bool whole = place->path.len && place->path.ptr[0] == '/';
    return vf_symbols_library(&source->files, whole ? place->path : VF_STR(""), place->build_id);
}

struct vf_library *vf_name_source_library(struct vf_name_source *source,
                                          const struct vf_native_place *place)
{
    struct vf_library *library = find_any_library(source, place);
    return library && vf_library_state(library) == VF_LIBRARY_READY ? library : NULL;
}

bool vf_name_source_find_here(struct vf_name_source *source, const struct vf_native_place *place,
                              struct vf_symbolized *out)
{
    _Static_assert((int)VF_SYMBOLIZED_MAX >= (int)VF_INLINE_MAX, "frames fit");
    struct vf_symbol symbol;
    struct vf_symbol_frame frames[VF_INLINE_MAX];
    struct vf_library *library = vf_name_source_library(source, place);
    if (!library || !vf_library_function(library, place->address, &symbol))
        return false;
    out->start = symbol.start;
    out->size = symbol.size;
    out->is_sampler =
        symbol.is_signal || vf_name_is_sampler(symbol.name, vf_str_basename(place->path));
    out->count = place->is_instruction ? vf_library_frames(library, place->address, frames) : 0;
    if (out->count == 0) {
        frames[0] = (struct vf_symbol_frame){symbol.name, symbol.file, symbol.line, 0};
        out->count = 1;
    }
    for (size_t i = 0; i < out->count; i++) {
        set_name(source, &out->frames[i], frames[i].name, frames[i].file);
        out->frames[i].first_line = frames[i].first_line;
        out->frames[i].line = frames[i].line;
    }
    return true;
}

bool vf_name_source_find(void *context, const struct vf_native_place *place,
                         struct vf_symbolized *out)
{
    struct vf_name_source *source = context;
    *out = (struct vf_symbolized){0};
    find_packed(source, place, out);
    if (out->count &&
        (!source->ask_files || vf_symbolized_worth(out) == vf_native_place_worth(place)))
        return true;
    struct vf_symbolized *other = vf_alloc_zeroed(1, sizeof *other);
    if (vf_name_source_find_here(source, place, other) &&
        vf_symbolized_worth(other) > vf_symbolized_worth(out))
        *out = *other;
    free(other);
    return out->count > 0;
}

/* ---- code ------------------------------------------------------------------------------------ */

struct vf_str vf_name_source_code(struct vf_name_source *source,
                                  const struct vf_native_place *place, uint64_t *start,
                                  struct vf_str *arch)
{
    struct vf_symbol symbol;
    const struct vf_packed_library *packed =
        vf_packed_library(&source->packed, place->path, place->build_id);
    const struct vf_packed_function *f = packed ? vf_packed_function(packed, place->address) : NULL;
    if (f && f->code.len) {
        *start = f->start;
        *arch = packed->arch;
        return f->code;
    }
    struct vf_library *library = vf_name_source_library(source, place);
    if (!library || !vf_library_function(library, place->address, &symbol) || symbol.size == 0)
        return (struct vf_str){NULL, 0};
    *start = symbol.start;
    *arch = vf_library_arch(library);
    return vf_library_code(library, symbol.start, symbol.size);
}

enum vf_library_state vf_name_source_state(struct vf_name_source *source,
                                           const struct vf_native_place *place)
{
    struct vf_library *library = find_any_library(source, place);
    if (!library ||
        (vf_library_state(library) == VF_LIBRARY_READY && !vf_library_has_file(library)))
        return VF_LIBRARY_MISSING;
    return vf_library_state(library);
}

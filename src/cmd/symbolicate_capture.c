#include "cmd/symbolicate.h"

#include "code/disassembly.h"
#include "finished/edit.h"
#include "profile/build.h"
#include "record/renew.h"
#include "symbols/pack.h"

#include <stdio.h>

/* ---- which addresses ------------------------------------------------------------------------- */

/* Between the builder of a profile and who knows the symbols: what is asked is what is wanted. */
struct listener {
    struct vf_name_source *names;
    struct vf_pack pack;
};

static bool listen(void *context, const struct vf_native_place *place, struct vf_symbolized *out)
{
    struct listener *listener = context;
    const struct vf_packed_library *packed =
        vf_packed_library(&listener->names->packed, place->path, place->build_id);
    struct vf_str id = packed ? packed->build_id : place->build_id;
    if (packed || id.len)
        vf_pack_add(&listener->pack, place->path, id, place->address, place->is_instruction);
    return vf_name_source_find(listener->names, place, out);
}

static bool list_addresses(const struct vf_capture *capture, struct listener *listener)
{
    struct vf_error error;
    struct vf_warnings warnings = {0};
    struct vf_profile profile;
    struct vf_symbolizer symbolizer = {listen, listener};
    struct vf_build_options build = {.symbolizer = &symbolizer};
    bool good = vf_profile_build(&profile, capture, &build, &warnings, &error) != VF_FATAL;
    if (!good)
        vf_say_error("the recording", &error, 0);
    vf_profile_release(&profile);
    return good;
}

/* ---- what is known of them ------------------------------------------------------------------- */

struct asked {
    struct vf_name_source *names;
    struct vf_native_place place; /* in the library in work */
    struct vf_symbolized *symbol;
};

/* Both are looked at: a function that only the recording knows is kept. */
static const void *find_library(void *context, struct vf_str path, struct vf_str build_id,
                                struct vf_str *arch)
{
    struct asked *asked = context;
    const struct vf_packed_library *packed =
        vf_packed_library(&asked->names->packed, path, build_id);
    asked->place = (struct vf_native_place){.path = path, .build_id = build_id};
    struct vf_library *library = vf_name_source_library(asked->names, &asked->place);
    if (!packed && !library)
        return NULL;
    *arch = packed ? packed->arch : vf_library_arch(library);
    return &asked->place;
}

static bool find(struct asked *asked, uint64_t address, bool is_instruction)
{
    asked->place.address = address;
    asked->place.is_instruction = is_instruction;
    return vf_name_source_find(asked->names, &asked->place, asked->symbol);
}

/* A symbol may have no size, or another than the tables for unwinding say: what was recorded stays,
 * for the machine code is that of these bounds. */
static void keep_bounds(const struct asked *asked, uint64_t address, struct vf_symbol *out)
{
    const struct vf_packed_library *packed =
        vf_packed_library(&asked->names->packed, asked->place.path, asked->place.build_id);
    const struct vf_packed_function *known = packed ? vf_packed_function(packed, address) : NULL;
    if (!known || known->size == 0 || (known->start != out->start && out->size))
        return;
    out->start = known->start;
    out->size = known->size;
}

static bool find_function(void *context, const void *library, uint64_t address,
                          struct vf_symbol *out)
{
    struct asked *asked = context;
    (void)library;
    if (!find(asked, address, false))
        return false;
    const struct vf_symbolized_frame *frame = &asked->symbol->frames[0];
    *out = (struct vf_symbol){.name = frame->raw,
                              .file = frame->file,
                              .line = frame->first_line,
                              .start = asked->symbol->start,
                              .size = asked->symbol->size,
                              .is_signal = asked->symbol->is_sampler};
    keep_bounds(asked, address, out);
    return true;
}

static size_t find_frames(void *context, const void *library, uint64_t address,
                          struct vf_symbol_frame frames[VF_INLINE_MAX])
{
    struct asked *asked = context;
    (void)library;
    if (!find(asked, address, true))
        return 0;
    size_t count = asked->symbol->count < VF_INLINE_MAX ? asked->symbol->count : VF_INLINE_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct vf_symbolized_frame *frame = &asked->symbol->frames[i];
        frames[i] =
            (struct vf_symbol_frame){frame->raw, frame->file, frame->first_line, frame->line};
    }
    return count;
}

static uint64_t find_next_line(void *context, const void *library, uint64_t address)
{
    struct asked *asked = context;
    const struct vf_native_place *place = library;
    const struct vf_packed_library *packed =
        vf_packed_library(&asked->names->packed, place->path, place->build_id);
    struct vf_library *file = vf_name_source_library(asked->names, place);
    uint64_t one = packed ? vf_packed_next_line(packed, address) : UINT64_MAX;
    uint64_t other = file ? vf_library_next_line(file, address) : UINT64_MAX;
    return one < other ? one : other;
}

static struct vf_str find_code(void *context, const void *library, const struct vf_symbol *function)
{
    struct asked *asked = context;
    struct vf_native_place place = asked->place;
    uint64_t start;
    struct vf_str arch;
    (void)library;
    place.address = function->start;
    struct vf_str code = vf_name_source_code(asked->names, &place, &start, &arch);
    return code.len && start == function->start ? code : (struct vf_str){NULL, 0};
}

/* ---- what it came to ------------------------------------------------------------------------- */

static void count_functions(const struct vf_packed_symbols *before,
                            const struct vf_packed_symbols *after, struct vf_symbolicated *told)
{
    for (size_t i = 0; i < after->libraries.len; i++) {
        const struct vf_packed_library *library = &after->libraries.items[i];
        const struct vf_packed_library *old =
            vf_packed_library(before, library->path, library->build_id);
        for (size_t k = 0; k < library->functions.len; k++) {
            const struct vf_packed_function *f = &library->functions.items[k];
            const struct vf_packed_function *known = old ? vf_packed_function(old, f->start) : NULL;
            told->functions++;
            told->unnamed += f->name.len == 0;
            told->named += f->name.len && (!known || known->name.len == 0);
        }
    }
}

/* ---- sources --------------------------------------------------------------------------------- */

struct sources {
    VF_VEC(struct vf_new_member) members;
    struct vf_edits info; /* capture.json, which lists them */
    struct vf_arena arena;
};

static bool has_source(const struct vf_capture *capture, struct vf_str path)
{
    for (size_t i = 0; i < capture->sources.len; i++)
        if (vf_str_eq(capture->sources.items[i].path, path))
            return true;
    return false;
}

static size_t count_items(struct vf_str list)
{
    size_t count = 0;
    struct vf_json_walk walk;
    struct vf_str item;
    if (vf_json_enter(&walk, list, '['))
        while (vf_json_next_item(&walk, &item))
            count++;
    return count;
}

/* Members are numbered as they stand in the list. */
static void add_sources(struct sources *s, const struct vf_capture *capture,
                        const struct vf_pack *pack, struct vf_source_folder *folder,
                        struct vf_symbolicated *told)
{
    struct vf_str list = vf_json_member(capture->info_json, VF_STR("sources"));
    size_t first = count_items(list);
    s->info.text = capture->info_json;
    for (size_t i = 0; i < pack->files.len; i++) {
        struct vf_str text, path = pack->files.items[i];
        if (has_source(capture, path))
            continue;
        if (!vf_source_folder_get(folder, path, &text) || !text.len) {
            told->sources++;
            continue;
        }
        struct vf_str name = vf_arena_printf(&s->arena, "sources/%05zu.c", first + s->members.len);
        if (s->members.len == 0 && !vf_edits_append(&s->info, list))
            return;
        struct vf_json json = {.out = &s->info.made, .comma = s->members.len > 0};
        vf_json_begin(&json, '{');
        vf_json_key(&json, "path");
        vf_json_str(&json, path);
        vf_json_key(&json, "member");
        vf_json_str(&json, name);
        vf_json_end(&json, '}');
        VF_APPEND(&s->members, ((struct vf_new_member){name.ptr, text}));
    }
}

static void release_sources(struct sources *s)
{
    free(s->members.items);
    vf_edits_release(&s->info);
    vf_arena_release(&s->arena);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool write_capture(const struct vf_capture *capture, const char *out, struct sources *s,
                          const struct vf_buf *symbols, const struct vf_buf *code)
{
    struct vf_error error;
    struct vf_buf info = {0};
    VF_APPEND(&s->members, ((struct vf_new_member){"symbols.json", vf_buf_view(symbols)}));
    VF_APPEND(&s->members, ((struct vf_new_member){"code.bin", vf_buf_view(code)}));
    vf_edits_write(&s->info, &info);
    VF_APPEND(&s->members, ((struct vf_new_member){"capture.json", vf_buf_view(&info)}));
    bool good = vf_zip_renew(out, vf_bytes_view(&capture->file), s->members.items, s->members.len,
                             &error) != VF_FATAL;
    if (!good)
        vf_say_error(out, &error, 0);
    vf_buf_release(&info);
    return good;
}

bool vf_symbolicate_capture(const struct vf_capture *capture, struct vf_name_source *names,
                            struct vf_source_folder *folder, const char *out,
                            struct vf_symbolicated *told)
{
    struct listener listener = {.names = names};
    struct asked asked = {.names = names, .symbol = vf_alloc_zeroed(1, sizeof *asked.symbol)};
    struct vf_pack_source source = {find_library,   find_function, find_frames,
                                    find_next_line, find_code,     &asked};
    struct vf_packed_symbols after = {0};
    struct vf_buf json = {0}, code = {0};
    struct sources sources = {0};
    struct vf_error error;
    bool good = list_addresses(capture, &listener);
    if (good) {
        vf_pack_write(&listener.pack, &source, vf_disassembly_targets, &json,
                      capture->code.len ? &code : NULL);
        good = vf_packed_symbols_read(&after, vf_buf_view(&json), vf_buf_view(&code), &error) !=
               VF_FATAL;
        if (!good)
            vf_say_error(NULL, &error, 0);
    }
    if (listener.pack.left_out || listener.pack.cut)
        vf_say("warning: there is too much: symbols of %zu addresses%s were left out",
               listener.pack.left_out,
               listener.pack.cut ? ", and lines or machine code of others," : "");
    if (good) {
        count_functions(&names->packed, &after, told);
        add_sources(&sources, capture, &listener.pack, folder, told);
        good = write_capture(capture, out, &sources, &json, &code);
    }
    release_sources(&sources);
    vf_packed_symbols_release(&after);
    vf_buf_release(&json);
    vf_buf_release(&code);
    vf_pack_release(&listener.pack);
    free(asked.symbol);
    return good;
}

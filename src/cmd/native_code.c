#include "cmd/native_code.h"

#include "capture/source_name.h"
#include "cmd/finished.h"
#include "cmd/jit_code.h"
#include "code/disassembly.h"
#include "finished/file.h"
#include "profile/jit.h"

#include <stdio.h>

/* ---- libraries ------------------------------------------------------------------------------- */

static void add_profile_libs(struct vf_native_code *native, const struct vf_input *input)
{
    const struct vf_profile *p = &input->profile;
    for (size_t i = 0; i < p->funcs.libs.len; i++) {
        const struct vf_lib *lib = &p->funcs.libs.items[i];
        struct vf_served_lib *served;
        if (lib->build_id.len == 0 || (p->jit && p->jit->lib.i == i))
            continue;
        served = VF_PUSH(&native->libs);
        served->debug_name = vf_strings_get(&p->strings, lib->name);
        served->path = vf_strings_get(&p->strings, lib->path);
        served->build_id = lib->build_id;
        vf_firefox_breakpad_id(lib->build_id, served->debug_id);
    }
}

/* The name of the thread of instruction addresses, as a finished file has it. */
#define ADDRESSES "\"Machine code (pc samples)\""

static bool has_addresses(const struct vf_profile *profile)
{
    for (size_t i = 0; i < profile->threads.len; i++)
        if (profile->threads.items[i].is_addresses)
            return true;
    return false;
}

static void add_finished_libs(struct vf_native_code *native, struct vf_capture *capture)
{
    struct vf_finished_text text;
    struct vf_finished_libs libs;
    vf_finished_text_root(&text, capture, NULL);
    native->has_addresses =
        text.text.len && memmem(text.text.ptr, text.text.len, ADDRESSES, sizeof ADDRESSES - 1);
    vf_finished_libs_read(&libs, text.text);
    for (size_t i = 0; i < libs.v.len; i++) {
        const struct vf_finished_lib *lib = &libs.v.items[i];
        struct vf_served_lib served = {.debug_name = vf_arena_str(&native->arena, lib->debug_name),
                                       .path = vf_arena_str(&native->arena, lib->path),
                                       .build_id = vf_arena_str(&native->arena, lib->code_id)};
        if (lib->code_id.len == 0 || lib->debug_name.len == 0 ||
            lib->breakpad_id.len >= sizeof served.debug_id)
            continue;
        memcpy(served.debug_id, lib->breakpad_id.ptr, lib->breakpad_id.len);
        VF_APPEND(&native->libs, served);
    }
    vf_finished_libs_release(&libs);
    vf_finished_text_release(&text);
}

void vf_native_code_init(struct vf_native_code *native, struct vf_input *input)
{
    *native = (struct vf_native_code){.names = &input->names,
                                      .made = vf_alloc_zeroed(1, sizeof *native->made)};
    /* A browser asks for what the profile does not have: what this machine knows may be more. */
    input->names.ask_files = true;
    if (input->has_profile) {
        native->has_addresses = has_addresses(&input->profile);
        add_profile_libs(native, input);
    } else {
        add_finished_libs(native, &input->capture);
    }
}

void vf_native_code_release(struct vf_native_code *native)
{
    free(native->libs.items);
    vf_buf_release(native->made);
    free(native->made);
    vf_arena_release(&native->arena);
}

const void *vf_native_code_library(const void *context, struct vf_str debug_name,
                                   struct vf_str debug_id)
{
    const struct vf_native_code *native = context;
    for (size_t i = 0; i < native->libs.len; i++)
        if (vf_str_eq(native->libs.items[i].debug_name, debug_name) &&
            vf_str_eq(vf_str_from(native->libs.items[i].debug_id), debug_id))
            return &native->libs.items[i];
    return NULL;
}

static struct vf_native_place place_in(const struct vf_served_lib *lib, uint64_t address)
{
    return (struct vf_native_place){
        .path = lib->path, .build_id = lib->build_id, .address = address};
}

/* ---- symbols --------------------------------------------------------------------------------- */

/* Re-symbolicating must change nothing that is known already: where nothing more is known than the
 * profile has, the answer is what the profile has. */
bool vf_native_code_find(const void *context, const void *library, uint64_t address,
                         struct vf_serve_symbol *out)
{
    const struct vf_native_code *native = context;
    const struct vf_served_lib *lib = library;
    struct vf_native_place place = place_in(lib, address);
    struct vf_symbolized symbol = {0};
    place.is_instruction = true;
    if (address == VF_SERVE_NO_ADDRESS || !vf_name_source_find(native->names, &place, &symbol)) {
        *out = (struct vf_serve_symbol){.start = address, .count = 1};
        out->frames[0].function = lib->debug_name;
        return true;
    }
    if (symbol.frames[0].name.len == 0) {
        native->made->len = 0;
        vf_buf_str(native->made, vf_str_basename(place.path));
        vf_buf_printf(native->made, "+0x%llx", (unsigned long long)symbol.start);
        symbol.frames[0].name = vf_buf_view(native->made);
    }
    *out = (struct vf_serve_symbol){.start = symbol.start, .size = symbol.size};
    /* At the first byte a profile means the function as a whole. */
    bool whole = address == symbol.start;
    size_t count = whole ? 1 : symbol.count;
    for (size_t i = 0; i < count && i < VF_SERVE_FRAMES_MAX; i++) {
        const struct vf_symbolized_frame *frame = &symbol.frames[i];
        out->frames[out->count++] =
            (struct vf_serve_frame){frame->name.len ? frame->name : VF_STR("(inlined)"),
                                    frame->file, whole ? 0 : frame->line};
    }
    return true;
}

/* ---- sources --------------------------------------------------------------------------------- */

/* A recording may call its functions' files as it likes: only what debug files of this machine say
 * of the very library counts. */
bool vf_native_code_source(const void *context, const void *library, uint64_t address,
                           struct vf_str file, struct vf_buf *text)
{
    const struct vf_native_code *native = context;
    struct vf_native_place place = place_in(library, address);
    struct vf_symbolized symbol = {0};
    struct vf_bytes bytes;
    bool named = false;
    place.is_instruction = true;
    if (!vf_name_source_find_here(native->names, &place, &symbol))
        return false;
    for (size_t i = 0; i < symbol.count && !named; i++)
        named = vf_str_eq(symbol.frames[i].file, file);
    if (!named || vf_source_text_native(file, VF_SOURCE_MAX, &bytes) != VF_OK)
        return false;
    vf_buf_str(text, vf_bytes_view(&bytes));
    vf_bytes_release(&bytes);
    return true;
}

/* ---- assembly -------------------------------------------------------------------------------- */

struct listing {
    const struct vf_native_code *native;
    const struct vf_served_lib *lib;
};

static bool add_name(void *context, uint64_t address, struct vf_buf *out)
{
    struct listing *listing = context;
    struct vf_native_place place = place_in(listing->lib, address);
    struct vf_symbolized symbol = {0};
    if (!vf_name_source_find(listing->native->names, &place, &symbol) ||
        symbol.frames[0].name.len == 0)
        return false;
    vf_buf_str(out, symbol.frames[0].name);
    if (address > symbol.start)
        vf_buf_printf(out, "+0x%llx", (unsigned long long)(address - symbol.start));
    return true;
}

static bool add_line(void *context, uint64_t address, struct vf_buf *out)
{
    struct listing *listing = context;
    struct vf_native_place place = place_in(listing->lib, address);
    struct vf_symbolized symbol = {0};
    place.is_instruction = true;
    if (!vf_name_source_find(listing->native->names, &place, &symbol))
        return false;
    const struct vf_symbolized_frame *frame = &symbol.frames[symbol.count - 1];
    if (frame->line == 0 || frame->file.len == 0)
        return false;
    vf_buf_printf(out, "%.*s:%u", VF_STR_ARG(vf_str_basename(frame->file)), frame->line);
    if (symbol.count > 1 && frame->name.len)
        vf_buf_printf(out, "  (%.*s, inlined)", VF_STR_ARG(frame->name));
    return true;
}

static const struct vf_served_lib *find_lib(const struct vf_native_code *native,
                                            const struct vf_serve_function *function)
{
    for (size_t i = 0; i < native->libs.len; i++) {
        const struct vf_served_lib *lib = &native->libs.items[i];
        bool id = function->code_id.len ? vf_str_eq(function->code_id, lib->build_id)
                                        : vf_str_eq(function->debug_id, vf_str_from(lib->debug_id));
        if (id && vf_str_eq(function->lib, lib->debug_name))
            return lib;
    }
    return NULL;
}

/* Why there is no code of the function, in an answer. */
static void say_why(const struct vf_native_code *native, const struct vf_native_place *place,
                    struct vf_buf *out)
{
    char text[512];
    struct vf_str name = vf_str_basename(place->path);
    name.len = name.len < 200 ? name.len : 200;
    switch (vf_name_source_state(native->names, place)) {
    case VF_LIBRARY_CHANGED:
        snprintf(text, sizeof text, "%.*s on this machine is another build than the recorded one.",
                 VF_STR_ARG(name));
        break;
    case VF_LIBRARY_MISSING:
    case VF_LIBRARY_NO_ELF:
        snprintf(text, sizeof text,
                 "%.*s is not on this machine, and its machine code is not in the recording "
                 "(vmfox record --share keeps it).",
                 VF_STR_ARG(name));
        break;
    case VF_LIBRARY_READY:
        snprintf(text, sizeof text, "%.*s has no machine code of that function.", VF_STR_ARG(name));
        break;
    }
    vf_api_error(out, text);
}

#define COUNTED_FIRST "; counted at the first row: callers, and samples without an instruction"

bool vf_native_code_assembly(const void *context, const struct vf_serve_function *function,
                             struct vf_buf *out)
{
    const struct vf_native_code *native = context;
    struct listing listing = {native, find_lib(native, function)};
    if (!listing.lib)
        return false;
    struct vf_native_place place = place_in(listing.lib, function->address);
    struct vf_disassembly d = {
        .note =
            native->has_addresses
                ? VF_STR(COUNTED_FIRST "\n; each instruction: thread \"Machine code (pc samples)\"")
                : VF_STR(COUNTED_FIRST),
        .name = add_name,
        .line = add_line,
        .context = &listing};
    d.code = vf_name_source_code(native->names, &place, &d.start, &d.arch);
    if (d.code.len == 0)
        say_why(native, &place, out);
    else
        vf_disassembly_write(out, &d);
    return true;
}

#include "capture/symbols.h"

#include "base/sorted.h"
#include "capture/capture.h"

#include <jansson.h>

struct reader {
    struct vf_packed_symbols *out;
    struct vf_str code;
    VF_VEC(struct vf_str) strings;
};

/* ---- values ---------------------------------------------------------------------------------- */

static int64_t get_int(const json_t *row, size_t i)
{
    const json_t *value = json_array_get(row, i);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static uint32_t get_line(const json_t *row, size_t i)
{
    int64_t value = get_int(row, i);
    return value > 0 && value <= INT32_MAX ? (uint32_t)value : 0;
}

static struct vf_str get_string(const struct reader *r, const json_t *row, size_t i)
{
    int64_t value = get_int(row, i);
    if (value < 0 || (uint64_t)value >= r->strings.len)
        return VF_STR("");
    return r->strings.items[value];
}

static struct vf_str keep_text(struct reader *r, const json_t *value)
{
    if (!json_is_string(value))
        return VF_STR("");
    return vf_arena_str(&r->out->arena,
                        (struct vf_str){json_string_value(value), json_string_length(value)});
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void read_function(struct reader *r, struct vf_packed_library *library, const json_t *row)
{
    int64_t start = get_int(row, 0), size = get_int(row, 1), code = get_int(row, 6);
    if (start < 0 || size < 0)
        return;
    struct vf_packed_function *f = VF_PUSH(&library->functions);
    f->start = (uint64_t)start;
    f->size = (uint64_t)size;
    f->name = get_string(r, row, 2);
    f->file = get_string(r, row, 3);
    f->line = get_line(row, 4);
    f->is_signal = get_int(row, 5) > 0;
    if (code >= 0 && (uint64_t)code <= r->code.len && f->size <= r->code.len - (uint64_t)code)
        f->code = (struct vf_str){r->code.ptr + code, f->size};
}

static void read_place(struct reader *r, struct vf_packed_places *places, const json_t *row)
{
    enum { HEAD = 2, EACH = 4, MOST = 64 };
    int64_t address = get_int(row, 0);
    if (address < 0)
        return;
    struct vf_packed_place *place = VF_PUSH(&places->v);
    place->address = (uint64_t)address;
    place->line = get_line(row, 1);
    place->first = (uint32_t)r->out->inlines.len;
    for (size_t i = HEAD; i + EACH <= json_array_size(row) && place->count < MOST; i += EACH) {
        struct vf_packed_inline *inlined = VF_PUSH(&r->out->inlines);
        inlined->name = get_string(r, row, i);
        inlined->file = get_string(r, row, i + 1);
        inlined->first_line = get_line(row, i + 2);
        inlined->line = get_line(row, i + 3);
        place->count++;
    }
}

static int by_start(const void *a, const void *b)
{
    const struct vf_packed_function *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static int by_address(const void *a, const void *b)
{
    const struct vf_packed_place *x = a, *y = b;
    return (x->address > y->address) - (x->address < y->address);
}

static void read_places(struct reader *r, struct vf_packed_places *places, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) read_place(r, places, row);
    if (places->v.len)
        qsort(places->v.items, places->v.len, sizeof *places->v.items, by_address);
}

static void read_library(struct reader *r, const json_t *object)
{
    size_t i;
    json_t *row;
    if (r->out->libraries.len == VF_PACKED_LIBRARIES_MAX)
        return;
    struct vf_packed_library *library = VF_PUSH(&r->out->libraries);
    library->path = keep_text(r, json_object_get(object, "path"));
    library->build_id = keep_text(r, json_object_get(object, "build_id"));
    library->arch = keep_text(r, json_object_get(object, "arch"));
    json_array_foreach(json_object_get(object, "functions"), i, row) read_function(r, library, row);
    if (library->functions.len)
        qsort(library->functions.items, library->functions.len, sizeof *library->functions.items,
              by_start);
    read_places(r, &library->places, json_object_get(object, "places"));
    read_places(r, &library->lines, json_object_get(object, "lines"));
}

enum vf_status vf_packed_symbols_read(struct vf_packed_symbols *symbols, struct vf_str json,
                                      struct vf_str code, struct vf_error *error)
{
    struct reader r = {.out = symbols, .code = code};
    json_error_t why;
    size_t i;
    json_t *item;
    *symbols = (struct vf_packed_symbols){0};
    if (vf_json_values(json) > VF_ZIP_SYMBOL_VALUES_MAX)
        return vf_fail(error, "symbols.json holds more than %d values, the limit",
                       VF_ZIP_SYMBOL_VALUES_MAX);
    json_t *root = json_loadb(json.len ? json.ptr : "", json.len, JSON_ALLOW_NUL, &why);
    if (!root)
        return vf_fail(error, "symbols.json is not JSON: line %d: %s", why.line, why.text);
    int64_t version = json_integer_value(json_object_get(root, "version"));
    if (version != 1) {
        json_decref(root);
        return vf_fail(error, "symbols.json says version %lld; this vmfox reads version 1",
                       (long long)version);
    }
    json_array_foreach(json_object_get(root, "strings"), i, item)
        VF_APPEND(&r.strings, keep_text(&r, item));
    json_array_foreach(json_object_get(root, "libraries"), i, item) read_library(&r, item);
    free(r.strings.items);
    json_decref(root);
    return VF_OK;
}

void vf_packed_symbols_release(struct vf_packed_symbols *symbols)
{
    for (size_t i = 0; i < symbols->libraries.len; i++) {
        free(symbols->libraries.items[i].functions.items);
        free(symbols->libraries.items[i].places.v.items);
        free(symbols->libraries.items[i].lines.v.items);
    }
    free(symbols->libraries.items);
    free(symbols->inlines.items);
    vf_arena_release(&symbols->arena);
    *symbols = (struct vf_packed_symbols){0};
}

/* ---- looking up ------------------------------------------------------------------------------ */

const struct vf_packed_library *vf_packed_library(const struct vf_packed_symbols *symbols,
                                                  struct vf_str path, struct vf_str build_id)
{
    for (size_t i = 0; i < symbols->libraries.len; i++) {
        const struct vf_packed_library *library = &symbols->libraries.items[i];
        if (vf_str_eq(library->path, path) && (build_id.len == 0 || library->build_id.len == 0 ||
                                               vf_str_eq(library->build_id, build_id)))
            return library;
    }
    return NULL;
}

const struct vf_packed_function *vf_packed_function(const struct vf_packed_library *library,
                                                    uint64_t address)
{
    enum { BACK_MAX = 64 }; /* as in symbols/symtab.c: one may lie inside of another */
    size_t count = VF_UP_TO(library->functions.items, library->functions.len, start, address);
    for (size_t i = 0; i < BACK_MAX && i < count; i++) {
        const struct vf_packed_function *f = &library->functions.items[count - 1 - i];
        uint64_t offset = address - f->start;
        if (offset < f->size || (offset == 0 && f->size == 0))
            return f;
    }
    return NULL;
}

const struct vf_packed_place *vf_packed_place(const struct vf_packed_library *library,
                                              const struct vf_packed_function *function,
                                              uint64_t address)
{
    size_t count = VF_UP_TO(library->places.v.items, library->places.v.len, address, address);
    if (count && library->places.v.items[count - 1].address == address)
        return &library->places.v.items[count - 1];
    count = VF_UP_TO(library->lines.v.items, library->lines.v.len, address, address);
    if (count == 0)
        return NULL;
    const struct vf_packed_place *place = &library->lines.v.items[count - 1];
    bool known = place->line || place->count;
    return known && place->address >= function->start ? place : NULL;
}

uint64_t vf_packed_next_line(const struct vf_packed_library *library, uint64_t address)
{
    size_t count = VF_UP_TO(library->lines.v.items, library->lines.v.len, address, address);
    return count < library->lines.v.len ? library->lines.v.items[count].address : UINT64_MAX;
}

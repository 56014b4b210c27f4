#include "finished/relabel.h"

#include "base/progress.h"

#include <stdio.h>

static int32_t *cell(struct vf_relabel *r, enum vf_finished_column column, size_t row)
{
    return &r->file.columns[column].items[row];
}

static size_t rows(const struct vf_relabel *r, enum vf_finished_column column)
{
    return r->file.columns[column].len;
}

static void push(struct vf_relabel *r, enum vf_finished_column column, int32_t value)
{
    VF_APPEND(&r->file.columns[column], value);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static uint64_t hash_pair(int32_t a, int32_t b)
{
    return vf_hash_u64((uint64_t)(uint32_t)a, (uint64_t)(uint32_t)b);
}

static int32_t find_string(const struct vf_relabel *r, struct vf_str text, uint64_t hash)
{
    struct vf_probe probe = vf_table_probe(&r->strings, hash);
    uint32_t row;
    while (vf_table_next(&r->strings, &probe, &row))
        if (vf_str_eq(r->file.strings.items[row], text))
            return (int32_t)row;
    return -1;
}

static int32_t add_string(struct vf_relabel *r, struct vf_str text)
{
    uint64_t hash = vf_hash_bytes(text.ptr, text.len);
    int32_t row = find_string(r, text, hash);
    if (row >= 0)
        return row;
    vf_table_insert(&r->strings, hash, (uint32_t)r->file.strings.len);
    VF_APPEND(&r->file.strings, vf_arena_str(&r->file.arena, text));
    return (int32_t)r->file.strings.len - 1;
}

static int32_t add_source(struct vf_relabel *r, struct vf_str path)
{
    if (path.len == 0)
        return VF_JSON_NULL;
    int32_t name = add_string(r, path);
    uint64_t hash = hash_pair(name, 0);
    struct vf_probe probe = vf_table_probe(&r->sources, hash);
    uint32_t row;
    while (vf_table_next(&r->sources, &probe, &row))
        if (*cell(r, VF_SOURCE_FILENAME, row) == name)
            return (int32_t)row;
    vf_table_insert(&r->sources, hash, (uint32_t)rows(r, VF_SOURCE_FILENAME));
    push(r, VF_SOURCE_FILENAME, name);
    return (int32_t)rows(r, VF_SOURCE_FILENAME) - 1;
}

/* A function has one row: the front-end shows the hits of the first it finds (its
 * src/selectors/per-thread/stack-sample.ts).  So a row that is there gets the new name. */
static int32_t add_native(struct vf_relabel *r, int32_t lib, int32_t address, int32_t name,
                          uint64_t size)
{
    uint64_t hash = hash_pair(lib, address);
    int32_t known_size = size && size <= INT32_MAX ? (int32_t)size : VF_JSON_NULL;
    struct vf_probe probe = vf_table_probe(&r->natives, hash);
    uint32_t row;
    while (vf_table_next(&r->natives, &probe, &row)) {
        if (*cell(r, VF_NATIVE_LIB, row) != lib || *cell(r, VF_NATIVE_ADDRESS, row) != address)
            continue;
        *cell(r, VF_NATIVE_NAME, row) = name;
        if (known_size != VF_JSON_NULL)
            *cell(r, VF_NATIVE_SIZE, row) = known_size;
        return (int32_t)row;
    }
    vf_table_insert(&r->natives, hash, (uint32_t)rows(r, VF_NATIVE_LIB));
    push(r, VF_NATIVE_LIB, lib);
    push(r, VF_NATIVE_ADDRESS, address);
    push(r, VF_NATIVE_NAME, name);
    push(r, VF_NATIVE_SIZE, known_size);
    return (int32_t)rows(r, VF_NATIVE_LIB) - 1;
}

struct func {
    int32_t name, source, line, resource;
};

static uint64_t hash_func(const struct func *func)
{
    return vf_hash_u64(hash_pair(func->name, func->source), hash_pair(func->line, func->resource));
}

static struct func get_func(const struct vf_relabel *r, int32_t row)
{
    return (struct func){.name = vf_finished_get(&r->file, VF_FUNC_NAME, row),
                         .source = vf_finished_get(&r->file, VF_FUNC_SOURCE, row),
                         .line = vf_finished_get(&r->file, VF_FUNC_LINE, row),
                         .resource = vf_finished_get(&r->file, VF_FUNC_RESOURCE, row)};
}

/* `like`: the func that a new one takes everything else from. */
static int32_t add_func(struct vf_relabel *r, struct func func, int32_t like)
{
    uint64_t hash = hash_func(&func);
    struct vf_probe probe = vf_table_probe(&r->funcs, hash);
    uint32_t row;
    while (vf_table_next(&r->funcs, &probe, &row)) {
        struct func have = get_func(r, (int32_t)row);
        if (memcmp(&have, &func, sizeof func) == 0)
            return (int32_t)row;
    }
    vf_table_insert(&r->funcs, hash, (uint32_t)rows(r, VF_FUNC_NAME));
    push(r, VF_FUNC_NAME, func.name);
    push(r, VF_FUNC_SOURCE, func.source);
    push(r, VF_FUNC_LINE, func.line);
    push(r, VF_FUNC_RESOURCE, func.resource);
    VF_APPEND(&r->func_templates, (uint32_t)like);
    return (int32_t)rows(r, VF_FUNC_NAME) - 1;
}

/* True where a row of that hash and number is in the table: of rows that are there twice, perhaps
 * very often, only one is looked for. */
static bool is_indexed(const struct vf_table *table, uint64_t hash)
{
    struct vf_probe probe = vf_table_probe(table, hash);
    uint32_t row;
    return vf_table_next(table, &probe, &row);
}

static void index_row(struct vf_table *table, uint64_t hash, size_t row)
{
    if (!is_indexed(table, hash))
        vf_table_insert(table, hash, (uint32_t)row);
}

static void index_tables(struct vf_relabel *r)
{
    for (size_t i = 0; i < r->old_strings; i++) {
        struct vf_str text = r->file.strings.items[i];
        index_row(&r->strings, vf_hash_bytes(text.ptr, text.len), i);
    }
    for (size_t i = 0; i < r->old_sources; i++)
        index_row(&r->sources, hash_pair(*cell(r, VF_SOURCE_FILENAME, i), 0), i);
    for (size_t i = 0; i < r->old_natives; i++)
        index_row(&r->natives,
                  hash_pair(*cell(r, VF_NATIVE_LIB, i), *cell(r, VF_NATIVE_ADDRESS, i)), i);
    for (size_t i = 0; i < r->old_funcs; i++) {
        struct func func = get_func(r, (int32_t)i);
        index_row(&r->funcs, hash_func(&func), i);
    }
}

enum vf_status vf_relabel_init(struct vf_relabel *r, struct vf_str text,
                               const struct vf_symbolicate_options *options,
                               struct vf_symbolicated *told, struct vf_error *error)
{
    *r = (struct vf_relabel){.options = options, .told = told};
    enum vf_status status = vf_finished_read(&r->file, text, error);
    if (status != VF_OK)
        return status;
    r->old_strings = r->file.strings.len;
    r->old_frames = rows(r, VF_FRAME_FUNC);
    r->old_funcs = rows(r, VF_FUNC_NAME);
    r->old_natives = rows(r, VF_NATIVE_LIB);
    r->old_sources = rows(r, VF_SOURCE_FILENAME);
    r->fates = vf_alloc_zeroed(r->old_frames, sizeof *r->fates);
    index_tables(r);
    return VF_OK;
}

void vf_relabel_release(struct vf_relabel *r)
{
    vf_finished_release(&r->file);
    free(r->frame_templates.items);
    free(r->func_templates.items);
    free(r->fates);
    vf_table_release(&r->strings);
    vf_table_release(&r->funcs);
    vf_table_release(&r->natives);
    vf_table_release(&r->sources);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* A frame that can be looked up. */
struct place {
    const struct vf_finished_lib *lib;
    int32_t row, lib_row, address, native, func, start;
    bool is_instruction;
};

static bool get_place(const struct vf_relabel *r, int32_t row, struct place *out)
{
    const struct vf_finished *f = &r->file;
    *out = (struct place){.row = row,
                          .lib_row = vf_finished_frame_lib(f, row),
                          .address = vf_finished_get(f, VF_FRAME_ADDRESS, row),
                          .native = vf_finished_get(f, VF_FRAME_NATIVE, row),
                          .func = vf_finished_get(f, VF_FRAME_FUNC, row)};
    out->start = vf_finished_get(f, VF_NATIVE_ADDRESS, out->native);
    if (out->lib_row < 0 || (size_t)out->lib_row >= f->libs.v.len || out->address < 0 ||
        out->start < 0 || vf_finished_get(f, VF_FRAME_DEPTH, row) != 0 ||
        vf_finished_get(f, VF_FUNC_NAME, out->func) < 0)
        return false;
    out->lib = &f->libs.v.items[out->lib_row];
    out->is_instruction = out->address != out->start;
    return out->lib->code_id.len > 0;
}

/* Named by where it is, as profile/native.h does. */
static bool is_unnamed(const struct vf_relabel *r, const struct place *place)
{
    char made[24];
    int32_t name = vf_finished_get(&r->file, VF_FUNC_NAME, place->func);
    struct vf_str text =
        name >= 0 && (size_t)name < r->file.strings.len ? r->file.strings.items[name] : VF_STR("");
    snprintf(made, sizeof made, "+0x%x", (unsigned)place->start);
    return text.len == place->lib->name.len + strlen(made) &&
           vf_str_starts(text, place->lib->name) && vf_str_ends(text, vf_str_from(made));
}

/* As vf_symbolized_worth() has it. */
static int worth_of(const struct vf_relabel *r, const struct place *place)
{
    if (is_unnamed(r, place))
        return 1;
    if (place->is_instruction && vf_finished_get(&r->file, VF_FRAME_LINE, place->row) >= 0)
        return 4;
    return vf_finished_get(&r->file, VF_FUNC_LINE, place->func) >= 0 ? 3 : 2;
}

static int32_t line_or_null(uint32_t line)
{
    return line && line <= INT32_MAX ? (int32_t)line : VF_JSON_NULL;
}

static int32_t add_frame_func(struct vf_relabel *r, const struct place *place,
                              const struct vf_symbolized_frame *frame)
{
    return add_func(
        r,
        (struct func){.name = add_string(r, frame->name.len ? frame->name : VF_STR("(inlined)")),
                      .source = add_source(r, frame->file),
                      .line = line_or_null(frame->first_line),
                      .resource = vf_finished_get(&r->file, VF_FUNC_RESOURCE, place->func)},
        place->func);
}

static void add_inlined(struct vf_relabel *r, const struct place *place,
                        const struct vf_symbolized_frame *frame, int32_t native, size_t depth)
{
    int32_t func = add_frame_func(r, place, frame);
    push(r, VF_FRAME_ADDRESS, place->address);
    push(r, VF_FRAME_DEPTH, (int32_t)depth);
    push(r, VF_FRAME_FUNC, func);
    push(r, VF_FRAME_NATIVE, native);
    push(r, VF_FRAME_LINE, line_or_null(frame->line));
    if (rows(r, VF_FRAME_LIB))
        push(r, VF_FRAME_LIB, place->lib_row);
    VF_APPEND(&r->frame_templates, (uint32_t)place->row);
}

static void set_frame(struct vf_relabel *r, const struct place *place,
                      const struct vf_symbolized *symbol)
{
    struct vf_frame_fate *fate = &r->fates[place->row];
    size_t row = (size_t)place->row;
    int32_t func = add_frame_func(r, place, &symbol->frames[0]);
    int32_t native = add_native(r, place->lib_row, (int32_t)symbol->start,
                                add_string(r, symbol->frames[0].raw), symbol->size);
    *cell(r, VF_FRAME_FUNC, row) = func;
    *cell(r, VF_FRAME_NATIVE, row) = native;
    *cell(r, VF_FRAME_LINE, row) = line_or_null(symbol->frames[0].line);
    *fate =
        (struct vf_frame_fate){.what = VF_FRAME_NAMED, .first = (uint32_t)rows(r, VF_FRAME_FUNC)};
    for (size_t i = 1; i < symbol->count; i++)
        add_inlined(r, place, &symbol->frames[i], native, i);
    fate->count = (uint8_t)(symbol->count - 1);
    r->restack |= symbol->count > 1;
    r->told->frames++;
    r->told->inlined += symbol->count - 1;
}

/* An address taken while VMProf took a sample stays: that time was spent. */
static void drop_frame(struct vf_relabel *r, const struct place *place,
                       struct vf_symbolized *symbol)
{
    if (place->is_instruction) {
        struct vf_str text = VF_STR("(VMProf takes a sample)");
        struct func func = {add_string(r, text), VF_JSON_NULL, VF_JSON_NULL, -1};
        *cell(r, VF_FRAME_FUNC, (size_t)place->row) = add_func(r, func, place->func);
        *cell(r, VF_FRAME_NATIVE, (size_t)place->row) = VF_JSON_NULL;
        *cell(r, VF_FRAME_ADDRESS, (size_t)place->row) = -1;
        if (rows(r, VF_FRAME_LIB))
            *cell(r, VF_FRAME_LIB, (size_t)place->row) = -1;
        r->fates[place->row].what = VF_FRAME_NAMED;
        r->told->frames++;
    } else {
        symbol->count = 1;
        set_frame(r, place, symbol);
        r->fates[place->row].what = VF_FRAME_DROPPED;
        r->restack = true;
    }
}

static void relabel(struct vf_relabel *r, const struct place *place, struct vf_symbolized *symbol)
{
    const struct vf_symbolizer *who = &r->options->symbolizer;
    struct vf_native_place asked = {.path = place->lib->path,
                                    .build_id = place->lib->code_id,
                                    .address = (uint64_t)place->address,
                                    .is_instruction = place->is_instruction};
    symbol->count = 0;
    if (!who->find(who->context, &asked, symbol) || symbol->start > INT32_MAX ||
        vf_symbolized_worth(symbol) <= worth_of(r, place))
        return;
    if (symbol->is_sampler)
        drop_frame(r, place, symbol);
    else
        set_frame(r, place, symbol);
}

/* How many native functions frames are in, and how many of them have no name. */
static size_t count_functions(const struct vf_relabel *r, size_t *unnamed)
{
    size_t count = 0;
    unsigned char *seen = vf_alloc_zeroed(rows(r, VF_NATIVE_LIB), 1);
    *unnamed = 0;
    for (size_t i = 0; i < rows(r, VF_FRAME_FUNC); i++) {
        struct place place;
        if (!get_place(r, (int32_t)i, &place) || seen[place.native])
            continue;
        seen[place.native] = 1;
        count++;
        *unnamed += is_unnamed(r, &place);
    }
    free(seen);
    return count;
}

void vf_relabel_frames(struct vf_relabel *r)
{
    size_t before;
    struct vf_symbolized *symbol = vf_alloc_zeroed(1, sizeof *symbol);
    r->told->functions = count_functions(r, &before);
    vf_progress_begin("looking up functions", VF_PROGRESS_FRAMES, r->old_frames);
    for (size_t i = 0; i < r->old_frames; i++) {
        vf_progress_set(i);
        struct place place;
        if (get_place(r, (int32_t)i, &place))
            relabel(r, &place, symbol);
    }
    count_functions(r, &r->told->unnamed);
    r->told->named = before > r->told->unnamed ? before - r->told->unnamed : 0;
    free(symbol);
}

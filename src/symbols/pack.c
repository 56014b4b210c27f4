#include "symbols/pack.h"

#include "base/progress.h"

/* ---- what is wanted -------------------------------------------------------------------------- */

static struct vf_pack_library *get_library(struct vf_pack *pack, struct vf_str path,
                                           struct vf_str build_id)
{
    for (size_t i = 0; i < pack->libraries.len; i++)
        if (vf_str_eq(pack->libraries.items[i].path, path))
            return &pack->libraries.items[i];
    struct vf_pack_library *library = VF_PUSH(&pack->libraries);
    library->path = vf_arena_str(&pack->arena, path);
    library->build_id = vf_arena_str(&pack->arena, build_id);
    return library;
}

static bool is_listed(const struct vf_pack_library *library, bool is_instruction, uint32_t row,
                      uint64_t address)
{
    if (is_instruction)
        return row < library->places.len && library->places.items[row] == address;
    return row < library->addresses.len && library->addresses.items[row] == address;
}

void vf_pack_add(struct vf_pack *pack, struct vf_str path, struct vf_str build_id, uint64_t address,
                 bool is_instruction)
{
    struct vf_pack_library *library = get_library(pack, path, build_id);
    uint64_t which = (uint64_t)(library - pack->libraries.items) * 2 + is_instruction;
    uint64_t hash = vf_hash_u64(address, which);
    struct vf_probe probe = vf_table_probe(&pack->seen, hash);
    uint32_t row;
    while (vf_table_next(&pack->seen, &probe, &row))
        if (is_listed(library, is_instruction, row, address))
            return;
    if (pack->count >= VF_PACK_MAX) {
        pack->left_out++;
        return;
    }
    pack->count++;
    if (is_instruction) {
        vf_table_insert(&pack->seen, hash, (uint32_t)library->places.len);
        VF_APPEND(&library->places, address);
    } else {
        vf_table_insert(&pack->seen, hash, (uint32_t)library->addresses.len);
        VF_APPEND(&library->addresses, address);
    }
}

void vf_pack_release(struct vf_pack *pack)
{
    for (size_t i = 0; i < pack->libraries.len; i++) {
        free(pack->libraries.items[i].addresses.items);
        free(pack->libraries.items[i].places.items);
    }
    free(pack->libraries.items);
    free(pack->files.items);
    vf_table_release(&pack->seen);
    vf_table_release(&pack->file_index);
    vf_arena_release(&pack->arena);
    *pack = (struct vf_pack){0};
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The texts of the file, each once. */
struct texts {
    VF_VEC(struct vf_str) v;
    struct vf_table index;
};

static uint32_t add_text(struct texts *texts, struct vf_str text)
{
    uint64_t hash = vf_hash_bytes(text.ptr, text.len);
    struct vf_probe probe = vf_table_probe(&texts->index, hash);
    uint32_t row;
    while (vf_table_next(&texts->index, &probe, &row))
        if (vf_str_eq(texts->v.items[row], text))
            return row;
    row = (uint32_t)texts->v.len;
    VF_APPEND(&texts->v, text);
    vf_table_insert(&texts->index, hash, row);
    return row;
}

struct row {
    struct vf_symbol function;
    int64_t code; /* where its machine code is in code.bin; -1: it is not */
};

struct writer {
    struct vf_pack *pack;
    const struct vf_pack_source *source;
    vf_pack_targets *targets;
    struct vf_json *json;
    struct vf_buf *code;
    struct texts texts;
    size_t values; /* about how many the text has */
    /* Of the library in work. */
    const void *library;
    struct vf_str arch;
    VF_VEC(struct row) rows;
    VF_VEC(uint64_t) called;
};

static void put_text(struct writer *w, struct vf_str text)
{
    vf_json_uint(w->json, add_text(&w->texts, text));
}

static void put_file(struct writer *w, struct vf_str file)
{
    struct vf_pack *pack = w->pack;
    uint64_t hash = vf_hash_bytes(file.ptr, file.len);
    struct vf_probe probe = vf_table_probe(&pack->file_index, hash);
    uint32_t row;
    bool known = file.len == 0;
    while (!known && vf_table_next(&pack->file_index, &probe, &row))
        known = vf_str_eq(pack->files.items[row], file);
    if (!known) {
        vf_table_insert(&pack->file_index, hash, (uint32_t)pack->files.len);
        VF_APPEND(&pack->files, vf_arena_str(&pack->arena, file));
    }
    put_text(w, file);
}

/* Of several at one address first one with code, then one with a name. */
static int by_start(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->function.start != y->function.start)
        return x->function.start < y->function.start ? -1 : 1;
    if (x->code != y->code)
        return x->code > y->code ? -1 : 1;
    return (x->function.name.len == 0) - (y->function.name.len == 0);
}

static int by_address(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void add_row(struct writer *w, uint64_t address)
{
    struct row row = {.code = -1};
    if (w->source->function(w->source->context, w->library, address, &row.function))
        VF_APPEND(&w->rows, row);
}

/* Sorted, each once. */
static void put_in_order(struct writer *w)
{
    size_t kept = 0;
    if (w->rows.len)
        qsort(w->rows.items, w->rows.len, sizeof *w->rows.items, by_start);
    for (size_t i = 0; i < w->rows.len; i++)
        if (!kept || w->rows.items[kept - 1].function.start != w->rows.items[i].function.start)
            w->rows.items[kept++] = w->rows.items[i];
    w->rows.len = kept;
}

static void add_called(void *to, uint64_t address)
{
    struct writer *w = to;
    VF_APPEND(&w->called, address);
}

static void take_code(struct writer *w)
{
    for (size_t i = 0; w->code && i < w->rows.len; i++) {
        struct row *row = &w->rows.items[i];
        uint64_t size = row->function.size;
        bool fits = size <= VF_PACK_CODE_MAX && w->code->len <= VF_PACK_CODE_MAX - size;
        w->pack->cut |= !fits;
        if (size == 0 || !fits)
            continue;
        struct vf_str bytes = w->source->code(w->source->context, w->library, &row->function);
        if (bytes.len == 0 || bytes.len != row->function.size)
            continue;
        row->code = (int64_t)w->code->len;
        if (w->targets)
            w->targets(bytes, row->function.start, w->arch, add_called, w);
        vf_buf_str(w->code, bytes);
    }
}

static void find_functions(struct writer *w, const struct vf_pack_library *wanted)
{
    w->rows.len = w->called.len = 0;
    for (size_t i = 0; i < wanted->addresses.len; i++)
        add_row(w, wanted->addresses.items[i]);
    for (size_t i = 0; i < wanted->places.len; i++)
        add_row(w, wanted->places.items[i]);
    put_in_order(w);
    take_code(w);
    if (w->called.len)
        qsort(w->called.items, w->called.len, sizeof *w->called.items, by_address);
    for (size_t i = 0; i < w->called.len && w->rows.len < VF_PACK_MAX; i++)
        if (!i || w->called.items[i] != w->called.items[i - 1])
            add_row(w, w->called.items[i]);
    put_in_order(w);
}

static void put_functions(struct writer *w)
{
    w->values += 8 * w->rows.len;
    vf_json_key(w->json, "functions");
    vf_json_begin(w->json, '[');
    for (size_t i = 0; i < w->rows.len; i++) {
        const struct vf_symbol *function = &w->rows.items[i].function;
        vf_json_begin(w->json, '[');
        vf_json_uint(w->json, function->start);
        vf_json_uint(w->json, function->size);
        put_text(w, function->name);
        put_file(w, function->file);
        vf_json_uint(w->json, function->line);
        vf_json_uint(w->json, function->is_signal);
        vf_json_int(w->json, w->rows.items[i].code);
        vf_json_end(w->json, ']');
    }
    vf_json_end(w->json, ']');
}

static size_t find_frames(const struct writer *w, uint64_t address,
                          struct vf_symbol_frame frames[VF_INLINE_MAX])
{
    size_t count = w->source->frames(w->source->context, w->library, address, frames);
    return count == 1 && frames[0].line == 0 ? 0 : count;
}

static void put_place(struct writer *w, uint64_t address, const struct vf_symbol_frame *frames,
                      size_t count)
{
    w->values += 3 + 4 * (count > 1 ? count - 1 : 0);
    vf_json_begin(w->json, '[');
    vf_json_uint(w->json, address);
    vf_json_uint(w->json, count ? frames[0].line : 0);
    for (size_t k = 1; k < count; k++) {
        put_text(w, frames[k].name);
        put_file(w, frames[k].file);
        vf_json_uint(w->json, frames[k].first_line);
        vf_json_uint(w->json, frames[k].line);
    }
    vf_json_end(w->json, ']');
}

static void put_places(struct writer *w, struct vf_pack_library *wanted)
{
    if (wanted->places.len)
        qsort(wanted->places.items, wanted->places.len, sizeof *wanted->places.items, by_address);
    vf_json_key(w->json, "places");
    vf_json_begin(w->json, '[');
    for (size_t i = 0; i < wanted->places.len; i++) {
        struct vf_symbol_frame frames[VF_INLINE_MAX];
        size_t count = find_frames(w, wanted->places.items[i], frames);
        if (count && w->values < VF_PACK_VALUES_MAX)
            put_place(w, wanted->places.items[i], frames, count);
        w->pack->cut |= w->values >= VF_PACK_VALUES_MAX;
    }
    vf_json_end(w->json, ']');
}

static bool same_frames(const struct vf_symbol_frame *a, const struct vf_symbol_frame *b,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].line != b[i].line || a[i].first_line != b[i].first_line ||
            !vf_str_eq(a[i].name, b[i].name) || !vf_str_eq(a[i].file, b[i].file))
            return false;
    return true;
}

/* A row wherever the lines change in the function; one without lines where there is no room for
 * more. */
static void put_lines_of(struct writer *w, const struct vf_symbol *function)
{
    struct vf_symbol_frame frames[2][VF_INLINE_MAX];
    size_t before = 0, row = 0, end = function->start + function->size;
    for (uint64_t at = function->start; at < end;) {
        if (w->values >= VF_PACK_VALUES_MAX) {
            w->pack->cut = true;
            if (before)
                put_place(w, at, frames[row], 0);
            return;
        }
        size_t count = find_frames(w, at, frames[row]);
        if (count != before || !same_frames(frames[0], frames[1], count)) {
            put_place(w, at, frames[row], count);
            before = count;
            row = 1 - row;
        }
        at = w->source->next_line(w->source->context, w->library, at);
    }
}

static void put_lines(struct writer *w)
{
    vf_json_key(w->json, "lines");
    vf_json_begin(w->json, '[');
    for (size_t i = 0; i < w->rows.len; i++)
        if (w->rows.items[i].code >= 0)
            put_lines_of(w, &w->rows.items[i].function);
    vf_json_end(w->json, ']');
}

static void put_library(struct writer *w, struct vf_pack_library *wanted)
{
    struct vf_json *json = w->json;
    vf_json_begin(json, '{');
    vf_json_key(json, "path");
    vf_json_str(json, wanted->path);
    vf_json_key(json, "build_id");
    vf_json_str(json, wanted->build_id);
    vf_json_key(json, "arch");
    vf_json_str(json, w->arch);
    find_functions(w, wanted);
    put_functions(w);
    put_places(w, wanted);
    if (w->code)
        put_lines(w);
    vf_json_end(json, '}');
}

void vf_pack_write(struct vf_pack *pack, const struct vf_pack_source *source,
                   vf_pack_targets *targets, struct vf_buf *out, struct vf_buf *code)
{
    struct vf_json json = {.out = out};
    struct writer w = {
        .pack = pack, .source = source, .targets = targets, .json = &json, .code = code};
    vf_json_begin(&json, '{');
    vf_json_key(&json, "version");
    vf_json_uint(&json, 1);
    vf_json_key(&json, "libraries");
    vf_json_begin(&json, '[');
    vf_progress_begin("looking up functions", VF_PROGRESS_PARTS, pack->libraries.len);
    for (size_t i = 0; i < pack->libraries.len; i++) {
        struct vf_pack_library *wanted = &pack->libraries.items[i];
        vf_progress_set(i);
        w.arch = (struct vf_str){0};
        w.library = source->library(source->context, wanted->path, wanted->build_id, &w.arch);
        if (w.library)
            put_library(&w, wanted);
    }
    vf_json_end(&json, ']');
    vf_json_key(&json, "strings");
    vf_json_begin(&json, '[');
    for (size_t i = 0; i < w.texts.v.len; i++)
        vf_json_str(&json, w.texts.v.items[i]);
    vf_json_end(&json, ']');
    vf_json_end(&json, '}');
    vf_buf_add(out, "\n", 1);
    free(w.rows.items);
    free(w.called.items);
    free(w.texts.v.items);
    vf_table_release(&w.texts.index);
}

/* ---- the files on this machine --------------------------------------------------------------- */

static const void *file_library(void *context, struct vf_str path, struct vf_str build_id,
                                struct vf_str *arch)
{
    struct vf_library *library = vf_symbols_library(context, path, build_id);
    if (vf_library_state(library) != VF_LIBRARY_READY)
        return NULL;
    *arch = vf_library_arch(library);
    return library;
}

/* They come from file_library(), which gets them from a place that is not constant. */
static struct vf_library *as_library(const void *library)
{
    return (struct vf_library *)(uintptr_t)library;
}

static bool file_function(void *context, const void *library, uint64_t address,
                          struct vf_symbol *out)
{
    (void)context;
    return vf_library_function(as_library(library), address, out);
}

static size_t file_frames(void *context, const void *library, uint64_t address,
                          struct vf_symbol_frame frames[VF_INLINE_MAX])
{
    (void)context;
    return vf_library_frames(as_library(library), address, frames);
}

static uint64_t file_next_line(void *context, const void *library, uint64_t address)
{
    (void)context;
    return vf_library_next_line(as_library(library), address);
}

static struct vf_str file_code(void *context, const void *library, const struct vf_symbol *function)
{
    (void)context;
    return vf_library_code(as_library(library), function->start, function->size);
}

struct vf_pack_source vf_pack_files(struct vf_symbols *symbols)
{
    return (struct vf_pack_source){file_library,   file_function, file_frames,
                                   file_next_line, file_code,     symbols};
}

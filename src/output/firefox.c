#include "output/firefox.h"

#include "base/progress.h"
#include "output/firefox_meta.h"
#include "output/firefox_tables.h"

/* ---- the library of Python's functions -------------------------------------------------------
 */

static const char PYTHON[] = "Python";

struct proof {
    bool needed;   /* a function is in it */
    uint32_t lib;  /* its row, behind all others */
    uint32_t name; /* row of the strings; behind all others where it is none of them */
};

static bool is_in_python(const struct vf_func *func)
{
    return func->is_python && func->lib.i == VF_NONE && func->source.i != VF_NONE;
}

static struct proof find_proof(const struct vf_profile *p)
{
    struct proof proof = {.lib = (uint32_t)p->funcs.libs.len,
                          .name = (uint32_t)p->strings.rows.len};
    for (size_t i = 0; i < p->funcs.funcs.len && !proof.needed; i++)
        proof.needed = is_in_python(&p->funcs.funcs.items[i]);
    for (uint32_t i = 0; i < p->strings.rows.len && proof.needed; i++)
        if (vf_str_eq(p->strings.rows.items[i], vf_str_from(PYTHON)))
            proof.name = i;
    return proof;
}

/* ---- shared tables ----------------------------------------------------------------------------
 */

static void fill_stack_frames(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_stack_row *rows = (const struct vf_stack_row *)table + first;
    int32_t *frames = out;
    for (size_t i = 0; i < count; i++)
        frames[i] = (int32_t)rows[i].frame.i;
}

/* The parent's distance: parents come first, so it is positive; 0 is a root. */
static void fill_prefix_offsets(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_stack_row *rows = (const struct vf_stack_row *)table + first;
    int32_t *offsets = out;
    for (size_t i = 0; i < count; i++)
        offsets[i] = rows[i].parent.i == VF_NONE ? 0 : (int32_t)(first + i - rows[i].parent.i);
}

static void write_stacks(struct vf_writer *w, const struct vf_profile *p)
{
    size_t n = p->stacks.stacks.len;
    const struct vf_stack_row *rows = p->stacks.stacks.items;
    vf_json_begin_table(&w->json, "stackTable", n);
    vf_writer_column(w, "frame", VF_COLUMN_I32, n, fill_stack_frames, rows);
    vf_writer_column(w, "prefixOffset", VF_COLUMN_I32, n, fill_prefix_offsets, rows);
    vf_json_end(&w->json, '}');
}

static int64_t frame_address(const struct vf_profile *p, const struct vf_frame_row *frame)
{
    const struct vf_func *func = &p->funcs.funcs.items[frame->func.i];
    return is_in_python(func) ? (int64_t)func->line : frame->address;
}

static void fill_addresses(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_profile *p = table;
    int32_t *addresses = out;
    for (size_t i = 0; i < count; i++)
        addresses[i] = (int32_t)frame_address(p, &p->stacks.frames.items[first + i]);
}

static void fill_inline_depths(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_frame_row *rows = (const struct vf_frame_row *)table + first;
    uint8_t *depths = out;
    for (size_t i = 0; i < count; i++)
        depths[i] = rows[i].inline_depth;
}

static void fill_funcs(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_frame_row *rows = (const struct vf_frame_row *)table + first;
    int32_t *funcs = out;
    for (size_t i = 0; i < count; i++)
        funcs[i] = (int32_t)rows[i].func.i;
}

/* A binary column of addresses has 31 bits for each; a library can be larger. */
static void write_addresses(struct vf_writer *w, const struct vf_profile *p)
{
    size_t n = p->stacks.frames.len, fitting = 0;
    const struct vf_frame_row *f = p->stacks.frames.items;
    while (fitting < n && frame_address(p, &f[fitting]) <= INT32_MAX)
        fitting++;
    if (fitting == n)
        vf_writer_column(w, "address", VF_COLUMN_I32, n, fill_addresses, p);
    else
        COLUMN(&w->json, "address", n, vf_json_int(&w->json, frame_address(p, &f[i])));
}

static void write_frames(struct vf_writer *w, const struct vf_profile *p)
{
    struct vf_json *json = &w->json;
    size_t n = p->stacks.frames.len;
    const struct vf_frame_row *f = p->stacks.frames.items;
    vf_json_begin_table(json, "frameTable", n);
    write_addresses(w, p);
    vf_writer_column(w, "inlineDepth", VF_COLUMN_U8, n, fill_inline_depths, f);
    COLUMN(json, "category", n, vf_json_uint(json, f[i].category));
    COLUMN(json, "subcategory", n, vf_json_uint(json, f[i].subcategory));
    vf_writer_column(w, "func", VF_COLUMN_I32, n, fill_funcs, f);
    COLUMN(json, "nativeSymbol", n, vf_json_id_or_null(json, f[i].native.i));
    COLUMN(json, "innerWindowID", n, vf_json_null(json));
    COLUMN(json, "line", n, vf_json_uint_or_null(json, f[i].line));
    COLUMN(json, "column", n, vf_json_null(json));
    COLUMN(json, "originalLocation", n, vf_json_null(json));
    vf_json_end(json, '}');
}

static void write_funcs(struct vf_json *json, const struct vf_profile *p, const struct proof *proof)
{
    size_t n = p->funcs.funcs.len;
    const struct vf_func *f = p->funcs.funcs.items;
    vf_json_begin_table(json, "funcTable", n);
    COLUMN(json, "name", n, vf_json_uint(json, f[i].name.i));
    COLUMN(json, "isJS", n, vf_json_bool(json, f[i].is_python));
    COLUMN(json, "relevantForJS", n, vf_json_bool(json, false));
    COLUMN(json, "resource", n,
           vf_json_id_or_minus(json, is_in_python(&f[i]) ? proof->lib : f[i].lib.i));
    COLUMN(json, "source", n, vf_json_id_or_null(json, f[i].source.i));
    COLUMN(json, "lineNumber", n, vf_json_uint_or_null(json, f[i].line));
    COLUMN(json, "columnNumber", n, vf_json_null(json));
    COLUMN(json, "originalLocation", n, vf_json_null(json));
    vf_json_end(json, '}');
}

/* One resource a library: the front-end shows it beside the function. */
static void write_resources(struct vf_json *json, const struct vf_profile *p,
                            const struct proof *proof)
{
    enum { RESOURCE_LIBRARY = 1 };
    size_t libs = p->funcs.libs.len, n = libs + proof->needed;
    vf_json_begin_table(json, "resourceTable", n);
    COLUMN(json, "lib", n, vf_json_uint(json, i));
    COLUMN(json, "name", n,
           vf_json_uint(json, i < libs ? p->funcs.libs.items[i].name.i : proof->name));
    COLUMN(json, "host", n, vf_json_null(json));
    COLUMN(json, "type", n, vf_json_uint(json, RESOURCE_LIBRARY));
    vf_json_end(json, '}');
}

static void write_natives(struct vf_json *json, const struct vf_profile *p)
{
    size_t n = p->funcs.natives.len;
    const struct vf_native *x = p->funcs.natives.items;
    vf_json_begin_table(json, "nativeSymbols", n);
    COLUMN(json, "libIndex", n, vf_json_uint(json, x[i].lib.i));
    COLUMN(json, "address", n, vf_json_uint(json, x[i].address));
    COLUMN(json, "name", n, vf_json_uint(json, x[i].name.i));
    COLUMN(json, "functionSize", n, {
        if (x[i].size)
            vf_json_uint(json, x[i].size);
        else
            vf_json_null(json);
    });
    vf_json_end(json, '}');
}

static void write_sources(struct vf_writer *w, const struct vf_profile *p, unsigned flags)
{
    struct vf_json *json = &w->json;
    size_t n = p->funcs.sources.len;
    const struct vf_source *s = p->funcs.sources.items;
    vf_json_begin_table(json, "sources", n);
    COLUMN(json, "id", n, vf_json_null(json));
    COLUMN(json, "filename", n, vf_json_uint(json, s[i].path.i));
    COLUMN(json, "startLine", n, vf_json_uint(json, 1));
    COLUMN(json, "startColumn", n, vf_json_uint(json, 1));
    COLUMN(json, "sourceMapURL", n, vf_json_null(json));
    vf_writer_begin_apart(w, "content");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < n; i++)
        if (s[i].text.ptr && !(flags & VF_FIREFOX_NO_SOURCES))
            vf_json_str(json, s[i].text);
        else
            vf_json_null(json);
    vf_json_end(json, ']');
    vf_writer_end_apart(w);
    vf_json_end(json, '}');
}

static void write_strings(struct vf_writer *w, const struct vf_profile *p,
                          const struct proof *proof)
{
    size_t strings = p->strings.rows.len;
    vf_writer_begin_apart(w, "stringArray");
    vf_json_begin(&w->json, '[');
    for (size_t i = 0; i < strings; i++)
        vf_json_str(&w->json, p->strings.rows.items[i]);
    if (proof->needed && proof->name == strings)
        vf_json_str(&w->json, vf_str_from(PYTHON));
    vf_json_end(&w->json, ']');
    vf_writer_end_apart(w);
}

static void write_shared(struct vf_writer *w, const struct vf_profile *p, const struct proof *proof,
                         unsigned flags)
{
    struct vf_json *json = &w->json;
    vf_json_key(json, "shared");
    vf_json_begin(json, '{');
    write_stacks(w, p);
    write_frames(w, p);
    write_funcs(json, p, proof);
    write_resources(json, p, proof);
    write_natives(json, p);
    write_sources(w, p, flags);
    vf_json_begin_table(json, "sourceLocationTable", 0);
    vf_json_empty_column(json, "source");
    vf_json_empty_column(json, "line");
    vf_json_empty_column(json, "column");
    vf_json_end(json, '}');
    write_strings(w, p, proof);
    vf_json_end(json, '}');
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static void write_libs(struct vf_json *json, const struct vf_profile *p, const struct proof *proof)
{
    static const struct vf_lib python;
    size_t libs = p->funcs.libs.len;
    COLUMN(json, "libs", libs + proof->needed, {
        const struct vf_lib *lib = i < libs ? &p->funcs.libs.items[i] : &python;
        struct vf_str name =
            i < libs ? vf_strings_get(&p->strings, lib->name) : vf_str_from(PYTHON);
        struct vf_str path = i < libs ? vf_strings_get(&p->strings, lib->path) : name;
        vf_firefox_write_lib(json, lib, name, path);
    });
}

enum vf_status vf_firefox_write(struct vf_buf *out, const struct vf_profile *profile,
                                unsigned flags, struct vf_error *error)
{
    struct vf_writer writer;
    struct vf_json *json = &writer.json;
    struct proof proof = find_proof(profile);
    vf_writer_init(&writer, out, flags & VF_FIREFOX_SLABS);
    vf_progress_begin("writing", VF_PROGRESS_BYTES, 0);
    vf_json_begin(json, '{');
    vf_firefox_write_meta(json, profile);
    write_libs(json, profile, &proof);
    vf_firefox_write_counters(&writer, profile);
    write_shared(&writer, profile, &proof, flags);
    vf_firefox_write_threads(&writer, profile);
    vf_json_end(json, '}');
    if (!(flags & VF_FIREFOX_SLABS))
        vf_buf_add(out, "\n", 1);
    return vf_writer_finish(&writer, error);
}

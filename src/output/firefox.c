#include "output/firefox.h"

#include "output/firefox_meta.h"

#include <stdio.h>

/* The tables are columns: one loop a column over one table. */
#define COLUMN(json, name, count, ...)                                                             \
    do {                                                                                           \
        vf_json_key((json), (name));                                                               \
        vf_json_begin((json), '[');                                                                \
        for (size_t i = 0; i < (count); i++) {                                                     \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
        vf_json_end((json), ']');                                                                  \
    } while (0)

static void empty_column(struct vf_json *json, const char *name)
{
    vf_json_key(json, name);
    vf_json_begin(json, '[');
    vf_json_end(json, ']');
}

static void id_or_null(struct vf_json *json, uint32_t row)
{
    if (row == VF_NONE)
        vf_json_null(json);
    else
        vf_json_uint(json, row);
}

static void id_or_minus(struct vf_json *json, uint32_t row)
{
    if (row == VF_NONE)
        vf_json_int(json, -1);
    else
        vf_json_uint(json, row);
}

static void uint_or_null(struct vf_json *json, uint32_t value)
{
    if (value == 0)
        vf_json_null(json);
    else
        vf_json_uint(json, value);
}

static void begin_table(struct vf_json *json, const char *name, size_t length)
{
    vf_json_key(json, name);
    vf_json_begin(json, '{');
    vf_json_key(json, "length");
    vf_json_uint(json, length);
}

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

static void write_stacks(struct vf_json *json, const struct vf_profile *p)
{
    size_t n = p->stacks.stacks.len;
    const struct vf_stack_row *s = p->stacks.stacks.items;
    begin_table(json, "stackTable", n);
    COLUMN(json, "frame", n, vf_json_uint(json, s[i].frame.i));
    /* The parent's distance: parents come first, so it is positive; 0 is a root. */
    COLUMN(json, "prefixOffset", n,
           vf_json_uint(json, s[i].parent.i == VF_NONE ? 0 : i - s[i].parent.i));
    vf_json_end(json, '}');
}

static void write_frames(struct vf_json *json, const struct vf_profile *p)
{
    size_t n = p->stacks.frames.len;
    const struct vf_frame_row *f = p->stacks.frames.items;
    begin_table(json, "frameTable", n);
    COLUMN(json, "address", n, {
        const struct vf_func *func = &p->funcs.funcs.items[f[i].func.i];
        vf_json_int(json, is_in_python(func) ? (int64_t)func->line : f[i].address);
    });
    COLUMN(json, "inlineDepth", n, vf_json_uint(json, f[i].inline_depth));
    COLUMN(json, "category", n, vf_json_uint(json, f[i].category));
    COLUMN(json, "subcategory", n, vf_json_uint(json, f[i].subcategory));
    COLUMN(json, "func", n, vf_json_uint(json, f[i].func.i));
    COLUMN(json, "nativeSymbol", n, id_or_null(json, f[i].native.i));
    COLUMN(json, "innerWindowID", n, vf_json_null(json));
    COLUMN(json, "line", n, uint_or_null(json, f[i].line));
    COLUMN(json, "column", n, vf_json_null(json));
    COLUMN(json, "originalLocation", n, vf_json_null(json));
    vf_json_end(json, '}');
}

static void write_funcs(struct vf_json *json, const struct vf_profile *p, const struct proof *proof)
{
    size_t n = p->funcs.funcs.len;
    const struct vf_func *f = p->funcs.funcs.items;
    begin_table(json, "funcTable", n);
    COLUMN(json, "name", n, vf_json_uint(json, f[i].name.i));
    COLUMN(json, "isJS", n, vf_json_bool(json, f[i].is_python));
    COLUMN(json, "relevantForJS", n, vf_json_bool(json, false));
    COLUMN(json, "resource", n, id_or_minus(json, is_in_python(&f[i]) ? proof->lib : f[i].lib.i));
    COLUMN(json, "source", n, id_or_null(json, f[i].source.i));
    COLUMN(json, "lineNumber", n, uint_or_null(json, f[i].line));
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
    begin_table(json, "resourceTable", n);
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
    begin_table(json, "nativeSymbols", n);
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

static void write_sources(struct vf_json *json, const struct vf_profile *p, unsigned flags)
{
    size_t n = p->funcs.sources.len;
    const struct vf_source *s = p->funcs.sources.items;
    begin_table(json, "sources", n);
    COLUMN(json, "id", n, vf_json_null(json));
    COLUMN(json, "filename", n, vf_json_uint(json, s[i].path.i));
    COLUMN(json, "startLine", n, vf_json_uint(json, 1));
    COLUMN(json, "startColumn", n, vf_json_uint(json, 1));
    COLUMN(json, "sourceMapURL", n, vf_json_null(json));
    COLUMN(json, "content", n, {
        if (s[i].text.ptr && !(flags & VF_FIREFOX_NO_SOURCES))
            vf_json_str(json, s[i].text);
        else
            vf_json_null(json);
    });
    vf_json_end(json, '}');
}

static void write_shared(struct vf_json *json, const struct vf_profile *p,
                         const struct proof *proof, unsigned flags)
{
    size_t strings = p->strings.rows.len;
    vf_json_key(json, "shared");
    vf_json_begin(json, '{');
    write_stacks(json, p);
    write_frames(json, p);
    write_funcs(json, p, proof);
    write_resources(json, p, proof);
    write_natives(json, p);
    write_sources(json, p, flags);
    begin_table(json, "sourceLocationTable", 0);
    empty_column(json, "source");
    empty_column(json, "line");
    empty_column(json, "column");
    vf_json_end(json, '}');
    COLUMN(json, "stringArray", strings + (proof->needed && proof->name == strings),
           vf_json_str(json, i < strings ? p->strings.rows.items[i] : vf_str_from(PYTHON)));
    vf_json_end(json, '}');
}

/* ---- threads ----------------------------------------------------------------------------------
 */

/* Damaged readings can be any number; the front-end counts up to 2^53. */
static uint64_t whole_ns(float ns)
{
    const float most = 9e15f;
    return ns < most ? (uint64_t)ns : (uint64_t)most;
}

static void write_samples(struct vf_json *json, const struct vf_thread *t)
{
    size_t n = t->samples.len;
    const struct vf_sample_row *s = t->samples.items;
    begin_table(json, "samples", n);
    COLUMN(json, "stack", n, id_or_null(json, s[i].stack.i));
    COLUMN(json, "timeDeltas", n,
           vf_json_double(json, i ? s[i].time_ms - s[i - 1].time_ms : s[i].time_ms));
    if (t->weighted) {
        COLUMN(json, "weight", n, vf_json_double(json, (double)s[i].weight));
    } else {
        vf_json_key(json, "weight");
        vf_json_null(json);
    }
    if (t->has_cpu)
        COLUMN(json, "threadCPUDelta", n, {
            if (i)
                vf_json_uint(json, whole_ns(s[i].cpu_ns));
            else
                vf_json_null(json);
        });
    vf_json_key(json, "weightType");
    vf_json_str(json, t->is_runtime ? VF_STR("tracing-ms") : VF_STR("samples"));
    vf_json_end(json, '}');
}

static void write_allocations(struct vf_json *json, const struct vf_thread *t)
{
    size_t n = t->allocations.len;
    const struct vf_allocation_row *a = t->allocations.items;
    if (n == 0)
        return;
    begin_table(json, "nativeAllocations", n);
    COLUMN(json, "time", n, vf_json_double(json, a[i].time_ms));
    COLUMN(json, "weight", n, vf_json_double(json, a[i].bytes));
    vf_json_key(json, "weightType");
    vf_json_str(json, VF_STR("bytes"));
    COLUMN(json, "stack", n, id_or_null(json, a[i].stack.i));
    vf_json_end(json, '}');
}

static void write_cells(struct vf_json *json, const struct vf_markers *m,
                        const struct vf_marker_value *value, struct vf_str format)
{
    uint32_t columns = 1;
    for (size_t i = 0; i < format.len; i++)
        columns += format.ptr[i] == '|';
    vf_json_begin(json, '[');
    for (uint32_t row = 0; row + columns <= value->cells; row += columns) {
        vf_json_begin(json, '[');
        for (uint32_t i = row; i < row + columns; i++)
            vf_json_str(json, m->cells.items[value->first_cell + i]);
        vf_json_end(json, ']');
    }
    vf_json_end(json, ']');
}

static void write_marker_data(struct vf_json *json, const struct vf_markers *m,
                              const struct vf_marker_row *row)
{
    const struct vf_marker_schema *schema = &vf_marker_schemas[row->kind];
    vf_json_begin(json, '{');
    vf_json_key(json, "type");
    vf_json_str(json, vf_str_from(schema->type));
    for (uint32_t i = 0; i < row->count; i++) {
        const struct vf_marker_value *value = &m->values.items[row->first + i];
        vf_json_key(json, schema->fields[value->field].key);
        struct vf_str format = vf_str_from(schema->fields[value->field].format);
        if (vf_str_starts(format, VF_STR(VF_MARKER_TABLE)))
            write_cells(json, m, value, format);
        else if (value->text.i != VF_NONE)
            vf_json_uint(json, value->text.i);
        else
            vf_json_double(json, value->number);
    }
    vf_json_end(json, '}');
}

static void write_markers(struct vf_json *json, const struct vf_thread *t,
                          const vf_string_id *titles)
{
    enum { INSTANT = 0, INTERVAL = 1 };
    size_t n = t->markers.rows.len;
    const struct vf_marker_row *m = t->markers.rows.items;
    begin_table(json, "markers", n);
    COLUMN(json, "name", n, vf_json_uint(json, titles[m[i].kind].i));
    COLUMN(json, "startTime", n, vf_json_double(json, m[i].start_ms));
    COLUMN(json, "endTime", n, {
        if (m[i].end_ms > m[i].start_ms)
            vf_json_double(json, m[i].end_ms);
        else
            vf_json_null(json);
    });
    COLUMN(json, "phase", n, vf_json_uint(json, m[i].end_ms > m[i].start_ms ? INTERVAL : INSTANT));
    COLUMN(json, "category", n, vf_json_uint(json, vf_marker_schemas[m[i].kind].category));
    COLUMN(json, "data", n, write_marker_data(json, &t->markers, &m[i]));
    vf_json_end(json, '}');
}

static void write_pid(struct vf_json *json, const struct vf_profile *p)
{
    char pid[24];
    snprintf(pid, sizeof pid, "%llu", (unsigned long long)p->pid);
    vf_json_key(json, "pid");
    vf_json_str(json, vf_str_from(pid));
}

/* As text where a double can't hold it. */
static void write_tid(struct vf_json *json, uint64_t tid)
{
    char text[24];
    if (tid < 1ull << 53) {
        vf_json_uint(json, tid);
        return;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)tid);
    vf_json_str(json, vf_str_from(text));
}

static void write_thread(struct vf_json *json, const struct vf_profile *p,
                         const struct vf_thread *t)
{
    double first = t->is_main || t->samples.len == 0 ? 0 : t->samples.items[0].time_ms;
    vf_json_begin(json, '{');
    vf_json_key(json, "name");
    vf_json_str(json, vf_strings_get(&p->strings, t->name));
    write_pid(json, p);
    vf_json_key(json, "tid");
    if (t->is_runtime) /* it has none of its own: its work is done on the program's threads */
        vf_json_str(json, VF_STR("runtime"));
    else if (t->is_addresses) /* likewise: of all threads */
        vf_json_str(json, VF_STR("pc"));
    else
        write_tid(json, t->tid);
    vf_json_key(json, "isMainThread");
    vf_json_bool(json, t->is_main);
    vf_json_key(json, "processType");
    vf_json_str(json, VF_STR("default"));
    vf_json_key(json, "processName");
    vf_json_str(json, p->process_name);
    vf_json_key(json, "processStartupTime");
    vf_json_double(json, 0);
    vf_json_key(json, "processShutdownTime");
    vf_json_double(json, p->end_ms);
    vf_json_key(json, "registerTime");
    vf_json_double(json, first);
    vf_json_key(json, "unregisterTime");
    vf_json_null(json);
    empty_column(json, "pausedRanges");
    write_samples(json, t);
    write_allocations(json, t);
    write_markers(json, t, p->marker_titles);
    if (t->markers.rows.len) {
        vf_json_key(json, "showMarkersInTimeline");
        vf_json_bool(json, true);
    }
    vf_json_end(json, '}');
}

/* ---- counters ---------------------------------------------------------------------------------
 */

static void write_counter_display(struct vf_json *json, const struct vf_counter *c, size_t rank)
{
    vf_json_key(json, "display");
    vf_json_begin(json, '{');
    vf_json_key(json, "graphType");
    vf_json_str(json, VF_STR("line-accumulated"));
    vf_json_key(json, "unit");
    vf_json_str(json, vf_str_from(c->unit));
    vf_json_key(json, "color");
    vf_json_str(json, vf_str_from(c->color));
    vf_json_key(json, "markerSchemaLocation");
    vf_json_str(json, VF_STR("timeline-memory"));
    vf_json_key(json, "sortWeight");
    vf_json_uint(json, 10 + (uint64_t)rank);
    vf_json_key(json, "label");
    vf_json_str(json, vf_str_from(c->name));
    vf_json_key(json, "tooltipRows");
    vf_json_begin(json, '[');
    const char *const rows[][2] = {
        {"sample-number", c->rows_label}, /* the level itself, whatever part is looked at */
        {"count-range", "range in the graph"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vf_json_begin(json, '{');
        vf_json_key(json, "type");
        vf_json_str(json, VF_STR("value"));
        vf_json_key(json, "source");
        vf_json_str(json, vf_str_from(rows[i][0]));
        vf_json_key(json, "format");
        vf_json_begin(json, '{');
        vf_json_key(json, "unit");
        vf_json_str(json, vf_str_from(c->unit));
        vf_json_end(json, '}');
        vf_json_key(json, "label");
        vf_json_str(json, vf_str_from(rows[i][1]));
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
    vf_json_end(json, '}');
}

static void write_counter(struct vf_json *json, const struct vf_profile *p,
                          const struct vf_counter *c)
{
    size_t n = c->rows.len;
    const struct vf_counter_row *r = c->rows.items;
    vf_json_begin(json, '{');
    vf_json_key(json, "name");
    vf_json_str(json, vf_str_from(c->name));
    vf_json_key(json, "category");
    vf_json_str(json, vf_str_from(c->category));
    vf_json_key(json, "description");
    vf_json_str(json, vf_str_from(c->description));
    write_pid(json, p);
    vf_json_key(json, "mainThreadIndex");
    vf_json_uint(json, 0);
    /* Counts are differences, and the first one is not looked at: so the level goes 0, then all of
     * it, at the same moment. */
    begin_table(json, "samples", n + 1);
    COLUMN(json, "time", n + 1, vf_json_double(json, r[i ? i - 1 : 0].time_ms));
    COLUMN(json, "count", n + 1,
           vf_json_double(json, i == 0   ? 0
                                : i == 1 ? r[0].value
                                         : r[i - 1].value - r[i - 2].value));
    COLUMN(json, "number", n + 1, vf_json_double(json, r[i ? i - 1 : 0].value));
    vf_json_end(json, '}');
    write_counter_display(json, c, (size_t)(c - p->counters.items));
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

void vf_firefox_write(struct vf_buf *out, const struct vf_profile *profile, unsigned flags)
{
    struct vf_json writer = {.out = out}, *json = &writer;
    struct proof proof = find_proof(profile);
    vf_json_begin(json, '{');
    vf_firefox_write_meta(json, profile);
    write_libs(json, profile, &proof);
    COLUMN(json, "counters", profile->counters.len,
           write_counter(json, profile, &profile->counters.items[i]));
    write_shared(json, profile, &proof, flags);
    COLUMN(json, "threads", profile->threads.len,
           write_thread(json, profile, &profile->threads.items[i]));
    vf_json_end(json, '}');
    vf_buf_add(out, "\n", 1);
}

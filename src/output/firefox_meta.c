#include "output/firefox_meta.h"

#include "output/firefox.h"

enum { SUBCATEGORIES_MAX = 5 };

static const struct category {
    const char *name, *color;
    const char *subcategories[SUBCATEGORIES_MAX];
} categories[VF_CATEGORY_COUNT] = {
    /* One category must be grey: it is the front-end's default. */
    [VF_CATEGORY_OTHER] = {"Other", "grey", {"Other"}},
    [VF_CATEGORY_PYTHON] = {"Python", "yellow", {"Other"}},
    [VF_CATEGORY_JIT] = {"JIT", "purple", {"Other", "Compiled", "Inlined", "Loop", "Bridge"}},
    [VF_CATEGORY_NATIVE] = {"Native", "blue", {"Other"}},
    [VF_CATEGORY_GC] = {"Garbage collection", "green", {"Other"}},
    [VF_CATEGORY_JIT_COMPILATION] = {"JIT compilation", "magenta", {"Other"}},
    [VF_CATEGORY_INTERPRETER] = {"Interpreter", "lightblue", {"Other"}},
};

static void text(struct vf_json *json, const char *key, struct vf_str value)
{
    if (value.len == 0)
        return;
    vf_json_key(json, key);
    vf_json_str(json, value);
}

static void write_categories(struct vf_json *json)
{
    vf_json_key(json, "categories");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < VF_CATEGORY_COUNT; i++) {
        const struct category *c = &categories[i];
        vf_json_begin(json, '{');
        text(json, "name", vf_str_from(c->name));
        text(json, "color", vf_str_from(c->color));
        vf_json_key(json, "subcategories");
        vf_json_begin(json, '[');
        for (size_t s = 0; s < SUBCATEGORIES_MAX && c->subcategories[s]; s++)
            vf_json_str(json, vf_str_from(c->subcategories[s]));
        vf_json_end(json, ']');
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

static void write_extras(struct vf_json *json, const struct vf_profile *p)
{
    vf_json_key(json, "extra");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < p->extras.len; i++) {
        const struct vf_extra *extra = &p->extras.items[i];
        vf_json_begin(json, '{');
        text(json, "label", vf_str_from(extra->label));
        vf_json_key(json, "entries");
        vf_json_begin(json, '[');
        for (size_t e = 0; e < extra->entries.len; e++) {
            vf_json_begin(json, '{');
            text(json, "label", extra->entries.items[e].label);
            text(json, "format", VF_STR("string"));
            vf_json_key(json, "value");
            vf_json_str(json, extra->entries.items[e].value);
            vf_json_end(json, '}');
        }
        vf_json_end(json, ']');
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

static void write_units(struct vf_json *json)
{
    vf_json_key(json, "sampleUnits");
    vf_json_begin(json, '{');
    text(json, "time", VF_STR("ms"));
    text(json, "eventDelay", VF_STR("ms"));
    text(json, "threadCPUDelta", VF_STR("ns"));
    vf_json_end(json, '}');
}

static void write_table_format(struct vf_json *json, struct vf_str labels)
{
    vf_json_key(json, "format");
    vf_json_begin(json, '{');
    text(json, "type", VF_STR("table"));
    vf_json_key(json, "columns");
    vf_json_begin(json, '[');
    while (labels.len) {
        vf_json_begin(json, '{');
        text(json, "label", vf_str_cut(&labels, '|'));
        text(json, "type", VF_STR("string"));
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
    vf_json_end(json, '}');
}

static void write_field(struct vf_json *json, const struct vf_marker_field *field)
{
    const struct vf_str table = VF_STR(VF_MARKER_TABLE);
    struct vf_str format = vf_str_from(field->format);
    vf_json_begin(json, '{');
    text(json, "key", vf_str_from(field->key));
    text(json, "label", vf_str_from(field->label));
    if (vf_str_starts(format, table))
        write_table_format(json, (struct vf_str){format.ptr + table.len, format.len - table.len});
    else
        text(json, "format", format);
    vf_json_end(json, '}');
}

/* The marker chart shows all fields of what the mouse is on: a table may have thousands of rows. */
static bool has_table(const struct vf_marker_schema *schema)
{
    for (size_t i = 0; i < VF_MARKER_FIELDS_MAX && schema->fields[i].key; i++)
        if (vf_str_starts(vf_str_from(schema->fields[i].format), VF_STR(VF_MARKER_TABLE)))
            return true;
    return false;
}

static void write_schema(struct vf_json *json, const struct vf_marker_schema *schema)
{
    vf_json_begin(json, '{');
    text(json, "name", vf_str_from(schema->type));
    text(json, "chartLabel", vf_str_from(schema->chart_label));
    text(json, "tableLabel", vf_str_from(schema->table_label));
    text(json, "tooltipLabel", vf_str_from(schema->title));
    text(json, "description", vf_str_from(schema->description));
    vf_json_key(json, "display");
    vf_json_begin(json, '[');
    if (!has_table(schema))
        vf_json_str(json, VF_STR("marker-chart"));
    vf_json_str(json, VF_STR("marker-table"));
    if (schema->in_overview)
        vf_json_str(json, VF_STR("timeline-overview"));
    vf_json_end(json, ']');
    vf_json_key(json, "fields");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < VF_MARKER_FIELDS_MAX && schema->fields[i].key; i++)
        write_field(json, &schema->fields[i]);
    vf_json_end(json, ']');
    vf_json_end(json, '}');
}

/* Of the kinds of marker that are in the profile. */
static void write_schemas(struct vf_json *json, const struct vf_profile *p)
{
    vf_json_key(json, "markerSchema");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < VF_MARKER_COUNT; i++)
        if (p->marker_titles[i].i != VF_NONE)
            write_schema(json, &vf_marker_schemas[i]);
    vf_json_end(json, ']');
}

static void write_flags(struct vf_json *json)
{
    static const char *const set[] = {"symbolicated", "usesOnlyOneStackType",
                                      "sourceCodeIsNotOnSearchfox", "keepProfileThreadOrder"};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
        vf_json_key(json, set[i]);
        vf_json_bool(json, true);
    }
}

/* The thread that is shown first: the front-end would take the one with most samples or CPU, which
 * may be that of the instruction addresses. */
static void write_first_thread(struct vf_json *json, const struct vf_profile *p)
{
    size_t first = 0, most = 0;
    for (size_t i = 0; i < p->threads.len; i++) {
        const struct vf_thread *thread = &p->threads.items[i];
        if (thread->is_runtime || thread->is_addresses || thread->samples.len <= most)
            continue;
        first = i;
        most = thread->samples.len;
    }
    if (p->threads.len < 2)
        return;
    vf_json_key(json, "initialSelectedThreads");
    vf_json_begin(json, '[');
    vf_json_uint(json, first);
    vf_json_end(json, ']');
}

void vf_firefox_write_meta(struct vf_json *json, const struct vf_profile *p)
{
    enum { GECKO_VERSION = 29, PROCESS_TYPE_DEFAULT = 0 };
    vf_json_key(json, "meta");
    vf_json_begin(json, '{');
    vf_json_key(json, "version");
    vf_json_uint(json, GECKO_VERSION);
    vf_json_key(json, "preprocessedProfileVersion");
    vf_json_uint(json, VF_FIREFOX_FORMAT_VERSION);
    vf_json_key(json, "product");
    vf_json_str(json, p->product);
    text(json, "importedFrom", VF_STR("vmfox " VF_VERSION));
    vf_json_key(json, "interval");
    vf_json_double(json, p->interval_ms);
    vf_json_key(json, "startTime");
    vf_json_double(json, p->start_time_ms);
    vf_json_key(json, "profilingStartTime");
    vf_json_double(json, p->begin_ms);
    vf_json_key(json, "profilingEndTime");
    vf_json_double(json, p->end_ms);
    vf_json_key(json, "processType");
    vf_json_uint(json, PROCESS_TYPE_DEFAULT);
    vf_json_key(json, "stackwalk");
    vf_json_uint(json, 1);
    write_flags(json);
    write_first_thread(json, p);
    text(json, "arguments", p->arguments);
    text(json, "CPUName", p->cpu);
    text(json, "oscpu", p->os);
    text(json, "platform", p->platform);
    text(json, "abi", p->abi);
    if (p->logical_cpus) {
        vf_json_key(json, "logicalCPUs");
        vf_json_uint(json, p->logical_cpus);
    }
    if (p->memory_bytes) {
        vf_json_key(json, "mainMemory");
        vf_json_uint(json, p->memory_bytes);
    }
    write_units(json);
    write_categories(json);
    write_schemas(json, p);
    write_extras(json, p);
    vf_json_end(json, '}');
}

void vf_firefox_breakpad_id(struct vf_str build_id, char out[VF_BREAKPAD_ID_SIZE])
{
    static const unsigned char order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t i = 0; i < 16; i++)
        for (size_t half = 0; half < 2; half++) {
            size_t at = (size_t)order[i] * 2 + half;
            char c = at < build_id.len ? build_id.ptr[at] : '0';
            out[i * 2 + half] = (char)(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
        }
    out[32] = '0';
    out[33] = 0;
}

void vf_firefox_write_lib(struct vf_json *json, const struct vf_lib *lib, struct vf_str name,
                          struct vf_str path)
{
    char id[34] = "";
    if (lib->build_id.len)
        vf_firefox_breakpad_id(lib->build_id, id);
    vf_json_begin(json, '{');
    vf_json_key(json, "arch");
    vf_json_str(json, lib->arch);
    vf_json_key(json, "name");
    vf_json_str(json, name);
    vf_json_key(json, "path");
    vf_json_str(json, path);
    vf_json_key(json, "debugName");
    vf_json_str(json, name);
    vf_json_key(json, "debugPath");
    vf_json_str(json, path);
    vf_json_key(json, "breakpadId");
    vf_json_str(json, vf_str_from(id));
    vf_json_key(json, "codeId");
    if (lib->build_id.len)
        vf_json_str(json, lib->build_id);
    else
        vf_json_null(json);
    vf_json_end(json, '}');
}

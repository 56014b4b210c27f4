#include "finished/symbolicate.h"

#include "finished/relabel.h"

#include <stdio.h>

/* ---- tables ---------------------------------------------------------------------------------- */

static struct vf_str table_of(const struct vf_relabel *r, const char *name)
{
    return vf_json_member(r->file.shared, vf_str_from(name));
}

static void comma(struct vf_json *json, size_t i)
{
    if (i)
        vf_buf_add(json->out, ",", 1);
    json->comma = false;
}

static void put_strings(const struct vf_relabel *r, struct vf_edits *edits)
{
    struct vf_json json = {.out = &edits->made};
    if (r->file.strings.len == r->old_strings ||
        !vf_edits_append(edits, table_of(r, "stringArray")))
        return;
    for (size_t i = r->old_strings; i < r->file.strings.len; i++) {
        comma(&json, i - r->old_strings);
        vf_json_str(&json, r->file.strings.items[i]);
    }
}

static void put_frames(const struct vf_relabel *r, struct vf_edits *edits)
{
    const struct vf_column *c = r->file.columns;
    const struct vf_new_values values[] = {{"address", &c[VF_FRAME_ADDRESS], {0}},
                                           {"inlineDepth", &c[VF_FRAME_DEPTH], {0}},
                                           {"func", &c[VF_FRAME_FUNC], {0}},
                                           {"nativeSymbol", &c[VF_FRAME_NATIVE], {0}},
                                           {"line", &c[VF_FRAME_LINE], {0}},
                                           {"lib", &c[VF_FRAME_LIB], {0}},
                                           {0}};
    vf_edits_grow_table(edits, table_of(r, "frameTable"), r->frame_templates.len,
                        r->frame_templates.items, values);
}

static void put_funcs(const struct vf_relabel *r, struct vf_edits *edits)
{
    const struct vf_column *c = r->file.columns;
    const struct vf_new_values values[] = {{"name", &c[VF_FUNC_NAME], {0}},
                                           {"source", &c[VF_FUNC_SOURCE], {0}},
                                           {"lineNumber", &c[VF_FUNC_LINE], {0}},
                                           {"resource", &c[VF_FUNC_RESOURCE], {0}},
                                           {0}};
    vf_edits_grow_table(edits, table_of(r, "funcTable"), r->func_templates.len,
                        r->func_templates.items, values);
}

static void put_natives(const struct vf_relabel *r, struct vf_edits *edits)
{
    const struct vf_column *c = r->file.columns;
    const struct vf_new_values values[] = {{"libIndex", &c[VF_NATIVE_LIB], {0}},
                                           {"address", &c[VF_NATIVE_ADDRESS], {0}},
                                           {"name", &c[VF_NATIVE_NAME], {0}},
                                           {"functionSize", &c[VF_NATIVE_SIZE], {0}},
                                           {0}};
    vf_edits_grow_table(edits, table_of(r, "nativeSymbols"), c[VF_NATIVE_LIB].len - r->old_natives,
                        NULL, values);
}

static void put_sources(const struct vf_relabel *r, struct vf_edits *edits)
{
    const struct vf_column *names = &r->file.columns[VF_SOURCE_FILENAME];
    struct vf_buf ones = {0}, contents = {0};
    struct vf_json json = {.out = &contents};
    for (size_t i = r->old_sources; i < names->len; i++) {
        struct vf_str text = {0}, path = r->file.strings.items[names->items[i]];
        vf_buf_str(&ones, i > r->old_sources ? VF_STR(",1") : VF_STR("1"));
        comma(&json, i - r->old_sources);
        if (r->options->source && r->options->source(r->options->source_context, path, &text))
            vf_json_str(&json, text);
        else {
            vf_json_null(&json);
            r->told->sources++;
        }
    }
    const struct vf_new_values values[] = {{"filename", names, {0}},
                                           {"startLine", NULL, vf_buf_view(&ones)},
                                           {"startColumn", NULL, vf_buf_view(&ones)},
                                           {"content", NULL, vf_buf_view(&contents)},
                                           {0}};
    vf_edits_grow_table(edits, table_of(r, "sources"), names->len - r->old_sources, NULL, values);
    vf_buf_release(&ones);
    vf_buf_release(&contents);
}

/* ---- Profile Info ---------------------------------------------------------------------------- */

/* The object of the list whose "label" is that; ptr NULL: none. */
static struct vf_str labelled(struct vf_str list, struct vf_str label)
{
    struct vf_json_walk walk;
    struct vf_str item;
    if (vf_json_enter(&walk, list, '['))
        while (vf_json_next_item(&walk, &item))
            if (vf_str_eq(vf_json_member(item, VF_STR("label")), label))
                return item;
    return (struct vf_str){NULL, 0};
}

static void put_fact(struct vf_json *json, const struct vf_symbolicated *told)
{
    char text[160];
    snprintf(text, sizeof text,
             "looked up again by vmfox %s: %zu of %zu functions got a name; %zu have none",
             VF_VERSION, told->named, told->functions, told->unnamed);
    vf_json_str(json, vf_str_from(text));
}

static void put_entry(struct vf_json *json, const struct vf_symbolicated *told)
{
    json->comma = false;
    vf_json_begin(json, '{');
    vf_json_key(json, "label");
    vf_json_str(json, VF_STR("Symbols"));
    vf_json_key(json, "format");
    vf_json_str(json, VF_STR("string"));
    vf_json_key(json, "value");
    put_fact(json, told);
    vf_json_end(json, '}');
}

/* What vmfox has written there of the functions without a name is true no longer. */
static void put_facts(const struct vf_relabel *r, struct vf_edits *edits)
{
    const struct vf_str key = VF_STR("value");
    struct vf_json json = {.out = &edits->made};
    struct vf_str extra = vf_json_member(r->file.meta, VF_STR("extra"));
    struct vf_str section = labelled(extra, VF_STR("\"Native code\""));
    struct vf_str entries = vf_json_member(section, VF_STR("entries"));
    struct vf_str entry = labelled(entries, VF_STR("\"Functions without a symbol\""));
    struct vf_str count = vf_json_member(entry, key);
    struct vf_str fact = vf_json_member(labelled(entries, VF_STR("\"Symbols\"")), key);
    uint64_t before;
    if (count.len > 2 &&
        vf_str_to_u64((struct vf_str){count.ptr + 1, count.len - 2}, 10, &before)) {
        vf_edits_begin(edits, count);
        vf_buf_printf(&edits->made, "\"%llu\"",
                      (unsigned long long)(before > r->told->named ? before - r->told->named : 0));
    }
    if (fact.len) {
        vf_edits_begin(edits, fact);
        put_fact(&json, r->told);
    } else if (vf_edits_append(edits, entries)) {
        put_entry(&json, r->told);
    } else if (vf_edits_append(edits, extra)) {
        vf_buf_str(&edits->made, VF_STR("{\"label\":\"Native code\",\"entries\":["));
        put_entry(&json, r->told);
        vf_buf_str(&edits->made, VF_STR("]}"));
    }
}

enum vf_status vf_finished_symbolicate(struct vf_buf *out, struct vf_str text,
                                       const struct vf_symbolicate_options *options,
                                       struct vf_symbolicated *told, struct vf_error *error)
{
    struct vf_relabel r;
    struct vf_edits edits = {.text = text};
    *told = (struct vf_symbolicated){0};
    enum vf_status status = vf_relabel_init(&r, text, options, told, error);
    if (status == VF_OK) {
        vf_relabel_frames(&r);
        status = vf_restack(&r, &edits, error);
    }
    if (status == VF_OK && told->frames) {
        put_strings(&r, &edits);
        put_frames(&r, &edits);
        put_funcs(&r, &edits);
        put_natives(&r, &edits);
        put_sources(&r, &edits);
        put_facts(&r, &edits);
    }
    if (status == VF_OK)
        vf_edits_write(&edits, out);
    vf_edits_release(&edits);
    vf_relabel_release(&r);
    return status;
}

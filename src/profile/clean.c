#include "profile/clean.h"

#include "profile/clean_text.h"

/* Whether a string is read as the name of a file, as any text, or stays. */
enum kind { KIND_FILE, KIND_TEXT, KIND_KEPT, KINDS };

struct clean {
    struct vf_profile *profile;
    struct vf_private hidden;
    struct vf_paths paths;
    struct vf_clean_rules rules;
    struct vf_strings made;
    vf_string_id *known[KINDS]; /* by old row: the new one, VF_NONE until it is asked for */
    struct vf_buf text;
};

/* ---- what goes as a whole -------------------------------------------------------------------- */

static void drop_sources(struct vf_profile *profile)
{
    for (size_t i = 0; i < profile->funcs.sources.len; i++)
        profile->funcs.sources.items[i].text = (struct vf_str){NULL, 0};
}

/* Lines of Profile Info that tell of the machine; the rate is that of its processor. */
static bool is_of_machine(struct vf_str label)
{
    return vf_str_eq(label, VF_STR("Host")) || vf_str_eq(label, VF_STR("Working folder")) ||
           vf_str_eq(label, VF_STR("Interpreter path")) || vf_str_eq(label, VF_STR("Rate"));
}

static void drop_machine(struct vf_profile *profile)
{
    profile->cpu = profile->os = VF_STR("");
    profile->logical_cpus = profile->memory_bytes = 0;
    profile->start_time_ms = 0;
    for (size_t i = 0; i < profile->extras.len; i++) {
        struct vf_extra *extra = &profile->extras.items[i];
        size_t kept = 0;
        for (size_t e = 0; e < extra->entries.len; e++)
            if (!is_of_machine(extra->entries.items[e].label))
                extra->entries.items[kept++] = extra->entries.items[e];
        extra->entries.len = kept;
    }
}

/* ---- what has to be hidden ------------------------------------------------------------------- */

static void add_file(struct clean *c, vf_string_id id)
{
    struct vf_str path = vf_strings_get(&c->profile->strings, id);
    vf_private_learn(&c->hidden, path);
}

/* Every name of a file in the tables. */
static void each_file(struct clean *c, void (*what)(struct clean *, vf_string_id))
{
    const struct vf_profile *p = c->profile;
    for (size_t i = 0; i < p->funcs.sources.len; i++)
        what(c, p->funcs.sources.items[i].path);
    for (size_t i = 0; i < p->funcs.libs.len; i++)
        what(c, p->funcs.libs.items[i].path);
    for (size_t t = 0; t < p->threads.len; t++) {
        const struct vf_markers *markers = &p->threads.items[t].markers;
        for (size_t m = 0; m < markers->rows.len; m++) {
            const struct vf_marker_value *file =
                vf_markers_value(markers, &markers->rows.items[m], "file");
            if (file)
                what(c, file->text);
        }
    }
}

static void name_file(struct clean *c, vf_string_id id)
{
    vf_paths_add(&c->paths, vf_strings_get(&c->profile->strings, id));
}

static void find_hidden(struct clean *c, const struct vf_clean *how)
{
    struct vf_str host = how->host;
    vf_private_add_home(&c->hidden, how->home);
    vf_private_add_word(&c->hidden, how->user, VF_STR("user"));
    vf_private_add_word(&c->hidden, host, VF_STR("host"));
    /* Of "ws1.example.org" also "ws1". */
    vf_private_add_word(&c->hidden, vf_str_cut(&host, '.'), VF_STR("host"));
    each_file(c, add_file);
    for (size_t i = 0; i < c->profile->extras.len; i++)
        for (size_t e = 0; e < c->profile->extras.items[i].entries.len; e++)
            vf_private_learn(&c->hidden, c->profile->extras.items[i].entries.items[e].value);
}

/* ---- strings --------------------------------------------------------------------------------- */

static struct vf_str cleaned(struct clean *c, struct vf_str text, enum kind kind)
{
    if (kind == KIND_KEPT)
        return text;
    if (kind == KIND_FILE)
        return vf_paths_name(&c->paths, text);
    c->text.len = 0;
    vf_clean_text(&c->text, &c->rules, text);
    return vf_buf_view(&c->text);
}

static void clean_id(struct clean *c, vf_string_id *id, enum kind kind)
{
    if (id->i == VF_NONE)
        return;
    vf_string_id *known = &c->known[kind][id->i];
    if (known->i == VF_NONE)
        *known =
            vf_strings_add(&c->made, cleaned(c, vf_strings_get(&c->profile->strings, *id), kind));
    *id = *known;
}

static void clean_text(struct clean *c, struct vf_str *text)
{
    *text = vf_arena_str(&c->profile->arena, cleaned(c, *text, KIND_TEXT));
}

static void clean_markers(struct clean *c, struct vf_markers *markers)
{
    for (size_t m = 0; m < markers->rows.len; m++) {
        const struct vf_marker_row *row = &markers->rows.items[m];
        const struct vf_marker_field *fields = vf_marker_schemas[row->kind].fields;
        for (uint32_t i = row->first; i < row->first + row->count; i++) {
            struct vf_marker_value *value = &markers->values.items[i];
            bool file = strcmp(fields[value->field].key, "file") == 0;
            clean_id(c, &value->text, file ? KIND_FILE : KIND_TEXT);
        }
    }
    for (size_t i = 0; i < markers->cells.len; i++)
        clean_text(c, &markers->cells.items[i]);
}

static void clean_tables(struct clean *c)
{
    struct vf_profile *p = c->profile;
    for (size_t i = 0; i < p->funcs.sources.len; i++)
        clean_id(c, &p->funcs.sources.items[i].path, KIND_FILE);
    for (size_t i = 0; i < p->funcs.libs.len; i++) {
        clean_id(c, &p->funcs.libs.items[i].path, KIND_FILE);
        clean_id(c, &p->funcs.libs.items[i].name, KIND_TEXT);
    }
    for (size_t i = 0; i < p->funcs.natives.len; i++)
        clean_id(c, &p->funcs.natives.items[i].name, KIND_TEXT);
    for (size_t i = 0; i < p->funcs.funcs.len; i++)
        clean_id(c, &p->funcs.funcs.items[i].name, KIND_TEXT);
    for (size_t i = 0; i < p->threads.len; i++) {
        clean_id(c, &p->threads.items[i].name, KIND_KEPT);
        clean_markers(c, &p->threads.items[i].markers);
    }
    for (size_t i = 0; i < p->extras.len; i++)
        for (size_t e = 0; e < p->extras.items[i].entries.len; e++)
            clean_text(c, &p->extras.items[i].entries.items[e].value);
    clean_text(c, &p->product);
    clean_text(c, &p->process_name);
    clean_text(c, &p->arguments);
}

static void clean_strings(struct clean *c, const struct vf_clean *how)
{
    struct vf_profile *p = c->profile;
    size_t rows = p->strings.rows.len;
    vf_paths_init(&c->paths, &c->hidden, how->no_paths, how->no_env);
    each_file(c, name_file);
    vf_paths_settle(&c->paths);
    c->rules = (struct vf_clean_rules){how->no_paths ? &c->paths : NULL, &c->hidden, how->no_env};
    for (int kind = 0; kind < KINDS; kind++) {
        c->known[kind] = vf_alloc(rows, sizeof *c->known[kind]);
        memset(c->known[kind], 0xff, rows * sizeof *c->known[kind]);
    }
    clean_tables(c);
    for (int kind = 0; kind < KINDS; kind++)
        free(c->known[kind]);
    vf_paths_release(&c->paths);
    vf_strings_release(&p->strings);
    p->strings = c->made;
}

void vf_profile_clean(struct vf_profile *profile, const struct vf_clean *how)
{
    struct clean c = {.profile = profile};
    drop_sources(profile);
    if (how->no_arguments)
        profile->arguments = profile->process_name;
    if (how->no_paths || how->no_env) {
        find_hidden(&c, how);
        if (how->no_env)
            drop_machine(profile);
        clean_strings(&c, how);
    }
    vf_buf_release(&c.text);
    vf_private_release(&c.hidden);
}

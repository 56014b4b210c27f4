#include "serve/api.h"

#include <jansson.h>

/* One row a question.  `answer` gets the body's object and appends a whole JSON object. */
struct vf_api_handler {
    const char *path;
    void (*answer)(const struct vf_api_context *context, const json_t *question,
                   struct vf_buf *out);
};

void vf_api_error(struct vf_buf *out, const char *text)
{
    struct vf_json json = {.out = out};
    vf_json_begin(&json, '{');
    vf_json_key(&json, "error");
    vf_json_str(&json, vf_str_from(text));
    vf_json_end(&json, '}');
}

/* The member as text; false when it is missing or something else. */
static bool get_text(const json_t *question, const char *key, struct vf_str *out)
{
    const json_t *value = json_object_get(question, key);
    if (!json_is_string(value))
        return false;
    *out = (struct vf_str){json_string_value(value), json_string_length(value)};
    return true;
}

/* A name that is not UTF-8 stands in the profile with U+FFFD for its bad bytes, and comes back
 * that way: compare names as the JSON they were written as. */
static const struct vf_serve_source *find_source_as_written(const struct vf_api_context *context,
                                                            struct vf_str name)
{
    const struct vf_serve_source *found = NULL;
    struct vf_buf wanted = {0}, have = {0};
    vf_json_str(&(struct vf_json){.out = &wanted}, name);
    for (size_t i = 0; i < context->source_count && !found; i++) {
        have.len = 0;
        vf_json_str(&(struct vf_json){.out = &have}, context->sources[i].name);
        if (vf_str_eq(vf_buf_view(&wanted), vf_buf_view(&have)))
            found = &context->sources[i];
    }
    vf_buf_release(&wanted);
    vf_buf_release(&have);
    return found;
}

static const struct vf_serve_source *find_source(const struct vf_api_context *context,
                                                 struct vf_str name)
{
    for (size_t i = 0; i < context->source_count; i++)
        if (vf_str_eq(context->sources[i].name, name))
            return &context->sources[i];
    return find_source_as_written(context, name);
}

static bool get_hex(const json_t *question, const char *key, uint64_t *out)
{
    struct vf_str text;
    return get_text(question, key, &text) && vf_str_starts(text, VF_STR("0x")) &&
           vf_str_to_u64((struct vf_str){text.ptr + 2, text.len - 2}, 16, out);
}

/* A source that the symbols of a library name, as the page may have learnt from /symbolicate/v5. */
static bool find_native_source(const struct vf_api_context *context, const json_t *question,
                               struct vf_str file, struct vf_buf *text)
{
    struct vf_str name, id;
    uint64_t address;
    if (!context->library || !get_text(question, "debugName", &name) ||
        !get_text(question, "debugId", &id) || !get_hex(question, "moduleOffset", &address))
        return false;
    const void *library = context->library(context->symbols_context, name, id);
    return library &&
           context->native_source(context->symbols_context, library, address, file, text);
}

static void put_source(struct vf_buf *out, struct vf_str file, struct vf_str text)
{
    struct vf_json json = {.out = out};
    vf_json_begin(&json, '{');
    vf_json_key(&json, "symbolsLastModified");
    vf_json_null(&json);
    vf_json_key(&json, "sourceLastModified");
    vf_json_null(&json);
    vf_json_key(&json, "file");
    vf_json_str(&json, file);
    vf_json_key(&json, "source");
    vf_json_str(&json, text);
    vf_json_end(&json, '}');
}

static void answer_source(const struct vf_api_context *context, const json_t *question,
                          struct vf_buf *out)
{
    struct vf_str file;
    struct vf_buf text = {0};
    if (!get_text(question, "file", &file)) {
        vf_api_error(out, "The request names no \"file\".");
        return;
    }
    const struct vf_serve_source *source = find_source(context, file);
    if (source)
        put_source(out, file, source->text);
    else if (find_native_source(context, question, file, &text))
        put_source(out, file, vf_buf_view(&text));
    else
        vf_api_error(out, "This profile holds no source of that file.");
    vf_buf_release(&text);
}

static void answer_asm(const struct vf_api_context *context, const json_t *question,
                       struct vf_buf *out)
{
    struct vf_serve_function function = {0};
    struct vf_str address;
    if (!get_text(question, "debugName", &function.lib) ||
        !get_text(question, "startAddress", &address)) {
        vf_api_error(out, "The request names no \"debugName\" or no \"startAddress\".");
        return;
    }
    get_text(question, "codeId", &function.code_id);
    get_text(question, "debugId", &function.debug_id);
    if (!get_hex(question, "startAddress", &function.address)) {
        vf_api_error(out, "The request's \"startAddress\" is no hexadecimal number.");
        return;
    }
    if (!context->assembly || !context->assembly(context->assembly_context, &function, out))
        vf_api_error(out, "This profile has no machine code of that function.");
}

static const struct vf_api_handler handlers[] = {
    {"source/v1", answer_source},
    {"asm/v1", answer_asm},
    {"symbolicate/v5", vf_api_symbolicate},
};

const struct vf_api_handler *vf_api_find(struct vf_str path)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (vf_str_eq(vf_str_from(handlers[i].path), path))
            return &handlers[i];
    return NULL;
}

void vf_api_answer(const struct vf_api_handler *handler, const struct vf_api_context *context,
                   struct vf_str body, struct vf_buf *out)
{
    json_t *question = json_loadb(body.len ? body.ptr : "", body.len, JSON_ALLOW_NUL, NULL);
    if (json_is_object(question))
        handler->answer(context, question, out);
    else
        vf_api_error(out, "The request is not a JSON object.");
    json_decref(question);
}

/* /symbolicate/v5: the functions at addresses in libraries of the profile.  A question holds jobs:
 *     {"memoryMap": [["libfoo.so", "BREAKPADID"], ...], "stacks": [[[0, 4660], ...], ...]}
 * where an address is a module's row and its offset.  One job may stand alone, without a list. */
#include "serve/api.h"

#include <jansson.h>
#include <stdio.h>

/* An answer of this size says the same a million times: nobody needs it. */
enum { ANSWER_MAX = 64 << 20 };

static struct vf_str text_at(const json_t *pair, size_t i)
{
    const json_t *value = json_array_get(pair, i);
    if (!json_is_string(value))
        return (struct vf_str){NULL, 0};
    return (struct vf_str){json_string_value(value), json_string_length(value)};
}

static void put_hex(struct vf_json *json, const char *key, uint64_t value)
{
    char number[24];
    snprintf(number, sizeof number, "0x%llx", (unsigned long long)value);
    vf_json_key(json, key);
    vf_json_str(json, vf_str_from(number));
}

static void put_place(struct vf_json *json, const struct vf_serve_frame *frame)
{
    vf_json_key(json, "function");
    vf_json_str(json, frame->function);
    if (frame->file.len) {
        vf_json_key(json, "file");
        vf_json_str(json, frame->file);
    }
    if (frame->line) {
        vf_json_key(json, "line");
        vf_json_uint(json, frame->line);
    }
}

/* Inlined functions from inside to outside, the outermost one in the frame itself. */
static void put_symbol(struct vf_json *json, const struct vf_serve_symbol *symbol, uint64_t address)
{
    put_place(json, &symbol->frames[0]);
    put_hex(json, "function_offset", address - symbol->start);
    if (symbol->size)
        put_hex(json, "function_size", symbol->size);
    if (symbol->count < 2)
        return;
    vf_json_key(json, "inlines");
    vf_json_begin(json, '[');
    for (size_t i = symbol->count; i > 1; i--) {
        vf_json_begin(json, '{');
        put_place(json, &symbol->frames[i - 1]);
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

static void put_frame(const struct vf_api_context *context, struct vf_json *json,
                      const json_t *modules, const json_t *frame, size_t row)
{
    struct vf_serve_symbol symbol;
    const json_t *offset = json_array_get(frame, 1);
    const json_t *row_of = json_array_get(frame, 0);
    int64_t index = json_is_integer(row_of) ? json_integer_value(row_of) : -1;
    const json_t *module =
        index >= 0 ? json_array_get(modules, (size_t)index) : NULL; /* -1: of no library */
    int64_t number = json_integer_value(offset);
    uint64_t address = number >= 0 ? (uint64_t)number : VF_SERVE_NO_ADDRESS;
    const void *library =
        module && context->library
            ? context->library(context->symbols_context, text_at(module, 0), text_at(module, 1))
            : NULL;
    vf_json_begin(json, '{');
    vf_json_key(json, "frame");
    vf_json_uint(json, row);
    put_hex(json, "module_offset", number >= 0 ? address : 0);
    vf_json_key(json, "module");
    vf_json_str(json, text_at(module, 0));
    if (library && json_is_integer(offset) &&
        context->find(context->symbols_context, library, address, &symbol) &&
        address >= symbol.start)
        put_symbol(json, &symbol, address);
    vf_json_end(json, '}');
}

static void put_found(const struct vf_api_context *context, struct vf_json *json,
                      const json_t *modules)
{
    struct vf_buf name = {0};
    size_t i;
    json_t *module;
    vf_json_key(json, "found_modules");
    vf_json_begin(json, '{');
    json_array_foreach(modules, i, module)
    {
        struct vf_str debug_name = text_at(module, 0), id = text_at(module, 1);
        name.len = 0;
        vf_buf_str(&name, debug_name);
        vf_buf_add(&name, "/", 1);
        vf_buf_str(&name, id);
        vf_json_text_key(json, vf_buf_view(&name));
        vf_json_bool(json, context->library &&
                               context->library(context->symbols_context, debug_name, id));
    }
    vf_json_end(json, '}');
    vf_buf_release(&name);
}

/* False: the answer grows too large. */
static bool put_job(const struct vf_api_context *context, struct vf_json *json, const json_t *job)
{
    const json_t *modules = json_object_get(job, "memoryMap");
    size_t s, f;
    json_t *stack, *frame;
    vf_json_begin(json, '{');
    vf_json_key(json, "stacks");
    vf_json_begin(json, '[');
    json_array_foreach(json_object_get(job, "stacks"), s, stack)
    {
        vf_json_begin(json, '[');
        json_array_foreach(stack, f, frame)
        {
            put_frame(context, json, modules, frame, f);
            if (json->out->len > ANSWER_MAX)
                return false;
        }
        vf_json_end(json, ']');
    }
    vf_json_end(json, ']');
    put_found(context, json, modules);
    vf_json_end(json, '}');
    return json->out->len <= ANSWER_MAX;
}

void vf_api_symbolicate(const struct vf_api_context *context, const struct json_t *question,
                        struct vf_buf *out)
{
    struct vf_json json = {.out = out};
    const json_t *jobs = json_object_get(question, "jobs");
    size_t count = jobs ? json_array_size(jobs) : 1, before = out->len;
    bool good = true;
    if (jobs ? !json_is_array(jobs) : !json_is_array(json_object_get(question, "memoryMap"))) {
        vf_api_error(out, "The request has no \"jobs\" and no \"memoryMap\".");
        return;
    }
    vf_json_begin(&json, '{');
    vf_json_key(&json, "results");
    vf_json_begin(&json, '[');
    for (size_t i = 0; i < count && good; i++)
        good = put_job(context, &json, jobs ? json_array_get(jobs, i) : question);
    vf_json_end(&json, ']');
    vf_json_end(&json, '}');
    if (good)
        return;
    out->len = before;
    vf_api_error(out, "The request asks for more than one answer can hold: ask in parts.");
}

#include "cmd/native_code.h"

#include <jansson.h>

/* ---- one member of a large object ------------------------------------------------------------ */

/* Behind the string that begins at `at`; the text's end where it has none. */
static size_t skip_string(struct vf_str s, size_t at)
{
    for (at++; at < s.len && s.ptr[at] != '"'; at++)
        if (s.ptr[at] == '\\')
            at++;
    return at < s.len ? at + 1 : s.len;
}

/* The value of the member `key` of the object itself, found without reading the rest of what may be
 * gigabytes; empty where there is none.  Whether it is JSON is not looked at. */
static struct vf_str find_member(struct vf_str s, struct vf_str key)
{
    size_t depth = 0, value = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"') {
            size_t end = skip_string(s, i);
            struct vf_str text = {s.ptr + i, end - i};
            if (depth == 1 && !value && vf_str_eq(text, key) && end < s.len && s.ptr[end] == ':')
                value = end + 1;
            i = end - 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0)
                break;
            if (value && depth == 1)
                return (struct vf_str){s.ptr + value, i + 1 - value};
        } else if (value && depth == 1 && c == ',') {
            return (struct vf_str){s.ptr + value, i - value};
        }
    }
    return (struct vf_str){NULL, 0};
}

/* ---- libraries ------------------------------------------------------------------------------- */

static struct vf_str get_text(struct vf_native_code *native, const json_t *lib, const char *key)
{
    const json_t *value = json_object_get(lib, key);
    if (!json_is_string(value))
        return (struct vf_str){NULL, 0};
    return vf_arena_str(&native->arena,
                        (struct vf_str){json_string_value(value), json_string_length(value)});
}

void vf_native_code_read_libs(struct vf_native_code *native, struct vf_str text)
{
    struct vf_str member = find_member(text, VF_STR("\"libs\""));
    size_t i;
    json_t *lib;
    json_t *libs = member.len ? json_loadb(member.ptr, member.len, JSON_ALLOW_NUL, NULL) : NULL;
    json_array_foreach(libs, i, lib)
    {
        struct vf_served_lib served = {.debug_name = get_text(native, lib, "debugName"),
                                       .path = get_text(native, lib, "path"),
                                       .build_id = get_text(native, lib, "codeId")};
        struct vf_str id = get_text(native, lib, "breakpadId");
        if (served.build_id.len == 0 || served.debug_name.len == 0 ||
            id.len >= sizeof served.debug_id)
            continue;
        memcpy(served.debug_id, id.ptr ? id.ptr : "", id.len);
        VF_APPEND(&native->libs, served);
    }
    json_decref(libs);
}

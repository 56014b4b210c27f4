#include "capture/vmprof.h"

/* The first `:DIGITS:` in the text: C++ names hold colons, but never digits alone between two. */
static bool find_line(struct vf_str text, size_t *at, size_t *length, uint64_t *line)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ':')
            continue;
        size_t end = i + 1;
        while (end < text.len && text.ptr[end] >= '0' && text.ptr[end] <= '9')
            end++;
        if (end > i + 1 && end < text.len && text.ptr[end] == ':') {
            if (!vf_str_to_u64((struct vf_str){text.ptr + i + 1, end - i - 1}, 10, line))
                *line = 0; /* no line is that big */
            *at = i;
            *length = end + 1 - i;
            return true;
        }
    }
    return false;
}

struct vf_code_name vf_code_name_parse(struct vf_str text)
{
    struct vf_code_name name = {.lang = VF_STR(""), .name = text, .file = VF_STR("-")};
    struct vf_str rest = text;
    struct vf_str lang = vf_str_cut(&rest, ':');
    size_t at, length;
    uint64_t line;
    if (lang.len == text.len || !find_line(rest, &at, &length, &line))
        return name;
    name.lang = lang;
    name.name = (struct vf_str){rest.ptr, at};
    name.file = (struct vf_str){rest.ptr + at + length, rest.len - at - length};
    name.line = line <= INT32_MAX ? (uint32_t)line : 0;
    return name;
}

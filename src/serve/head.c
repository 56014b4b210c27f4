#include "serve/head.h"

#include <strings.h>

/* How often the fields were seen that make or break a request. */
struct seen {
    unsigned lines, hosts, lengths;
};

static bool is_token(struct vf_str s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!plain && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return s.len > 0;
}

static bool is_target(struct vf_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
            return false;
    return s.len > 0 && s.len <= VF_HEAD_TARGET_MAX;
}

static bool has_control(struct vf_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static bool request_line_is_plain(struct vf_str line)
{
    struct vf_str method = vf_str_cut(&line, ' '), target = vf_str_cut(&line, ' ');
    return is_token(method) && method.len <= VF_HEAD_METHOD_MAX && is_target(target) &&
           (vf_str_eq(line, VF_STR("HTTP/1.1")) || vf_str_eq(line, VF_STR("HTTP/1.0")));
}

static bool is_name(struct vf_str s, struct vf_str name)
{
    return s.len == name.len && strncasecmp(s.ptr, name.ptr, name.len) == 0;
}

/* libmicrohttpd has limits of its own on a length; what is far beyond ours need not meet them. */
static bool length_is_plain(struct vf_str value)
{
    uint64_t length;
    while (value.len > 0 && value.ptr[0] == ' ')
        value = (struct vf_str){value.ptr + 1, value.len - 1};
    return vf_str_to_u64(value, 10, &length) && length <= INT64_MAX;
}

static bool field_is_plain(struct vf_str line, struct seen *seen)
{
    size_t whole = line.len;
    struct vf_str name = vf_str_cut(&line, ':');
    if (!is_token(name) || name.len == whole)
        return false;
    if (is_name(name, VF_STR("Host")))
        return ++seen->hosts == 1;
    if (is_name(name, VF_STR("Content-Length")))
        return ++seen->lengths == 1 && length_is_plain(line);
    return !is_name(name, VF_STR("Transfer-Encoding"));
}

static enum vf_head check_line(struct vf_str line, struct seen *seen)
{
    if (line.len == 0 && seen->lines > 0)
        return seen->hosts == 1 ? VF_HEAD_WHOLE : VF_HEAD_BAD;
    bool plain = seen->lines == 0 ? request_line_is_plain(line) : field_is_plain(line, seen);
    seen->lines++;
    return plain && seen->lines <= VF_HEAD_FIELDS_MAX + 1 ? VF_HEAD_PART : VF_HEAD_BAD;
}

/* What has no end yet: it is not waited for where it is bad already. */
static enum vf_head check_rest(struct vf_str bytes, struct vf_str rest)
{
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '\r')
        rest.len--;
    return bytes.len >= VF_HEAD_BYTES_MAX || has_control(rest) ? VF_HEAD_BAD : VF_HEAD_PART;
}

enum vf_head vf_head_check(struct vf_str bytes)
{
    struct seen seen = {0};
    enum vf_head found = VF_HEAD_PART;
    if (bytes.len > VF_HEAD_BYTES_MAX)
        bytes.len = VF_HEAD_BYTES_MAX;
    struct vf_str rest = bytes;
    while (found == VF_HEAD_PART) {
        const char *end = rest.len > 0 ? memchr(rest.ptr, '\n', rest.len) : NULL;
        if (!end)
            return check_rest(bytes, rest);
        struct vf_str line = {rest.ptr, (size_t)(end - rest.ptr)};
        rest = (struct vf_str){end + 1, rest.len - line.len - 1};
        if (line.len == 0 || line.ptr[--line.len] != '\r' || has_control(line))
            return VF_HEAD_BAD;
        found = check_line(line, &seen);
    }
    return found;
}

#include "profile/clean_text.h"

static bool is_any(char c, const char *of)
{
    return c && strchr(of, c);
}

/* Also the second byte of a blank that does not break, as listings have. */
static bool is_blank(char c)
{
    return is_any(c, " \t\r\n") || (unsigned char)c == 0xa0;
}

static bool begins_component(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_any(c, "._~@%+-$") ||
           (unsigned char)c >= 0x80;
}

static bool ends_path(struct vf_str text, size_t at)
{
    char c = text.ptr[at];
    bool no_break = (unsigned char)c == 0xc2 && at + 1 < text.len && is_blank(text.ptr[at + 1]);
    return is_blank(c) || no_break || is_any(c, "\"'`,;:)]}>|&?*<([{=\\");
}

/* A path with digits first needs a second component: "1 /2" is no path. */
static bool looks_like_path(struct vf_str rest)
{
    if (rest.len < 2 || rest.ptr[0] != '/')
        return false;
    if (begins_component(rest.ptr[1]))
        return true;
    size_t at = 1;
    while (at < rest.len && rest.ptr[at] >= '0' && rest.ptr[at] <= '9')
        at++;
    return at > 1 && at + 1 < rest.len && rest.ptr[at] == '/' && rest.ptr[at + 1] != '/';
}

static bool path_begins(const struct vf_clean_rules *rules, struct vf_str text, size_t at)
{
    struct vf_str rest = {text.ptr + at, text.len - at};
    if (rest.ptr[0] == '/' && vf_private_home_at(rules->hidden, rest))
        return true;
    bool behind =
        at == 0 || is_blank(text.ptr[at - 1]) || is_any(text.ptr[at - 1], "\"'`=:,;([{>|&");
    if (rest.ptr[0] != '/')
        return behind && vf_path_is_absolute(rest);
    struct vf_str before = {text.ptr, at};
    return (behind || vf_str_ends(before, VF_STR("file://"))) && looks_like_path(rest);
}

/* In quotes a path may hold blanks, but "/a and /b" is none. */
static size_t quoted_length(struct vf_str text, size_t at)
{
    char quote = at ? text.ptr[at - 1] : 0;
    if (!is_any(quote, "\"'`"))
        return 0;
    for (size_t i = at; i < text.len; i++) {
        if (text.ptr[i] == quote)
            return i - at;
        if (is_blank(text.ptr[i]) && i + 1 < text.len && text.ptr[i + 1] == '/')
            return 0;
    }
    return 0;
}

static size_t path_length(const struct vf_clean_rules *rules, struct vf_str text, size_t at)
{
    struct vf_str rest = {text.ptr + at, text.len - at};
    size_t length = quoted_length(text, at);
    if (length)
        return length;
    length = vf_paths_with_blank(rules->paths, rest);
    size_t home = vf_private_home_at(rules->hidden, rest);
    length = home > length ? home : length;
    if (length == 0 && rest.ptr[0] != '/')
        length = 3; /* the drive */
    while (length < rest.len &&
           (!ends_path(rest, length) || (rest.ptr[0] != '/' && rest.ptr[length] == '\\')))
        length++;
    while (length > 1 && rest.ptr[length - 1] == '.')
        length--; /* of a sentence */
    return length;
}

static void add_other(struct vf_buf *out, const struct vf_clean_rules *rules, struct vf_str text)
{
    if (rules->words)
        vf_private_replace(out, rules->hidden, text);
    else
        vf_buf_str(out, text);
}

void vf_clean_text(struct vf_buf *out, const struct vf_clean_rules *rules, struct vf_str text)
{
    size_t from = 0;
    if (text.len == 0)
        return; /* it may have no address */
    for (size_t at = 0; rules->paths && at < text.len;) {
        if (!path_begins(rules, text, at)) {
            at++;
            continue;
        }
        size_t length = path_length(rules, text, at);
        add_other(out, rules, (struct vf_str){text.ptr + from, at - from});
        vf_buf_str(out, vf_paths_name(rules->paths, (struct vf_str){text.ptr + at, length}));
        at += length;
        from = at;
    }
    add_other(out, rules, (struct vf_str){text.ptr + from, text.len - from});
}

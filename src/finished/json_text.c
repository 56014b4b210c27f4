#include "finished/json_text.h"

static size_t skip_blanks(struct vf_str s, size_t at)
{
    while (at < s.len &&
           (s.ptr[at] == ' ' || s.ptr[at] == '\n' || s.ptr[at] == '\t' || s.ptr[at] == '\r'))
        at++;
    return at;
}

/* Behind the string that begins at `at`; the text's end where it has none. */
static size_t skip_string(struct vf_str s, size_t at)
{
    for (at++; at < s.len; at++) {
        const char *quote = memchr(s.ptr + at, '"', s.len - at);
        if (!quote)
            return s.len;
        size_t end = (size_t)(quote - s.ptr), back = end;
        while (back > at && s.ptr[back - 1] == '\\')
            back--;
        at = end;
        if ((end - back) % 2 == 0)
            return end + 1;
    }
    return s.len;
}

/* Behind the object or list that begins at `at`. */
static size_t skip_nested(struct vf_str s, size_t at)
{
    size_t depth = 0;
    while (at < s.len) {
        char c = s.ptr[at];
        if (c == '"') {
            at = skip_string(s, at);
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return s.len;
}

static size_t skip_value(struct vf_str s, size_t at)
{
    if (at >= s.len)
        return at;
    if (s.ptr[at] == '"')
        return skip_string(s, at);
    if (s.ptr[at] == '{' || s.ptr[at] == '[')
        return skip_nested(s, at);
    while (at < s.len && !strchr(",]} \n\t\r", s.ptr[at]))
        at++;
    return at;
}

static struct vf_str behind(struct vf_str s, size_t at)
{
    at = at < s.len ? at : s.len;
    return (struct vf_str){s.len ? s.ptr + at : s.ptr, s.len - at};
}

bool vf_json_enter(struct vf_json_walk *walk, struct vf_str value, char bracket)
{
    size_t at = skip_blanks(value, 0);
    walk->rest = (struct vf_str){value.ptr, 0};
    if (at >= value.len || value.ptr[at] != bracket)
        return false;
    walk->rest = behind(value, at + 1);
    return true;
}

/* Takes a value off the rest; false at its end. */
static bool take_value(struct vf_json_walk *walk, struct vf_str *value)
{
    struct vf_str s = walk->rest;
    size_t at = skip_blanks(s, 0), end = skip_value(s, at);
    *value = (struct vf_str){s.ptr + at, end - at};
    walk->rest = behind(s, end);
    return end > at;
}

static bool is_end(struct vf_json_walk *walk, char bracket)
{
    size_t at = skip_blanks(walk->rest, 0);
    if (at < walk->rest.len && walk->rest.ptr[at] == ',')
        at++;
    walk->rest = behind(walk->rest, skip_blanks(walk->rest, at));
    return walk->rest.len == 0 || walk->rest.ptr[0] == bracket;
}

bool vf_json_next_item(struct vf_json_walk *walk, struct vf_str *value)
{
    return !is_end(walk, ']') && take_value(walk, value);
}

bool vf_json_next_member(struct vf_json_walk *walk, struct vf_str *key, struct vf_str *value)
{
    if (is_end(walk, '}') || !take_value(walk, key) || key->len < 2 || key->ptr[0] != '"')
        return false;
    *key = (struct vf_str){key->ptr + 1, key->len - 2};
    size_t at = skip_blanks(walk->rest, 0);
    if (at >= walk->rest.len || walk->rest.ptr[at] != ':')
        return false;
    walk->rest = behind(walk->rest, at + 1);
    return take_value(walk, value);
}

struct vf_str vf_json_member(struct vf_str object, struct vf_str key)
{
    struct vf_json_walk walk;
    struct vf_str name, value;
    if (vf_json_enter(&walk, object, '{'))
        while (vf_json_next_member(&walk, &name, &value))
            if (vf_str_eq(name, key))
                return value;
    return (struct vf_str){NULL, 0};
}

bool vf_json_to_int(struct vf_str value, int32_t *out)
{
    uint64_t number;
    bool minus = value.len && value.ptr[0] == '-';
    if (vf_str_eq(value, VF_STR("null"))) {
        *out = VF_JSON_NULL;
        return true;
    }
    if (!vf_str_to_u64(behind(value, minus), 10, &number) || number > INT32_MAX)
        return false;
    *out = minus ? -(int32_t)number : (int32_t)number;
    return true;
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool read_hex(struct vf_str s, size_t at, uint32_t *out)
{
    uint64_t value;
    if (at + 4 > s.len || !vf_str_to_u64((struct vf_str){s.ptr + at, 4}, 16, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static size_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 63));
        to[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 63));
    to[2] = (char)(0x80 | (code >> 6 & 63));
    to[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* The character behind "\u" at `at`, of one or two units; moves behind it.  Half a pair is
 * U+FFFD. */
static uint32_t read_unit(struct vf_str s, size_t *at)
{
    enum { BAD = 0xfffd };
    uint32_t high, low;
    if (!read_hex(s, *at, &high))
        return BAD;
    *at += 4;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || *at + 6 > s.len || s.ptr[*at] != '\\' || s.ptr[*at + 1] != 'u' ||
        !read_hex(s, *at + 2, &low) || low < 0xdc00 || low > 0xdfff)
        return BAD;
    *at += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

struct vf_str vf_json_to_text(struct vf_str value, struct vf_arena *arena)
{
    static const char names[] = "bfnrt", meant[] = "\b\f\n\r\t";
    if (value.len < 2 || value.ptr[0] != '"')
        return VF_STR("");
    struct vf_str s = {value.ptr + 1, value.len - 2};
    if (!s.len || !memchr(s.ptr, '\\', s.len))
        return s;
    char *to = vf_arena_alloc(arena, s.len + s.len / 2 + 4); /* "\\u" alone becomes three bytes */
    size_t len = 0;
    for (size_t at = 0; at < s.len;) {
        char c = s.ptr[at++];
        if (c != '\\' || at >= s.len) {
            to[len++] = c;
            continue;
        }
        c = s.ptr[at++];
        const char *name = c ? strchr(names, c) : NULL;
        if (c == 'u')
            len += put_utf8(to + len, read_unit(s, &at));
        else
            to[len++] = name ? meant[name - names] : c;
    }
    return (struct vf_str){to, len};
}

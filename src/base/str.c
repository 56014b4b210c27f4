#include "base/str.h"

struct vf_str vf_str_cut(struct vf_str *s, char sep)
{
    const char *at = s->len ? memchr(s->ptr, sep, s->len) : NULL;
    struct vf_str head = *s;
    if (!at) {
        if (s->len) /* a slice of nothing may have no pointer to count from */
            s->ptr += s->len;
        s->len = 0;
        return head;
    }
    head.len = (size_t)(at - s->ptr);
    s->ptr = at + 1;
    s->len -= head.len + 1;
    return head;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

bool vf_str_to_u64(struct vf_str s, unsigned base, uint64_t *out)
{
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)digit_value(s.ptr[i]);
        if (digit >= base || value > (UINT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    *out = value;
    return true;
}

bool vf_str_to_ns(struct vf_str s, int64_t *out_ns)
{
    struct vf_str whole = vf_str_cut(&s, '.');
    uint64_t seconds;
    int64_t fraction = 0;
    if (!vf_str_to_u64(whole, 10, &seconds) || seconds > INT64_MAX / 1000000000 - 1)
        return false;
    int64_t unit = 100000000;
    for (size_t i = 0; i < s.len; i++) {
        int digit = digit_value(s.ptr[i]);
        if (digit > 9)
            return false;
        fraction += digit * unit;
        unit /= 10;
    }
    *out_ns = (int64_t)seconds * 1000000000 + fraction;
    return true;
}

/* Small readers for the lines of PyPy's text log: a number behind a word, and the like. */
#ifndef VF_CAPTURE_LINE_PIECES_H
#define VF_CAPTURE_LINE_PIECES_H

#include "base/str.h"

/* What stands behind the first `what` in the line; false: it is not in it. */
static inline bool vf_line_find(struct vf_str line, struct vf_str what, struct vf_str *rest)
{
    const char *p = line.len ? memmem(line.ptr, line.len, what.ptr, what.len) : NULL;
    if (!p)
        return false;
    *rest = (struct vf_str){p + what.len, line.len - (size_t)(p - line.ptr) - what.len};
    return true;
}

/* What stands behind `prefix`, with which the line begins. */
static inline bool vf_line_after(struct vf_str line, struct vf_str prefix, struct vf_str *rest)
{
    if (!vf_str_starts(line, prefix))
        return false;
    *rest = (struct vf_str){line.ptr + prefix.len, line.len - prefix.len};
    return true;
}

static inline struct vf_str vf_line_skip_blanks(struct vf_str s)
{
    while (s.len && (*s.ptr == ' ' || *s.ptr == '\t')) {
        s.ptr++;
        s.len--;
    }
    return s;
}

/* The number at the beginning of `s`, behind blanks; a fraction is cut off (PyPy prints some counts
 * of bytes with one).  False and 0: there is none, or it does not fit. */
static inline bool vf_line_number(struct vf_str s, unsigned base, uint64_t *out)
{
    *out = 0;
    s = vf_line_skip_blanks(s);
    size_t n = 0;
    while (n < s.len && ((s.ptr[n] >= '0' && s.ptr[n] <= '9') ||
                         (base == 16 && s.ptr[n] >= 'a' && s.ptr[n] <= 'f')))
        n++;
    return vf_str_to_u64((struct vf_str){s.ptr, n}, base, out);
}

static inline bool vf_line_number_after(struct vf_str line, struct vf_str prefix, uint64_t *out)
{
    struct vf_str rest;
    return vf_line_after(line, prefix, &rest) && vf_line_number(rest, 10, out);
}

/* The hexadecimal number behind the first `key`. */
static inline bool vf_line_hex_at(struct vf_str line, struct vf_str key, uint64_t *out)
{
    struct vf_str rest;
    return vf_line_find(line, key, &rest) && vf_line_number(rest, 16, out);
}

/* "0.268217" at the beginning of `s`, in seconds; 0: there is none. */
static inline double vf_line_seconds(struct vf_str s)
{
    int64_t ns;
    s = vf_line_skip_blanks(s);
    size_t n = 0;
    while (n < s.len && ((s.ptr[n] >= '0' && s.ptr[n] <= '9') || s.ptr[n] == '.'))
        n++;
    return vf_str_to_ns((struct vf_str){s.ptr, n}, &ns) ? (double)ns / 1e9 : 0;
}

#endif

/* Slices: text or bytes by pointer and length.
 *
 * Nothing in vmfox counts on a NUL at the end of a slice.  A slice owns nothing: whoever made the
 * bytes says how long they live. */
#ifndef VF_BASE_STR_H
#define VF_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vf_str {
    const char *ptr;
    size_t len;
};

/* A slice of a string literal. */
#define VF_STR(literal) ((struct vf_str){(literal), sizeof(literal) - 1})

/* printf arguments for "%.*s"; slices longer than INT_MAX do not come here. */
#define VF_STR_ARG(s) (int)(s).len, (s).ptr

/* The slice over a NUL-terminated string; NULL gives the empty slice. */
static inline struct vf_str vf_str_from(const char *text)
{
    return (struct vf_str){text, text ? strlen(text) : 0};
}

static inline bool vf_str_eq(struct vf_str a, struct vf_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool vf_str_starts(struct vf_str s, struct vf_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool vf_str_ends(struct vf_str s, struct vf_str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

/* The part after the last '/', or all of it. */
static inline struct vf_str vf_str_basename(struct vf_str s)
{
    for (size_t i = s.len; i > 0; i--)
        if (s.ptr[i - 1] == '/')
            return (struct vf_str){s.ptr + i, s.len - i};
    return s;
}

/* Cuts `*s` after the first `sep`: returns what stands before it and leaves the rest in `*s`.
 * Without a `sep` all of it is returned and `*s` becomes empty. */
struct vf_str vf_str_cut(struct vf_str *s, char sep);

/* Reads `s` as a whole as an unsigned number of the base (10 or 16, no sign, no 0x).  False when
 * it is empty, holds another character or does not fit. */
bool vf_str_to_u64(struct vf_str s, unsigned base, uint64_t *out);

/* Reads `s` as a whole as a decimal number with an optional fraction ("451.359228"), exactly to
 * nanoseconds.  False when it is anything else or does not fit. */
bool vf_str_to_ns(struct vf_str s, int64_t *out_ns);

#endif

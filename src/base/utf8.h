/* UTF-8 (RFC 3629), one character at a time. */
#ifndef VF_BASE_UTF8_H
#define VF_BASE_UTF8_H

#include "base/str.h"

#include <stdint.h>

/* Takes the first character off the text, which is UTF-8 that we made ourselves: what follows a
 * first byte is believed, as far as there is text. */
static inline uint32_t vf_utf8_next(struct vf_str *text)
{
    unsigned char first = (unsigned char)*text->ptr;
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t c = more == 0 ? first : first & (0x3fu >> more);
    text->ptr++;
    text->len--;
    for (; more && text->len; more--) {
        c = c << 6 | ((unsigned char)*text->ptr & 0x3f);
        text->ptr++;
        text->len--;
    }
    return c;
}

/* Writes a character, at most 0x10ffff, and returns how many bytes it has. */
static inline size_t vf_utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80)
        return out[0] = (char)c, 1;
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out[0] = (char)((0xff00u >> (more + 1) & 0xff) | c >> 6 * more);
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
    return more + 1;
}

#endif

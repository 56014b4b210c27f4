/* The one way bytes of a file are read: little-endian, byte-wise, bounds-checked.
 *
 * A read that would pass the end leaves the position alone, returns false and the caller says what
 * it expected.  `pos` is an absolute offset: errors name it. */
#ifndef VF_BASE_READER_H
#define VF_BASE_READER_H

#include "base/str.h"

struct vf_reader {
    const unsigned char *base;
    size_t len;
    size_t pos; /* <= len, always */
};

static inline struct vf_reader vf_reader_over(const void *bytes, size_t len)
{
    return (struct vf_reader){bytes, len, 0};
}

static inline size_t vf_reader_left(const struct vf_reader *r)
{
    return r->len - r->pos;
}

/* Little-endian loads from memory known to be there. */
static inline uint64_t vf_load_le(const unsigned char *p, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = bytes; i > 0; i--)
        value = value << 8 | p[i - 1];
    return value;
}
/* Written out, so that compilers make one load of it. */
static inline uint32_t vf_load_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t vf_load_u64(const unsigned char *p)
{
    return (uint64_t)vf_load_u32(p) | (uint64_t)vf_load_u32(p + 4) << 32;
}

/* An unsigned number of `bytes` (1 to 8) bytes. */
static inline bool vf_read_uint(struct vf_reader *r, unsigned bytes, uint64_t *out)
{
    if (vf_reader_left(r) < bytes)
        return false;
    *out = vf_load_le(r->base + r->pos, bytes);
    r->pos += bytes;
    return true;
}

/* A signed number of `bytes` (4 or 8) bytes. */
static inline bool vf_read_int(struct vf_reader *r, unsigned bytes, int64_t *out)
{
    uint64_t raw;
    if (!vf_read_uint(r, bytes, &raw))
        return false;
    *out = bytes == 4 ? (int64_t)(int32_t)(uint32_t)raw : (int64_t)raw;
    return true;
}

static inline bool vf_read_u8(struct vf_reader *r, uint8_t *out)
{
    if (vf_reader_left(r) < 1)
        return false;
    *out = r->base[r->pos++];
    return true;
}

/* `len` bytes as a slice of the input; nothing is copied. */
static inline bool vf_read_bytes(struct vf_reader *r, uint64_t len, struct vf_str *out)
{
    if (vf_reader_left(r) < len)
        return false;
    *out = (struct vf_str){(const char *)r->base + r->pos, (size_t)len};
    r->pos += (size_t)len;
    return true;
}

#endif

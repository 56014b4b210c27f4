/* Bytes of call frame information, read one after the other within bounds. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* From `at` to `end` can be read.  `failed` once something ended too early or was not understood;
 * everything read from then on is 0. */
struct vf_bytes {
    uint64_t at, end;
    bool failed;
};

/* How a pointer is written down: the low half its size, the next three bits what is added. */
enum {
    VF_PTR_ABSOLUTE = 0x00,
    VF_PTR_ULEB = 0x01,
    VF_PTR_U2 = 0x02,
    VF_PTR_U4 = 0x03,
    VF_PTR_U8 = 0x04,
    VF_PTR_SLEB = 0x09,
    VF_PTR_S2 = 0x0a,
    VF_PTR_S4 = 0x0b,
    VF_PTR_S8 = 0x0c,
    VF_PTR_PLACE = 0x10,  /* relative to where it stands */
    VF_PTR_HEADER = 0x30, /* relative to .eh_frame_hdr */
    VF_PTR_NONE = 0xff,
};

static inline uint64_t vf_bytes_number(struct vf_bytes *b, unsigned size)
{
    uint64_t number = 0;
    if (b->failed || b->end - b->at < size) {
        b->failed = true;
        return 0;
    }
    memcpy(&number, (const void *)b->at, size);
    b->at += size;
    return number;
}

static inline uint64_t vf_bytes_leb(struct vf_bytes *b, bool is_signed)
{
    uint64_t number = 0, byte;
    unsigned shift = 0;
    do {
        byte = vf_bytes_number(b, 1);
        if (shift < 64)
            number |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (is_signed && byte & 0x40 && shift < 64)
        number |= ~UINT64_C(0) << shift;
    return number;
}

static inline uint64_t vf_bytes_uleb(struct vf_bytes *b)
{
    return vf_bytes_leb(b, false);
}

static inline int64_t vf_bytes_sleb(struct vf_bytes *b)
{
    return (int64_t)vf_bytes_leb(b, true);
}

/* A pointer in the given form; `header` is where .eh_frame_hdr begins.  Fails on the forms that no
 * linker for x86-64 writes into what is read here. */
static inline uint64_t vf_bytes_pointer(struct vf_bytes *b, unsigned form, uint64_t header)
{
    uint64_t place = b->at, value;
    switch (form & 0x0f) {
    case VF_PTR_ABSOLUTE:
    case VF_PTR_U8:
    case VF_PTR_S8:
        value = vf_bytes_number(b, 8);
        break;
    case VF_PTR_ULEB:
        value = vf_bytes_uleb(b);
        break;
    case VF_PTR_SLEB:
        value = (uint64_t)vf_bytes_sleb(b);
        break;
    case VF_PTR_U2:
        value = vf_bytes_number(b, 2);
        break;
    case VF_PTR_S2:
        value = (uint64_t)(int64_t)(int16_t)vf_bytes_number(b, 2);
        break;
    case VF_PTR_U4:
        value = vf_bytes_number(b, 4);
        break;
    case VF_PTR_S4:
        value = (uint64_t)(int64_t)(int32_t)vf_bytes_number(b, 4);
        break;
    default:
        b->failed = true;
        return 0;
    }
    switch (form & 0x70) {
    case 0:
        return value;
    case VF_PTR_PLACE:
        return value + place;
    case VF_PTR_HEADER:
        return value + header;
    default:
        b->failed = true;
        return 0;
    }
}

/* The container of JSON Slabs (.jslb), as its writer, its reader and whoever only wants to know a
 * file for one have it; the layout is described in docs/formats/firefox-profiler.md. */
#ifndef VF_BASE_JSLB_H
#define VF_BASE_JSLB_H

#include <stddef.h>

/* The first eight bytes; the last of them is the NUL. */
#define VF_JSLB_MAGIC "\xDC\xDF\x4A\x53\x4C\x42\x01"

enum {
    VF_JSLB_VERSION = 1,
    VF_JSLB_HEADER_BYTES = 20, /* magic, version, number of slabs, the root */
    VF_JSLB_ENTRY_BYTES = 12,  /* of the table: type, start, length */
};

/* What is in a slab. */
enum vf_slabs_type {
    VF_SLABS_I8,
    VF_SLABS_U8,
    VF_SLABS_I16,
    VF_SLABS_U16,
    VF_SLABS_I32,
    VF_SLABS_U32,
    VF_SLABS_F32,
    VF_SLABS_F64,
    VF_SLABS_I64,
    VF_SLABS_U64,
    VF_SLABS_JSON,
    VF_SLABS_TYPES,
};

/* Bytes of one element, on a multiple of which a slab begins. */
static inline size_t vf_slabs_size(enum vf_slabs_type type)
{
    static const unsigned char sizes[VF_SLABS_TYPES] = {1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 1};
    return sizes[type];
}

#endif

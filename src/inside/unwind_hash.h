/* A hash of memory, by which what was there before is told from what is there now. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The products don't wait for each other. */
static inline uint64_t vf_hash(uint64_t hash, const void *bytes, size_t size)
{
    const char *at = bytes;
    uint64_t factor = UINT64_C(0x9e3779b97f4a7c15), word;
    for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash += word * factor;
        factor += UINT64_C(0xd1b54a32d192ed02); /* even, so that the factor stays odd */
    }
    word = size;
    memcpy(&word, at, size);
    hash = (hash + word * factor) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

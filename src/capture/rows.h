/* Rows of a capture's columns (docs/formats/vmfox.md), all of little-endian 8-byte numbers: three
 * in cpu.i64, clock.i64 and pc.i64, two in interrupted.i64 and memory.i64. */
#ifndef VF_CAPTURE_ROWS_H
#define VF_CAPTURE_ROWS_H

#include "base/reader.h"

enum { VF_ROW_BYTES = 24, VF_PAIR_BYTES = 16 };

struct vf_row {
    int64_t mono_ns; /* CLOCK_MONOTONIC */
    uint64_t second; /* cpu.i64, pc.i64: the thread's id; clock.i64: the time stamp counter */
    int64_t third;   /* cpu.i64: CPU time in ns; clock.i64: how far the two may be apart, in ns;
                        pc.i64: the instruction's address */
};

/* How many whole ones there are. */
static inline size_t vf_rows_count(struct vf_str rows)
{
    return rows.len / VF_ROW_BYTES;
}

static inline struct vf_row vf_rows_get(struct vf_str rows, size_t i)
{
    const unsigned char *p = (const unsigned char *)rows.ptr + i * VF_ROW_BYTES;
    return (struct vf_row){(int64_t)vf_load_u64(p), vf_load_u64(p + 8),
                           (int64_t)vf_load_u64(p + 16)};
}

struct vf_row_pair {
    uint64_t first;  /* interrupted.i64: the thread's id; memory.i64: CLOCK_MONOTONIC in ns */
    uint64_t second; /* interrupted.i64: the instruction's address; memory.i64: bytes */
};

static inline size_t vf_pairs_count(struct vf_str rows)
{
    return rows.len / VF_PAIR_BYTES;
}

static inline struct vf_row_pair vf_pairs_get(struct vf_str rows, size_t i)
{
    const unsigned char *p = (const unsigned char *)rows.ptr + i * VF_PAIR_BYTES;
    return (struct vf_row_pair){vf_load_u64(p), vf_load_u64(p + 8)};
}

#endif

/* A hash index over rows that live elsewhere: open addressing, linear probing, xxHash.
 *
 * It maps a hash (its low 32 bits count) to row numbers; the owner of the rows says which row is
 * meant by comparing its own columns.  Rows are never removed.  Use:
 *
 *     uint32_t row;
 *     struct vf_probe probe = vf_table_probe(&t, hash);
 *     while (vf_table_next(&t, &probe, &row))
 *         if (rows[row] is the one)
 *             return row;
 *     vf_table_insert(&t, hash, new_row);
 */
#ifndef VF_BASE_TABLE_H
#define VF_BASE_TABLE_H

#include "base/str.h"

struct vf_table_slot {
    uint32_t hash; /* to pass over most strangers without touching a row */
    uint32_t row1; /* row + 1; 0: free */
};

struct vf_table {
    struct vf_table_slot *slots;
    size_t mask;  /* slots - 1; 0 with no slots */
    size_t count; /* rows in it */
};

struct vf_probe {
    size_t at;
    uint32_t hash;
};

uint64_t vf_hash_bytes(const void *bytes, size_t len);
/* A hash of a few numbers. */
static inline uint64_t vf_hash_u64(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ 0x9E3779B97F4A7C15u) * 0xBF58476D1CE4E5B9u;
    h = (h ^ (h >> 29) ^ b) * 0x94D049BB133111EBu;
    return h ^ (h >> 32);
}

static inline struct vf_probe vf_table_probe(const struct vf_table *t, uint64_t hash)
{
    return (struct vf_probe){(uint32_t)hash & t->mask, (uint32_t)hash};
}

/* The next row whose hash fits; false when there is none. */
static inline bool vf_table_next(const struct vf_table *t, struct vf_probe *probe, uint32_t *row)
{
    if (!t->slots)
        return false;
    for (;;) {
        const struct vf_table_slot *slot = &t->slots[probe->at];
        if (slot->row1 == 0)
            return false;
        probe->at = (probe->at + 1) & t->mask;
        if (slot->hash == probe->hash) {
            *row = slot->row1 - 1;
            return true;
        }
    }
}

/* Adds a row that is not in it yet. */
void vf_table_insert(struct vf_table *t, uint64_t hash, uint32_t row);
void vf_table_release(struct vf_table *t);

#endif

#include "base/table.h"

#include "base/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t vf_hash_bytes(const void *bytes, size_t len)
{
    return XXH3_64bits(bytes, len);
}

static void place(struct vf_table *t, uint32_t hash, uint32_t row)
{
    size_t at = hash & t->mask;
    while (t->slots[at].row1)
        at = (at + 1) & t->mask;
    t->slots[at] = (struct vf_table_slot){hash, row + 1};
}

static void grow(struct vf_table *t)
{
    struct vf_table old = *t;
    size_t size = old.slots ? (old.mask + 1) * 2 : 64;
    t->slots = vf_alloc_zeroed(size, sizeof *t->slots);
    t->mask = size - 1;
    for (size_t i = 0; old.slots && i <= old.mask; i++)
        if (old.slots[i].row1)
            place(t, old.slots[i].hash, old.slots[i].row1 - 1);
    free(old.slots);
}

void vf_table_insert(struct vf_table *t, uint64_t hash, uint32_t row)
{
    /* Three quarters full at most: longer probes cost less here than more memory would. */
    if (!t->slots || t->count >= (t->mask + 1) / 4 * 3)
        grow(t);
    place(t, (uint32_t)hash, row);
    t->count++;
}

void vf_table_release(struct vf_table *t)
{
    free(t->slots);
    *t = (struct vf_table){0};
}

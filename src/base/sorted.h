/* Looking up in rows that are sorted by an address. */
#ifndef VF_BASE_SORTED_H
#define VF_BASE_SORTED_H

#include <stddef.h>
#include <stdint.h>

/* How many rows of `rows`, an array of `count` rows sorted by their uint64_t `field`, have it at or
 * below `key`: the last of these is the row before this index. */
#define VF_UP_TO(rows, count, field, key)                                                          \
    ((count) ? vf_count_up_to(&(rows)[0].field, (count), sizeof *(rows), (key)) : 0)

static inline size_t vf_count_up_to(const uint64_t *first, size_t count, size_t step, uint64_t key)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const void *row = (const char *)first + middle * step;
        if (*(const uint64_t *)row <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif

/* Where functions begin and end, from the tables a stack is unwound by (.eh_frame).
 *
 * Compilers write one entry (FDE) for each function and strip does not take them away, so they tell
 * the functions of a library that has no symbols.  A part that the compiler moved away from its
 * function (".cold") has an entry of its own; the stubs of .plt share one.
 *
 * Format: Linux Standard Base 5.0, Core, 10.6 Exception Frames; DWARF 5, 6.4.1. */
#ifndef VF_SYMBOLS_BOUNDS_H
#define VF_SYMBOLS_BOUNDS_H

#include "base/mem.h"

#include <libelf.h>

struct vf_bound {
    uint64_t start, end; /* virtual addresses of the file; end is behind the last byte */
    bool is_signal;      /* a signal's handler returns to it (augmentation 'S') */
};

/* Sorted by start, not overlapping. */
struct vf_bounds {
    VF_VEC(struct vf_bound) v;
};

/* Reads the entries; what can't be read is passed over, so there may be none. */
void vf_bounds_read(struct vf_bounds *bounds, Elf *elf);
/* The function that holds `address`, or NULL. */
const struct vf_bound *vf_bounds_find(const struct vf_bounds *bounds, uint64_t address);
void vf_bounds_release(struct vf_bounds *bounds);

#endif

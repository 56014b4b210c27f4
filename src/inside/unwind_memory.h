/* Reading the recorded program's memory from a signal's handler, without descriptors and without
 * ever faulting.
 *
 * Nothing here allocates, locks or touches a file, and errno stays as it was.  What is known of
 * the memory is kept for one walk alone, but for libraries: in the next one it may be gone.
 *
 * x86-64 Linux alone. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses from `start` to `end` can be read. */
struct vf_span {
    uint64_t start, end;
};

enum { VF_MEMORY_OTHERS = 4 };

/* What one walk has found readable: the stack, and what was looked at last elsewhere, where a new
 * place takes that of the oldest.
 *
 * What is found of the pages of `library`, a loaded one, is kept for the process, and holds as long
 * as `generation` (vf_object_generation) is the same.  Set by who knows the library; it may be
 * empty. */
struct vf_memory {
    struct vf_span stack, others[VF_MEMORY_OTHERS], library;
    uint64_t generation;
    unsigned next;
};

/* For a walk of the stack that begins at the stack pointer `sp`. */
void vf_memory_init(struct vf_memory *memory, uint64_t sp);

/* Whether all of the `size` bytes at `address` can be read now; at most 1 MB, else no. */
bool vf_memory_readable(struct vf_memory *memory, uint64_t address, size_t size);

/* Reads 8 bytes at `address`, which need not be aligned.  False where they can't be read; `*word`
 * is untouched then. */
bool vf_memory_word(struct vf_memory *memory, uint64_t address, uint64_t *word);

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

/* A loaded library: its .eh_frame_hdr, the addresses that it takes up, and a number by which it is
 * told from others that were or will be at the same place.  unwind_rule.h finds it. */
struct vf_object {
    uint64_t header;
    uint64_t start, end;
    uint64_t identity; /* never 0 */
};

enum { VF_MEMORY_OTHERS = 4, VF_MEMORY_OBJECTS = 4 };

/* What one walk has found readable: the stack, and what was looked at last elsewhere, where a new
 * place takes that of the oldest.
 *
 * What is found of the pages of `library`, a loaded one, is kept for the process, and holds for as
 * long as a library with this identity is there.  Set by who knows the library; it may be empty. */
struct vf_memory {
    struct vf_span stack, others[VF_MEMORY_OTHERS], library;
    uint64_t library_identity;
    struct vf_object objects[VF_MEMORY_OBJECTS]; /* that the walk has met */
    uint64_t common, common_hash;                /* for unwind_cache.c: what was hashed last */
    unsigned next, next_object;
};

/* For a walk of the stack that begins at the stack pointer `sp`. */
void vf_memory_init(struct vf_memory *memory, uint64_t sp);

/* Whether all of the `size` bytes at `address` can be read now; at most 1 MB, else no. */
bool vf_memory_readable(struct vf_memory *memory, uint64_t address, size_t size);

/* Reads 8 bytes at `address`, which need not be aligned.  False where they can't be read; `*word`
 * is untouched then. */
bool vf_memory_word(struct vf_memory *memory, uint64_t address, uint64_t *word);

/* Whether all of the `size` bytes are the library's at hand and can be read.  Quicker than
 * vf_memory_readable() where they were looked at in an earlier walk. */
bool vf_memory_of_library(const struct vf_memory *memory, uint64_t address, size_t size);

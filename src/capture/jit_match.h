/* Which optimised operation each assembled one was made from.
 *
 * The assembler keeps the order, and guards, labels and jumps keep their descrs: these are matched
 * first, by descr.  Between two of them an operation is matched with the next optimised one of its
 * own kind, whose values agree with what the matches before it say.  What the backend's rewriter
 * (rpython/jit/backend/llsupport/rewrite.py) puts in place of others counts as the same kind:
 * gc_load for every read, gc_store for every write, bumps of the nursery's pointer for allocations.
 * What it adds (a constant's load, a write barrier, an index that is multiplied out) belongs to the
 * operation that follows; anything else without a match to the one before it. */
#ifndef VF_CAPTURE_JIT_MATCH_H
#define VF_CAPTURE_JIT_MATCH_H

#include "capture/jit_code.h"

/* Sets twin1 and point1 of the assembled operations. */
void vf_jit_match(struct vf_jit_code *code);

#endif

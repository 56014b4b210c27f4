/* Pieces of machine code that PyPy's JIT shares between its traces: what they call when the nursery
 * is full, when a write barrier has work to do, and the like.
 *
 * They have no unwinding information and VMProf does not know them, unlike traces: at one of them
 * it would give up and leave all native functions out, the garbage collector at work. */
#pragma once
#include "unwind_memory.h"

/* Whether the code that `pc` returns to is such a piece: soon behind `pc` it gives back the few
 * bytes that it has taken on the stack, which begins at `*sp`, and what lies there is an address
 * that a call returns to.  Then `*caller` is that address, and `*sp` what the stack pointer is
 * there. */
bool vf_stub_find(struct vf_memory *memory, uint64_t pc, uint64_t *sp, uint64_t *caller);

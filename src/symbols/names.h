/* From a symbol's name to the one people read. */
#ifndef VF_SYMBOLS_NAMES_H
#define VF_SYMBOLS_NAMES_H

#include "base/mem.h"

/* The name people read for a symbol's raw one; in the arena, or (a part of) `raw` itself.
 *
 * - The stub of a call to another library keeps its "@plt".
 * - Versions (@@GLIBC_2.14) and compilers' clone suffixes (.part.0) go; ".cold" becomes " [cold]".
 * - C++ and Rust are demangled (libiberty), where that gives no more than 4 kB.
 * - `pypy_g_W_ListObject_append`, as RPython's translator writes a method
 *   (rpython/flowspace/pygraph.py, rpython/translator/c/funcgen.py), becomes W_ListObject.append.
 *   The dot is written as an underscore there, so it is put back only where the habits of PyPy's
 *   source tell the class's end; else the name stays joined.
 * - `PyPyList_Append`, as PyPy exports its C API (pypy/module/cpyext/api.py, mangle_name), becomes
 *   PyList_Append.
 * - Variants of C library functions for one processor (__memmove_avx_unaligned_erms, __sin_fma)
 *   get their plain names.
 * - Anything else is `raw`. */
struct vf_str vf_name_readable(struct vf_str raw, struct vf_arena *arena);

/* True for functions that are in a stack only because it was sampled: the return from a signal, and
 * VMProf's own, in its extension and in PyPy.  `library` is the file's name without its folder. */
bool vf_name_is_sampler(struct vf_str raw, struct vf_str library);

#endif

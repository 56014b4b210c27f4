/* The libraries of a run, each opened when it is first asked for and kept. */
#ifndef VF_SYMBOLS_SYMBOLS_H
#define VF_SYMBOLS_SYMBOLS_H

#include "symbols/library.h"

struct vf_symbols_row {
    struct vf_str path, build_id; /* in the arena */
    uint64_t device, inode;       /* of the file; 0: there is none */
    struct vf_library *library;   /* another row's, where the file is the same */
    bool is_own;
};

struct vf_symbols {
    VF_VEC(struct vf_symbols_row) rows;
    struct vf_debug_files debug;
    struct vf_arena arena;
};

enum { VF_SYMBOLS_MAX = 4096 }; /* libraries; of more nothing is known */

/* The library of that path and build id (hex digits; empty: any); lives as long as `symbols`.
 * Raises this process's limit of open files as far as it may: each library that is there takes one
 * or two. */
struct vf_library *vf_symbols_library(struct vf_symbols *symbols, struct vf_str path,
                                      struct vf_str build_id);
void vf_symbols_release(struct vf_symbols *symbols);

#endif

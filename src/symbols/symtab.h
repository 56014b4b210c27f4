/* The function symbols of a module in the order of their addresses: libdwfl finds the one at an
 * address by looking at all of them (dwfl_module_addrinfo), which is too slow for each instruction
 * of a listing. */
#ifndef VF_SYMBOLS_SYMTAB_H
#define VF_SYMBOLS_SYMTAB_H

#include "base/mem.h"

#include <elfutils/libdwfl.h>

struct vf_symtab_row {
    uint64_t address, size; /* size 0: not known */
    uint64_t limit;         /* the end of its section */
    const char *name;       /* lives as long as the module */
    uint8_t rank;           /* of several at one address the least is taken */
};

struct vf_symtab {
    VF_VEC(struct vf_symtab_row) v; /* by address, one each */
};

/* Of several symbols at one address the one is kept that people know: one with a size, a function
 * rather than one without a type, with fewer underscores before it (`write`, not `__write`), global
 * rather than local, shorter. */
void vf_symtab_read(struct vf_symtab *symtab, Dwfl_Module *module);
/* Puts rows that were added behind the others into order. */
void vf_symtab_sort(struct vf_symtab *symtab);
/* The symbol whose size reaches over the address; else the last one without a size before it, which
 * may or may not be the one.  NULL: neither. */
const struct vf_symtab_row *vf_symtab_find(const struct vf_symtab *symtab, uint64_t address);
void vf_symtab_release(struct vf_symtab *symtab);

#endif

/* The stubs through which a library calls others (.plt, .plt.sec, .plt.got), by what they call: no
 * symbol table has them.
 *
 * A stub of x86-64 jumps to where a word of the GOT points (System V ABI, AMD64 supplement, 5.2);
 * the relocation of that word names the function.  Those of other machines are not read. */
#ifndef VF_SYMBOLS_PLT_H
#define VF_SYMBOLS_PLT_H

#include "symbols/symtab.h"

/* Adds them as "puts@plt", in the arena; `symtab` is to be sorted afterwards. */
void vf_plt_read(struct vf_symtab *symtab, Elf *elf, struct vf_arena *arena);

#endif

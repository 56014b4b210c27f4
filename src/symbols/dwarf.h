/* What DWARF says of an address (DWARF 5, 2.14 Declaration Coordinates, 3.3.8 Inlined Subroutines);
 * for library.c.  Addresses are the module's, which are those of the file.  Slices live as long as
 * the module. */
#ifndef VF_SYMBOLS_DWARF_H
#define VF_SYMBOLS_DWARF_H

#include "symbols/library.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

/* The module, and the function that was asked for last: the next address is mostly in the same, and
 * finding it means walking over all of its unit. */
struct vf_dwarf {
    Dwfl_Module *module;
    Dwarf_Die function;
    Dwarf_Addr bias; /* of the function's unit */
    bool has_function;
};

/* The function's name and bounds, where no symbol tells them. */
bool vf_dwarf_function(struct vf_dwarf *dwarf, uint64_t at, struct vf_symbol *out);
/* Adds the function's file and line, and its name where it has none. */
void vf_dwarf_declaration(struct vf_dwarf *dwarf, uint64_t at, struct vf_symbol *out);
/* File and line of an instruction; both stay as they are where they are not known.  Functions in
 * assembler have no other. */
void vf_dwarf_line(const struct vf_dwarf *dwarf, uint64_t at, struct vf_str *file, uint32_t *line);
/* Where the line table's next row behind `at` begins, in the same unit; UINT64_MAX: there is none.
 */
uint64_t vf_dwarf_next_line(const struct vf_dwarf *dwarf, uint64_t at);
/* Puts the line into frames[0], which is filled otherwise, and the inlined functions behind it;
 * returns how many there are then. */
size_t vf_dwarf_frames(struct vf_dwarf *dwarf, uint64_t at,
                       struct vf_symbol_frame frames[VF_INLINE_MAX]);

#endif

/* What DWARF says of an address (DWARF 5, 2.14 Declaration Coordinates, 3.3.8 Inlined Subroutines);
 * for library.c.  Addresses are the module's, which are those of the file.  Slices live as long as
 * the module. */
#ifndef VF_SYMBOLS_DWARF_H
#define VF_SYMBOLS_DWARF_H

#include "symbols/library.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

/* Of units and functions libdw finds what compilers list for it (.debug_aranges, which clang leaves
 * out) and what stands at a unit's top (Rust's functions stand in namespaces), and it walks over
 * the unit each time.  So the tables are made here: of units when the first is asked for, of a
 * unit's functions when it is. */
struct vf_dwarf_unit {
    Dwarf_Die die;  /* has the lines */
    Dwarf_Die body; /* has the functions: in a .dwo file, perhaps */
    bool read;      /* its functions are in the table */
};

/* Addresses of the file, and what is there. */
struct vf_dwarf_range {
    uint64_t start, end;
    size_t row; /* of units or functions */
};

struct vf_dwarf {
    Dwfl_Module *module;
    Dwarf_Addr bias;
    bool has_units;
    VF_VEC(struct vf_dwarf_unit) units;
    VF_VEC(Dwarf_Die) functions; /* not inlined */
    struct vf_dwarf_ranges {
        VF_VEC(struct vf_dwarf_range) v; /* by start */
    } unit_ranges, function_ranges;
};

void vf_dwarf_release(struct vf_dwarf *dwarf);

/* True where DWARF has a function there. */
bool vf_dwarf_knows(struct vf_dwarf *dwarf, uint64_t at);
/* The function's name and bounds, where no symbol tells them. */
bool vf_dwarf_function(struct vf_dwarf *dwarf, uint64_t at, struct vf_symbol *out);
/* Adds the function's file and line, and its name where it has none. */
void vf_dwarf_declaration(struct vf_dwarf *dwarf, uint64_t at, struct vf_symbol *out);
/* File and line of an instruction; both stay as they are where they are not known.  Functions in
 * assembler have no other. */
void vf_dwarf_line(struct vf_dwarf *dwarf, uint64_t at, struct vf_str *file, uint32_t *line);
/* Where the line table's next row behind `at` begins, in the same unit; UINT64_MAX: there is none.
 */
uint64_t vf_dwarf_next_line(struct vf_dwarf *dwarf, uint64_t at);
/* Puts the line into frames[0], which is filled otherwise, and the inlined functions behind it;
 * returns how many there are then. */
size_t vf_dwarf_frames(struct vf_dwarf *dwarf, uint64_t at,
                       struct vf_symbol_frame frames[VF_INLINE_MAX]);

#endif

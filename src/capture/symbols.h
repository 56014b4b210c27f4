/* The symbols that a recording brings along (symbols.json of a .vmfox, docs/formats/vmfox.md), and
 * the machine code (code.bin).
 *
 * Addresses are relative to the library, as capture/maps.h gives them.  Nothing of it is believed:
 * offsets into the code are checked, and the paths are never opened. */
#ifndef VF_CAPTURE_SYMBOLS_H
#define VF_CAPTURE_SYMBOLS_H

#include "base/error.h"
#include "base/mem.h"

struct vf_packed_function {
    struct vf_str name, file; /* the name as the symbol table has it; empty: not known */
    uint64_t start, size;     /* size 0: not known */
    struct vf_str code;       /* its bytes; empty: not there */
    uint32_t line;            /* its first; 0: not known */
    bool is_signal;           /* a signal's handler returns to it */
};

/* A function inlined at an instruction. */
struct vf_packed_inline {
    struct vf_str name, file;
    uint32_t first_line, line;
};

/* What is at work at an instruction beside the function itself. */
struct vf_packed_place {
    uint64_t address;
    uint32_t line;         /* of the function */
    uint32_t first, count; /* of `inlines`, outermost first */
};

struct vf_packed_library {
    struct vf_str path, build_id, arch;
    VF_VEC(struct vf_packed_function) functions; /* by start */
    struct vf_packed_places {
        VF_VEC(struct vf_packed_place) v; /* by address */
    } places, lines;                      /* of single instructions; up to the next row */
};

struct vf_packed_symbols {
    VF_VEC(struct vf_packed_library) libraries;
    VF_VEC(struct vf_packed_inline) inlines;
    struct vf_arena arena;
};

/* Reads the text; what does not fit is left out.  VF_FATAL: it is no symbols.json, `symbols` is
 * empty.  `code` stays borrowed. */
enum vf_status vf_packed_symbols_read(struct vf_packed_symbols *symbols, struct vf_str json,
                                      struct vf_str code, struct vf_error *error);
void vf_packed_symbols_release(struct vf_packed_symbols *symbols);

/* NULL: none.  A build id that is empty on either side fits. */
const struct vf_packed_library *vf_packed_library(const struct vf_packed_symbols *symbols,
                                                  struct vf_str path, struct vf_str build_id);
/* The function that holds the address; NULL: none. */
const struct vf_packed_function *vf_packed_function(const struct vf_packed_library *library,
                                                    uint64_t address);
/* What is at work at an instruction of that function; NULL: it is not known. */
const struct vf_packed_place *vf_packed_place(const struct vf_packed_library *library,
                                              const struct vf_packed_function *function,
                                              uint64_t address);
/* The address behind this one at which another row of `lines` begins; UINT64_MAX: none does. */
uint64_t vf_packed_next_line(const struct vf_packed_library *library, uint64_t address);

#endif

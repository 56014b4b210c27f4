/* A library or program on disk, and what can be known of the functions in it (elfutils' libdwfl):
 * symbol tables, `.gnu_debugdata`, separate debug files by build id and debuglink, DWARF; where
 * there is none of these, the bounds in .eh_frame.
 *
 * Addresses are relative to where the file's first byte lies in memory, as capture/maps.h gives
 * them; for a library that is usually the address that tools for ELF files show.
 *
 * A file is used only where its build id is the one asked for: another build has other functions at
 * the same addresses. */
#ifndef VF_SYMBOLS_LIBRARY_H
#define VF_SYMBOLS_LIBRARY_H

#include "symbols/bounds.h"

enum vf_library_state {
    VF_LIBRARY_READY,
    VF_LIBRARY_MISSING, /* no file there, or none that can be read */
    VF_LIBRARY_CHANGED, /* the file has another build id */
    VF_LIBRARY_NO_ELF,
};

/* Where debug files come from beyond the places of the distribution. */
struct vf_debug_files {
    const char *folder; /* looked through too, by build id (.build-id/ab/cdef.debug) and by name;
                           NULL: none */
    /* Called with a build id for which nothing was found on this machine; returns an open
     * descriptor of the debug file, or -1.  NULL: nobody is asked. */
    int (*fetch)(void *context, const unsigned char *id, size_t id_bytes);
    void *context;
};

/* A function and, where they are known, its file and first line.  Slices live as long as the
 * library. */
struct vf_symbol {
    struct vf_str name; /* as the symbol table has it; empty: not known */
    struct vf_str file;
    uint64_t start, size; /* size 0: not known */
    uint32_t line;
    bool is_signal; /* a signal's handler returns to it */
};

/* A function at work at an instruction; inlined ones have no bounds of their own. */
struct vf_symbol_frame {
    struct vf_str name, file;
    uint32_t first_line; /* of the function; 0: not known */
    uint32_t line;       /* where in it; 0: not known */
};

enum { VF_INLINE_MAX = 32 }; /* deeper ones are left out, innermost last */

struct vf_library;

/* Opens the file; never fails, the state tells.  `build_id` in hex digits, empty: any.  Where the
 * file is gone, a debug file of that build id serves for names and lines.  To be closed. */
struct vf_library *vf_library_open(const char *path, struct vf_str build_id,
                                   const struct vf_debug_files *debug);
void vf_library_close(struct vf_library *library);

enum vf_library_state vf_library_state(const struct vf_library *library);
/* False where only a debug file of it was found. */
bool vf_library_has_file(const struct vf_library *library);
/* "x86_64" and so on, as capture.json has it; empty for others. */
struct vf_str vf_library_arch(const struct vf_library *library);

/* The function that holds the address.  False where not even its bounds are known. */
bool vf_library_function(struct vf_library *library, uint64_t address, struct vf_symbol *out);

/* The functions at work at the instruction there: the function itself first, then what was inlined
 * into it, innermost last.  Returns how many, 0 where no function is known; lines only come from
 * DWARF. */
size_t vf_library_frames(struct vf_library *library, uint64_t address,
                         struct vf_symbol_frame frames[VF_INLINE_MAX]);

/* The address behind this one at which vf_library_frames() may first say something else; UINT64_MAX
 * where no lines are known. */
uint64_t vf_library_next_line(struct vf_library *library, uint64_t address);

/* The machine code from an address on: at most `size` bytes, all of them executable.  Empty where
 * the file is not there.  Lives as long as the library. */
struct vf_str vf_library_code(struct vf_library *library, uint64_t address, uint64_t size);

#endif

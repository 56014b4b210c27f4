/* The symbols of a recording, to be kept with it: of the addresses that were seen and no others.
 * The text is the member symbols.json of a .vmfox, the machine code is code.bin; both are described
 * in docs/formats/vmfox.md and read by capture/symbols.h. */
#ifndef VF_SYMBOLS_PACK_H
#define VF_SYMBOLS_PACK_H

#include "base/buf.h"
#include "base/table.h"
#include "symbols/symbols.h"

struct vf_pack_library {
    struct vf_str path, build_id;
    VF_VEC(uint64_t) addresses; /* of functions, relative to the library */
    VF_VEC(uint64_t) places;    /* of instructions */
};

struct vf_pack {
    VF_VEC(struct vf_pack_library) libraries;
    struct vf_table seen; /* of both kinds of address */
    size_t count;
    size_t left_out;             /* addresses beyond VF_PACK_MAX */
    bool cut;                    /* lines, places or code were left out when it was written */
    VF_VEC(struct vf_str) files; /* sources that the symbols name, once each */
    struct vf_table file_index;
    struct vf_arena arena;
};

/* The reader's limits (VF_ZIP_SYMBOL_VALUES_MAX, VF_ZIP_CODE_MAX in capture/capture.h) lie above.
 */
enum {
    VF_PACK_MAX = 100000,
    VF_PACK_VALUES_MAX = 1500000, /* in the text; lines, then places beyond are left out */
    VF_PACK_CODE_MAX = 200 << 20, /* bytes */
};

/* Calls `add` with the target of each call and jump out of a piece of machine code. */
typedef void vf_pack_targets(struct vf_str code, uint64_t start, struct vf_str arch,
                             void (*add)(void *to, uint64_t address), void *to);

/* Who knows the symbols; see symbols/library.h for what each gives. */
struct vf_pack_source {
    /* NULL: nothing is known of the library. */
    const void *(*library)(void *context, struct vf_str path, struct vf_str build_id,
                           struct vf_str *arch);
    bool (*function)(void *context, const void *library, uint64_t address, struct vf_symbol *out);
    size_t (*frames)(void *context, const void *library, uint64_t address,
                     struct vf_symbol_frame frames[VF_INLINE_MAX]);
    /* The next address at which frames() may say something else; UINT64_MAX: none is known. */
    uint64_t (*next_line)(void *context, const void *library, uint64_t address);
    /* All of the function's machine code; empty: it is not known. */
    struct vf_str (*code)(void *context, const void *library, const struct vf_symbol *function);
    void *context;
};

/* The files on this machine. */
struct vf_pack_source vf_pack_files(struct vf_symbols *symbols);

/* Notes an address; `is_instruction`: inlined functions and lines are wanted too. */
void vf_pack_add(struct vf_pack *pack, struct vf_str path, struct vf_str build_id, uint64_t address,
                 bool is_instruction);

/* Looks all of them up and appends the text to `json`.  Machine code of the functions goes to
 * `code` (NULL: is not wanted), and with it into the text the lines of all their instructions and
 * the names of what they call, as `targets` (NULL: nobody) tells it.  Afterwards `files` are the
 * sources named. */
void vf_pack_write(struct vf_pack *pack, const struct vf_pack_source *source,
                   vf_pack_targets *targets, struct vf_buf *json, struct vf_buf *code);
void vf_pack_release(struct vf_pack *pack);

#endif

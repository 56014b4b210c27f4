/* The machine code of a native function as the front-end's assembly view wants it
 * (https://github.com/mstange/samply/blob/main/API.md, /asm/v1). */
#ifndef VF_CODE_DISASSEMBLY_H
#define VF_CODE_DISASSEMBLY_H

#include "base/buf.h"

struct vf_disassembly {
    struct vf_str code;
    uint64_t start;     /* of its first byte, in the library */
    struct vf_str arch; /* as in code/machine.h */
    struct vf_str note; /* rows in front of the instructions, with '\n' between them; empty: none */
    /* Appends the name of the function that a call or jump to `address` goes to; false: it is not
     * known.  May be NULL. */
    bool (*name)(void *context, uint64_t address, struct vf_buf *out);
    /* Appends "file.c:12" for the instruction at `address`; false: it is not known.  May be
     * NULL. */
    bool (*line)(void *context, uint64_t address, struct vf_buf *out);
    void *context;
};

/* Appends the whole answer, of a very long function its beginning.  Rows of source lines stand in
 * front of the instructions that belong to them, with the offset of the first. */
void vf_disassembly_write(struct vf_buf *out, const struct vf_disassembly *d);

/* Calls `add` with the target of each call and jump out of the code that names its target. */
void vf_disassembly_targets(struct vf_str code, uint64_t start, struct vf_str arch,
                            void (*add)(void *to, uint64_t address), void *to);

/* The parts of an answer that are the same for every listing: up to the rows, and behind them. */
void vf_asm_begin(struct vf_json *json, uint64_t start, uint64_t size, struct vf_str arch);
void vf_asm_row(struct vf_json *json, uint64_t offset, struct vf_str text);
void vf_asm_end(struct vf_json *json);

#endif

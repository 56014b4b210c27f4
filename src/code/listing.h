/* A trace's listing: rows in the order of its addresses, from the Python line down to the machine's
 * instructions.
 *
 *     simple.py:4  total += i // 7                      VF_LISTING_LINE      where the line changes
 *       36 INPLACE_ADD 0 (total)                        VF_LISTING_BYTECODE  for each merge point
 *         i53 = int_add_ovf(i52, i28)                   VF_LISTING_OPERATION
 *           add r9, r15                                 VF_LISTING_INSTRUCTION
 *
 * Merge points without an operation behind them are listed too.  What lies before the first
 * operation, the exit of each guard behind the last, and code that the log does not hold get a row
 * that says so (VF_LISTING_NOTE), with their instructions below.
 *
 * Whatever is in the log, rows are in the order of their offsets, a text is one line, and each hit
 * is counted on one instruction and on one operation or note. */
#ifndef VF_CODE_LISTING_H
#define VF_CODE_LISTING_H

#include "base/buf.h"
#include "capture/bytecode.h"
#include "capture/jit_code.h"

enum vf_listing_kind {
    VF_LISTING_NOTE,
    VF_LISTING_LINE,
    VF_LISTING_BYTECODE,
    VF_LISTING_OPERATION,
    VF_LISTING_INSTRUCTION,
};

struct vf_listing_row {
    struct vf_str text;
    uint64_t hits;   /* instruction: at its bytes; operation, note: of all of its bytes; else 0 */
    uint32_t offset; /* of its first byte from the trace's first byte of code */
    uint32_t size;   /* bytes; 0 for what has no code, or none in the log */
    uint32_t op;     /* operation: its row among the assembled ones; instruction: of its operation;
                        else VF_JIT_ENTRY or VF_JIT_EXITS */
    uint8_t kind;    /* enum vf_listing_kind */
};

/* What a listing is made from. */
struct vf_listing_source {
    const struct vf_jit_traces *traces;
    uint32_t trace;                     /* its row */
    const struct vf_bytecode *bytecode; /* NULL: opcodes stand alone */
    /* The text of a source line, empty where it is not known; may be NULL. */
    struct vf_str (*source_line)(const void *context, struct vf_str file, uint32_t line);
    const void *context;
    struct vf_jit_hits hits;
};

struct vf_listing {
    VF_VEC(struct vf_listing_row) rows;
    struct vf_arena arena; /* the texts */
    bool disassembled;     /* false: the log's machine is not known, instructions are bytes */
};

/* Makes the listing.  Release it in any case. */
void vf_listing_make(struct vf_listing *listing, const struct vf_listing_source *source);
void vf_listing_release(struct vf_listing *listing);

/* Appends the answer to the front-end's /asm/v1: `start` is the trace's address in its library.
 *
 * The front-end puts a hit on the last row whose offset is not above the hit's own.  So rows of the
 * upper levels have the offset of the instruction below them, and the instruction gets the hit. */
void vf_listing_write_asm(struct vf_buf *out, const struct vf_listing *listing, uint64_t start,
                          uint64_t size, struct vf_str arch);

#endif

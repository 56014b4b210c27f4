/* The bytecode of the functions that PyPy's JIT traced: docs/formats/vmfox.md, "bytecode.txt".
 *
 * A JIT log names a bytecode's opcode but not its argument; the recorder has the interpreter
 * disassemble the functions, and here the two come together. */
#ifndef VF_CAPTURE_BYTECODE_H
#define VF_CAPTURE_BYTECODE_H

#include "base/mem.h"
#include "base/table.h"
#include "capture/jit_code.h"

struct vf_bytecode_row {
    uint32_t file, function; /* rows of `names` */
    uint32_t offset, line;
    struct vf_str opcode, argument;
};

struct vf_bytecode {
    VF_VEC(struct vf_bytecode_row) rows;
    VF_VEC(struct vf_str) names;
    struct vf_table index; /* of rows */
    struct vf_arena arena;
};

/* Reads the text; lines that are none of the format are passed over.  Slices of `text` are kept. */
void vf_bytecode_parse(struct vf_bytecode *bytecode, struct vf_str text);
void vf_bytecode_release(struct vf_bytecode *bytecode);

/* The argument of the bytecode at a merge point, in words; empty where it is not known, has none,
 * or where several functions fit that say different things. */
struct vf_str vf_bytecode_argument(const struct vf_bytecode *bytecode,
                                   const struct vf_jit_point *point);

#endif

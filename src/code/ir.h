/* The JIT's operations in words that people read.
 *
 *     i53 = int_add_ovf(i52, i28)
 *     i28 = getfield_gc_i(p13, W_IntObject.intval)
 *     i52 = gc_load_i(p30, 8, -8)  W_IntObject.intval
 *     p24 = call_assembler_r(p20, p3) -> loop 7 simple.py:9
 *     guard_true(i97) -> bridge 31, taken 19,800 times
 *
 * A descr loses what only the JIT needs: <FieldS
 * pypy.objspace.std.intobject.W_IntObject.inst_intval 8 pure> is W_IntObject.intval.  A guard says
 * which bridge it leads to and how often that was entered, where the log counts it. */
#ifndef VF_CODE_IR_H
#define VF_CODE_IR_H

#include "base/buf.h"
#include "capture/jit_code.h"

/* Appends the operation as a line, without a newline. */
void vf_ir_op(struct vf_buf *out, const struct vf_jit_code *code, const struct vf_jit_op *op);
/* Appends a descr's text, shortened. */
void vf_ir_descr(struct vf_buf *out, struct vf_str descr);

#endif

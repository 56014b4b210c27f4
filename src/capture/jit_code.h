/* All that a JIT log holds of one trace: its operations in each stage, where in the program they
 * come from, and which machine code each became.
 *
 * Read when it is wanted: a row of an operation only says where its record lies, so that even a log
 * of one huge trace takes no more than a few times its size; vf_jit_code_op() gives the texts.
 *
 * Where an operation comes from: merge points stand among the operations as they were recorded and
 * as they were optimised, and an operation belongs to the last one before it.  Among the assembled
 * operations there are none, the names of the values are others, and the assembler has put some
 * operations in place of others (a field's read became a load, an allocation a bump of a pointer
 * and stores).  So each assembled operation is matched with an optimised one (capture/jit_match.h)
 * and belongs to that one's merge point.
 *
 * Functions that were inlined: PyPy marks where a call goes in and comes back (enter_portal_frame,
 * leave_portal_frame), so each merge point knows the one of its caller.  A bridge begins in the
 * frames of the guard it hangs on, which vf_jit_point.inherit counts from the innermost. */
#ifndef VF_CAPTURE_JIT_CODE_H
#define VF_CAPTURE_JIT_CODE_H

#include "base/table.h"
#include "capture/jit_traces.h"
#include "capture/jitlog.h"

struct vf_jit_op {
    uint32_t at;         /* its record, from the trace's first one on */
    uint32_t code_start; /* from the trace's first byte of code */
    uint32_t code_len;   /* 0: it needs no code, or none was logged */
    uint32_t point1;     /* the merge point it belongs to, + 1; 0: it stands before the first */
    uint32_t twin1;      /* assembled: the optimised operation it was matched with, + 1; 0: none */
    uint16_t opnum;
    bool has_code; /* code_start and code_len were logged */
    bool guard;
};

/* A merge point: the operations behind it do this bytecode's work. */
struct vf_jit_point {
    struct vf_jit_place place;
    struct vf_str opcode;
    uint32_t op;      /* row of the operation behind it, in its stage */
    uint32_t caller1; /* the merge point of the call that leads here, + 1; 0: in no frame that this
                         trace has entered */
    uint32_t inherit; /* where caller1 is 0: the callers are the frames of the guard from this one
                         on, 0 being the innermost; loops have none */
};

struct vf_jit_stage_code {
    VF_VEC(struct vf_jit_op) ops;
    VF_VEC(struct vf_jit_point) points; /* none in the assembled stage: see the optimised one */
    struct vf_str inputs;               /* its arguments, separated by commas */
};

struct vf_jit_guard {
    uint64_t descr_id;
    uint32_t op; /* the first operation with it */
};

struct vf_jit_code {
    const struct vf_jit_traces *traces;
    uint32_t trace; /* its row */
    struct vf_jit_stage_code stages[3];
    /* Where the exits of the guards begin, behind the last operation; else the end of the code. */
    uint32_t exits_start;
    uint32_t code_size;
    VF_VEC(struct vf_jit_guard) guards; /* assembled ones, one for each descr */
    struct vf_table guard_index;        /* by the descr's id */
    struct vf_jitlog reader;
    struct vf_arena arena;
};

/* Reads the trace in the row `trace`.  The texts are slices of the log or of the arena in `code`;
 * release it when done. */
void vf_jit_code_read(struct vf_jit_code *code, const struct vf_jit_traces *traces, uint32_t trace);
void vf_jit_code_release(struct vf_jit_code *code);

/* The texts of an operation, and its machine code (empty where none was logged). */
struct vf_jit_op_text {
    struct vf_str name; /* "" where the log gives none */
    struct vf_jitlog_operation texts;
    struct vf_str code;
};
struct vf_jit_op_text vf_jit_code_op(const struct vf_jit_code *code, const struct vf_jit_op *op);

/* The merge point of an operation of the stage, NULL where it stands before the first. */
const struct vf_jit_point *vf_jit_code_point(const struct vf_jit_code *code,
                                             const struct vf_jit_op *op);

/* The assembled operation whose code holds the byte `offset` of the trace: its row, VF_JIT_ENTRY
 * before the first one, VF_JIT_EXITS behind the last. */
uint32_t vf_jit_code_find(const struct vf_jit_code *code, uint32_t offset);

/* The assembled operation that is the guard with this descr; NULL: there is none. */
const struct vf_jit_op *vf_jit_code_guard(const struct vf_jit_code *code, uint64_t descr_id);

/* How often the program was found at a byte of a trace's code.  By offset, each once. */
struct vf_jit_hit {
    uint32_t offset; /* from the trace's first byte of code */
    uint32_t count;
};
struct vf_jit_hits {
    const struct vf_jit_hit *items;
    size_t count;
};

/* The next part of `*args` up to a comma that stands in no brackets; taken off. */
struct vf_str vf_jit_arg_next(struct vf_str *args);

#endif

/* How a function's caller is found: what the call frame information (.eh_frame) of a loaded
 * library says for one instruction.
 *
 * The format is DWARF's (DWARF 5, 6.4) with the changes of the Linux Standard Base, "Exception
 * Frames".  Everything is read through unwind_memory.h, within the bounds of its entry: damaged
 * information gives an error.  May be called in a signal's handler. */
#pragma once
#include "unwind_memory.h"

enum {
    VF_REG_RBX = 3,
    VF_REG_RBP = 6,
    VF_REG_RSP = 7,
    VF_REG_RIP = 16, /* in DWARF's numbering the return address */
    VF_REG_COUNT = 17,
};

/* libunwind's numbers for errors, negative: its callers know them. */
enum {
    VF_UNWIND_BAD_REGISTER = -3,
    VF_UNWIND_BAD_FRAME = -7,
    VF_UNWIND_INVALID = -8,
    VF_UNWIND_NO_INFO = -10,
};

enum vf_where {
    VF_WHERE_SAME,      /* the register has its value still */
    VF_WHERE_UNDEFINED, /* it is lost */
    VF_WHERE_CFA,       /* saved at the canonical frame address + value */
    VF_WHERE_REGISTER,  /* in the register `value` */
    VF_WHERE_AT,        /* saved at the address that the expression at address `value` gives */
    VF_WHERE_IS,        /* what the expression gives */
};

/* The canonical frame address, CFA, is the stack pointer of the caller after the call. */
struct vf_rule {
    uint64_t start, end;    /* of the function */
    uint64_t entry, common; /* where its entry (FDE) is, and that entry's common part (CIE) */
    uint32_t entry_bytes, common_bytes;
    bool signal_frame; /* the caller was interrupted here, it did not call */
    bool cfa_is_expression;
    uint8_t cfa_register;
    int64_t cfa_value; /* what is added to the register; or the expression's address */
    uint8_t where[VF_REG_COUNT];
    int64_t value[VF_REG_COUNT];
};

/* Finds the library at the address `pc`, without waiting for anything, and sets what `memory` takes
 * for the library at hand.  False where there is none, or one without a table.  Each is asked for
 * once in a walk. */
bool vf_object_find(struct vf_memory *memory, uint64_t pc, struct vf_object *object);

/* The rule for the instruction at `pc`.  Returns 0, VF_UNWIND_NO_INFO where no function is known
 * there, or another of the errors above. */
int vf_rule_find(struct vf_memory *memory, uint64_t pc, struct vf_rule *rule);

/* Runs the expression (DWARF 5, 2.5) whose length and then bytes are at `address`, with `first` on
 * its stack.  Returns 0 or an error. */
int vf_expression_run(struct vf_memory *memory, uint64_t address,
                      const uint64_t registers[VF_REG_COUNT], uint64_t first, uint64_t *result);

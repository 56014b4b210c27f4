/* The rules of the instructions that were met lately, in a form that is quick to follow.
 *
 * The table is the process's. No lock: a thread that is interrupted while it writes a row, or a
 * process that is forked then, leaves a row that is not used.  A row holds only for the library it
 * was made of, and while what it was made of is still the same there. */
#pragma once
#include "unwind_rule.h"

enum vf_step_kind {
    VF_STEP_PLAIN, /* the CFA is a register + offset, registers are where they were or in the frame
                    */
    VF_STEP_RULE,  /* all else: the rule itself is needed */
    VF_STEP_NO_INFO, /* no function is known here */
    VF_STEP_BAD,     /* the information is damaged */
};

/* RBX, RBP, R12 to R15: what a called function has to leave as it was. */
enum { VF_STEP_KEPT = 6 };
extern const uint8_t vf_step_registers[VF_STEP_KEPT];

struct vf_step {
    uint64_t start, end;    /* of the function */
    uint64_t entry, common; /* as in struct vf_rule */
    uint32_t entry_bytes, common_bytes;
    uint64_t hash; /* of these bytes */
    int32_t cfa_offset;
    int32_t return_offset; /* from the CFA, as are: */
    int32_t kept_offset[VF_STEP_KEPT];
    uint8_t kind;
    uint8_t cfa_register;
    uint8_t kept_in_frame; /* a bit each: it is saved at kept_offset, else it was not changed */
    uint8_t rbp_undefined;
    uint8_t unused[4];
};

/* Looks up the instruction at `pc`, in the table or in the libraries. */
void vf_step_find(struct vf_memory *memory, uint64_t pc, struct vf_step *step);

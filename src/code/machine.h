/* Machine code to text (capstone), for the machines that PyPy's JIT writes code for. */
#ifndef VF_CODE_MACHINE_H
#define VF_CODE_MACHINE_H

#include "base/buf.h"

struct vf_machine {
    size_t handle; /* capstone's */
    void *slot;    /* of one instruction */
    unsigned step; /* how many bytes are passed over where nothing can be decoded */
    bool known;
};

/* `name` as the JIT's log has it: "x86_64", "aarch64", ...  An unknown one can be used too: all its
 * code is bytes. */
void vf_machine_open(struct vf_machine *machine, struct vf_str name);
void vf_machine_close(struct vf_machine *machine);

/* Appends the instruction at the beginning of `bytes`, which is not empty and lies at `address`;
 * returns its length, 1 to bytes.len.  What can't be decoded is "(bytes 0f 0b)".  Addresses from
 * `base` on, within `size` bytes, are written as "+0x1c". */
size_t vf_machine_next(const struct vf_machine *machine, struct vf_str bytes, uint64_t address,
                       uint64_t base, uint64_t size, struct vf_buf *out);

#endif

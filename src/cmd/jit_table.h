/* What `vmfox jit` prints. */
#ifndef VF_CMD_JIT_TABLE_H
#define VF_CMD_JIT_TABLE_H

#include "cmd/jit_code.h"
#include "cmd/pager.h"

/* Which traces are meant. */
struct vf_jit_choice {
    const char *op;       /* a pattern (fnmatch(3)) for operations' names; NULL: any */
    const char *function; /* with a merge point in this function; NULL: any */
    bool aborted;         /* those alone that were given up; else those alone that were not */
};

/* The table of traces, by samples, then by instruction addresses and runs. */
void vf_jit_table(struct vf_page *page, const struct vf_input *input,
                  const struct vf_jit_choice *choice);
/* One trace: what is known of it, and its listing with hits; `stage` other than the assembled one
 * lists that stage's operations. */
void vf_jit_show(struct vf_page *page, const struct vf_input *input, uint32_t trace,
                 enum vf_jitlog_stage stage, const struct vf_jit_choice *choice);
/* True where the operation's name fits the pattern. */
bool vf_jit_fits(const struct vf_jit_choice *choice, struct vf_str name);

#endif

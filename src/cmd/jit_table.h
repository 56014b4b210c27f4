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

/* A trace that was chosen, and how many of its operations fit in each stage. */
struct vf_jit_chosen {
    uint32_t trace;
    uint32_t fitting[3];
};
/* The rows that fit; `chosen` has room for all traces.  Returns how many. */
size_t vf_jit_choose(const struct vf_jit *jit, const struct vf_jit_choice *choice,
                     struct vf_jit_chosen *chosen);

/* The table of traces, by samples, then by instruction addresses and runs. */
void vf_jit_table(struct vf_page *page, const struct vf_input *input,
                  const struct vf_jit_choice *choice);
/* What was given up, by places: traces by the JIT's log, tracing by the runtime's. */
void vf_jit_aborted(struct vf_page *page, const struct vf_input *input,
                    const struct vf_jit_choice *choice);
/* One trace: what is known of it, and its listing with hits; `stage` other than the assembled one
 * lists that stage's operations. */
void vf_jit_show(struct vf_page *page, const struct vf_input *input, uint32_t trace,
                 enum vf_jitlog_stage stage, const struct vf_jit_choice *choice);

/* True where the operation's name fits the pattern. */
bool vf_jit_fits(const struct vf_jit_choice *choice, struct vf_str name);
/* Bytes of machine code; 0 where there is none. */
static inline uint64_t vf_jit_code_bytes(const struct vf_jit_trace *trace)
{
    return trace->code_end > trace->code_start ? trace->code_end - trace->code_start : 0;
}
/* Appends a count with commas, at the right of `width` columns, and a blank. */
void vf_page_count(struct vf_page *page, int width, uint64_t count);

#endif

/* The code of the JIT's traces, for the server, the graphs and `vmfox jit`. */
#ifndef VF_CMD_JIT_CODE_H
#define VF_CMD_JIT_CODE_H

#include "cmd/common.h"
#include "code/listing.h"
#include "profile/jit.h"

/* What the listing of a trace of the input is made from.  Borrows from the input. */
struct vf_listing_source vf_jit_listing_source(const struct vf_input *input, uint32_t trace);

/* Answers /asm/v1 (serve/api.h); the context is the input. */
struct vf_serve_function;
bool vf_jit_answer_assembly(const void *input, const struct vf_serve_function *function,
                            struct vf_buf *out);

/* Puts the graphs of the traces in samples into the profile's sources. */
void vf_jit_add_graphs(struct vf_input *input, struct vf_warnings *warnings);

/* Leaves the traces without graphs. */
void vf_jit_leave_graphs(struct vf_input *input);

#endif

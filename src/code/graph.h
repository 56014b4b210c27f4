/* A loop with its bridges as a control-flow graph in the front-end's iongraph format
 * (docs/formats/firefox-profiler.md, "Graph view").
 *
 * Each assembled operation of the family is a row; its number is vf_jit_line(), which a sample's
 * frame carries as its line, so that the front-end's hits fall on it. */
#ifndef VF_CODE_GRAPH_H
#define VF_CODE_GRAPH_H

#include "base/buf.h"
#include "base/error.h"
#include "capture/bytecode.h"
#include "capture/jit_code.h"

/* Beyond so many operations in the family only the hot blocks are drawn. */
enum { VF_GRAPH_OPS_MAX = 5000 };

struct vf_graph_source {
    const struct vf_jit_traces *traces;
    uint32_t root;                      /* row of the trace at the family's head */
    const struct vf_bytecode *bytecode; /* NULL: none */
    /* The hits of a trace of the family. */
    struct vf_jit_hits (*hits)(const void *context, uint32_t trace);
    const void *context;
};

/* Appends the graph as JSON text, checked by vf_graph_check().  VF_FATAL: it would break the
 * front-end's rules (`error` says which) or has no operations; nothing was appended. */
enum vf_status vf_graph_write(struct vf_buf *out, const struct vf_graph_source *source,
                              struct vf_error *error);

/* Holds a graph's text against all that the front-end needs to draw it.  VF_FATAL: `error` says
 * which rule it breaks, and where. */
enum vf_status vf_graph_check(struct vf_str json, struct vf_error *error);

#endif

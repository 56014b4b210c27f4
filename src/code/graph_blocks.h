/* The blocks of a graph: the operations of a family, cut up and joined; for graph.c and
 * graph_blocks.c.
 *
 * The last label that the loop's own jump goes back to heads the loop.  Everything that comes back
 * to it goes through one block, as the front-end's layout wants.  Jumps to other labels, into other
 * traces and ends of functions leave: a block that says where to.  So the blocks of bridges form
 * trees, and no circle but the loop's is drawn. */
#ifndef VF_CODE_GRAPH_BLOCKS_H
#define VF_CODE_GRAPH_BLOCKS_H

#include "code/graph.h"

enum {
    VF_GRAPH_BRIDGES_MAX = 60, /* each makes the picture wider */
    VF_GRAPH_NONE = -1,
};

/* A row of a block. */
struct vf_graph_row {
    uint32_t trace, op; /* op: a row, VF_JIT_ENTRY or VF_JIT_EXITS */
    uint32_t skipped;   /* > 0: it stands for so many operations without hits */
    bool is_note;       /* `text` alone */
    struct vf_str text; /* of a note; lives in the arena */
};

struct vf_graph_block {
    VF_VEC(struct vf_graph_row) rows;
    int successors[3]; /* blocks; VF_GRAPH_NONE: none */
    uint32_t depth;
    bool header, backedge;
};

/* What is known of a trace of the family. */
struct vf_graph_trace {
    struct vf_jit_code code;
    uint32_t trace;  /* its row */
    int first_block; /* VF_GRAPH_NONE: it is not drawn */
    bool drawn, comes_back;
    bool inside; /* below the loop's body */
    uint64_t hits;
};

struct vf_graph {
    const struct vf_graph_source *source;
    VF_VEC(struct vf_graph_trace) traces; /* the head first */
    VF_VEC(struct vf_graph_block) blocks;
    struct vf_arena arena;
    uint64_t label; /* descr of the label at the loop's head; 0: there is no loop */
    int header, backedge;
    uint32_t operations; /* of the family */
    uint32_t not_drawn;  /* bridges */
    bool shortened;
};

void vf_graph_blocks(struct vf_graph *graph, const struct vf_graph_source *source);
void vf_graph_release(struct vf_graph *graph);

#endif

/* Traces of a JIT log: a row for each, with its code's place, its size in each stage and how often
 * it was entered.
 *
 * Texts are slices of the log, which must stay as long as the rows are used.  The memory stays
 * within four times the log and 64 KiB: operations are only counted, and capture/jit_code.h reads
 * those of one trace when they are wanted.
 *
 * A loop and the bridges on its guards, on the guards of these and so on, are a family.  Its rows
 * are numbered through, so that one number names an operation in all of it: each trace has a row
 * for what lies before its first operation, one for each assembled operation, and one for the exits
 * of its guards (vf_jit_line()). */
#ifndef VF_CAPTURE_JIT_TRACES_H
#define VF_CAPTURE_JIT_TRACES_H

#include "base/buf.h"
#include "base/error.h"

enum vf_jit_kind {
    VF_JIT_LOOP,
    VF_JIT_BRIDGE,       /* begins at a guard that failed */
    VF_JIT_ENTRY_BRIDGE, /* begins in the interpreter, as where a function is called */
};

struct vf_jit_trace {
    uint64_t id;                   /* also the N of `Loop N` in PyPy's own log */
    uint64_t number;               /* as logged: 0 for loops, for bridges a descr's id */
    uint64_t code_start, code_end; /* both 0: it was not assembled */
    uint64_t run_count;            /* entries; a loop's further rounds are not in it */
    uint64_t guard;                /* descr id of the guard it hangs on; 0: on none */
    uint64_t log_start; /* its first record in the log; the last is that before another trace's */
    /* Operations in each stage.  Merge points are none: those of the optimised stage are counted
     * by themselves. */
    uint32_t recorded, optimised, assembled;
    uint32_t guards; /* among the optimised operations */
    uint32_t merge_points;
    uint32_t place1;  /* vf_jit_trace_place() */
    uint32_t parent1; /* row + 1 of the trace whose guard it hangs on; 0: of none that is known */
    uint32_t root;    /* row of the trace at the head of the family; a loop's own */
    uint32_t bridges; /* that hang on its guards, not on those of its bridges */
    uint32_t line;    /* rows of the family before its own */
    uint8_t kind;     /* enum vf_jit_kind */
    bool aborted;     /* given up while it was optimised: it has no code */
};

/* True for a trace whose operations the recorder has left out: it has code, and perhaps a place. */
static inline bool vf_jit_trace_is_brief(const struct vf_jit_trace *trace)
{
    return !trace->recorded && !trace->optimised && !trace->assembled;
}

/* Where a merge point stands in the program. */
struct vf_jit_place {
    struct vf_str file, function;
    uint32_t line;   /* 0: not known */
    uint32_t offset; /* of the bytecode */
};

/* From `start` on, machine code belongs to `trace`: to that trace's end, or to the next start. */
struct vf_jit_piece {
    uint64_t start;
    uint32_t trace;
};

struct vf_jit_name {
    struct vf_str name; /* "int_add" */
    uint16_t opnum;
    bool guard;
};

/* How often a label was passed: a loop's rounds. */
struct vf_jit_label {
    uint64_t id; /* of its descr */
    uint64_t count;
};

/* Calls of the loop token `from` go to `address` since `to` was compiled. */
struct vf_jit_redirect {
    uint64_t from, to, address;
};

/* A log that was appended to another one has a header again. */
struct vf_jit_header {
    uint64_t offset;
    unsigned addr_bytes;
    int version;
};

struct vf_jit_traces {
    VF_VEC(struct vf_jit_trace) traces; /* in the order of the log */
    VF_VEC(struct vf_jit_place) places;
    VF_VEC(struct vf_jit_piece) code;         /* by start */
    VF_VEC(struct vf_jit_name) names;         /* by opnum */
    VF_VEC(struct vf_jit_label) labels;       /* by id */
    VF_VEC(struct vf_jit_redirect) redirects; /* in the order of the log */
    VF_VEC(struct vf_jit_header) headers;     /* behind the first */
    VF_VEC(uint32_t) children;                /* rows with a parent, by parent and guard */
    VF_VEC(uint64_t) sources;                 /* offsets of records with source lines */
    struct vf_str log;                        /* all of it */
    struct vf_arena arena;
    int version;
    struct vf_str machine;
    /* Entries of no trace here: of one from before the log began, or of a temporary callback, which
     * stands for a loop that is called but not yet compiled. */
    uint64_t unknown_runs;
    bool has_counters;       /* some are in the log: they are written when it ends in order */
    struct vf_error problem; /* why the log ended early; text is empty where it did not */
};

/* Reads all of a log.  A trace is a row when at least one of its operations was logged.
 *
 * Bridges and entry bridges are logged alike but for the guard, which is logged last: in a log that
 * is cut there, the last bridge is taken for an entry bridge.  Ids of descrs are those of objects
 * and may be given out again: of two bridges with the same guard the later has the runs of both.
 *
 * A trace that gets too long is compiled in pieces, and PyPy logs the later ones behind the first
 * without a start of their own: these are left out.
 *
 * VF_WARN for a log that is cut or damaged: what was whole is there, `error` and `problem` say
 * where it ends.  VF_FATAL when it is no JIT log.  In each case vf_jit_traces_release() may be
 * called. */
enum vf_status vf_jit_traces_read(struct vf_jit_traces *traces, struct vf_str jitlog,
                                  struct vf_error *error);

/* The trace whose code holds the address, or NULL.  Memory of a trace that was freed is used
 * again: where two had the same address the later one is given. */
const struct vf_jit_trace *vf_jit_traces_find(const struct vf_jit_traces *traces, uint64_t address);

/* Where the trace begins: its first merge point; NULL when it has none. */
const struct vf_jit_place *vf_jit_trace_place(const struct vf_jit_traces *traces,
                                              const struct vf_jit_trace *trace);

/* Numbers in the family's rows, from 1 on.  `op` is a row of the assembled operations;
 * VF_JIT_ENTRY stands for what lies before the first, VF_JIT_EXITS for what lies behind the last.
 */
#define VF_JIT_ENTRY UINT32_MAX
#define VF_JIT_EXITS (UINT32_MAX - 1)
static inline uint32_t vf_jit_line(const struct vf_jit_trace *trace, uint32_t op)
{
    if (op == VF_JIT_ENTRY)
        return trace->line + 1;
    return trace->line + 2 + (op == VF_JIT_EXITS ? trace->assembled : op);
}

/* The row of a trace of these, by its place in the array. */
static inline uint32_t vf_jit_traces_row(const struct vf_jit_traces *traces,
                                         const struct vf_jit_trace *trace)
{
    return (uint32_t)(trace - traces->traces.items);
}

/* What was traced: "pypyjit" for Python functions, "rsre_RegularSearch" and the like for the
 * machine of regular expressions, ...; empty where it is not known.  PyPy leaves it out for loops,
 * so theirs is that of their bridges. */
struct vf_str vf_jit_trace_driver(const struct vf_jit_traces *traces,
                                  const struct vf_jit_trace *trace);

/* Appends what a trace is called: "loop 12 simple.py:4", "entry bridge 9 a.py:3", "bridge 31 of
 * loop 12"; a bridge whose loop is not known is "bridge 31 simple.py:5".  What has no place in a
 * Python program has the name of what was traced instead: "loop 4 rsre_RegularSearch". */
void vf_jit_trace_name(struct vf_buf *out, const struct vf_jit_traces *traces,
                       const struct vf_jit_trace *trace);
/* Appends the name under which the family's graph is a source: "jit/loop-12.iongraph.json"; `trace`
 * is the one at its head. */
void vf_jit_graph_path(struct vf_buf *out, const struct vf_jit_trace *trace);

/* The operation's name; NULL where the log gives none. */
const struct vf_jit_name *vf_jit_traces_name(const struct vf_jit_traces *traces, uint16_t opnum);
/* The bridge on a guard of the trace in the row `parent`, by the guard's descr; NULL: none. */
const struct vf_jit_trace *vf_jit_traces_bridge(const struct vf_jit_traces *traces, uint32_t parent,
                                                uint64_t guard);
/* The text of a source line, where the log has it (PyPy itself writes none; its jitlog package
 * does); empty where it has not. */
struct vf_str vf_jit_traces_source_line(const struct vf_jit_traces *traces, struct vf_str file,
                                        uint32_t line);
/* How often the label with this descr was passed; false: not counted. */
bool vf_jit_traces_label(const struct vf_jit_traces *traces, uint64_t id, uint64_t *count);

void vf_jit_traces_release(struct vf_jit_traces *traces);

#endif

/* Traces of a JIT log: a row for each, with its code's place, its size in each stage and how often
 * it was entered.
 *
 * Texts are slices of the log, which must stay as long as the rows are used.  The memory stays
 * within four times the log and 64 KiB.  Operations are only counted so far; once they are kept, a
 * trace gets the range of its own, and `places` holds every merge point and not the first one
 * alone. */
#ifndef VF_CAPTURE_JIT_TRACES_H
#define VF_CAPTURE_JIT_TRACES_H

#include "base/error.h"
#include "base/mem.h"

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
    struct vf_str driver;          /* "pypyjit", ...; "" for loops: PyPy leaves it out */
    /* Operations in each stage.  Merge points are none: those of the optimised stage are counted
     * by themselves. */
    uint32_t recorded, optimised, assembled;
    uint32_t guards; /* among the optimised operations */
    uint32_t merge_points;
    uint32_t place1; /* vf_jit_trace_place() */
    uint8_t kind;    /* enum vf_jit_kind */
    bool aborted;    /* given up while it was optimised: it has no code */
};

/* Where a merge point stands in the program. */
struct vf_jit_place {
    struct vf_str file, function;
    uint32_t line;   /* 0: not known */
    uint32_t offset; /* of the bytecode */
};

/* From `start` on, machine code belongs to `trace`: to that trace's end, or to the next start. */
struct vf_jit_code {
    uint64_t start;
    uint32_t trace;
};

struct vf_jit_traces {
    VF_VEC(struct vf_jit_trace) traces; /* in the order of the log */
    VF_VEC(struct vf_jit_place) places;
    VF_VEC(struct vf_jit_code) code; /* by start */
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

void vf_jit_traces_release(struct vf_jit_traces *traces);

#endif

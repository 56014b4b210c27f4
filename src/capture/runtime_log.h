/* What PyPy's text log tells: its sections, nested and whole, and what stands in them
 * (docs/formats/pypylog.md).
 *
 * jit-backend can't be asked for without jit-backend-dump, which costs much.  Where it is not in
 * the log, a section of that name is put in from the moment the trace gets its number
 * (jit-mem-looptoken-alloc) to its address (jit-backend-addr): see `made`.
 *
 * Stamps are readings of the log's own counter; profile/ticks.h turns them into times.  A log may
 * be damaged: a program that was killed leaves sections open, two processes may have written into
 * one file.  What is whole is kept; the rest is said, with line numbers. */
#ifndef VF_CAPTURE_RUNTIME_LOG_H
#define VF_CAPTURE_RUNTIME_LOG_H

#include "base/error.h"
#include "base/mem.h"
#include "base/table.h"

#define VF_LOG_NONE UINT32_MAX

/* What a section is, by its name. */
enum vf_log_kind {
    VF_LOG_OTHER, /* not of the runtime: a program may write sections of its own */
    VF_LOG_MINOR,
    VF_LOG_WALKROOTS,
    VF_LOG_STEP, /* gc-collect-step; in older PyPys the whole of gc-collect */
    VF_LOG_DONE,
    VF_LOG_NURSERY,
    VF_LOG_TRACING,
    VF_LOG_OPTIMIZE,
    VF_LOG_BACKEND,
    VF_LOG_ALLOC, /* jit-mem-looptoken-alloc: the number of the loop or bridge */
    VF_LOG_ADDR,
    VF_LOG_REGALLOC,
    VF_LOG_RECORDED,  /* jit-log-noopt: the operations as recorded */
    VF_LOG_OPTIMIZED, /* jit-log-opt-loop, jit-log-opt-bridge */
    VF_LOG_ABORT,
    VF_LOG_INVALIDATE,
    VF_LOG_LOOPS, /* jit-mem-collect */
    VF_LOG_SUMMARY,
    VF_LOG_COUNTS,
    VF_LOG_GC,  /* any other of the collector */
    VF_LOG_JIT, /* any other of the JIT */
};

struct vf_log_name {
    struct vf_str text;
    enum vf_log_kind kind;
};

struct vf_log_section {
    uint64_t start, stop;
    uint64_t line;   /* where it opens */
    uint32_t parent; /* a row before this one; VF_LOG_NONE: none */
    uint32_t name;   /* row of names */
    uint32_t record; /* row of the table for its kind; VF_LOG_NONE: none */
    bool cut;        /* never closed: `stop` is the last that is known of it */
    bool made;       /* not in the log itself: see above */
};

/* Rows below name the section they were read in; they are in the order of the log. */

struct vf_log_minor {
    uint32_t section;
    bool has_text;
    uint64_t memory_bytes;    /* in use behind it, without the nursery */
    uint64_t surviving_bytes; /* moved out of the nursery */
    uint64_t pinned;
    uint64_t nursery_bytes; /* as set last; 0: not known */
};

/* A step of a major collection. */
struct vf_log_step {
    uint32_t section;
    struct vf_str from, to; /* states: SCANNING, MARKING, SWEEPING, FINALIZING; may be empty */
    bool done;              /* holds gc-collect-done: the sweep is over */
    uint64_t arena_bytes, raw_before_bytes, raw_after_bytes, threshold_bytes; /* done */
};

enum vf_log_trace_kind { VF_LOG_TRACE_UNKNOWN, VF_LOG_TRACE_LOOP, VF_LOG_TRACE_BRIDGE };

/* One go of the tracer: a jit-tracing section.  Where the log holds none, the backend's part of it.
 */
struct vf_log_trace {
    uint32_t section;
    enum vf_log_trace_kind kind;
    struct vf_str where;       /* the first merge point, as it stands in the log; may be empty */
    struct vf_str result;      /* "compiled new loop" ...; empty: none said */
    struct vf_str aborted;     /* the reason; empty: not aborted */
    struct vf_str never_works; /* why the optimiser gave a version up; may be empty */
    uint64_t loop;             /* its number, or that of the bridge's loop; 0: not known */
    uint64_t bridge;           /* its number within the loop; 0: not known */
    uint64_t guard;            /* the guard a bridge starts from; 0: not known */
    uint64_t code_start, code_end;                  /* all of it, tables too; 0: not known */
    uint64_t entry;                                 /* the loop's own first address */
    uint64_t recorded, optimized, guards, compiled; /* operations; 0: not known */
    uint64_t runs;                                  /* of the loop's entry, or of the bridge */
    bool has_runs;
    uint32_t same_first, same_next; /* while reading: traces with one name in jit-backend-counts */
};

struct vf_log_invalidation {
    uint32_t section;
    struct vf_str field;
    uint64_t loops;
};

/* The JIT's look at which loops are still used. */
struct vf_log_loops {
    uint32_t section;
    uint64_t freed, left;
};

struct vf_log_summary {
    uint32_t section; /* VF_LOG_NONE: there is none */
    bool has_text;
    double tracing_s, backend_s, total_s;
    uint64_t tracings, backends, loops, bridges, freed_loops, freed_bridges;
    uint64_t from; /* the stamp nearest to the JIT's start, from which total_s counts */
};

/* The log of one process: more than one where several stand in a file.  A new one begins where
 * stamps fall, and where PyPy sets up its collector although it has summed up its JIT already. */
struct vf_log_part {
    uint32_t first, end; /* sections */
    uint64_t first_line, last_line;
    uint64_t first_stamp, last_stamp;
    struct vf_log_summary summary; /* the first, should there be several */
};

/* What is wrong with a log: how often, and in which line first. */
struct vf_log_damage {
    uint64_t count, line;
};

struct vf_runtime_log {
    VF_VEC(struct vf_log_section) sections; /* in the order in which they open */
    VF_VEC(struct vf_log_name) names;
    VF_VEC(struct vf_log_minor) minors;
    VF_VEC(struct vf_log_step) steps;
    VF_VEC(struct vf_log_trace) traces;
    VF_VEC(struct vf_log_invalidation) invalidations;
    VF_VEC(struct vf_log_loops) loops;
    VF_VEC(struct vf_log_part) parts;
    uint64_t lines;
    uint64_t nursery_bytes;    /* as set last */
    uint32_t current_trace;    /* while reading: the one that is being made; VF_LOG_NONE: none */
    struct vf_table run_index; /* while reading: traces by what jit-backend-counts calls them */
    bool has_run_index;
    struct vf_log_damage never_closed, never_opened, wrong_order, in_itself, too_deep, half_line;
    struct vf_log_damage too_many; /* sections beyond the limit: the rest of the log is not read */
    struct vf_table name_index;
};

/* Nested deeper than PyPy itself can (debug_print.c: one bit a level). */
enum { VF_LOG_DEPTH_MAX = 64 };

/* Reads the whole log.  Slices borrow `bytes`.  Damage is in the fields above. */
void vf_runtime_log_read(struct vf_runtime_log *log, struct vf_str bytes);
/* One sentence a kind of damage. */
void vf_runtime_log_warn(const struct vf_runtime_log *log, struct vf_warnings *warnings);
void vf_runtime_log_release(struct vf_runtime_log *log);

static inline enum vf_log_kind vf_log_section_kind(const struct vf_runtime_log *log, uint32_t row)
{
    return log->names.items[log->sections.items[row].name].kind;
}

/* Where a trace begins: `name;file:first-line~#offset OPCODE`, or in older PyPys
 * `<code object NAME. file 'FILE'. line LINE> #OFFSET OPCODE`.  False: it is something else, such
 * as a loop of the interpreter itself (`unpackiterable [list]`). */
struct vf_log_where {
    struct vf_str function, file;
    uint64_t line; /* of the merge point; in older PyPys the function's first */
    uint64_t first_line, offset;
};
bool vf_log_where_parse(struct vf_str text, struct vf_log_where *where);

/* ---- within the reader (runtime_log.c, runtime_text.c) --------------------------------------- */

enum vf_log_kind vf_log_kind_of(struct vf_str name);
/* A section of that kind opens or closes. */
void vf_log_text_open(struct vf_runtime_log *log, uint32_t section);
void vf_log_text_close(struct vf_runtime_log *log, uint32_t section);
/* A line of text in it. */
void vf_log_text_line(struct vf_runtime_log *log, uint32_t section, struct vf_str line);

#endif

/* Reader of PyPy's JIT log: the format is described in docs/formats/jitlog.md.
 *
 * Bytes in, records out, one at a time, nothing copied: every slice points into the input, which
 * must stay as long as the records are used.  The reader gives what stands in the log and joins
 * nothing; capture/jit_traces.h makes traces of it.
 *
 *     struct vf_jitlog log;
 *     if (vf_jitlog_open(&log, bytes, &error) == VF_FATAL) ...
 *     while (vf_jitlog_next(&log, &record)) ...
 *     if (log.problem.text[0]) the input ended early: `problem` says where and why
 *
 * Every length and count is held against the bytes that are left before it is used.  A cut or
 * damaged log gives every whole record before the place, and then ends.  A log has no trailer: one
 * cut between two records ends like a whole one. */
#ifndef VF_CAPTURE_JITLOG_H
#define VF_CAPTURE_JITLOG_H

#include "base/error.h"
#include "base/reader.h"

enum vf_jitlog_type {
    VF_JITLOG_HEADER,      /* a further header, where a log was appended to one: log->version ... */
    VF_JITLOG_RESOP_NAMES, /* `names`: vf_jitlog_name_next() */
    VF_JITLOG_START_TRACE, /* `start` */
    VF_JITLOG_STAGE,       /* `stage` */
    VF_JITLOG_INPUT_ARGS,  /* `text`: separated by commas */
    VF_JITLOG_OPERATION,   /* `operation` */
    VF_JITLOG_CODE_BOUNDS, /* `bounds` */
    VF_JITLOG_CODE_BYTES,  /* `code`: of the operation before it */
    VF_JITLOG_STITCH_BRIDGE, /* `stitch` */
    VF_JITLOG_COUNTER,       /* `counter` */
    VF_JITLOG_MERGE_LAYOUT,  /* `count` fields in each merge point that follows */
    VF_JITLOG_COMMON_PREFIX, /* `prefix` */
    VF_JITLOG_MERGE_POINT,   /* `merge_point`: where the operations behind it come from */
    VF_JITLOG_ABORT_TRACE,   /* `id` */
    VF_JITLOG_SOURCE_LINES,  /* `source`: vf_jitlog_line_next() */
    VF_JITLOG_REDIRECT,      /* `redirect` */
    VF_JITLOG_TMP_CALLBACK,  /* `callback` */
};

enum vf_jitlog_stage {
    VF_JITLOG_RECORDED,  /* as the tracer saw it; twice where a loop was unrolled */
    VF_JITLOG_OPTIMISED, /* what went to the assembler */
    VF_JITLOG_ASSEMBLED, /* what the assembler made of it, with code bytes */
};

struct vf_jitlog_start {
    uint64_t id;          /* counts up from 1 */
    bool bridge;          /* else a loop */
    uint64_t number;      /* loop: 0; bridge: the descr id of the guard it begins at */
    struct vf_str driver; /* "" before version 2, and for loops */
};

struct vf_jitlog_operation {
    uint16_t opnum; /* its name is in the record RESOP_NAMES */
    bool has_descr;
    struct vf_str result, args; /* args separated by commas */
    struct vf_str descr;        /* "" without one */
    uint64_t descr_id;          /* 0 without one */
    struct vf_str fail_args;    /* of a guard, separated by commas */
};

struct vf_jitlog_counter {
    /* `e`: a trace's id; `b`: the descr id of a bridge's guard; `l`: the descr id of a label. */
    uint64_t key;
    char kind;
    uint64_t count;
};

/* A text of a merge point: `prefix`, which stood in a record before, and `rest` behind it.  Where
 * `rest` is empty, `prefix` is all of it, and the other way round. */
struct vf_jitlog_text {
    struct vf_str prefix, rest;
};

/* What a field of a merge point means; also the bits of `has`. */
enum {
    VF_MERGE_FILE = 1,
    VF_MERGE_LINE = 2,
    VF_MERGE_OFFSET = 4,
    VF_MERGE_FUNCTION = 8,
    VF_MERGE_OPCODE = 16,
};

struct vf_jitlog_merge_point {
    unsigned has; /* the fields that were there; the others are zero */
    struct vf_jitlog_text file, function, opcode;
    uint64_t line, offset; /* the offset is that of the bytecode */
};

struct vf_jitlog_record {
    enum vf_jitlog_type type;
    uint64_t offset; /* of the marker byte */
    union {
        struct {
            const unsigned char *entries;
            uint32_t count;
        } names;
        struct vf_jitlog_start start;
        struct {
            enum vf_jitlog_stage stage;
            uint64_t id; /* of the trace */
        } stage;
        struct vf_str text;
        struct vf_jitlog_operation operation;
        struct {
            uint64_t start, end;
        } bounds;
        struct {
            uint16_t offset; /* from the start of the bounds, its low 16 bits */
            struct vf_str bytes;
        } code;
        struct {
            uint64_t guard; /* its descr id */
            uint64_t address;
        } stitch;
        struct vf_jitlog_counter counter;
        uint32_t count;
        struct {
            unsigned field;
            struct vf_str text;
        } prefix;
        struct vf_jitlog_merge_point merge_point;
        uint64_t id;
        struct {
            struct vf_str file;
            const unsigned char *entries;
            uint32_t count;
        } source;
        struct {
            uint64_t from, to; /* ids of the loop tokens */
            uint64_t address;  /* of the new loop's code */
        } redirect;
        struct {
            uint64_t token;
            uint64_t number; /* the trace that will take its place; 2^64 - 1: not known */
        } callback;
    };
};

/* PyPy's own layout has five fields; other interpreters may name more. */
enum { VF_JITLOG_FIELDS_MAX = 64 };

struct vf_jitlog {
    struct vf_reader in;
    int version;
    unsigned addr_bytes;
    struct vf_str machine; /* "x86_64", "aarch64", ... */
    struct {
        uint8_t meaning;
        char kind; /* 's' or 'i' */
        struct vf_str prefix;
    } fields[VF_JITLOG_FIELDS_MAX];
    unsigned field_count;
    struct vf_error problem; /* text is empty while all is well */
};

/* Reads the header.  VF_FATAL when this is no JIT log, or one of a version not known. */
enum vf_status vf_jitlog_open(struct vf_jitlog *log, struct vf_str bytes, struct vf_error *error);

/* The next record; false at the end or at the first damage, see `problem`. */
bool vf_jitlog_next(struct vf_jitlog *log, struct vf_jitlog_record *record);

/* The names of a RESOP_NAMES record, one a call: takes it off the record; false when none is
 * left. */
bool vf_jitlog_name_next(struct vf_jitlog_record *record, uint16_t *opnum, struct vf_str *name);

struct vf_jitlog_line {
    uint16_t line;
    uint8_t indent;
    struct vf_str text;
};

/* The lines of a SOURCE_LINES record, likewise. */
bool vf_jitlog_line_next(struct vf_jitlog_record *record, struct vf_jitlog_line *line);

#endif

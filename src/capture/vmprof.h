/* Reader of VMProf profile files (.prof), every dialect: the format is described in
 * docs/formats/vmprof.md.
 *
 * Bytes in, records out, one at a time, nothing copied: slices and sample bodies point into the
 * input, which must stay as long as the records are used.  The reader knows nothing of clocks,
 * threads' names or what a frame looks like on a screen.
 *
 *     struct vf_vmprof v;
 *     if (vf_vmprof_open(&v, bytes, len, &error) == VF_FATAL) ...
 *     while (vf_vmprof_next(&v, &record)) ...
 *     if (v.problem.text[0]) the input ended early: `problem` says where and why
 *
 * Every count is held against the bytes that are left before it is used.  A cut or damaged file
 * gives every whole record before the place, and then ends. */
#ifndef VF_CAPTURE_VMPROF_H
#define VF_CAPTURE_VMPROF_H

#include "base/error.h"
#include "base/reader.h"

/* Bits of the header's mode byte. */
enum {
    VF_MODE_MEMORY = 1,
    VF_MODE_LINES = 2,
    VF_MODE_NATIVE = 4,
    VF_MODE_RPYTHON = 8,
    VF_MODE_REAL_TIME = 16,
};

/* Version 7 means two things; see the format document. */
enum vf_vmprof_dialect {
    VF_DIALECT_PLAIN,    /* up to version 6, or version 7 before the first sample */
    VF_DIALECT_UPSTREAM, /* 7: nanoseconds after each sample */
    VF_DIALECT_FORK,     /* 7: a double of seconds in place of the count */
};

enum vf_frame_kind {
    VF_FRAME_CODE = 1, /* value: id of a name record */
    VF_FRAME_BLACKHOLE = 2,
    VF_FRAME_JITTED = 3, /* a Python function inside a trace; value: id of a name record */
    VF_FRAME_JITTING = 4,
    VF_FRAME_GC = 5,
    VF_FRAME_ASM = 6,    /* value: an address in a trace's machine code */
    VF_FRAME_NATIVE = 7, /* value: a native function's start, bit 0 set as in the file */
};

struct vf_frame {
    uint64_t value;
    int64_t line; /* the Python line where lines were recorded, else -1 */
    int kind;     /* enum vf_frame_kind, or a number not known yet */
};

enum vf_record_type {
    VF_RECORD_HEADER,      /* version, mode, interpreter are now known (v->version ...) */
    VF_RECORD_SAMPLE,      /* `sample` */
    VF_RECORD_ALLOCATION,  /* `sample`: one for each sampled allocation */
    VF_RECORD_CODE_NAME,   /* `name` */
    VF_RECORD_NATIVE_NAME, /* `name` */
    VF_RECORD_START_TIME,  /* `time_us` */
    VF_RECORD_END,         /* the trailer; `time_us`, 0 where the version has none */
    VF_RECORD_META,        /* `meta` */
    VF_RECORD_OBJECT_INFO, /* `objects` */
    VF_RECORD_MAPS,        /* `text`: what older files hold after the trailer */
};

struct vf_sample {
    const unsigned char *frames; /* the file's words, leaf first; vf_vmprof_frame() reads them */
    uint32_t words;              /* how many addresses `frames` holds */
    uint32_t depth;              /* frames: words, or half of them where they come in pairs */
    uint64_t thread;             /* 0 where the version has none */
    uint64_t memory_kb;
    int64_t time_ns; /* as the dialect says; see vf_vmprof.dialect */
    bool has_memory, has_time;
};

struct vf_record {
    enum vf_record_type type;
    uint64_t offset; /* of the marker byte */
    union {
        struct vf_sample sample;
        struct {
            uint64_t id;
            struct vf_str text;
        } name;
        struct {
            struct vf_str key, value;
        } meta;
        struct {
            const unsigned char *entries; /* newest first */
            uint64_t count;
            int64_t time_ns;
        } objects;
        int64_t time_us; /* since the epoch */
        struct vf_str text;
    };
};

struct vf_vmprof {
    struct vf_reader in;
    unsigned word_bytes, addr_bytes;
    int version; /* 0 in the oldest files, which have no header record */
    unsigned mode;
    enum vf_vmprof_dialect dialect;
    struct vf_str interpreter; /* empty until it is known */
    int64_t period_us;         /* 0 where none is recorded */
    bool has_header, ended;
    bool is_usual;             /* samples are laid out in the usual way, see vmprof.c */
    unsigned usual_tail_bytes; /* behind the frames of such a sample */
    enum { VF_GC_STATS_UNKNOWN, VF_GC_STATS_NO, VF_GC_STATS_YES } gc_stats;
    struct vf_error problem; /* text is empty while all is well */
};

/* True when the bytes begin as a .prof does (also one of a big-endian machine, which open refuses
 * with a message that says so). */
bool vf_vmprof_sniff(const void *bytes, size_t len);

/* Reads the static header.  VF_FATAL when this is no VMProf file, or one of a big-endian
 * machine. */
enum vf_status vf_vmprof_open(struct vf_vmprof *v, const void *bytes, size_t len,
                              struct vf_error *error);

/* The next record; false at the end or at the first damage, see `problem`. */
bool vf_vmprof_next(struct vf_vmprof *v, struct vf_record *record);

/* Frame `from_root` of a sample, 0 being the root; from_root < sample->depth. */
struct vf_frame vf_vmprof_frame(const struct vf_vmprof *v, const struct vf_sample *sample,
                                uint32_t from_root);

/* True when frames are pairs (kind, value), as PyPy writes them. */
static inline bool vf_vmprof_has_kinds(const struct vf_vmprof *v)
{
    return (v->mode & VF_MODE_RPYTHON) != 0;
}
/* True when frames are pairs (line, address). */
static inline bool vf_vmprof_has_lines(const struct vf_vmprof *v)
{
    return !vf_vmprof_has_kinds(v) && (v->mode & VF_MODE_LINES) != 0;
}

/* PyPy writes longer names and paths as their first 107 characters and "...", and ';' for ':'. */
enum { VF_PYPY_NAME_MAX = 110, VF_PYPY_NAME_KEPT = 107 };

/* The parts of a name record, `lang:name:line:file`. */
struct vf_code_name {
    struct vf_str lang; /* "py", "n" (native), ... */
    struct vf_str name;
    struct vf_str file; /* "-" where the file says so */
    uint32_t line;      /* first line; 0 where unknown */
};

/* Splits a name record.  Text that has not four parts becomes a name of its own, with lang empty
 * and file "-". */
struct vf_code_name vf_code_name_parse(struct vf_str text);

#endif

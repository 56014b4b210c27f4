/* A capture: all that was recorded of one run, wherever it comes from.
 *
 * One call opens a plain .prof (gzipped or not), vmfox's own .vmfox, or a zip of
 * vmprof-firefox-converter; the content decides, never the file's name.  A finished Firefox
 * Profiler file is recognised too, so that `vmfox view` can serve it as it is.
 *
 * The layout of a .vmfox is described in docs/formats/vmfox.md. */
#ifndef VF_CAPTURE_CAPTURE_H
#define VF_CAPTURE_CAPTURE_H

#include "base/file.h"
#include "capture/zip_check.h"

enum vf_capture_kind {
    VF_CAPTURE_PROF,
    VF_CAPTURE_VMFOX,
    VF_CAPTURE_CONVERTER_ZIP,
    VF_CAPTURE_FINISHED_JSON, /* a Firefox Profiler file; only `file` is set */
    VF_CAPTURE_FINISHED_JSLB,
};

enum { VF_CAPTURE_VERSION = 2 }; /* of capture.json, as it is written: docs/formats/vmfox.md */

struct vf_source_text {
    struct vf_str path;      /* as the profile names it */
    struct vf_str real_path; /* whole, where the profile's name is cut short; else empty */
    struct vf_str text;
};

struct vf_thread_name {
    uint64_t number; /* in the name of its root frame's code (profile/walk.h); 0: it has none */
    uint64_t tid;
    int64_t from_ns;  /* CLOCK_MONOTONIC when it was new, as near as known; 0: not known */
    int64_t until_ns; /* when another one got its id of which nothing is told; 0: none did */
    struct vf_str name;
};

/* What the recording of this run has cost, in ns of CPU time; 0: not told. */
struct vf_capture_cost {
    uint64_t samples;                   /* how often the program was interrupted for one */
    uint64_t handler_ns;                /* in the program, for all: an estimate from those timed */
    uint64_t jitlog_ns, runtime_log_ns; /* in the program: writing PyPy's two logs */
    uint64_t recorder_ns;               /* of vmfox itself */
    uint64_t program_ns;                /* of the program, all of the above but vmfox in it */
};

struct vf_module {
    struct vf_str path;
    struct vf_str build_id; /* hex digits; empty where the file has none */
};

/* What the recorder wrote down beside the samples; everything may be missing (empty, 0). */
struct vf_capture_info {
    struct vf_str command;     /* the command line, quoted as for a shell */
    struct vf_str program;     /* short: the script's or module's name */
    struct vf_str interpreter; /* "PyPy 7.3.11 (Python 3.9.16)" */
    struct vf_str interpreter_path;
    struct vf_str working_dir;
    struct vf_str host, cpu, os, arch;
    struct vf_str recorder; /* "vmfox 0.1.0" */
    uint64_t pid, cpu_count, memory_bytes;
    uint64_t counter_unsteady; /* 1: cores' time stamp counters may differ */
    uint64_t children; /* processes the program started that were not profiled: 0 or 1 = some */
    uint64_t sources_left_out;
    uint64_t native_innermost; /* 1: samples have their innermost native function */
    uint64_t pc_period_ns;     /* CPU time between two rows of `pcs`; 0: none were taken */
    uint64_t pc_lost;          /* rows the kernel had no room for */
    struct vf_str pc_missing;  /* why the kernel gave none; empty where it did */
    /* How it was recorded; all may be empty. */
    struct vf_str channel, channel_why; /* "ring" or "socket"; why no ring */
    struct vf_str stamps;               /* who stamped samples: "program", "kernel", "arrival" */
    struct vf_str timer, timer_note;    /* as in docs/formats/vmfox.md; what else is to be said */
    struct vf_str jitlog_mode;          /* "auto", "full" or "none" */
    int64_t jitlog_detail_until_ns; /* CLOCK_MONOTONIC when operations of a trace were left out of
                                       the JIT's log for the first time; 0: never */
    uint64_t jitlog_traces, jitlog_traces_brief; /* in the log; of these, without operations */
    uint64_t records_left_out;                   /* the channel had no room for them */
    uint64_t samples_skipped;                    /* not taken, for another thread was taking one */
    uint64_t stacks_unreadable;                  /* samples that could not be taken for that */
    uint64_t threads_idle;     /* threads that are not told of, for they have no samples */
    uint64_t threads_left_out; /* and that are not, for there were too many */
    uint64_t recovered;        /* 1: of what a killed recorder left */
    struct vf_capture_cost cost;
    int64_t
        main_cpu_first_ns; /* the main thread's CPU time at its first row in `cpu`; 0: unknown */
    int64_t start_realtime_ns, start_monotonic_ns, end_monotonic_ns; /* 0: not known */
    int64_t exit_code, exit_signal;                                  /* signal 0: exited */
    bool has_exit;
    VF_VEC(struct vf_thread_name) threads;
    VF_VEC(struct vf_module) modules;
};

struct vf_capture {
    enum vf_capture_kind kind;
    int held;                  /* a descriptor of the input and 1, locked (flock); 0: none */
    struct vf_bytes file;      /* the input; for a gzipped .prof what was in it */
    struct vf_str prof;        /* the VMProf file's bytes */
    struct vf_str stamps;      /* arrival of each sample: i64 ns of CLOCK_MONOTONIC; may be empty */
    struct vf_str interrupted; /* each sample's thread and instruction, rows as in capture/rows.h;
                                  may be empty */
    struct vf_str memory; /* resident memory at times, rows as in capture/rows.h; may be empty */
    struct vf_str cpu;    /* CPU times of threads, rows as in record/cpu.h; may be empty */
    struct vf_str pairs; /* counter and clock together, rows as in record/counter.h; may be empty */
    struct vf_str pcs;   /* instruction addresses, rows as in record/pc.h; may be empty */
    struct vf_str bytecode;  /* as in capture/bytecode.h; may be empty */
    struct vf_str symbols;   /* as in capture/symbols.h; may be empty */
    struct vf_str code;      /* machine code for it; may be empty */
    struct vf_str maps;      /* text of /proc/PID/maps; may be empty */
    struct vf_str jitlog;    /* may be empty */
    bool jitlog_given;       /* by the user, in place of the recording's own */
    struct vf_str pypylog;   /* may be empty */
    struct vf_str info_json; /* text of a .vmfox' capture.json */
    struct vf_capture_info info;
    VF_VEC(struct vf_source_text) sources;
    double time_start_s, time_end_s; /* `times` of a converter's zip, since the epoch; else 0 */
    struct vf_arena arena;           /* texts of info and sources */
    VF_VEC(struct vf_bytes) members; /* unpacked parts, freed with the capture */
    struct vf_zip_check check;       /* of parts that are read where they lie in the file */
};

/* Opens `path`, and holds a shared lock on it as long as the capture is open: what is locked is not
 * removed (record/keep.h).  Where it can't be had, nothing is held.  VF_WARN: something is missing,
 * see `warnings`.  Release also after VF_FATAL. */
enum vf_status vf_capture_open(struct vf_capture *capture, const char *path,
                               struct vf_warnings *warnings, struct vf_error *error);
/* Takes the companion files of a plain .prof along (either may be NULL, both may be gzipped).  They
 * replace what the capture holds. */
enum vf_status vf_capture_add_companions(struct vf_capture *capture, const char *jitlog_path,
                                         const char *pypylog_path, struct vf_warnings *warnings,
                                         struct vf_error *error);
/* Waits for checks of the file that go on beside its reading, and warns of what they have found: to
 * be called when the capture has been read, before the warnings are said. */
void vf_capture_finish_checks(struct vf_capture *capture, struct vf_warnings *warnings);
void vf_capture_release(struct vf_capture *capture);

/* ---- for the readers of zip captures (bundle.c, converter_zip.c) ------------------------------
 */

/* Limits on what is unpacked from a zip, so that a small file can't fill memory or disk. */
enum {
    VF_ZIP_MEMBERS_MAX = 20000,
    VF_ZIP_JSON_MAX = 16 << 20,
    VF_ZIP_SYMBOLS_MAX = 64 << 20,
    VF_ZIP_SYMBOL_VALUES_MAX = 2000000,
    VF_ZIP_CODE_MAX = 256 << 20,
    VF_STORED_FROM = 1 << 20,         /* bytes of a member that is stored, and used where it lies */
    VF_PACKED_LIBRARIES_MAX = 4096,   /* that symbols.json tells of */
    VF_ZIP_JSON_VALUES_MAX = 1000000, /* each may cost 300 bytes of memory */
    VF_ZIP_SOURCES_MAX = 256 << 20,   /* all source texts together */
};
#define VF_INFLATED_MAX ((uint64_t)16 << 30) /* one profile or log */

/* How much so many packed bytes may unpack to: VF_INFLATED_RATIO times as much, but 1 GiB always,
 * and VF_INFLATED_MAX never.  Deflated recordings that come near the ratio hold hours of one and
 * the same sample; a file of zeros has 1,030. */
enum { VF_INFLATED_RATIO = 150 };
uint64_t vf_inflated_max(size_t packed_bytes);

/* About how many values a JSON text holds: never fewer than it does. */
size_t vf_json_values(struct vf_str json);

/* Reads a .vmfox or a converter's zip, already mapped in capture->file. */
enum vf_status vf_bundle_open(struct vf_capture *capture, struct vf_warnings *warnings,
                              struct vf_error *error);

#endif

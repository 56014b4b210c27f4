/* One recording while it goes on: what the parts of the recorder share. */
#ifndef VF_RECORD_SESSION_H
#define VF_RECORD_SESSION_H

#include "base/file.h"
#include "base/table.h"
#include "capture/maps.h"
#include "capture/vmprof.h"
#include "record/channel.h"
#include "record/counter.h"
#include "record/cpu.h"
#include "record/layout.h"
#include "record/pc.h"
#include "record/record.h"
#include "record/space.h"

#include <signal.h>
#include <sys/types.h>

/* A name record, as far as sources need it. */
struct vf_named_code {
    uint64_t id;
    uint32_t file; /* row of session->files */
};

/* A file that lies executable in the program's memory. */
struct vf_session_module {
    struct vf_str path, build_id;
};

/* A member that is in a file already. */
struct vf_session_part {
    const char *name;
    int fd; /* borrowed */
    uint64_t bytes;
};

enum { VF_CAPTURE_VERSION = 1 }; /* of capture.json */

struct vf_told_thread {
    uint64_t number; /* in the name of its root frame's code; 0: it has none */
    uint64_t tid;
    struct vf_str name;
};

/* How VMProf comes to native frames. */
enum vf_native_way {
    VF_NATIVE_NONE, /* not asked for, or there is no libunwind */
    VF_NATIVE_ANY,  /* VMProf finds a libunwind.so, ours or the system's */
    VF_NATIVE_OURS, /* it finds none without ours (unwind/libunwind.c) */
};

struct vf_session {
    const struct vf_record_options *options;
    const struct vf_target *target;
    const struct vf_place *place; /* of the recording */
    struct vf_warnings *warnings;
    struct vf_channel channel;
    struct vf_space space;
    char *folder; /* the temporary folder with the bootstrap and PYPYLOG's file */
    int prof_fd, stamps_fd, cpu_fd, pc_fd, jitlog_fd;
    pid_t pid;        /* what was started, and is waited for */
    pid_t python_pid; /* the interpreter; the same, unless a script that runs it was started */
    struct sigaction child_before; /* what SIGCHLD did before us */
    sigset_t mask_before;          /* the signals that were blocked before us */
    bool masked;
    enum vf_native_way native;
    bool innermost; /* ours is loaded: samples have their innermost native function */
    bool pypylog;
    bool logs_given_up; /* there was no room for them */

    /* What the program's bootstrap has told. */
    bool connected, forked;
    struct vf_str implementation, version, python_version;
    struct vf_str failure, failure_text; /* why it could not start the recording; may be empty */
    VF_VEC(struct vf_told_thread) threads;
    struct vf_table thread_index; /* by number, or by tid where that is 0 */
    VF_VEC(struct vf_str) long_files;

    /* VMProf's stream, checked record by record. */
    struct vf_vmprof stream;
    bool has_stream, has_trailer;
    int64_t trailer_us;
    uint64_t samples, damaged_bytes;
    uint64_t memory_kb;         /* of the last sample that had it */
    struct vf_buf partial;      /* the beginning of a record */
    struct vf_buf prof, stamps; /* not yet in their files */
    struct vf_cpu cpu;
    struct vf_buf cpu_rows; /* likewise */
    struct vf_pc pc;
    struct vf_buf pc_rows; /* likewise */
    struct vf_counter_pairs pairs;
    /* There was no room any more for PyPy's logs, then for samples; of these the last that had come
     * are kept in memory, and all names, but none that come later. */
    struct vf_error full_error; /* the reason */
    bool full;
    int64_t left_out_ns; /* when the first came that was left out; 0: none was */
    struct vf_buf prof_tail, stamps_tail, cpu_tail;
    VF_VEC(uint64_t) addresses; /* every frame value seen in a sample, once */
    struct vf_table address_index;
    VF_VEC(struct vf_named_code) names; /* one an id: the last name wins, as for the reader */
    struct vf_table name_index;         /* by id */
    VF_VEC(struct vf_str) files;        /* of name records, once each */
    struct vf_table file_index;
    struct vf_layout layout;
    size_t early_names; /* rows of layout.names that are in the file already */

    /* Of a recording that is made of remains (recover.h). */
    struct vf_str known_info; /* capture.json, but for what is added at the end; else empty */
    uint64_t prof_left_out;   /* bytes at the end of profile.prof */
    VF_VEC(struct vf_session_part) parts;

    VF_VEC(struct vf_session_module) modules; /* at the end */
    struct vf_buf bytecode;                   /* bytecode.h; may be empty */
    struct vf_buf maps;        /* /proc/PID/maps, and of earlier ones what is there no longer */
    struct vf_maps known_maps; /* of that text */
    int64_t maps_ns;           /* when it was read */
    bool maps_stale;           /* a native function has come that is in none */
    struct vf_str exe;         /* /proc/PID/exe */
    int64_t start_realtime_ns, start_monotonic_ns, end_realtime_ns, end_monotonic_ns;
    int exit_code, exit_signal;
    bool children;
    struct vf_arena arena;
};

/* True where instruction addresses are of use: with PyPy's JIT log, and with native frames. */
static inline bool vf_session_wants_pcs(const struct vf_session *session)
{
    return session->options->pc &&
           (session->native ||
            (session->options->jitlog && !vf_str_eq(session->implementation, VF_STR("cpython"))));
}

/* packets.c: takes one packet of the channel. */
void vf_session_packet(struct vf_session *session, const struct vf_packet *packet);
/* Writes what is buffered into the temporary files; where these are full, PyPy's logs are given up
 * for it. */
void vf_session_flush(struct vf_session *session);
/* Notes what a profile that is already in a file holds: addresses, names, the trailer's time.
 * Returns how many of its bytes are whole records before the trailer; 0, with has_stream unset: it
 * is no profile, and `error` says why. */
uint64_t vf_session_scan(struct vf_session *session, struct vf_str prof, struct vf_error *error);
/* After the program is gone: names that only memory held, and a trailer where there is none. */
void vf_session_finish_stream(struct vf_session *session);

/* run.c: frees memory and descriptors. */
void vf_session_release(struct vf_session *session);

/* child.c: starts the program.  On failure nothing runs. */
enum vf_status vf_session_spawn(struct vf_session *session, const sigset_t *signals,
                                struct vf_error *error);

/* process.c: what /proc tells of the program while it lives. */
void vf_session_read_maps(struct vf_session *session);
void vf_session_see_children(struct vf_session *session);

/* Where PyPy writes its log. */
const char *vf_session_pypylog(struct vf_session *session);
/* save.c: writes the capture file to the first name of `place` that takes it; fills path, held,
 * elsewhere and why of `result`. */
enum vf_status vf_session_save(struct vf_session *session, const struct vf_place *place,
                               struct vf_record_result *result, struct vf_error *error);

#endif

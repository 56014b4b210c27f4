/* One recording while it goes on: what the parts of the recorder share. */
#ifndef VF_RECORD_SESSION_H
#define VF_RECORD_SESSION_H

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/file.h"
#include "base/table.h"
#include "capture/maps.h"
#include "capture/vmprof.h"
#include "record/counter.h"
#include "record/cpu.h"
#include "record/group.h"
#include "record/layout.h"
#include "record/machine.h"
#include "record/pc.h"
#include "record/proc.h"
#include "record/rate.h"
#include "record/record.h"
#include "record/ring.h"
#include "record/space.h"
#include "record/spool.h"
#include "record/timers.h"
#include "record/told.h"

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

struct vf_session {
    const struct vf_record_options *options;
    const struct vf_target *target;
    const struct vf_place *place; /* of the recording */
    struct vf_warnings *warnings;
    struct vf_space space;
    struct vf_ring_reader ring;
    int libraries[2]; /* where the folder lets nothing be run: descriptors for the program; -1 */
    const char *temp; /* the folder that the spool's lies in */
    struct vf_spool spool; /* its folder has the bootstrap too, and the file PYPYLOG names */
    struct vf_group group;
    pid_t pid;        /* what was started, and is waited for */
    pid_t python_pid; /* the interpreter; the same, unless a script that runs it was started; -1:
                         its number here is not known */
    struct vf_proc python;         /* held from its first word until it is gone */
    struct sigaction child_before; /* what SIGCHLD did before us */
    sigset_t mask_before;          /* the signals that were blocked before us */
    bool masked;                   /* it is known */
    bool plain;                    /* the program is run as it is: it can't be recorded */
    bool native;                   /* they are asked for, and can be had on this machine */
    bool innermost; /* inside/unwind.c is loaded: samples have native functions, and all of them */
    bool pypylog;   /* PYPYLOG is set, as it was not set already */

    /* What the program's bootstrap has told. */
    bool connected, forked;
    bool sampling; /* its handler is set */
    bool ended;    /* sampling has ended in good order */
    struct vf_str implementation, version, python_version;
    struct vf_str failure, failure_text; /* why it could not start the recording; may be empty */
    struct vf_str failure_python;        /* the interpreter, where it was let run all the same */
    struct vf_told threads;
    VF_VEC(struct vf_str) long_files;

    /* VMProf's stream, checked record by record. */
    struct vf_vmprof stream;
    bool has_stream, has_trailer;
    int64_t trailer_us;
    uint64_t samples, damaged_bytes;
    struct vf_ring_note note; /* of the sample that is taken in */
    int64_t last_ns;          /* stamps never go back, */
    int64_t now_ns;           /* nor lie behind the present, which this is or was */
    struct vf_buf partial;    /* the beginning of a record */
    struct vf_buf log_text;   /* of an entry of the runtime's log */
    uint64_t damaged_log_bytes;
    struct vf_cpu cpu;
    struct vf_buf cpu_rows; /* not yet in the spool */
    int64_t memory_ns;      /* when it was read last */
    struct vf_timers timers;
    struct vf_rate rate;
    struct vf_pc pc; /* with --pc-thread */
    struct vf_buf pc_rows;
    struct vf_counter_pairs pairs;
    bool flushed;               /* samples have been written */
    bool told;                  /* something new is to go into session.json */
    int64_t info_ns;            /* when that was written last; 0: it must be written */
    size_t info_bytes;          /* and how much that was */
    VF_VEC(uint64_t) addresses; /* every frame value seen in a sample, once */
    struct vf_table address_index;
    VF_VEC(struct vf_named_code) names; /* one an id: the last name wins, as for the reader */
    struct vf_table name_index;         /* by id */
    VF_VEC(struct vf_str) files;        /* of name records, once each */
    struct vf_table file_index;
    struct vf_layout layout;
    size_t early_names; /* rows of layout.names that are in the spool already */
    int64_t
        waiting_ns; /* when the first sample came that may not be in the spool's files; 0: none */
    int64_t left_out_ns; /* when the first sample came for which there was no room; 0: none did */

    /* Of a recording that is made of remains (recover.h): what capture.json has but for what is
     * added at the end; else empty. */
    struct vf_str known_info;
    VF_VEC(struct vf_session_module) modules; /* at the end */
    struct vf_buf bytecode;                   /* bytecode.h; may be empty */
    struct vf_buf maps;        /* /proc/PID/maps, and of earlier ones what is there no longer */
    struct vf_maps known_maps; /* of that text */
    int64_t maps_ns;           /* when it was read */
    bool maps_stale;           /* a native function has come that is in none */
    struct vf_str exe;         /* /proc/PID/exe */
    struct vf_machine machine; /* once it is needed */
    bool knows_machine;
    int64_t start_realtime_ns, start_monotonic_ns, end_realtime_ns, end_monotonic_ns;
    int64_t program_cpu_ns; /* that the program has used, as last seen; 0: not known */
    struct vf_str became;   /* the program that took its place; empty: none */
    int exit_code, exit_signal;
    bool children;
    struct vf_arena arena;
};

/* drain.c: takes what is in the ring, once around at most.  With `last` the program has ended. */
void vf_session_drain(struct vf_session *session, bool last);
/* Moves rows that have been read into their file. */
void vf_session_add_rows(struct vf_session *session, enum vf_spool_file file, struct vf_buf *rows);

/* records.c: takes bytes that VMProf has written: a sample with what is known of it, or others. */
void vf_session_sample(struct vf_session *session, const struct vf_ring_note *note,
                       struct vf_str bytes);
void vf_session_records(struct vf_session *session, struct vf_str bytes);
/* Puts names that memory told into the spool early, in case this process is killed; of two for one
 * id the last one holds, so those that come at the end are not disturbed. */
void vf_session_early_names(struct vf_session *session);
/* Forgets all that was taken: another interpreter begins. */
void vf_session_forget_records(struct vf_session *session);
/* Notes what a profile that is in the spool already holds: addresses, names, the trailer's time.
 * Returns how many of its bytes are whole records before the trailer; 0, with has_stream unset: it
 * is no profile, and `error` says why. */
uint64_t vf_session_scan(struct vf_session *session, struct vf_str prof, struct vf_error *error);
/* After the program is gone: names that only memory held, and a trailer where there is none. */
void vf_session_finish_stream(struct vf_session *session);

/* messages.c: takes what the bootstrap or the library in the program tells. */
void vf_session_message(struct vf_session *session, struct vf_str words);
/* Reads why the bootstrap could not begin, where it could not. */
void vf_session_read_failure(struct vf_session *session);

/* run.c: frees memory and descriptors, and removes the spool's folder. */
void vf_session_release(struct vf_session *session);

/* child.c: writes what the program is to load. */
enum vf_status vf_session_prepare(struct vf_session *session, struct vf_error *error);
void vf_session_close_libraries(struct vf_session *session);
/* Starts the program.  On failure nothing runs. */
enum vf_status vf_session_spawn(struct vf_session *session, const sigset_t *signals,
                                struct vf_error *error);

/* process.c: what /proc tells of the program while it lives. */
void vf_session_read_maps(struct vf_session *session);
void vf_session_see_children(struct vf_session *session);
void vf_session_see_cpu(struct vf_session *session);
/* The interpreter is gone, or its last word is said: nothing is sent to it or asked of its number
 * any more. */
void vf_session_stop_looking(struct vf_session *session);
/* True for what was started, and what that has started. */
bool vf_session_has_started(const struct vf_session *session, pid_t pid);

/* info.c: what is known of the run, as capture.json has it; `sources` may be NULL. */
struct vf_found_sources;
void vf_session_write_info(struct vf_buf *out, struct vf_session *session,
                           const struct vf_found_sources *sources);
/* Writes what waits into the files, and what is known into session.json. */
void vf_session_flush(struct vf_session *session);

/* finish.c: when the program has ended: says what is missing and makes the recording, or says why
 * there is none. */
enum vf_status vf_session_finish(struct vf_session *session, struct vf_record_result *result,
                                 struct vf_error *error);

/* save.c: writes the capture file to the first name of `place` that takes it; fills path, held,
 * detail, elsewhere and why of `result`. */
enum vf_status vf_session_save(struct vf_session *session, const struct vf_place *place,
                               struct vf_record_result *result, struct vf_error *error);
/* What may be left out for the samples' sake, in words. */
const char *vf_session_logs_text(bool logs, bool addresses);

#endif

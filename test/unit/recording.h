/* A recording made in memory record by record, and the profile built from it, told as a user sees
 * it.
 *
 *     struct recording r;
 *     recording_begin(&r, 6, 12, "pypy");
 *     recording_name(&r, 0x10, "py:main:1:/a.py");
 *     TAKE(&r, CODE(0x10), JIT(0x10));
 *     recording_build(&r);
 *     assert_string_equal(recording_stack(&r, 0, 0), "main[JIT]");
 *     recording_release(&r); */
#ifndef VF_TEST_RECORDING_H
#define VF_TEST_RECORDING_H

#include "prof_builder.h"
#include "profile/build.h"

enum { RECORDING_OLDEST = -1 };
/* Where records 06 and 03 say that the run began and ended. */
#define RECORDING_START_S ((int64_t)1700000000)
#define RECORDING_RUN_S ((int64_t)4)
/* Where a recording_measured() one begins, on CLOCK_MONOTONIC and on the log's counter. */
#define RECORDING_ZERO_NS ((int64_t)500000000000)
#define RECORDING_ZERO_TICK ((uint64_t)1 << 40)
enum { RECORDING_TICKS_PER_MS = 2000000 };

struct recording {
    struct prof_builder file;
    struct vf_buf stamps, interrupted, memory, cpu, pairs, log;
    struct vf_capture capture;
    const char *maps_behind; /* behind the trailer, as the oldest files have them */
    bool cut;                /* no trailer */
    struct prof_sample next; /* thread, memory and time of the next TAKE() */
    struct vf_profile profile;
    const struct vf_build_options *options; /* NULL: the usual */
    struct vf_warnings warnings;
    struct vf_error error;
    enum vf_status status;
    struct vf_buf text;
};

/* A file of word 8 with a period of 1000 us.  RECORDING_OLDEST: one without a header record. */
void recording_begin(struct recording *r, int version, unsigned mode, const char *interpreter);
void recording_begin_fork(struct recording *r, unsigned mode, const char *interpreter);
void recording_begin_period(struct recording *r, int version, unsigned mode, uint64_t period_us);
void recording_name(struct recording *r, uint64_t id, const char *text);
void recording_native_name(struct recording *r, uint64_t id, const char *text);
void recording_take(struct recording *r, const struct prof_frame *frames, size_t depth);
/* A sample with one code frame, of a thread and at a time. */
void recording_take_at(struct recording *r, uint64_t thread, int64_t time_ns);
void recording_stamp(struct recording *r, int64_t monotonic_ns);
/* The thread and the instruction of the next sample. */
void recording_interrupted(struct recording *r, uint64_t tid, uint64_t ip);
/* A reading of memory, so many ms behind RECORDING_ZERO_NS. */
void recording_memory(struct recording *r, double ms, uint64_t bytes);
/* A reading of a thread's CPU time. */
void recording_cpu(struct recording *r, int64_t monotonic_ns, uint64_t tid, int64_t cpu_ns);
/* A reading of PyPy's counter. */
void recording_pair(struct recording *r, int64_t monotonic_ns, uint64_t tick, int64_t error_ns);
/* As vmfox records a run: process 77, and pairs that lie on one line, at both ends. */
void recording_measured(struct recording *r, double run_ms);
/* A stamp so many ms behind RECORDING_ZERO_NS. */
void recording_stamp_ms(struct recording *r, double ms);
/* Lines of PyPy's log, appended: "12.5 {gc-minor" and "13 gc-minor}" get the stamp of that ms of a
 * recording_measured(); all others stand as they are. */
void recording_log(struct recording *r, const char *lines);
/* What the recorder was told of a thread; number 0: it has no root frame. */
void recording_thread(struct recording *r, uint64_t number, uint64_t tid, const char *name);
/* The same of one that the kernel's id was given to at a time. */
void recording_thread_from(struct recording *r, double ms, uint64_t tid, const char *name);
void recording_source(struct recording *r, const char *path, const char *real_path,
                      struct vf_str text);
void recording_module(struct recording *r, const char *path, const char *build_id);
/* Ends the file and builds the profile, which must come about. */
void recording_build(struct recording *r);
void recording_release(struct recording *r);

/* Frames root first: "main > hot[JIT] > inner[JIT/Inlined] > memcpy[Native]", with ":12" behind the
 * name where a line is known, and behind a trace's the number of its row; "" for no stack.  Good
 * until the next call. */
const char *recording_stack(struct recording *r, size_t thread, size_t sample);
const char *recording_render(struct recording *r, vf_stack_id stack);
/* "MinorCollection 10..12 survivors=4096 pinned=0", times in ms; "" behind the last one. */
const char *recording_marker(struct recording *r, size_t thread, size_t marker);
/* "10=4096 12.5=0": times in ms and levels; NULL: there is no counter of that name. */
const char *recording_counter(struct recording *r, const char *name);
/* The value of a line of Profile Info; NULL: there is none. */
const char *recording_fact(const struct recording *r, const char *label);
/* Fails unless that line holds `part`; NULL: unless there is no such line. */
void assert_fact(const struct recording *r, const char *label, const char *part);
const char *recording_string(const struct recording *r, vf_string_id id);

#define CODE(id)                                                                                   \
    {                                                                                              \
        1, (id), 0                                                                                 \
    }
#define JIT(id)                                                                                    \
    {                                                                                              \
        3, (id), 0                                                                                 \
    }
#define ASM                                                                                        \
    {                                                                                              \
        6, 0x7f0011223340, 0                                                                       \
    }
#define NATIVE(address)                                                                            \
    {                                                                                              \
        7, (address) | 1, 0                                                                        \
    }
#define KIND(kind)                                                                                 \
    {                                                                                              \
        (kind), 0x1234, 0                                                                          \
    }
#define AT_LINE(id, line)                                                                          \
    {                                                                                              \
        1, (id), (line)                                                                            \
    }
#define TAKE(r, ...)                                                                               \
    recording_take((r), (const struct prof_frame[]){__VA_ARGS__},                                  \
                   sizeof((const struct prof_frame[]){__VA_ARGS__}) / sizeof(struct prof_frame))

#endif

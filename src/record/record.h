/* The recorder: runs a Python program under VMProf and writes its capture (.vmfox).
 *
 * The program gets the standard streams, arguments, environment, folder and exit code it would have
 * without vmfox; what happens inside its interpreter is in record/bootstrap.  Signals sent to vmfox
 * are passed on.  Whatever way the program ends, what it did until then is in the capture. */
#ifndef VF_RECORD_RECORD_H
#define VF_RECORD_RECORD_H

#include "record/place.h"
#include "record/target.h"
#include "symbols/pack.h"

#include <signal.h>

/* How much of PyPy's JIT log is kept. */
enum vf_jitlog_detail {
    VF_JITLOG_NONE,
    VF_JITLOG_AUTO, /* operations are left out where writing them costs much */
    VF_JITLOG_FULL,
};

struct vf_record_options {
    double period_s;
    double budget; /* part of the program's CPU time that recording may take; 0: any */
    bool real_time, native, memory;
    bool lines;                   /* on CPython */
    enum vf_jitlog_detail jitlog; /* on PyPy */
    bool pypylog;                 /* likewise */
    bool pc;                      /* samples have the interrupted instruction */
    bool pc_thread;               /* a second sampling of instructions alone (record/pc.h) */
    bool code; /* machine code of the native functions that were seen goes into the capture */
    vf_pack_targets *targets;           /* where that calls; NULL: nobody knows */
    const struct vf_debug_files *debug; /* where native names come from; NULL: this machine's */
    char *const *environment;           /* the program's, ends with NULL */
    /* Called with a line that can't wait until the program has ended; NULL: nobody is told. */
    void (*tell)(const char *text);
};

/* How much of what was recorded is in a recording; less than all where there was no room for it. */
enum vf_detail {
    VF_DETAIL_NONE,  /* there is no recording */
    VF_DETAIL_SHORT, /* not all samples */
    VF_DETAIL_PARTS, /* all samples; no logs, or neither these nor sources and native names */
    VF_DETAIL_ALL,
};

struct vf_record_result {
    int exit_code;   /* as a shell would give it: 128 + signal when it was killed */
    int exit_signal; /* 0: it exited by itself */
    bool started;    /* the program ran; else `error` of vf_record_run() says why not */
    char *path;      /* where the capture is, to be freed; NULL: there is none */
    bool elsewhere;  /* not at the place that was asked for; `why` says why */
    struct vf_error why;
    int held; /* the capture, open and locked (flock); to be closed; -1: none */
    enum vf_detail detail;
    /* Where not all is in the capture: the recorder's folder, kept for `vmfox recover`, to be
     * freed; NULL: there is none. */
    char *remains;
    bool remains_part;        /* nor is all in that folder */
    int64_t remains_until_ns; /* since the start: from then on something is missing; 0: not known */
    bool masked;              /* signals wait, see vf_record_let_signals_in() */
    sigset_t mask_before;     /* those that were blocked before */
};

/* Runs the program and writes its capture to `place`, or to the first of its other names that takes
 * it.  VF_FATAL with result->started false: the program was not run, nothing was written.  VF_FATAL
 * with started true: it ran and has ended, but there is no capture.  VF_WARN: there is one, with
 * something missing. */
enum vf_status vf_record_run(const struct vf_target *target,
                             const struct vf_record_options *options, const struct vf_place *place,
                             struct vf_record_result *result, struct vf_warnings *warnings,
                             struct vf_error *error);
/* Signals that end vmfox wait from the program's start until this: to be called when it was said
 * where the capture is.  A Ctrl-C has only ended the search for debug info; the others do now what
 * they do. */
void vf_record_let_signals_in(struct vf_record_result *result);

/* For where there is no memory (vf_set_oom_handler()) and this process must end: the folder with
 * what has been recorded, of which `vmfox recover` makes a recording, or NULL where no program runs
 * or ran.  Asks for no memory. */
const char *vf_record_folder(void);
/* Waits until the program has ended; its exit code as in vf_record_result, 1 where that is 0. */
int vf_record_wait(void);

#endif

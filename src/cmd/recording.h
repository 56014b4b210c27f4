/* The options of run and record, and the recording itself. */
#ifndef VF_CMD_RECORDING_H
#define VF_CMD_RECORDING_H

#include "cmd/common.h"
#include "record/record.h"

#define VF_RECORD_OPTIONS                                                                          \
    {"python", 0, "PROGRAM",                                                                       \
     "the interpreter, where the command names none (default:\n"                                   \
     "                               $VMFOX_PYTHON, pypy3, python3)"},                             \
        {"period", 'p', "SECONDS",                                                                 \
         "time between samples (default 0.00397 of CPU time; with\n"                               \
         "                               --real-time 0.00099)"},                                   \
        {"real-time", 'r', NULL, "sample by wall time: sleeping and waiting show as well"},        \
        {"no-native", 0, NULL, "no frames of C functions"},                                        \
        {"no-lines", 0, NULL, "CPython: no line numbers"},                                         \
        {"no-memory", 0, NULL, "no memory counter"},                                               \
        {"jitlog", 0, "=MODE",                                                                     \
         "PyPy: keep the JIT's log: auto (operations as far as that\n"                             \
         "                               costs little; the default), full (also without\n"         \
         "                               =MODE), none"},                                           \
        {"no-jitlog", 0, NULL, "PyPy: keep no JIT log"},                                           \
        {"pypylog", 0, NULL, "PyPy: keep the runtime's log (the default)"},                        \
        {"no-pypylog", 0, NULL, "PyPy: keep no log of the runtime"},                               \
        {"budget", 0, "PERCENT",                                                                   \
         "hold the recording below this part of the program's CPU\n"                               \
         "                               time: fewer samples, less of the JIT's log (but\n"        \
         "                               of --jitlog=full)"},                                      \
        {"no-pc", 0, NULL, "samples without the interrupted instruction"},                         \
        {"pc-thread", 0, NULL, "sample instructions a second time, as a thread of their own"},     \
        VF_DEBUG_OPTIONS,                                                                          \
    {                                                                                              \
        "quiet", 'q', NULL, "print errors only, show no progress"                                  \
    }

struct vf_recording {
    struct vf_target target;
    struct vf_record_options options;
    struct vf_debug debug;
    char **environment; /* the program's */
    bool quiet;
};

/* Takes the options and the program's command line apart.  VF_EXIT_OK, or a code after a message:
 * nothing has been run. */
int vf_recording_init(struct vf_recording *recording, const struct vf_args *args);
/* The program's name with `ending` behind it; to be freed. */
char *vf_recording_default_name(const struct vf_recording *recording, const char *ending);
/* Holds the place at `path` for the recording, or for what `run` makes of it, which is written when
 * the program has ended; vf_place_close() must follow.  False: it can't be written, which was said.
 * A recording goes into a regular file alone. */
bool vf_recording_place(struct vf_place *place, const char *path);
bool vf_recording_output_place(struct vf_place *place, const char *path);
/* Runs the program; the capture goes to `place`, or where else it can be kept, which is said.
 * Returns the exit code for the command.  `result` tells where the capture is; to be released. */
int vf_recording_run(struct vf_recording *recording, struct vf_place *place,
                     struct vf_record_result *result);
void vf_recording_result_release(struct vf_record_result *result);
/* Says why the capture is not where it was to be, where it is, and how to go on. */
void vf_say_elsewhere(const struct vf_place *place, const struct vf_record_result *result);
/* "vmfox: WHAT; go on with: vmfox view PATH" */
void vf_say_go_on(const char *what, const char *path);
/* "vmfox: WHAT; make room and go on with: vmfox recover FOLDER" */
void vf_say_remains(const char *what, const char *folder);
/* Frees what vf_recording_init() made, also after it failed. */
void vf_recording_release(struct vf_recording *recording);

#endif

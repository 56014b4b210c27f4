/* Where debug files come from, as the user says: --debug-dir, $DEBUGINFOD_URLS, --no-debuginfod. */
#ifndef VF_CMD_DEBUG_H
#define VF_CMD_DEBUG_H

#include "cmd/options.h"
#include "symbols/debuginfod.h"
#include "symbols/library.h"

/* Rows for the option tables of commands that name native functions. */
#define VF_DEBUG_OPTIONS                                                                           \
    {"debug-dir", 0, "DIR", "look for debug files there too, by build id and by name"},            \
    {                                                                                              \
        "no-debuginfod", 0, NULL, "ask none of the servers in $DEBUGINFOD_URLS"                    \
    }

struct vf_debug {
    struct vf_debug_files files;
    struct vf_debuginfod client;
    char *folder;     /* NULL: none */
    char *urls;       /* NULL: nobody is asked */
    unsigned limit_s; /* for all requests together */
    bool opened, quiet;
    struct vf_debug_shared *shared; /* NULL: nobody is asked */
};

/* What also holds for the processes that are forked to look names up. */
struct vf_debug_shared {
    bool refused;    /* nobody is asked any more */
    int64_t left_ms; /* of limit_s */
};

/* Takes $DEBUGINFOD_URLS out of this process's environment, so that elfutils asks nobody of its own
 * accord, without a limit or a word; what is to be handed on to a program must be copied before.
 * `debug` must stay where it is.  False: wrong usage, said; release in either case. */
bool vf_debug_init(struct vf_debug *debug, const struct vf_args *args);
void vf_debug_release(struct vf_debug *debug);

#endif

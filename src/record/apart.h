/* A piece of work in a process of its own: libraries that may end the process (libdw where memory
 * is short), or that damaged files may bring down, can't take a recording along there. */
#ifndef VF_RECORD_APART_H
#define VF_RECORD_APART_H

#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

struct vf_apart_limits {
    unsigned cpu_s, wall_s; /* seconds that it may take */
    uint64_t bytes;         /* that its result may have */
};

/* In a process that was just forked from `parent`: it ends when that does, and at once where that
 * has ended meanwhile. */
void vf_apart_end_with(pid_t parent);

/* Calls `work` in a forked process and appends what it leaves in `result` to `out`; nothing else
 * comes back.  Blocked signals that wait for this process are handed on to it.  VF_FATAL: it did
 * not come to its end, and `error` says why, without saying what it was.  For a process with one
 * thread. */
enum vf_status vf_apart(void (*work)(void *context, struct vf_buf *result), void *context,
                        const struct vf_apart_limits *limits, struct vf_buf *out,
                        struct vf_error *error);

#endif

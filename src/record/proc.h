/* /proc/PID of the program, held open.
 *
 * A process that has ended leaves its number to whoever comes next.  What is asked through the
 * folder that was opened while it lived is asked of that one process, and fails when it is gone. */
#ifndef VF_RECORD_PROC_H
#define VF_RECORD_PROC_H

#include "base/buf.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/types.h>

struct vf_proc {
    pid_t pid; /* 0: nothing is held */
    int folder;
    DIR *tasks; /* its threads; NULL: they can't be listed */
};

static inline bool vf_proc_is_held(const struct vf_proc *proc)
{
    return proc->pid > 0;
}

/* Holds the process in place of the one before; nothing where it is not there. */
void vf_proc_open(struct vf_proc *proc, pid_t pid);
void vf_proc_close(struct vf_proc *proc);

/* A zombie is still there. */
bool vf_proc_is_there(const struct vf_proc *proc);
bool vf_proc_has_thread(const struct vf_proc *proc, pid_t tid);
/* Begins a listing of the threads; false: there is none. */
bool vf_proc_list(struct vf_proc *proc);
/* The next thread; 0: that was the last. */
pid_t vf_proc_next(struct vf_proc *proc);

/* A descriptor for reading one of its files, "maps" or "task/TID/schedstat"; -1: there is none. */
int vf_proc_file(const struct vf_proc *proc, const char *name);
/* Reads one as a whole in place of what is in `out`; empty where that can't be done. */
void vf_proc_read(const struct vf_proc *proc, const char *name, struct vf_buf *out);
/* Field `number` (from 3, behind the command's closing bracket) of its stat, see proc(5); 0: not
 * known. */
uint64_t vf_proc_stat(const struct vf_proc *proc, int number);
/* Its CPU time in ns, which a zombie still has; false: not known. */
bool vf_proc_cpu_ns(const struct vf_proc *proc, int64_t *out_ns);

#endif

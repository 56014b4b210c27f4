/* Which frames are not the program's: told by their names. */
#ifndef VF_PROFILE_ROLES_H
#define VF_PROFILE_ROLES_H

#include "capture/vmprof.h"

/* Where the bootstrap's own code says it comes from, and how its functions are called that stand
 * below the program or at the root of a thread: see record/bootstrap. */
#define VF_BOOTSTRAP_FILE "<sitecustomize>"
#define VF_BOOTSTRAP_FILE_BEFORE "<vmfox>"         /* in recordings with thread roots */
#define VF_BOOTSTRAP_LEFT "<sitecustomize thread>" /* what stays in a program under PyPy */
#define VF_BOOTSTRAP_MAIN "vmfox_main"
#define VF_THREAD_ROOT "vmfox_thread_"

enum vf_role {
    VF_ROLE_FRAME,        /* the program's */
    VF_ROLE_MAIN,         /* the recorder's own launcher: the program begins behind it */
    VF_ROLE_LAUNCHER,     /* starts the program: PyPy's app_main, site, runpy, VMProf's main */
    VF_ROLE_IMPORT,       /* the import machinery; the program's, once it runs */
    VF_ROLE_OUTSIDE,      /* a launcher being imported, with all that it imports in turn */
    VF_ROLE_BOOTSTRAP,    /* the recorder's own work */
    VF_ROLE_THREAD,       /* a thread's root */
    VF_ROLE_SAMPLER,      /* in a stack only because it was recorded: native, or left in PyPy */
    VF_ROLE_TRACE_BEGINS, /* what follows is in compiled code (oldest PyPy files) */
    VF_ROLE_TRACE_ENDS,
};

static inline bool vf_role_is_bootstrap_file(struct vf_str file)
{
    return vf_str_eq(file, VF_STR(VF_BOOTSTRAP_FILE)) ||
           vf_str_eq(file, VF_STR(VF_BOOTSTRAP_FILE_BEFORE)) ||
           vf_str_eq(file, VF_STR(VF_BOOTSTRAP_LEFT));
}

/* The role of a Python function; VF_ROLE_THREAD also gives the thread's number. */
enum vf_role vf_role_find(const struct vf_code_name *name, uint64_t *thread);

#endif

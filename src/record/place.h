/* Where a recording goes when the program has ended, an hour or a day after it was started.
 *
 * The folder of the output is held open from the start: renamed meanwhile, it still gets its file;
 * removed and made anew, the new one gets it.  Where neither takes it, there are other names:
 * beside the output, then in the spare folders, the first that does.  What is written has no name
 * until it is whole (O_TMPFILE where the file system has it), or one that is watched
 * (vf_new_file_watch_in()), so an end in the middle leaves nothing. */
#ifndef VF_RECORD_PLACE_H
#define VF_RECORD_PLACE_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>

enum { VF_PLACE_WAITED_FROM = 1 << 20 };

struct vf_place {
    char *path;        /* as it was asked for; behind a link, the file that it leads to */
    char *name;        /* the last part of it */
    char *folder_path; /* the parts before */
    int folder;        /* held (O_PATH) */
    bool is_private;   /* the file is for the user alone, 0600, and replaces none of that name
                          but gets one like it; else as umask says */
    bool must_last;    /* it is on the disk before it has its name, whatever that costs */
    bool only_random;  /* not that very name, but one like it that nobody has */
    bool is_passing;   /* it is needed for a while only: until vf_new_file_watch(NULL) it is removed
                          when vmfox is ended */
    bool named_drafts; /* as where O_TMPFILE is unknown; for tests */
    const char *const *spare; /* folders, ends with NULL; NULL: none */
};

/* A file that is being written: to `fd`, from its start. */
struct vf_draft {
    int fd;
    int folder;     /* where it will be; borrowed from the place, or owned */
    bool owns;      /* `folder` */
    char temp[300]; /* its name until then; empty: it has none */
};

/* Holds the folder of `path`.  Fails where no file can be made or replaced there; nothing is
 * changed.  To be closed in either case; `spare` may be set afterwards and is borrowed. */
enum vf_status vf_place_open(struct vf_place *place, const char *path, struct vf_error *error);
/* Holds a folder that is open already, which becomes the place's own; `path` is what it is called.
 */
void vf_place_in(struct vf_place *place, int folder, const char *path, const char *name);
void vf_place_close(struct vf_place *place);

/* The path that leads to the place now, to be freed: another one where its folder was renamed. */
char *vf_place_now(const struct vf_place *place);

/* How many names there are to try: 0 is the one that was asked for. */
size_t vf_place_count(const struct vf_place *place);
/* True where name `which` is the one that was asked for, though its folder may be another by now.
 */
bool vf_place_is_wanted(size_t which);
/* Makes a draft for name `which`.  VF_FATAL: that one can't take it; errno says why. */
enum vf_status vf_place_begin(const struct vf_place *place, size_t which, struct vf_draft *draft,
                              struct vf_error *error);
/* Gives the draft its name, on file systems in the network, and where it has VF_PLACE_WAITED_FROM
 * bytes or more, when it is on the disk; *path (to be freed) is then where it lies, as the user
 * would write it, or where the folder is now.  The draft still holds the file open, locked (flock),
 * until it is dropped.  VF_FATAL: it is gone; errno says why. */
enum vf_status vf_place_finish(const struct vf_place *place, size_t which, struct vf_draft *draft,
                               char **path, struct vf_error *error);
/* Gives it up, or after vf_place_finish() closes it. */
void vf_place_drop(struct vf_draft *draft);

#endif

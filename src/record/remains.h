/* What is left of a recorder that was killed: its temporary folder.
 *
 * A recorder holds a lock (flock) on its folder and on the file `lock` in it as long as it lives;
 * where both can be had, it is gone.  Process ids play no part, for they are used again. */
#ifndef VF_RECORD_REMAINS_H
#define VF_RECORD_REMAINS_H

#include "base/error.h"
#include "base/mem.h"

struct vf_remains {
    char *path;
    int folder, lock; /* open and locked by us; `lock` may be -1 */
    uint64_t bytes;   /* of the files in it */
    int64_t modified_ns;
};

/* Opens a folder of that kind and takes its locks.  Fails where it is no folder of a recorder, a
 * link, another user's, or open to others, and where its recorder lives: what a killed one has
 * started may hold its locks a moment longer, and is waited for.  To be closed in either case. */
enum vf_status vf_remains_open(struct vf_remains *remains, const char *path,
                               struct vf_error *error);
/* The same for one that is only read: any number may, and as long as one has it open it can't be
 * removed. */
enum vf_status vf_remains_open_to_read(struct vf_remains *remains, const char *path,
                                       struct vf_error *error);
/* vf_folder_remove(). */
bool vf_remains_remove(const struct vf_remains *remains);
void vf_remains_close(struct vf_remains *remains);

struct vf_remains_list {
    VF_VEC(struct vf_remains) v; /* oldest first */
};
/* All that can be opened in these folders (ends with NULL; one may be named twice). */
void vf_remains_find(struct vf_remains_list *list, const char *const *folders);
void vf_remains_list_release(struct vf_remains_list *list);

#endif

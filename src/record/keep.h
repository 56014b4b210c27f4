/* The recordings that are kept for the user: the last ones of `vmfox run`, in
 * CACHE/vmfox/recordings.
 *
 * They hold sources and command lines, so the folders are for the user alone (0700) and so are the
 * files (0600); a folder that is a link, another user's, or open to others for writing is refused.
 * Who writes or shows a recording holds a shared lock on it (flock), and what is locked is
 * not removed. */
#ifndef VF_RECORD_KEEP_H
#define VF_RECORD_KEEP_H

#include "base/error.h"
#include "base/mem.h"

enum { VF_KEEP_COUNT = 10 };
#define VF_KEEP_BYTES ((uint64_t)2 << 30)

struct vf_keep {
    int folder;  /* open; -1: there is none */
    char *path;  /* its name */
    bool is_new; /* nobody has been told of it yet */
};

/* Opens the folder of recordings below the user's cache folder.  With `make` it is made where it is
 * missing.  VF_WARN: it is not there.  VF_FATAL: it can't be, or must not be used.  To be closed in
 * any case. */
enum vf_status vf_keep_open(struct vf_keep *keep, const char *cache, bool make,
                            struct vf_error *error);
void vf_keep_close(struct vf_keep *keep);
/* The user has been told. */
void vf_keep_told(struct vf_keep *keep);

/* A name for a recording of the program that is made now; to be freed.  Another process may come by
 * the same one (place.h). */
char *vf_keep_name(struct vf_str program, int64_t realtime_ns);

struct vf_kept {
    char *name; /* in the folder */
    uint64_t bytes;
    int64_t modified_ns;
    bool is_draft; /* left by one who was stopped while writing it */
};

struct vf_kept_list {
    VF_VEC(struct vf_kept) v; /* newest first */
};

void vf_keep_list(const struct vf_keep *keep, struct vf_kept_list *list);
void vf_kept_list_release(struct vf_kept_list *list);

enum vf_kept_fate {
    VF_KEPT_REMOVED,
    VF_KEPT_IN_USE, /* somebody holds it, so it stays */
    VF_KEPT_GONE,   /* somebody else has removed it, or given it another name */
    VF_KEPT_STAYS,  /* it can't be removed, `error` says why */
};
/* Removes one. */
enum vf_kept_fate vf_keep_remove(const struct vf_keep *keep, const char *name,
                                 struct vf_error *error);
/* What that would come to; it stays. */
enum vf_kept_fate vf_keep_look(const struct vf_keep *keep, const char *name,
                               struct vf_error *error);
/* Removes the oldest until no more than VF_KEEP_COUNT are there, of VF_KEEP_BYTES together; the
 * newest stays however large it is, and so does what is in use.  VF_FATAL: one can't be removed. */
enum vf_status vf_keep_trim(const struct vf_keep *keep, struct vf_error *error);
/* Path of the newest, to be freed; NULL: there is none. */
char *vf_keep_last(const struct vf_keep *keep);

#endif

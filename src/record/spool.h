/* A recording's files while it goes on.
 *
 * They lie in a folder of their own under the names that they will have in the recording
 * (docs/formats/vmfox.md), so that a recorder that is killed leaves behind what `vmfox recover`
 * reads.  What is added waits in memory and goes into its file with vf_spool_flush().  The files
 * are held open, so that they are not lost when somebody empties the temporary folder; where there
 * may be few descriptors (ulimit -n) each is opened and closed instead.  The folder is the user's
 * alone (0700), the files are 0600.
 *
 * Where there is no descriptor just now, what is added waits for the next flush, as long as it is
 * no more than VF_SPOOL_IN_MEMORY.  When there is no room for a file, the logs (PyPy's two, and the
 * instruction addresses of
 * --pc-thread) are given up for the samples; when that does not help, nothing more is written: what
 * is there stays, and what comes then is kept in memory as the end of each file, up to
 * VF_SPOOL_IN_MEMORY. */
#ifndef VF_RECORD_SPOOL_H
#define VF_RECORD_SPOOL_H

#include "base/file.h"

#include <stdbool.h>

enum vf_spool_file {
    VF_SPOOL_PROF,
    VF_SPOOL_STAMPS,
    VF_SPOOL_INTERRUPTED,
    VF_SPOOL_CPU,
    VF_SPOOL_MEMORY,
    VF_SPOOL_PC,
    VF_SPOOL_JITLOG,
    VF_SPOOL_PYPYLOG,
    VF_SPOOL_FILES,
};

enum { VF_SPOOL_PAIRS = 8 };
#define VF_SPOOL_IN_MEMORY ((uint64_t)32 << 20)
#define VF_SPOOL_TOUCH_NS INT64_C(60000000000) /* so often its files get the time of the day */

struct vf_spool {
    char *folder;      /* NULL: none */
    bool keeps_folder; /* for `vmfox recover` */
    int folder_fd, lock_fd;
    int held[VF_SPOOL_FILES]; /* descriptors + 1 of the files, where there may be so many; else 0 */
    struct vf_buf waiting[VF_SPOOL_FILES];
    uint64_t written[VF_SPOOL_FILES]; /* bytes in the file */
    uint64_t waiting_bytes;           /* of all */
    int64_t touched_ns;
    const char *pairs[VF_SPOOL_PAIRS]; /* small files that have both their names */
    size_t pair_count;
    bool logs_given_up;
    bool torn;             /* a file has half of a row at its end: nothing can go behind it */
    enum vf_status status; /* VF_FATAL: no more is written */
    struct vf_error error; /* why not, or why the logs were given up */
};

/* Makes the folder in `place`, with the file `lock`; both are locked as long as this process lives
 * (record/remains.h). */
enum vf_status vf_spool_open(struct vf_spool *spool, const char *place, struct vf_error *error);
/* Removes the folder with all that is in it (vf_folder_remove()), unless that is to be kept. */
void vf_spool_close(struct vf_spool *spool);

/* The member's name. */
const char *vf_spool_name(enum vf_spool_file file);
void vf_spool_add(struct vf_spool *spool, enum vf_spool_file file, const void *bytes, size_t len);
/* True where there is no room any more for what is added, neither in the files nor in memory. */
static inline bool vf_spool_is_full(const struct vf_spool *spool)
{
    return spool->status != VF_OK && spool->waiting_bytes > VF_SPOOL_IN_MEMORY;
}
/* As vf_spool_add(), also where it is full. */
void vf_spool_keep(struct vf_spool *spool, enum vf_spool_file file, const void *bytes, size_t len);
/* Empties the file, and what waits for it. */
void vf_spool_forget(struct vf_spool *spool, enum vf_spool_file file);
/* Writes what waits; spool->status says whether that was possible. */
void vf_spool_flush(struct vf_spool *spool);
/* The same once more where there was no room before.  True: all that there is lies in the files. */
bool vf_spool_flush_again(struct vf_spool *spool);
/* Bytes of a file and of what waits for it. */
uint64_t vf_spool_size(const struct vf_spool *spool, enum vf_spool_file file);
/* A descriptor for reading a file from its start, flushed; what can't be written still waits.  -1:
 * there is none. */
int vf_spool_read(struct vf_spool *spool, enum vf_spool_file file);

/* The same, mapped; false: there is none. */
bool vf_spool_map(struct vf_spool *spool, enum vf_spool_file file, struct vf_bytes *out);

/* Puts a small file in place of the one of that name, at once or not at all.  False: there was no
 * room, or the file was removed.  `name` is to stay. */
bool vf_spool_put(struct vf_spool *spool, const char *name, struct vf_str bytes);
/* What a file of that name holds, at most `limit` bytes; empty: there is none. */
void vf_spool_get(const struct vf_spool *spool, const char *name, size_t limit, struct vf_buf *out);

#endif

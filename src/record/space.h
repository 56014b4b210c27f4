/* Room on disk, watched while a program is recorded.
 *
 * The recording grows in the temporary folder, and when the program has ended about as much again
 * is written to the output.  Where either will soon have too little, the user is told once, while
 * something can be done about it. */
#ifndef VF_RECORD_SPACE_H
#define VF_RECORD_SPACE_H

#include "base/error.h"

struct vf_space_folder {
    int fd; /* of the folder, or of a file in it */
    const char *path;
    uint64_t bytes_free, device;
};

struct vf_space {
    int64_t start_ns, looked_ns; /* 0: not yet */
    bool told;
};

#define VF_SPACE_EVERY_NS INT64_C(2000000000) /* between two looks */
enum {
    VF_SPACE_AHEAD_S = 60,    /* what will be full within that time is told of */
    VF_SPACE_LEAST = 1 << 20, /* bytes; less is told of in any case */
};

/* The folder that soon has too little room for a recording that had `bytes` after `seconds`, and in
 * how many seconds that will be at this rate; NULL: there is enough.  Where both are on one file
 * system it must hold both. */
const struct vf_space_folder *vf_space_short(const struct vf_space_folder *temp,
                                             const struct vf_space_folder *output, uint64_t bytes,
                                             double seconds, uint64_t *seconds_left);

/* The first of the folders (ends with NULL) in which a recording can be begun; the first of all
 * where none is such. */
const char *vf_space_pick(const char *const *folders);

/* True when it is time for a look. */
bool vf_space_is_due(const struct vf_space *space, int64_t now_ns);
/* Looks; true, once, where `text` is to be said.  `bytes` is how much has been recorded.  Fills
 * bytes_free and device of the folders. */
bool vf_space_look(struct vf_space *space, struct vf_space_folder *temp,
                   struct vf_space_folder *output, uint64_t bytes, int64_t now_ns, char *text,
                   size_t size);

#endif

/* The checksums of members that are read where they lie: computed on a thread of its own, beside
 * what is made of the bytes meanwhile. */
#ifndef VF_CAPTURE_ZIP_CHECK_H
#define VF_CAPTURE_ZIP_CHECK_H

#include "base/error.h"
#include "base/mem.h"

#include <pthread.h>

struct vf_zip_checked {
    struct vf_str name, bytes;
    uint32_t crc; /* what it should be */
    bool damaged;
};

struct vf_zip_check {
    VF_VEC(struct vf_zip_checked) members;
    pthread_t thread;
    bool running;
};

/* Adds a member; before the start.  `name` and `bytes` must stay. */
void vf_zip_check_add(struct vf_zip_check *check, struct vf_str name, struct vf_str bytes,
                      uint32_t crc);
void vf_zip_check_start(struct vf_zip_check *check);
/* Waits for the end, and warns of each member that is not what was packed; `warnings` may be NULL.
 * May be called more than once. */
void vf_zip_check_finish(struct vf_zip_check *check, struct vf_warnings *warnings);

#endif

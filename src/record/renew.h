/* A zip with some members exchanged; the others are copied as they are packed. */
#ifndef VF_RECORD_RENEW_H
#define VF_RECORD_RENEW_H

#include "base/error.h"
#include "base/str.h"

struct vf_new_member {
    const char *name;
    struct vf_str bytes; /* empty: there is to be none */
};

/* Writes the zip `old` to `path` with these members, in place of those of their names.  Nobody sees
 * half of it, and a file that is there stays where it fails. */
enum vf_status vf_zip_renew(const char *path, struct vf_str old,
                            const struct vf_new_member *members, size_t count,
                            struct vf_error *error);

#endif

/* Writes zip files with libzip. */
#ifndef VF_TEST_ZIP_BUILDER_H
#define VF_TEST_ZIP_BUILDER_H

#include "base/str.h"

struct zip_part {
    const char *name;
    struct vf_str bytes;
    bool stored; /* not compressed */
};

/* False where libzip says no. */
bool zip_write_file(const char *path, const struct zip_part *parts, size_t count);

#endif

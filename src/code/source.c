#include "code/source.h"

#include "capture/source_name.h"

#include <stdio.h>

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    if (length == 1)
        return true; /* "/" */
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

static bool is_source(struct vf_str path)
{
    return vf_source_is_python(path) || vf_source_is_native(path);
}

bool vf_source_read(struct vf_str path, const char *folder, struct vf_bytes *out)
{
    char *root = realpath(folder, NULL), *real = NULL;
    bool good = false;
    if (root && path.len && !memchr(path.ptr, 0, path.len) && is_source(path)) {
        size_t size = strlen(root) + path.len + 2;
        char *place = vf_alloc(size, 1);
        if (path.ptr[0] == '/')
            snprintf(place, size, "%.*s", VF_STR_ARG(path));
        else
            snprintf(place, size, "%s/%.*s", root, VF_STR_ARG(path));
        real = realpath(place, NULL);
        free(place);
    }
    if (real && is_below(real, root) && is_source(vf_str_from(real)))
        good = vf_bytes_read(real, VF_SOURCE_MAX, out, NULL) == VF_OK;
    free(real);
    free(root);
    return good;
}

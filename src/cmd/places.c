#include "cmd/places.h"

#include "base/file.h"

#include <stdio.h>

const char *const *vf_spare_folders(void)
{
    static const char *folders[4];
    const char *home = getenv("HOME");
    folders[0] = vf_temp_folder();
    folders[1] = "/var/tmp";
    folders[2] = home && *home == '/' ? home : NULL;
    return folders;
}

const char *const *vf_recorder_folders(void)
{
    static const char *folders[5];
    const char *home = getenv("HOME");
    folders[0] = vf_temp_folder();
    folders[1] = "/tmp";
    folders[2] = "/var/tmp";
    folders[3] = home && *home == '/' ? home : NULL;
    return folders;
}

enum vf_status vf_keep_open_own(struct vf_keep *keep, bool make, struct vf_error *error)
{
    char made[4096];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    *keep = (struct vf_keep){.folder = -1};
    if (cache && *cache == '/')
        return vf_keep_open(keep, cache, make, error);
    if (!home || *home != '/')
        return vf_fail(error, "neither $XDG_CACHE_HOME nor $HOME names a folder");
    snprintf(made, sizeof made, "%s/.cache", home);
    return vf_keep_open(keep, made, make, error);
}

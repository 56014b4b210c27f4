#include "record/space.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static bool read_folder(struct vf_space_folder *folder)
{
    struct statvfs fs;
    struct stat st;
    if (folder->fd < 0 || fstatvfs(folder->fd, &fs) != 0 || fstat(folder->fd, &st) != 0)
        return false;
    folder->bytes_free = (uint64_t)fs.f_bavail * fs.f_frsize;
    folder->device = st.st_dev;
    return true;
}

/* Seconds until `have` is used up by `once` and `a_second`. */
static uint64_t seconds_until(uint64_t have, uint64_t once, double a_second)
{
    if (have <= once)
        return 0;
    double seconds = (double)(have - once) / (a_second > 0 ? a_second : 1e-9);
    return seconds < 1e9 ? (uint64_t)seconds : UINT64_MAX;
}

const struct vf_space_folder *vf_space_short(const struct vf_space_folder *temp,
                                             const struct vf_space_folder *output, uint64_t bytes,
                                             double seconds, uint64_t *seconds_left)
{
    bool one = temp->device == output->device;
    double rate = seconds > 0 ? (double)bytes / seconds : 0;
    uint64_t in_temp = seconds_until(temp->bytes_free, one ? bytes : 0, one ? 2 * rate : rate);
    uint64_t in_output = one ? in_temp : seconds_until(output->bytes_free, bytes, rate);
    *seconds_left = in_temp <= in_output ? in_temp : in_output;
    if (*seconds_left <= VF_SPACE_AHEAD_S)
        return in_temp <= in_output ? temp : output;
    return temp->bytes_free < VF_SPACE_LEAST     ? temp
           : output->bytes_free < VF_SPACE_LEAST ? output
                                                 : NULL;
}

const char *vf_space_pick(const char *const *folders)
{
    for (const char *const *f = folders; *f; f++) {
        struct statvfs fs;
        if (access(*f, W_OK | X_OK) == 0 && statvfs(*f, &fs) == 0 &&
            (uint64_t)fs.f_bavail * fs.f_frsize >= VF_SPACE_LEAST)
            return *f;
    }
    return folders[0];
}

bool vf_space_is_due(const struct vf_space *space, int64_t now_ns)
{
    return !space->told && (!space->looked_ns || now_ns - space->looked_ns >= VF_SPACE_EVERY_NS);
}

bool vf_space_look(struct vf_space *space, struct vf_space_folder *temp,
                   struct vf_space_folder *output, uint64_t bytes, int64_t now_ns, char *text,
                   size_t size)
{
    uint64_t left;
    char until[64] = "";
    space->looked_ns = now_ns;
    if (!read_folder(temp) || !read_folder(output))
        return false;
    double seconds = (double)(now_ns - space->start_ns) / 1e9;
    const struct vf_space_folder *folder = vf_space_short(temp, output, bytes, seconds, &left);
    if (!folder)
        return false;
    space->told = true;
    if (left <= VF_SPACE_AHEAD_S)
        snprintf(until, sizeof until, ", at this rate enough for about %llu s",
                 (unsigned long long)left);
    snprintf(text, size, "%s has %.1f MB left%s; the recording has %.1f MB so far, and %s",
             folder->path, (double)folder->bytes_free / 1e6, until, (double)bytes / 1e6,
             folder == temp ? "logs, then samples are left out where there is no more"
                            : "goes to another folder where there is no more");
    return true;
}

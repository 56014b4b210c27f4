#include "record/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char ENDING[] = ".vmfox";
static const char README[] = "README";
static const char README_TEXT[] =
    "The last recordings of `vmfox run`: vmfox view --last shows the newest.  They hold sources "
    "and\n"
    "command lines.  vmfox run --no-keep keeps none, vmfox clean removes them.\n";

/* ---- the folder ------------------------------------------------------------------------------ */

/* Opens the last part of `path` in `folder`, which must be the user's own and no link, and leaves
 * it to nobody else. */
static int open_own(int folder, const char *path, bool make, enum vf_status *status,
                    struct vf_error *error)
{
    struct stat st;
    const char *name = strrchr(path, '/') + 1;
    *status = VF_OK;
    bool made = make && mkdirat(folder, name, 0700) == 0;
    if (make && !made && errno != EEXIST) {
        *status = vf_fail_errno(error, errno, "%s can't be made", path);
        return -1;
    }
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *status = VF_WARN;
        return -1;
    }
    if (fd < 0) {
        bool link = errno == ELOOP || errno == ENOTDIR;
        *status = link ? vf_fail(error, "%s is a link, or no folder", path)
                       : vf_fail_errno(error, errno, "%s can't be opened", path);
        return -1;
    }
    if (fstat(fd, &st) != 0)
        *status = vf_fail_errno(error, errno, "%s can't be looked at", path);
    else if (st.st_uid != geteuid())
        *status = vf_fail(error, "%s belongs to another user", path);
    else if (st.st_mode & 022)
        *status = vf_fail(error, "%s can be written by other users", path);
    else if ((st.st_mode & 077) && fchmod(fd, 0700) != 0)
        *status = vf_fail_errno(error, errno, "%s can be read by other users", path);
    if (*status == VF_OK)
        return fd;
    close(fd);
    return -1;
}

/* The user's own choice, so it may be a link; but root with the home folder of someone else leaves
 * nothing there that this one can't remove. */
static int open_cache(const char *cache, bool make, enum vf_status *status, struct vf_error *error)
{
    struct stat st;
    *status = VF_OK;
    bool made = make && mkdir(cache, 0700) == 0;
    int fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !make) {
        *status = VF_WARN;
        return -1;
    }
    if (fd < 0) {
        *status = vf_fail_errno(error, errno, "%s can't be opened", cache);
        return -1;
    }
    if (made || (fstat(fd, &st) == 0 && st.st_uid == geteuid()))
        return fd;
    close(fd);
    *status = vf_fail(error, "%s belongs to another user", cache);
    return -1;
}

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = vf_alloc(size, 1);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* CACHE/vmfox, and `path` in it. */
static int open_recordings(const char *cache, const char *path, bool make, enum vf_status *status,
                           struct vf_error *error)
{
    int folder = -1, root = open_cache(cache, make, status, error);
    if (root < 0)
        return -1;
    char *above = join(cache, "vmfox");
    int own = open_own(root, above, make, status, error);
    if (own >= 0)
        folder = open_own(own, path, make, status, error);
    free(above);
    close(root);
    if (own >= 0)
        close(own);
    return folder;
}

enum vf_status vf_keep_open(struct vf_keep *keep, const char *cache, bool make,
                            struct vf_error *error)
{
    enum vf_status status;
    struct stat st;
    char *path = join(cache, "vmfox/recordings");
    *keep = (struct vf_keep){.folder = open_recordings(cache, path, make, &status, error)};
    if (keep->folder < 0) {
        free(path);
        return status;
    }
    keep->path = path;
    keep->is_new = fstatat(keep->folder, README, &st, AT_SYMLINK_NOFOLLOW) != 0;
    return VF_OK;
}

void vf_keep_close(struct vf_keep *keep)
{
    if (keep->folder >= 0)
        close(keep->folder);
    free(keep->path);
    *keep = (struct vf_keep){.folder = -1};
}

void vf_keep_told(struct vf_keep *keep)
{
    int fd =
        openat(keep->folder, README, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    keep->is_new = false;
    if (fd < 0)
        return;
    if (write(fd, README_TEXT, sizeof README_TEXT - 1) < 0)
        unlinkat(keep->folder, README, 0); /* the user is told once more */
    close(fd);
}

char *vf_keep_name(struct vf_str program, int64_t realtime_ns)
{
    char date[32] = "", name[160];
    time_t seconds = (time_t)(realtime_ns / 1000000000);
    struct tm when;
    if (localtime_r(&seconds, &when))
        strftime(date, sizeof date, "%Y%m%d-%H%M%S", &when);
    int length =
        snprintf(name, sizeof name, "%s-%.*s-%d%s", date,
                 (int)(program.len < 60 ? program.len : 60), program.ptr, (int)getpid(), ENDING);
    for (int i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c <= ' ' || c >= 0x7f || strchr("/\\'\"$`*?[]{}()<>|&;!#~", c))
            name[i] = '_';
    }
    return vf_strdup(vf_str_from(name));
}

/* ---- what is in it --------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const struct vf_kept *one = a, *two = b;
    if (one->modified_ns != two->modified_ns)
        return one->modified_ns < two->modified_ns ? 1 : -1;
    return strcmp(two->name, one->name);
}

void vf_keep_list(const struct vf_keep *keep, struct vf_kept_list *list)
{
    struct stat st;
    struct dirent *entry;
    *list = (struct vf_kept_list){0};
    int fd = openat(keep->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder && fd >= 0)
        close(fd);
    while (folder && (entry = readdir(folder))) {
        if (!vf_str_ends(vf_str_from(entry->d_name), VF_STR(".vmfox")) ||
            fstatat(keep->folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode) || st.st_uid != geteuid())
            continue;
        VF_APPEND(&list->v,
                  ((struct vf_kept){vf_strdup(vf_str_from(entry->d_name)), (uint64_t)st.st_size,
                                    (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
                                    entry->d_name[0] == '.'}));
    }
    if (folder)
        closedir(folder);
    if (list->v.len)
        qsort(list->v.items, list->v.len, sizeof *list->v.items, newest_first);
}

void vf_kept_list_release(struct vf_kept_list *list)
{
    for (size_t i = 0; i < list->v.len; i++)
        free(list->v.items[i].name);
    free(list->v.items);
    *list = (struct vf_kept_list){0};
}

static enum vf_kept_fate explain(const char *what, const char *name, struct vf_error *error)
{
    if (errno == ENOENT)
        return VF_KEPT_GONE;
    if (errno == EWOULDBLOCK)
        return VF_KEPT_IN_USE;
    vf_fail_errno(error, errno, "%s can't be %s", name, what);
    return VF_KEPT_STAYS;
}

/* Open and locked by us alone, or -1.  On NFS only who may write can have such a lock. */
static int lock(const struct vf_keep *keep, const char *name, enum vf_kept_fate *fate,
                struct vf_error *error)
{
    const int how = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(keep->folder, name, O_RDWR | how);
    if (fd < 0 && errno == EACCES) /* the user has made it read-only */
        fd = openat(keep->folder, name, O_RDONLY | how);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *fate = VF_KEPT_REMOVED;
        return fd;
    }
    *fate = explain(fd < 0 ? "opened" : "locked", name, error);
    if (fd >= 0)
        close(fd);
    return -1;
}

enum vf_kept_fate vf_keep_look(const struct vf_keep *keep, const char *name, struct vf_error *error)
{
    enum vf_kept_fate fate;
    int fd = lock(keep, name, &fate, error);
    if (fd >= 0)
        close(fd);
    return fate;
}

enum vf_kept_fate vf_keep_remove(const struct vf_keep *keep, const char *name,
                                 struct vf_error *error)
{
    enum vf_kept_fate fate;
    int fd = lock(keep, name, &fate, error);
    if (fd < 0)
        return fate;
    if (unlinkat(keep->folder, name, 0) != 0)
        fate = explain("removed", name, error);
    close(fd);
    return fate;
}

enum vf_status vf_keep_trim(const struct vf_keep *keep, struct vf_error *error)
{
    struct vf_kept_list list;
    enum vf_status status = VF_OK;
    uint64_t bytes = 0;
    size_t count = 0;
    vf_keep_list(keep, &list);
    for (size_t i = 0; i < list.v.len; i++) {
        const struct vf_kept *kept = &list.v.items[i];
        if (!kept->is_draft) {
            bytes += kept->bytes;
            count++;
        }
        if ((kept->is_draft || (count > 1 && (count > VF_KEEP_COUNT || bytes > VF_KEEP_BYTES))) &&
            vf_keep_remove(keep, kept->name, error) == VF_KEPT_STAYS)
            status = VF_FATAL;
    }
    vf_kept_list_release(&list);
    return status;
}

char *vf_keep_last(const struct vf_keep *keep)
{
    struct vf_kept_list list;
    char *path = NULL;
    vf_keep_list(keep, &list);
    for (size_t i = 0; i < list.v.len && !path; i++) {
        if (!list.v.items[i].is_draft)
            path = join(keep->path, list.v.items[i].name);
    }
    vf_kept_list_release(&list);
    return path;
}

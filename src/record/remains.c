#include "record/remains.h"

#include "record/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t count_bytes(int folder)
{
    struct stat st;
    struct dirent *entry;
    uint64_t bytes = 0;
    DIR *dir = vf_folder_entries(folder);
    while (dir && (entry = readdir(dir)))
        if (fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    if (dir)
        closedir(dir);
    return bytes;
}

enum { PATIENCE_MS = 500 }; /* how long locks are waited for */

/* ---- one ------------------------------------------------------------------------------------- */

static bool has_file(const struct vf_remains *remains, const char *name)
{
    struct stat st;
    return fstatat(remains->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* A recorder that was just killed has a process that ends with it, and holds its locks until then.
 */
static bool lock(int fd, int how, int patience_ms)
{
    enum { STEP_MS = 10 };
    for (;;) {
        if (flock(fd, how | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK || patience_ms <= 0)
            return false;
        poll(NULL, 0, STEP_MS);
        patience_ms -= STEP_MS;
    }
}

static enum vf_status explain_lock(int fd, struct vf_error *error)
{
    bool is_read = flock(fd, LOCK_SH | LOCK_NB) == 0;
    return vf_fail(error, "%s",
                   is_read ? "another vmfox reads it" : "its recorder is still at work");
}

/* A folder without the file is none of a recorder, or of one that is just starting; unless somebody
 * who empties the temporary folder has taken that file alone.  `how`: LOCK_EX, or LOCK_SH for who
 * only reads. */
static enum vf_status take_locks(struct vf_remains *remains, int how, int patience_ms,
                                 struct vf_error *error)
{
    if (!lock(remains->folder, how, patience_ms) && errno == EWOULDBLOCK)
        return explain_lock(remains->folder, error);
    if (!has_file(remains, "lock")) {
        if (has_file(remains, "session.json"))
            return VF_OK;
        return vf_fail(error, "is not the folder of a recorder: it has no lock and no "
                              "session.json");
    }
    remains->lock = openat(remains->folder, "lock", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (remains->lock < 0)
        return vf_fail_errno(error, errno, "its lock can't be opened");
    if (!lock(remains->lock, how, patience_ms))
        return explain_lock(remains->lock, error);
    return VF_OK;
}

/* As mkdtemp() makes it of vmfox-XXXXXX. */
static bool is_name(struct vf_str name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return name.len == 12 && vf_str_starts(name, VF_STR("vmfox-")) &&
           strspn(name.ptr + 6, letters) >= 6;
}

static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static enum vf_status open_locked(struct vf_remains *remains, const char *path, int how,
                                  int patience_ms, struct vf_error *error)
{
    struct stat st;
    struct vf_str name = vf_str_from(path);
    while (name.len > 1 && name.ptr[name.len - 1] == '/')
        name.len--;
    *remains = (struct vf_remains){.folder = -1, .lock = -1, .path = vf_strdup(name)};
    remains->folder = open(remains->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (remains->folder < 0 && is_link(remains->path))
        return vf_fail(error, "is a link; a recorder's folder was expected");
    if (remains->folder < 0)
        return vf_fail_errno(error, errno, "can't be opened");
    if (fstat(remains->folder, &st) != 0)
        return vf_fail_errno(error, errno, "can't be looked at");
    if (st.st_uid != geteuid())
        return vf_fail(error, "belongs to another user");
    if (st.st_mode & 077)
        return vf_fail(error, "is open to other users; a recorder's folder is not");
    if (!is_name(vf_str_basename(vf_str_from(remains->path))))
        return vf_fail(error, "is not the folder of a recorder: those are called vmfox-XXXXXX");
    remains->bytes = count_bytes(remains->folder);
    remains->modified_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return take_locks(remains, how, patience_ms, error);
}

enum vf_status vf_remains_open(struct vf_remains *remains, const char *path, struct vf_error *error)
{
    return open_locked(remains, path, LOCK_EX, PATIENCE_MS, error);
}

enum vf_status vf_remains_open_to_read(struct vf_remains *remains, const char *path,
                                       struct vf_error *error)
{
    return open_locked(remains, path, LOCK_SH, PATIENCE_MS, error);
}

bool vf_remains_remove(const struct vf_remains *remains)
{
    return vf_folder_remove(remains->folder, remains->path);
}

void vf_remains_close(struct vf_remains *remains)
{
    if (remains->folder >= 0)
        close(remains->folder);
    if (remains->lock >= 0)
        close(remains->lock);
    free(remains->path);
    *remains = (struct vf_remains){.folder = -1, .lock = -1};
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool is_known(const struct vf_remains_list *list, const struct vf_remains *remains)
{
    struct stat one, two;
    for (size_t i = 0; i < list->v.len; i++)
        if (fstat(list->v.items[i].folder, &one) == 0 && fstat(remains->folder, &two) == 0 &&
            one.st_dev == two.st_dev && one.st_ino == two.st_ino)
            return true;
    return false;
}

static void find_in(struct vf_remains_list *list, const char *folder)
{
    struct dirent *entry;
    struct vf_arena arena = {0};
    struct vf_error error;
    DIR *dir = opendir(folder);
    while (dir && (entry = readdir(dir))) {
        struct vf_remains remains;
        if (!is_name(vf_str_from(entry->d_name)))
            continue;
        const char *path = vf_arena_printf(&arena, "%s/%s", folder, entry->d_name).ptr;
        if (open_locked(&remains, path, LOCK_EX, 0, &error) == VF_OK && !is_known(list, &remains))
            VF_APPEND(&list->v, remains);
        else
            vf_remains_close(&remains);
    }
    if (dir)
        closedir(dir);
    vf_arena_release(&arena);
}

static int oldest_first(const void *a, const void *b)
{
    const struct vf_remains *one = a, *two = b;
    return one->modified_ns < two->modified_ns ? -1 : one->modified_ns > two->modified_ns;
}

void vf_remains_find(struct vf_remains_list *list, const char *const *folders)
{
    *list = (struct vf_remains_list){0};
    for (; *folders; folders++)
        find_in(list, *folders);
    if (list->v.len)
        qsort(list->v.items, list->v.len, sizeof *list->v.items, oldest_first);
}

void vf_remains_list_release(struct vf_remains_list *list)
{
    for (size_t i = 0; i < list->v.len; i++)
        vf_remains_close(&list->v.items[i]);
    free(list->v.items);
    *list = (struct vf_remains_list){0};
}

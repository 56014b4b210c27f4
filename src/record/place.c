#include "record/place.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WANTED, MADE_ANEW, BESIDE, SPARE };
enum { TRIES = 100, RANDOM_LETTERS = 6 };

/* ---- the place ------------------------------------------------------------------------------- */

static void set_path(struct vf_place *place, const char *path)
{
    struct vf_str whole = vf_str_from(path), name = vf_str_basename(whole);
    struct vf_str folder = {whole.ptr, whole.len - name.len};
    while (folder.len > 1 && folder.ptr[folder.len - 1] == '/')
        folder.len--;
    place->path = vf_strdup(whole);
    place->name = vf_strdup(name);
    place->folder_path = vf_strdup(folder.len ? folder : VF_STR("."));
}

enum vf_status vf_place_open(struct vf_place *place, const char *path, struct vf_error *error)
{
    struct stat st;
    *place = (struct vf_place){.folder = -1};
    if (!vf_can_write(path, error))
        return VF_FATAL;
    bool is_link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
    char *real = is_link ? realpath(path, NULL) : NULL;
    set_path(place, real ? real : path);
    free(real);
    place->folder = open(place->folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place->folder < 0)
        return vf_fail_errno(error, errno, "can't be written: folder %s", place->folder_path);
    return VF_OK;
}

void vf_place_in(struct vf_place *place, int folder, const char *path, const char *name)
{
    size_t size = strlen(path) + strlen(name) + 2;
    *place = (struct vf_place){.folder = folder, .is_private = true};
    place->path = vf_alloc(size, 1);
    snprintf(place->path, size, "%s/%s", path, name);
    place->name = vf_strdup(vf_str_from(name));
    place->folder_path = vf_strdup(vf_str_from(path));
}

void vf_place_close(struct vf_place *place)
{
    if (place->folder >= 0)
        close(place->folder);
    free(place->path);
    free(place->name);
    free(place->folder_path);
    *place = (struct vf_place){.folder = -1};
}

static bool is_same(int a, int b)
{
    struct stat one, two;
    return fstat(a, &one) == 0 && fstat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

/* What the kernel calls the folder now; empty where it says nothing. */
static struct vf_str folder_now(int folder, char now[4096])
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(self, now, 4096);
    return (struct vf_str){now, length > 0 ? (size_t)length : 0};
}

static char *join(struct vf_str folder, const char *name)
{
    size_t size = folder.len + strlen(name) + 2;
    char *path = vf_alloc(size, 1);
    snprintf(path, size, "%.*s/%s", VF_STR_ARG(folder), name);
    return path;
}

char *vf_place_now(const struct vf_place *place)
{
    char now[4096];
    struct stat st;
    int named = open(place->folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool moved = named < 0 || !is_same(named, place->folder);
    bool gone = fstat(place->folder, &st) != 0 || st.st_nlink == 0;
    if (named >= 0)
        close(named);
    struct vf_str folder = moved && !gone ? folder_now(place->folder, now) : VF_STR("");
    return folder.len ? join(folder, place->name) : vf_strdup(vf_str_from(place->path));
}

size_t vf_place_count(const struct vf_place *place)
{
    size_t count = SPARE;
    for (const char *const *p = place->spare; p && *p; p++)
        count++;
    return count;
}

bool vf_place_is_wanted(size_t which)
{
    return which == WANTED || which == MADE_ANEW;
}

/* ---- drafts ---------------------------------------------------------------------------------- */

/* `x.vmfox` becomes `x-k3f9aq.vmfox`, or with `hidden` `.x-k3f9aq.vmfox`, which nobody takes for a
 * recording. */
static void random_name(char out[300], const char *name, bool hidden)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char bytes[RANDOM_LETTERS] = {0};
    char word[RANDOM_LETTERS + 1] = {0};
    const char *ending = strrchr(name, '.');
    if (!ending || ending == name)
        ending = name + strlen(name);
    if (getrandom(bytes, sizeof bytes, 0) < 0)
        memset(bytes, getpid() & 0xff, sizeof bytes);
    for (size_t i = 0; i < RANDOM_LETTERS; i++)
        word[i] = letters[bytes[i] % (sizeof letters - 1)];
    snprintf(out, 300, "%s%.*s-%s%.40s", hidden ? "." : "",
             ending - name < 200 ? (int)(ending - name) : 200, name, word, ending);
}

static int open_named(struct vf_draft *draft, const char *name)
{
    int fd = -1, why = EEXIST;
    sigset_t before;
    vf_signals_hold(&before);
    for (int i = 0; i < TRIES && fd < 0 && why == EEXIST; i++) {
        random_name(draft->temp, name, true);
        fd = openat(draft->folder, draft->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
        why = errno;
    }
    if (fd >= 0)
        vf_new_file_watch_in(draft->folder, draft->temp);
    vf_signals_let_go(&before);
    errno = why;
    return fd;
}

/* -1 with errno where there is no such folder, or it is the one that was tried before. */
static int folder_of(const struct vf_place *place, size_t which)
{
    if (which >= SPARE)
        return open(place->spare[which - SPARE], O_PATH | O_DIRECTORY | O_CLOEXEC);
    int folder = open(place->folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    if (!is_same(folder, place->folder))
        return folder;
    close(folder);
    errno = EEXIST;
    return -1;
}

static void set_mode(const struct vf_place *place, size_t which, const struct vf_draft *draft)
{
    struct stat old;
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = 0666 & ~mask;
    if (place->is_private || which >= SPARE)
        mode = 0600;
    else if (fstatat(draft->folder, place->name, &old, AT_SYMLINK_NOFOLLOW) == 0 &&
             S_ISREG(old.st_mode))
        mode = old.st_mode & 07777;
    fchmod(draft->fd, mode);
}

enum vf_status vf_place_begin(const struct vf_place *place, size_t which, struct vf_draft *draft,
                              struct vf_error *error)
{
    *draft = (struct vf_draft){.fd = -1, .folder = place->folder};
    if (which != WANTED && which != BESIDE) {
        draft->folder = folder_of(place, which);
        draft->owns = draft->folder >= 0;
    }
    if (draft->folder >= 0 && !place->named_drafts)
        draft->fd = openat(draft->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    /* A file system without it says so in several ways. */
    if (draft->folder >= 0 && draft->fd < 0)
        draft->fd = open_named(draft, place->name);
    if (draft->fd < 0) {
        int why = errno;
        draft->temp[0] = 0;
        vf_place_drop(draft);
        vf_fail_errno(error, why, "can't be written");
        errno = why;
        return VF_FATAL;
    }
    /* Who holds a recording that is kept takes care that nobody removes it (keep.h); shared, for
     * who shows it does the same. */
    flock(draft->fd, LOCK_SH | LOCK_NB);
    set_mode(place, which, draft);
    return VF_OK;
}

/* Gives it the name, where nobody has that.  False with errno. */
static bool take_name(struct vf_draft *draft, const char *name)
{
    char self[64];
    struct stat st;
    snprintf(self, sizeof self, "/proc/self/fd/%d", draft->fd);
    if (!draft->temp[0])
        return linkat(AT_FDCWD, self, draft->folder, name, AT_SYMLINK_FOLLOW) == 0;
    if (syscall(SYS_renameat2, draft->folder, draft->temp, draft->folder, name, RENAME_NOREPLACE) ==
        0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    if (fstatat(draft->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return false;
    }
    return renameat(draft->folder, draft->temp, draft->folder, name) == 0;
}

/* Gives it one like `name` that nobody has. */
static bool give_name(struct vf_draft *draft, const char *name, bool hidden, char given[300])
{
    for (int i = 0; i < TRIES; i++) {
        random_name(given, name, hidden);
        if (take_name(draft, given))
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

/* Another one of that name may be a recording of another process, in whose container this one's
 * number is used too. */
static bool put_private(const struct vf_place *place, struct vf_draft *draft, char given[300])
{
    snprintf(given, 300, "%s", place->name);
    return take_name(draft, given) ||
           (errno == EEXIST && give_name(draft, place->name, false, given));
}

static bool put(const struct vf_place *place, size_t which, struct vf_draft *draft, char given[300])
{
    struct stat st;
    if (place->only_random || !vf_place_is_wanted(which))
        return give_name(draft, place->name, false, given);
    if (place->is_private)
        return put_private(place, draft, given);
    bool exists = fstatat(draft->folder, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (exists && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EEXIST; /* nor is a device replaced */
        return false;
    }
    /* Only rename() replaces a file that is there. */
    if (!draft->temp[0]) {
        if (!give_name(draft, place->name, true, given))
            return false;
        memcpy(draft->temp, given, sizeof draft->temp);
    }
    snprintf(given, 300, "%s", place->name);
    return renameat(draft->folder, draft->temp, draft->folder, place->name) == 0;
}

static char *path_of(const struct vf_place *place, size_t which, int folder, const char *given)
{
    char now[4096];
    bool asked_for = strcmp(given, place->name) == 0;
    if (which == MADE_ANEW && asked_for)
        return vf_strdup(vf_str_from(place->path));
    if (which == WANTED && asked_for)
        return vf_place_now(place);
    if (which >= SPARE)
        return join(vf_str_from(place->spare[which - SPARE]), given);
    struct vf_str where = folder_now(folder, now);
    return join(where.len ? where : vf_str_from(place->folder_path), given);
}

/* Those that say at once when there is no room for what is written. */
static bool is_local(const struct statfs *fs)
{
    static const unsigned long local[] = {EXT4_SUPER_MAGIC,     XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                          F2FS_SUPER_MAGIC,     TMPFS_MAGIC,     RAMFS_MAGIC,
                                          OVERLAYFS_SUPER_MAGIC};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if ((unsigned long)fs->f_type == local[i])
            return true;
    return false;
}

/* A file system in the network may say only now that there was no room, and when the file has its
 * name what it was made of is removed.  On a disk this costs some milliseconds and finds nothing
 * but a broken disk: so there only what is large, or must last, is waited for. */
static bool is_on_disk(const struct vf_place *place, int fd)
{
    struct stat st;
    struct statfs fs;
    bool quick = !place->must_last && fstat(fd, &st) == 0 && st.st_size < VF_PLACE_WAITED_FROM &&
                 fstatfs(fd, &fs) == 0 && is_local(&fs);
    return quick || fsync(fd) == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
}

/* Where another name than the one that was asked for had to do, something is wrong, and all is kept
 * that there is; for what gets a random name the folders are all the same. */
static bool is_passing(const struct vf_place *place, size_t which)
{
    return place->is_passing && (place->only_random || vf_place_is_wanted(which));
}

enum vf_status vf_place_finish(const struct vf_place *place, size_t which, struct vf_draft *draft,
                               char **path, struct vf_error *error)
{
    char given[300];
    sigset_t before;
    *path = NULL;
    bool good = is_on_disk(place, draft->fd);
    vf_signals_hold(&before);
    good = good && put(place, which, draft, given);
    int why = errno;
    if (good) {
        draft->temp[0] = 0;
        vf_new_file_watch_in(-1, NULL);
        *path = path_of(place, which, draft->folder, given);
        if (is_passing(place, which))
            vf_new_file_watch(*path);
    } else {
        vf_place_drop(draft);
        vf_fail_errno(error, why, "can't be written");
    }
    vf_signals_let_go(&before);
    errno = why;
    return good ? VF_OK : VF_FATAL;
}

void vf_place_drop(struct vf_draft *draft)
{
    if (draft->temp[0]) {
        unlinkat(draft->folder, draft->temp, 0);
        vf_new_file_watch_in(-1, NULL);
    }
    if (draft->fd >= 0)
        close(draft->fd);
    if (draft->owns)
        close(draft->folder);
    *draft = (struct vf_draft){.fd = -1, .folder = -1};
}

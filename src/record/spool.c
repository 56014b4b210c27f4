#include "record/spool.h"

#include "base/clock.h"
#include "record/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[VF_SPOOL_FILES] = {
    [VF_SPOOL_PROF] = "profile.prof",           [VF_SPOOL_STAMPS] = "stamps.i64",
    [VF_SPOOL_INTERRUPTED] = "interrupted.i64", [VF_SPOOL_CPU] = "cpu.i64",
    [VF_SPOOL_MEMORY] = "memory.i64",           [VF_SPOOL_PC] = "pc.i64",
    [VF_SPOOL_JITLOG] = "profile.jitlog",       [VF_SPOOL_PYPYLOG] = "profile.pypylog",
};

const char *vf_spool_name(enum vf_spool_file file)
{
    return names[file];
}

/* ---- the folder ------------------------------------------------------------------------------ */

static void drop_folder(struct vf_spool *spool)
{
    if (spool->folder && spool->folder_fd >= 0 && !spool->keeps_folder)
        vf_folder_remove(spool->folder_fd, spool->folder);
    if (spool->folder_fd >= 0)
        close(spool->folder_fd);
    if (spool->lock_fd >= 0)
        close(spool->lock_fd);
    free(spool->folder);
    spool->folder = NULL;
    spool->folder_fd = spool->lock_fd = -1;
}

/* Some file systems have locks on files and none on folders.  False with errno, which is
 * EWOULDBLOCK or ENOENT where `clean` or `recover` has come in between. */
static bool lock_folder(struct vf_spool *spool)
{
    struct stat st;
    if (flock(spool->folder_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false;
    spool->lock_fd = openat(spool->folder_fd, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (spool->lock_fd < 0 || flock(spool->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return false;
    return fstatat(spool->folder_fd, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* *again: another one may do. */
static enum vf_status make_folder(struct vf_spool *spool, const char *place, bool *again,
                                  struct vf_error *error)
{
    size_t size = strlen(place) + 16;
    spool->folder = vf_alloc(size, 1);
    snprintf(spool->folder, size, "%s/vmfox-XXXXXX", place);
    *again = false;
    if (!mkdtemp(spool->folder)) {
        vf_fail_errno(error, errno, "can't make a folder in %s", place);
    } else {
        spool->folder_fd = open(spool->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (spool->folder_fd >= 0 && lock_folder(spool))
            return VF_OK;
        *again = errno == EWOULDBLOCK || errno == ENOENT;
        vf_fail_errno(error, errno, "can't make a file in %s", spool->folder);
        if (spool->folder_fd < 0)
            rmdir(spool->folder);
    }
    drop_folder(spool);
    return VF_FATAL;
}

enum vf_status vf_spool_open(struct vf_spool *spool, const char *place, struct vf_error *error)
{
    enum { TRIES = 20 };
    bool again = true;
    enum vf_status status = VF_FATAL;
    *spool = (struct vf_spool){.folder_fd = -1, .lock_fd = -1};
    for (int i = 0; i < TRIES && again && status != VF_OK; i++)
        status = make_folder(spool, place, &again, error);
    spool->touched_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    return status;
}

static void let_go(struct vf_spool *spool, enum vf_spool_file file)
{
    if (spool->held[file])
        close(spool->held[file] - 1);
    spool->held[file] = 0;
}

void vf_spool_close(struct vf_spool *spool)
{
    for (size_t i = 0; i < VF_SPOOL_FILES; i++) {
        vf_buf_release(&spool->waiting[i]);
        let_go(spool, (enum vf_spool_file)i);
    }
    drop_folder(spool);
    *spool = (struct vf_spool){.folder_fd = -1, .lock_fd = -1};
}

/* ---- columns and logs ------------------------------------------------------------------------ */

static bool is_log(enum vf_spool_file file)
{
    return file == VF_SPOOL_JITLOG || file == VF_SPOOL_PYPYLOG || file == VF_SPOOL_PC;
}

void vf_spool_add(struct vf_spool *spool, enum vf_spool_file file, const void *bytes, size_t len)
{
    if (vf_spool_is_full(spool) || (spool->logs_given_up && is_log(file)))
        return;
    vf_spool_keep(spool, file, bytes, len);
}

void vf_spool_keep(struct vf_spool *spool, enum vf_spool_file file, const void *bytes, size_t len)
{
    vf_buf_add(&spool->waiting[file], bytes, len);
    spool->waiting_bytes += len;
}

void vf_spool_forget(struct vf_spool *spool, enum vf_spool_file file)
{
    spool->waiting_bytes -= spool->waiting[file].len;
    spool->waiting[file].len = 0;
    spool->written[file] = 0;
    let_go(spool, file);
    unlinkat(spool->folder_fd, names[file], 0);
}

uint64_t vf_spool_size(const struct vf_spool *spool, enum vf_spool_file file)
{
    return spool->written[file] + spool->waiting[file].len;
}

/* Where there are that many, one for each file does not matter. */
static bool may_hold(void)
{
    enum { ENOUGH = 64 };
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= ENOUGH;
}

static int open_for_more(struct vf_spool *spool, enum vf_spool_file file)
{
    if (spool->held[file])
        return spool->held[file] - 1;
    int fd = openat(spool->folder_fd, names[file],
                    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == ENOENT) /* somebody has removed the folder */
        fd = memfd_create(names[file], MFD_CLOEXEC);
    if (fd >= 0 && may_hold())
        spool->held[file] = fd + 1;
    return fd;
}

/* A descriptor of its own of a file that is held, whose name may be gone. */
static int open_held(const struct vf_spool *spool, enum vf_spool_file file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", spool->held[file] - 1);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* No descriptor is free, here or in the whole system: another time there may be one. */
static bool is_out_of_descriptors(int why)
{
    return why == EMFILE || why == ENFILE;
}

/* Appends to the file all that waits for it, or nothing.  VF_WARN: it can wait for another time. */
static enum vf_status append(struct vf_spool *spool, enum vf_spool_file file,
                             struct vf_error *error)
{
    struct vf_buf *waiting = &spool->waiting[file];
    int fd = open_for_more(spool, file);
    if (fd < 0 && is_out_of_descriptors(errno) && spool->waiting_bytes <= VF_SPOOL_IN_MEMORY)
        return VF_WARN;
    if (fd < 0)
        return vf_fail_errno(error, errno, "can't make %s in %s", names[file], spool->folder);
    enum vf_status status = vf_write_fd(fd, vf_buf_view(waiting), error);
    if (status == VF_OK) {
        spool->written[file] += waiting->len;
        spool->waiting_bytes -= waiting->len;
        waiting->len = 0;
    } else if (ftruncate(fd, (off_t)spool->written[file]) != 0) {
        spool->status = VF_FATAL;
        spool->torn = true;
        spool->error = *error;
    }
    if (!spool->held[file])
        close(fd);
    return status;
}

static void give_up_logs(struct vf_spool *spool)
{
    vf_spool_forget(spool, VF_SPOOL_JITLOG);
    vf_spool_forget(spool, VF_SPOOL_PYPYLOG);
    vf_spool_forget(spool, VF_SPOOL_PC);
    spool->logs_given_up = true;
}

static void write_out(struct vf_spool *spool, enum vf_spool_file file)
{
    struct vf_error error;
    if (spool->waiting[file].len == 0 || spool->status != VF_OK ||
        append(spool, file, &error) != VF_FATAL)
        return;
    bool had_logs = !spool->logs_given_up;
    spool->error = error;
    if (had_logs)
        give_up_logs(spool);
    if (is_log(file) || (had_logs && append(spool, file, &error) != VF_FATAL))
        return;
    spool->status = VF_FATAL;
    spool->error = error;
}

/* Who empties the temporary folder goes by the times of files: those that were written at the start
 * of a long recording are needed until its end. */
static void touch(struct vf_spool *spool)
{
    struct dirent *entry;
    int64_t now_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    if (now_ns - spool->touched_ns < VF_SPOOL_TOUCH_NS)
        return;
    spool->touched_ns = now_ns;
    DIR *dir = vf_folder_entries(spool->folder_fd);
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, "..") != 0)
            utimensat(spool->folder_fd, entry->d_name, NULL, AT_SYMLINK_NOFOLLOW);
    if (dir)
        closedir(dir);
}

void vf_spool_flush(struct vf_spool *spool)
{
    for (size_t i = 0; i < VF_SPOOL_FILES; i++)
        write_out(spool, (enum vf_spool_file)i);
    touch(spool);
}

bool vf_spool_flush_again(struct vf_spool *spool)
{
    if (spool->status != VF_OK && !spool->torn)
        spool->status = VF_OK;
    vf_spool_flush(spool);
    return spool->waiting_bytes == 0;
}

int vf_spool_read(struct vf_spool *spool, enum vf_spool_file file)
{
    struct stat st;
    write_out(spool, file);
    if (spool->held[file])
        return open_held(spool, file);
    int fd = openat(spool->folder_fd, names[file], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
        return fd;
    close(fd);
    return -1;
}

bool vf_spool_map(struct vf_spool *spool, enum vf_spool_file file, struct vf_bytes *out)
{
    int fd = vf_spool_read(spool, file);
    if (fd < 0)
        return false;
    enum vf_status status = vf_bytes_map_fd(fd, out, NULL);
    close(fd);
    return status != VF_FATAL;
}

/* ---- small files ----------------------------------------------------------------------------- */

/* Beside each of them stands NAME.new, which is filled and then takes its place in one step.  Both
 * names stay: a program that removes its temporary folder, and what lies in it one by one, would
 * stumble over names that come and go. */
static bool write_new(const struct vf_spool *spool, const char *name, int flags,
                      struct vf_str bytes)
{
    int fd =
        openat(spool->folder_fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0)
        return false;
    bool good = vf_write_fd(fd, bytes, NULL) == VF_OK;
    return close(fd) == 0 && good;
}

static bool has_pair(const struct vf_spool *spool, const char *name)
{
    for (size_t i = 0; i < spool->pair_count; i++)
        if (strcmp(spool->pairs[i], name) == 0)
            return true;
    return false;
}

static bool put_first(struct vf_spool *spool, const char *name, const char *fresh,
                      struct vf_str bytes)
{
    bool good = write_new(spool, fresh, O_CREAT, bytes) &&
                renameat(spool->folder_fd, fresh, spool->folder_fd, name) == 0;
    if (!good)
        unlinkat(spool->folder_fd, fresh, 0);
    else if (spool->pair_count < VF_SPOOL_PAIRS && write_new(spool, fresh, O_CREAT, VF_STR("")))
        spool->pairs[spool->pair_count++] = name;
    return good;
}

bool vf_spool_put(struct vf_spool *spool, const char *name, struct vf_str bytes)
{
    char fresh[80];
    snprintf(fresh, sizeof fresh, "%s.new", name);
    if (!has_pair(spool, name))
        return put_first(spool, name, fresh, bytes);
    if (!write_new(spool, fresh, 0, bytes))
        return false;
    if (renameat2(spool->folder_fd, fresh, spool->folder_fd, name, RENAME_EXCHANGE) == 0)
        return true;
    /* A file system that knows no exchange. */
    bool is_there = faccessat(spool->folder_fd, name, F_OK, 0) == 0;
    return is_there && renameat(spool->folder_fd, fresh, spool->folder_fd, name) == 0 &&
           write_new(spool, fresh, O_CREAT, VF_STR(""));
}

void vf_spool_get(const struct vf_spool *spool, const char *name, size_t limit, struct vf_buf *out)
{
    enum { STEP = 65536 };
    int fd = openat(spool->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    while (out->len < limit) {
        ssize_t got = read(fd, vf_buf_reserve(out, STEP), STEP);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        out->len += (size_t)got;
    }
    if (out->len > limit)
        out->len = limit;
    close(fd);
}

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum vf_status get_size(int fd, size_t *size, struct vf_error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return vf_fail_errno(error, errno, "can't be read");
    if (S_ISDIR(st.st_mode))
        return vf_fail(error, "is a directory; a file was expected");
    if (!S_ISREG(st.st_mode))
        return vf_fail(error, "is not a regular file (a pipe or a device); a file was expected");
    *size = (size_t)st.st_size;
    return VF_OK;
}

enum vf_status vf_bytes_map_fd(int fd, struct vf_bytes *out, struct vf_error *error)
{
    size_t size;
    *out = (struct vf_bytes){0};
    enum vf_status status = get_size(fd, &size, error);
    if (status != VF_OK || size == 0)
        return status;
    void *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED)
        return vf_fail_errno(error, errno, "can't be mapped");
    *out = (struct vf_bytes){memory, size, VF_BYTES_MAPPED};
    return VF_OK;
}

int vf_bytes_open(const char *path, struct vf_error *error)
{
    /* O_NONBLOCK: a pipe with no writer must not hang us before it is refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        vf_fail_errno(error, errno, "can't be opened");
    return fd;
}

enum vf_status vf_bytes_map(const char *path, struct vf_bytes *out, struct vf_error *error)
{
    *out = (struct vf_bytes){0};
    int fd = vf_bytes_open(path, error);
    if (fd < 0)
        return VF_FATAL;
    enum vf_status status = vf_bytes_map_fd(fd, out, error);
    close(fd);
    return status;
}

static enum vf_status read_all(int fd, size_t size, struct vf_bytes *out, struct vf_error *error)
{
    size_t len = 0;
    unsigned char *memory = malloc(size);
    if (!memory) {
        vf_fail(error, "there is no memory for it");
        return VF_WARN;
    }
    while (len < size) {
        ssize_t got = read(fd, memory + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int why = errno;
            free(memory);
            return vf_fail_errno(error, why, "can't be read");
        }
        if (got == 0)
            break; /* it has become shorter */
        len += (size_t)got;
    }
    *out = (struct vf_bytes){memory, len, VF_BYTES_HEAP};
    return VF_OK;
}

enum vf_status vf_bytes_read(const char *path, uint64_t limit, struct vf_bytes *out,
                             struct vf_error *error)
{
    size_t size;
    *out = (struct vf_bytes){0};
    int fd = vf_bytes_open(path, error);
    if (fd < 0)
        return VF_FATAL;
    enum vf_status status = get_size(fd, &size, error);
    if (status == VF_OK && size > limit) {
        vf_fail(error, "is longer than %llu bytes", (unsigned long long)limit);
        status = VF_WARN;
    } else if (status == VF_OK && size > 0) {
        status = read_all(fd, size, out, error);
    }
    close(fd);
    return status;
}

void vf_bytes_release(struct vf_bytes *bytes)
{
    if (bytes->how == VF_BYTES_MAPPED && bytes->ptr)
        munmap((void *)(uintptr_t)bytes->ptr, bytes->len);
    else if (bytes->how == VF_BYTES_HEAP)
        free((void *)(uintptr_t)bytes->ptr);
    *bytes = (struct vf_bytes){0};
}

static const char *temp_folder = "/tmp";

void vf_set_temp_folder(const char *folder)
{
    temp_folder = folder;
}

const char *vf_temp_folder(void)
{
    return temp_folder;
}

int vf_temp_file(void)
{
    const char *dir = temp_folder;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/vmfox-XXXXXX", dir) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

enum vf_status vf_write_fd(int fd, struct vf_str bytes, struct vf_error *error)
{
    while (bytes.len) {
        ssize_t wrote = write(fd, bytes.ptr, bytes.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return vf_fail_errno(error, errno, "can't be written");
        bytes.ptr += wrote;
        bytes.len -= (size_t)wrote;
    }
    return VF_OK;
}

/* For a signal that ends the program: the temporary name of the one file that is being written,
 * that of another one that is not written here, and that of one in a folder. */
static const char *volatile being_written, *volatile watched, *volatile watched_in;
static volatile int watched_folder;

void vf_new_file_watch(const char *temp)
{
    watched = temp;
}

void vf_new_file_watch_in(int folder, const char *name)
{
    watched_in = NULL;
    watched_folder = folder;
    watched_in = name;
}

void vf_new_file_give_up(void)
{
    const char *temp = being_written, *other = watched, *in_folder = watched_in;
    if (temp)
        unlink(temp);
    if (other)
        unlink(other);
    if (in_folder)
        unlinkat(watched_folder, in_folder, 0);
}

void vf_signals_hold(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

void vf_signals_let_go(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static int make_watched(char *temp)
{
    sigset_t before;
    vf_signals_hold(&before);
    int fd = mkostemp(temp, O_CLOEXEC), why = errno;
    if (fd >= 0)
        being_written = temp;
    vf_signals_let_go(&before);
    errno = why;
    return fd;
}

static enum vf_status open_temp(struct vf_new_file *file, const struct stat *old,
                                struct vf_error *error)
{
    size_t size = strlen(file->name) + 8;
    file->temp = vf_alloc(size, 1);
    snprintf(file->temp, size, "%s.XXXXXX", file->name);
    file->fd = make_watched(file->temp);
    if (file->fd < 0)
        return vf_fail_errno(error, errno, "can't be written");
    mode_t mask = umask(0);
    umask(mask);
    fchmod(file->fd, old ? old->st_mode & 07777 : 0666 & ~mask);
    return VF_OK;
}

enum vf_status vf_new_file_open(struct vf_new_file *file, const char *path, struct vf_error *error)
{
    struct stat st;
    *file = (struct vf_new_file){.fd = -1};
    bool exists = stat(path, &st) == 0;
    if (!exists && lstat(path, &st) == 0) {
        /* A link to nothing: what it leads to is made first. */
        int made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (made < 0)
            return vf_fail_errno(error, errno, "can't be written");
        file->made = exists = fstat(made, &st) == 0;
        close(made);
    }
    if (exists && S_ISDIR(st.st_mode))
        return vf_fail(error, "is a directory; can't be written");
    if (exists && !S_ISREG(st.st_mode)) {
        file->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return file->fd >= 0 ? VF_OK : vf_fail_errno(error, errno, "can't be written");
    }
    /* Through a symbolic link the file it leads to is replaced, not the link. */
    file->name = exists ? realpath(path, NULL) : NULL;
    if (!file->name)
        file->name = vf_strdup(vf_str_from(path));
    enum vf_status status = open_temp(file, exists ? &st : NULL, error);
    if (status != VF_OK)
        vf_new_file_finish(file, false, NULL);
    return status;
}

enum vf_status vf_new_file_finish(struct vf_new_file *file, bool keep, struct vf_error *error)
{
    enum vf_status status = VF_OK;
    if (file->fd >= 0 && close(file->fd) != 0 && keep)
        status = vf_fail_errno(error, errno, "can't be written");
    if (file->temp && file->fd >= 0) {
        if (keep && status == VF_OK && rename(file->temp, file->name) != 0)
            status = vf_fail_errno(error, errno, "can't be written");
        if (!keep || status != VF_OK)
            unlink(file->temp);
        if (file->made && (!keep || status != VF_OK))
            unlink(file->name);
        being_written = NULL;
    }
    free(file->temp);
    free(file->name);
    *file = (struct vf_new_file){.fd = -1};
    return status;
}

enum vf_status vf_write_file(const char *path, struct vf_str bytes, struct vf_error *error)
{
    struct vf_new_file file;
    if (vf_new_file_open(&file, path, error) == VF_FATAL)
        return VF_FATAL;
    enum vf_status status = vf_write_fd(file.fd, bytes, error);
    enum vf_status finished =
        vf_new_file_finish(&file, status == VF_OK, status == VF_OK ? error : NULL);
    return status == VF_OK ? finished : status;
}

bool vf_can_write(const char *path, struct vf_error *error)
{
    struct stat st;
    if (!*path) {
        vf_fail(error, "expected a file name, found an empty one");
        return false;
    }
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            vf_fail(error, "is a directory; can't be written");
            return false;
        }
        if (!S_ISREG(st.st_mode)) {
            if (access(path, W_OK) == 0)
                return true;
            vf_fail_errno(error, errno, "can't be written");
            return false;
        }
    }
    char *copy = vf_strdup(vf_str_from(path));
    const char *dir = dirname(copy);
    bool good = access(dir, W_OK | X_OK) == 0;
    if (!good)
        vf_fail_errno(error, errno, "can't be written: folder %s", dir);
    free(copy);
    return good;
}

#include "record/renew.h"

#include "base/file.h"
#include "base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

static bool set_member(zip_t *zip, const struct vf_new_member *member)
{
    enum { LIGHTEST = 1 };
    if (member->bytes.len == 0) {
        zip_int64_t index = zip_name_locate(zip, member->name, 0);
        return index < 0 || zip_delete(zip, (zip_uint64_t)index) == 0;
    }
    zip_source_t *source = zip_source_buffer(zip, member->bytes.ptr, member->bytes.len, 0);
    zip_int64_t index =
        source ? zip_file_add(zip, member->name, source, ZIP_FL_ENC_UTF_8 | ZIP_FL_OVERWRITE) : -1;
    if (source && index < 0)
        zip_source_free(source);
    return index >= 0 &&
           zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_DEFLATE, LIGHTEST) == 0;
}

/* ---- signals ---------------------------------------------------------------------------------
 */

/* libzip writes a file of a name that only it knows, and removes it when it is told to stop: so a
 * signal that would end the program waits until that is done. */
static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static void hold_signals(sigset_t *before)
{
    struct sigaction action;
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (sigaction(endings[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&held, endings[i]);
    pthread_sigmask(SIG_BLOCK, &held, before);
}

static int is_to_stop(zip_t *zip, void *context)
{
    sigset_t waiting;
    (void)zip, (void)context;
    if (sigpending(&waiting) != 0)
        return 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (sigismember(&waiting, endings[i]) == 1)
            return 1;
    return 0;
}

/* ---- the zip ----------------------------------------------------------------------------------
 */

enum { PARTS = 10000 };

static void tell(zip_t *zip, double done, void *context)
{
    (void)zip, (void)context;
    vf_progress_set(done > 0 ? (uint64_t)(done * (double)PARTS) : 0);
}

static enum vf_status set_members(const char *path, const struct vf_new_member *members,
                                  size_t count, struct vf_error *error)
{
    int code = 0;
    zip_error_t why;
    zip_t *zip = zip_open(path, 0, &code);
    if (!zip) {
        zip_error_init_with_code(&why, code);
        vf_fail(error, "can't be written: %s", zip_error_strerror(&why));
        zip_error_fini(&why);
        return VF_FATAL;
    }
    bool good = zip_register_cancel_callback_with_state(zip, is_to_stop, NULL, NULL) == 0 &&
                zip_register_progress_callback_with_state(zip, 0.001, tell, NULL, NULL) == 0;
    vf_progress_begin("writing", VF_PROGRESS_PARTS, PARTS);
    for (size_t i = 0; i < count && good; i++)
        good = set_member(zip, &members[i]);
    if (good && zip_close(zip) == 0)
        return VF_OK;
    vf_fail(error, "can't be written: %s", zip_strerror(zip));
    zip_discard(zip);
    return VF_FATAL;
}

/* Written beside the file that `path` is or leads to, with its rights; then renamed. */
static enum vf_status write_beside(const char *path, mode_t mode, struct vf_str old,
                                   const struct vf_new_member *members, size_t count,
                                   struct vf_error *error)
{
    char *part = vf_alloc(strlen(path) + 8, 1);
    sprintf(part, "%s.XXXXXX", path);
    int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0) {
        enum vf_status status = vf_fail_errno(error, errno, "can't be written");
        free(part);
        return status;
    }
    enum vf_status status = vf_write_fd(fd, old, error);
    if (status == VF_OK && fchmod(fd, mode) != 0)
        status = vf_fail_errno(error, errno, "can't be written");
    close(fd);
    if (status == VF_OK)
        status = set_members(part, members, count, error);
    if (status == VF_OK && rename(part, path) != 0)
        status = vf_fail_errno(error, errno, "can't be written");
    if (status != VF_OK)
        unlink(part);
    free(part);
    return status;
}

enum vf_status vf_zip_renew(const char *path, struct vf_str old,
                            const struct vf_new_member *members, size_t count,
                            struct vf_error *error)
{
    struct stat st;
    mode_t mask = umask(0), mode = 0666 & ~mask;
    umask(mask);
    /* A path need not have a real one: the folder may be hidden by what was mounted over it. */
    if (stat(path, &st) == 0) {
        mode = st.st_mode & 07777;
        if (!S_ISREG(st.st_mode))
            return vf_fail(error, "is no regular file, and a recording can only be one");
    }
    char *place = realpath(path, NULL);
    sigset_t before;
    hold_signals(&before);
    enum vf_status status = write_beside(place ? place : path, mode, old, members, count, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(place);
    return status;
}

/* Which of the kept recordings may be removed.  flock() here is as on NFS, where an exclusive lock
 * takes a descriptor that can be written to. */
#include "test.h"

#include "folder.h"
#include "record/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refuses; /* an errno: no lock can be had at all */

int flock(int fd, int how)
{
    bool writes = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
    if (refuses || ((how & LOCK_EX) && !writes)) {
        errno = refuses ? refuses : EBADF;
        return -1;
    }
    return (int)syscall(SYS_flock, fd, how);
}

static void open_keep(struct vf_keep *keep)
{
    struct vf_error error;
    char *here = realpath(".", NULL);
    assert_int_equal(vf_keep_open(keep, here, true, &error), VF_OK);
    free(here);
}

static void put(const struct vf_keep *keep, const char *name, size_t at_s)
{
    const struct timespec times[2] = {{.tv_sec = (time_t)at_s}, {.tv_sec = (time_t)at_s}};
    int fd = openat(keep->folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && futimens(fd, times) == 0);
    close(fd);
}

static bool is_there(const struct vf_keep *keep, const char *name)
{
    struct stat st;
    return fstatat(keep->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void what_nobody_holds_is_removed(void **state)
{
    struct vf_keep keep;
    struct vf_error error;
    (void)state;
    open_keep(&keep);
    put(&keep, "a.vmfox", 1);
    assert_int_equal(vf_keep_look(&keep, "a.vmfox", &error), VF_KEPT_REMOVED);
    assert_true(is_there(&keep, "a.vmfox"));
    assert_int_equal(vf_keep_remove(&keep, "a.vmfox", &error), VF_KEPT_REMOVED);
    assert_false(is_there(&keep, "a.vmfox"));
    assert_int_equal(vf_keep_remove(&keep, "a.vmfox", &error), VF_KEPT_GONE);
    vf_keep_close(&keep);
}

static void what_somebody_holds_stays(void **state)
{
    struct vf_keep keep;
    struct vf_error error;
    (void)state;
    open_keep(&keep);
    put(&keep, "a.vmfox", 1);
    int fd = openat(keep.folder, "a.vmfox", O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
    assert_int_equal(vf_keep_look(&keep, "a.vmfox", &error), VF_KEPT_IN_USE);
    assert_int_equal(vf_keep_remove(&keep, "a.vmfox", &error), VF_KEPT_IN_USE);
    assert_true(is_there(&keep, "a.vmfox"));
    close(fd);
    assert_int_equal(vf_keep_remove(&keep, "a.vmfox", &error), VF_KEPT_REMOVED);
    vf_keep_close(&keep);
}

static void why_it_stays_is_said(void **state)
{
    struct vf_keep keep;
    struct vf_error error = {0};
    (void)state;
    open_keep(&keep);
    put(&keep, "a.vmfox", 1);
    refuses = ENOLCK;
    assert_int_equal(vf_keep_look(&keep, "a.vmfox", &error), VF_KEPT_STAYS);
    assert_int_equal(vf_keep_remove(&keep, "a.vmfox", &error), VF_KEPT_STAYS);
    assert_non_null(strstr(error.text, "a.vmfox can't be locked: No locks available"));
    refuses = 0;
    assert_true(is_there(&keep, "a.vmfox"));
    vf_keep_close(&keep);
}

static void the_oldest_go_and_what_is_in_use_is_no_error(void **state)
{
    struct vf_keep keep;
    struct vf_error error = {0};
    char name[] = "a.vmfox";
    (void)state;
    open_keep(&keep);
    for (size_t i = 0; i < VF_KEEP_COUNT + 3; i++) {
        name[0] = (char)('a' + i);
        put(&keep, name, 1000 + i);
    }
    int fd = openat(keep.folder, "b.vmfox", O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
    assert_int_equal(vf_keep_trim(&keep, &error), VF_OK);
    assert_false(is_there(&keep, "a.vmfox"));
    assert_true(is_there(&keep, "b.vmfox"));
    assert_false(is_there(&keep, "c.vmfox"));
    assert_true(is_there(&keep, "d.vmfox"));
    close(fd);
    refuses = ENOLCK;
    assert_int_equal(vf_keep_trim(&keep, &error), VF_FATAL);
    assert_non_null(strstr(error.text, "b.vmfox can't be locked"));
    refuses = 0;
    vf_keep_close(&keep);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(what_nobody_holds_is_removed),
        IN_A_FOLDER(what_somebody_holds_stays),
        IN_A_FOLDER(why_it_stays_is_said),
        IN_A_FOLDER(the_oldest_go_and_what_is_in_use_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

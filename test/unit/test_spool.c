/* A recording's files while it goes on, and what is kept where there is no room for all. */
#include "test.h"

#include "record/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct vf_spool spool;
static char place[] = "/tmp/vmfox-test-XXXXXX";

/* So many locks are refused, as where somebody else has them. */
static int refused;

int flock(int fd, int operation)
{
    if (refused > 0) {
        refused--;
        errno = EWOULDBLOCK;
        return -1;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(place + sizeof place - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(place));
    assert_int_equal(vf_spool_open(&spool, place, NULL), VF_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vf_spool_close(&spool);
    return rmdir(place); /* nothing is left behind in it */
}

static struct stat status_of(const char *name)
{
    struct stat st = {0};
    if (fstatat(spool.folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        st.st_size = -1;
    return st;
}

static void assert_holds(enum vf_spool_file file, const char *text)
{
    char got[256] = {0};
    int fd = vf_spool_read(&spool, file);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, got, sizeof got - 1), strlen(text));
    assert_string_equal(got, text);
    close(fd);
}

static void add(enum vf_spool_file file, const char *text)
{
    vf_spool_add(&spool, file, text, strlen(text));
}

static void the_folder_is_the_users_alone(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(stat(spool.folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    add(VF_SPOOL_PROF, "bytes");
    vf_spool_flush(&spool);
    assert_true(vf_spool_put(&spool, "session.json", VF_STR("{}")));
    assert_int_equal(status_of("profile.prof").st_mode & 0777, 0600);
    assert_int_equal(status_of("session.json").st_mode & 0777, 0600);
    assert_int_equal(status_of("lock").st_mode & 0777, 0600);
}

/* There may be a descriptor the next time: that is no full disk. */
static void what_finds_no_descriptor_waits(void **state)
{
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    add(VF_SPOOL_PROF, "one ");
    add(VF_SPOOL_JITLOG, "log");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    vf_spool_flush(&spool);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(spool.status, VF_OK);
    assert_false(spool.logs_given_up);
    assert_int_equal(spool.waiting_bytes, 7);
    add(VF_SPOOL_PROF, "two");
    vf_spool_flush(&spool);
    assert_holds(VF_SPOOL_PROF, "one two");
    assert_holds(VF_SPOOL_JITLOG, "log");
}

static void what_is_added_waits_until_it_is_flushed(void **state)
{
    (void)state;
    add(VF_SPOOL_PROF, "one ");
    add(VF_SPOOL_STAMPS, "stamps");
    assert_int_equal(spool.waiting_bytes, 10);
    assert_int_equal(status_of("profile.prof").st_size, -1);
    vf_spool_flush(&spool);
    assert_int_equal(spool.waiting_bytes, 0);
    assert_int_equal(status_of("profile.prof").st_size, 4);
    add(VF_SPOOL_PROF, "two");
    assert_int_equal(vf_spool_size(&spool, VF_SPOOL_PROF), 7);
    assert_holds(VF_SPOOL_PROF, "one two"); /* reading flushes */
    assert_holds(VF_SPOOL_STAMPS, "stamps");
    assert_int_equal(vf_spool_read(&spool, VF_SPOOL_MEMORY), -1);
}

static void what_is_mapped_is_what_was_added(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    assert_false(vf_spool_map(&spool, VF_SPOOL_JITLOG, &bytes));
    add(VF_SPOOL_JITLOG, "a log");
    assert_true(vf_spool_map(&spool, VF_SPOOL_JITLOG, &bytes));
    assert_int_equal(bytes.len, 5);
    assert_memory_equal(bytes.ptr, "a log", 5);
    vf_bytes_release(&bytes);
}

static void what_is_forgotten_is_gone_and_may_come_again(void **state)
{
    (void)state;
    add(VF_SPOOL_PROF, "old");
    vf_spool_flush(&spool);
    add(VF_SPOOL_PROF, "waiting");
    add(VF_SPOOL_CPU, "stays");
    vf_spool_forget(&spool, VF_SPOOL_PROF);
    assert_int_equal(vf_spool_size(&spool, VF_SPOOL_PROF), 0);
    assert_int_equal(spool.waiting_bytes, 5);
    assert_int_equal(status_of("profile.prof").st_size, -1);
    add(VF_SPOOL_PROF, "new");
    assert_holds(VF_SPOOL_PROF, "new");
    assert_holds(VF_SPOOL_CPU, "stays");
}

static void small_files_are_there_at_once_or_not_at_all(void **state)
{
    (void)state;
    struct vf_buf got = {0};
    vf_spool_get(&spool, "session.json", 100, &got);
    assert_int_equal(got.len, 0);
    assert_true(vf_spool_put(&spool, "session.json", VF_STR("{\"first\": 1}")));
    assert_true(vf_spool_put(&spool, "session.json", VF_STR("{}")));
    vf_spool_get(&spool, "session.json", 100, &got);
    assert_true(vf_str_eq(vf_buf_view(&got), VF_STR("{}")));
    got.len = 0;
    vf_spool_get(&spool, "session.json", 1, &got);
    assert_int_equal(got.len, 1);
    vf_buf_release(&got);
}

/* Who removes what is in a folder meets no name that has come or gone meanwhile. */
static void small_files_keep_their_names(void **state)
{
    (void)state;
    assert_true(vf_spool_put(&spool, "session.json", VF_STR("1")));
    assert_int_equal(status_of("session.json.new").st_size, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(vf_spool_put(&spool, "session.json", VF_STR("22")));
        assert_int_equal(status_of("session.json").st_size, 2);
        assert_true(status_of("session.json.new").st_size >= 0);
    }
    unlinkat(spool.folder_fd, "session.json", 0);
    assert_false(vf_spool_put(&spool, "session.json", VF_STR("333")));
    assert_int_equal(status_of("session.json").st_size, -1);
    unlinkat(spool.folder_fd, "session.json.new", 0);
    assert_false(vf_spool_put(&spool, "session.json", VF_STR("333")));
    assert_int_equal(status_of("session.json.new").st_size, -1);
}

static void the_lock_is_held_as_long_as_it_is_open(void **state)
{
    (void)state;
    int fd = openat(spool.folder_fd, "lock", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(spool.lock_fd);
    spool.lock_fd = -1;
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
}

/* Who empties folders by the age of files looks at this one. */
static void the_folder_is_locked_too(void **state)
{
    (void)state;
    int fd = open(spool.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
    close(fd);
}

/* `vmfox clean` has taken the folder, or the file in it, before the recorder did. */
static void another_folder_is_begun_where_one_is_taken(void **state)
{
    (void)state;
    struct vf_error error;
    for (int count = 1; count < 4; count++) {
        vf_spool_close(&spool);
        refused = count;
        assert_int_equal(vf_spool_open(&spool, place, &error), VF_OK);
        assert_int_equal(refused, 0);
        assert_true(status_of("lock").st_size == 0);
    }
    vf_spool_close(&spool);
    refused = 1000;
    assert_int_equal(vf_spool_open(&spool, place, &error), VF_FATAL);
    refused = 0;
} /* tear_down() finds none of those that were given up */

static void another_folder_under_its_name_is_left_alone(void **state)
{
    (void)state;
    char moved[64], inside[96], *path = strdup(spool.folder);
    struct stat st;
    snprintf(moved, sizeof moved, "%s/moved", place);
    snprintf(inside, sizeof inside, "%s/precious", path);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mkdir(inside, 0700), 0);
    vf_spool_close(&spool);
    assert_int_equal(stat(inside, &st), 0);
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(moved), 0); /* it was emptied */
    free(path);
}

static void what_lies_long_is_touched(void **state)
{
    (void)state;
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_true(vf_spool_put(&spool, "session.json", VF_STR("{}")));
    assert_int_equal(utimensat(spool.folder_fd, "session.json", old, 0), 0);
    assert_int_equal(utimensat(spool.folder_fd, "lock", old, 0), 0);
    vf_spool_flush(&spool);
    assert_int_equal(status_of("lock").st_mtime, 1000);
    spool.touched_ns -= VF_SPOOL_TOUCH_NS;
    vf_spool_flush(&spool);
    assert_true(status_of("lock").st_mtime > 1000);
    assert_true(status_of("session.json").st_mtime > 1000);
}

static void a_link_in_a_files_place_is_not_followed(void **state)
{
    (void)state;
    char other[64];
    struct stat st;
    snprintf(other, sizeof other, "%s/other", place);
    assert_int_equal(symlinkat(other, spool.folder_fd, "profile.prof"), 0);
    add(VF_SPOOL_PROF, "bytes");
    vf_spool_flush(&spool);
    assert_int_equal(stat(other, &st), -1);
    assert_int_equal(spool.status, VF_FATAL);
    assert_non_null(strstr(spool.error.text, "profile.prof"));
}

static void a_folder_that_is_gone_is_an_error(void **state)
{
    (void)state;
    struct vf_spool none;
    struct vf_error error = {0};
    assert_int_equal(vf_spool_open(&none, "/nowhere/at/all", &error), VF_FATAL);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    vf_spool_close(&none);
}

/* ---- no room --------------------------------------------------------------------------------- */

/* Files of at most so many bytes, as RLIMIT_FSIZE has it; the signal is ignored as the recorder
 * does.  Run in a child. */
static void in_child_with_limit(rlim_t bytes, void (*part)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, RLIM_INFINITY}) != 0)
            _exit(2);
        part();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void need(bool good)
{
    if (!good)
        _exit(1);
}

static const char thousand[1000];

static void write_beyond_the_limit(void)
{
    vf_spool_add(&spool, VF_SPOOL_PROF, thousand, 600);
    vf_spool_add(&spool, VF_SPOOL_JITLOG, thousand, 100);
    vf_spool_flush(&spool);
    need(spool.status == VF_OK && !spool.logs_given_up);
    vf_spool_add(&spool, VF_SPOOL_PROF, thousand, 600);
    vf_spool_add(&spool, VF_SPOOL_STAMPS, thousand, 80);
    vf_spool_flush(&spool);
    need(spool.status == VF_FATAL && spool.logs_given_up && spool.error.text[0]);
    need(status_of("profile.prof").st_size == 600); /* whole records, no half of one */
    need(status_of("profile.jitlog").st_size == -1);
    vf_spool_add(&spool, VF_SPOOL_PROF, thousand, 10);
    vf_spool_flush(&spool);
    need(status_of("profile.prof").st_size == 600);
}

static void half_of_what_was_to_be_written_is_taken_back(void **state)
{
    (void)state;
    in_child_with_limit(1000, write_beyond_the_limit);
}

static void write_again_with_more_room(void)
{
    vf_spool_add(&spool, VF_SPOOL_PROF, thousand, 600);
    vf_spool_flush(&spool);
    vf_spool_add(&spool, VF_SPOOL_PROF, thousand, 600);
    vf_spool_flush(&spool);
    need(spool.status == VF_FATAL && !vf_spool_flush_again(&spool));
    need(spool.status == VF_FATAL && status_of("profile.prof").st_size == 600);
    need(setrlimit(RLIMIT_FSIZE, &(struct rlimit){5000, 5000}) == 0);
    vf_spool_flush(&spool);
    need(status_of("profile.prof").st_size == 600);
    need(vf_spool_flush_again(&spool) && status_of("profile.prof").st_size == 1200);
}

static void it_is_tried_once_more_where_that_is_asked_for(void **state)
{
    (void)state;
    in_child_with_limit(1000, write_again_with_more_room);
}

static void write_a_long_log(void)
{
    for (int i = 0; i < 5; i++) {
        vf_spool_add(&spool, VF_SPOOL_PYPYLOG, thousand, 300);
        vf_spool_add(&spool, VF_SPOOL_PROF, thousand, 100);
        vf_spool_flush(&spool);
    }
    need(spool.status == VF_OK && spool.logs_given_up);
    need(status_of("profile.prof").st_size == 500);
    need(status_of("profile.pypylog").st_size == -1);
    vf_spool_add(&spool, VF_SPOOL_JITLOG, thousand, 10);
    need(vf_spool_size(&spool, VF_SPOOL_JITLOG) == 0);
}

static void the_logs_are_given_up_for_the_samples(void **state)
{
    (void)state;
    in_child_with_limit(1000, write_a_long_log);
}

/* On a file system of 64 KB: the log fills it, and makes room for the samples. */
static void a_full_disk_keeps_the_samples(void **state)
{
    (void)state;
    enum { PIECE = 8192, PIECES = 5 };
    static const char piece[PIECE];
    char folder[64];
    snprintf(folder, sizeof folder, "%s/disk", place);
    assert_int_equal(mkdir(folder, 0700), 0);
    if (mount("tmpfs", folder, "tmpfs", 0, "size=64k") != 0) {
        rmdir(folder);
        skip();
    }
    struct vf_spool full;
    enum vf_status opened = vf_spool_open(&full, folder, NULL);
    for (int i = 0; i < PIECES; i++) {
        vf_spool_add(&full, VF_SPOOL_PYPYLOG, piece, PIECE);
        vf_spool_add(&full, VF_SPOOL_PROF, piece, PIECE);
        vf_spool_flush(&full);
    }
    bool gave_up = full.logs_given_up;
    enum vf_status after_log = full.status;
    uint64_t after_log_bytes = full.written[VF_SPOOL_PROF];
    for (int i = 0; i < PIECES; i++) {
        vf_spool_add(&full, VF_SPOOL_PROF, piece, PIECE);
        vf_spool_flush(&full);
    }
    struct stat st = {0};
    int had = fstatat(full.folder_fd, "profile.prof", &st, 0);
    enum vf_status at_end = full.status;
    uint64_t written = full.written[VF_SPOOL_PROF];
    vf_spool_close(&full);
    assert_int_equal(umount(folder), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(opened, VF_OK);
    assert_true(gave_up);
    assert_int_equal(after_log, VF_OK);
    assert_int_equal(after_log_bytes, PIECES * PIECE);
    assert_int_equal(at_end, VF_FATAL);
    assert_int_equal(had, 0);
    assert_int_equal(st.st_size, written);
    assert_int_equal(written % PIECE, 0);
    assert_true(written > PIECES * PIECE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_folder_is_the_users_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_finds_no_descriptor_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_added_waits_until_it_is_flushed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_mapped_is_what_was_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_forgotten_is_gone_and_may_come_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(small_files_are_there_at_once_or_not_at_all, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(small_files_keep_their_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_lock_is_held_as_long_as_it_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_folder_is_locked_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_folder_is_begun_where_one_is_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_folder_under_its_name_is_left_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_lies_long_is_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_tried_once_more_where_that_is_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_link_in_a_files_place_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_gone_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_of_what_was_to_be_written_is_taken_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_logs_are_given_up_for_the_samples, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_keeps_the_samples, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

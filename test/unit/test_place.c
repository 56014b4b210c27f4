/* Where a recording goes: names, folders that change meanwhile, spare ones. */
#include "test.h"

#include "base/file.h"
#include "folder.h"
#include "record/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How often a file was waited for, and what that ends with. */
static int waits, wait_error;

int fsync(int fd)
{
    waits++;
    errno = wait_error;
    return wait_error ? -1 : (int)syscall(SYS_fsync, fd);
}

static const char *const spare[] = {"missing", "spare", NULL};

/* Writes "new" to name `which`; its path, or NULL. */
static char *put(const struct vf_place *place, size_t which)
{
    struct vf_draft draft;
    char *path = NULL;
    if (vf_place_begin(place, which, &draft, NULL) == VF_FATAL)
        return NULL;
    assert_int_equal(vf_write_fd(draft.fd, VF_STR("new"), NULL), VF_OK);
    assert_int_equal(vf_place_finish(place, which, &draft, &path, NULL), VF_OK);
    vf_place_drop(&draft);
    return path;
}

static void assert_holds(const char *path, const char *text)
{
    struct vf_bytes bytes;
    assert_int_equal(vf_bytes_map(path, &bytes, NULL), VF_OK);
    assert_true(vf_str_eq(vf_bytes_view(&bytes), vf_str_from(text)));
    vf_bytes_release(&bytes);
}

/* With drafts of both kinds. */
static void a_file_is_made_or_replaced(void **state)
{
    (void)state;
    folder_put("x.vmfox", VF_STR("old"), 0604);
    for (int named = 0; named < 2; named++) {
        struct vf_place place;
        struct stat st;
        assert_int_equal(vf_place_open(&place, "x.vmfox", NULL), VF_OK);
        place.named_drafts = named;
        char *path = put(&place, 0);
        assert_string_equal(path, "x.vmfox");
        assert_holds("x.vmfox", "new");
        assert_int_equal(stat("x.vmfox", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0604);
        assert_int_equal(folder_count("."), 1);
        free(path);
        vf_place_close(&place);
    }
}

static void a_draft_that_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    folder_put("x.vmfox", VF_STR("old"), 0600);
    for (int named = 0; named < 2; named++) {
        struct vf_place place;
        struct vf_draft draft;
        assert_int_equal(vf_place_open(&place, "x.vmfox", NULL), VF_OK);
        place.named_drafts = named;
        assert_int_equal(vf_place_begin(&place, 0, &draft, NULL), VF_OK);
        assert_int_equal(folder_count("."), named ? 2 : 1);
        vf_place_drop(&draft);
        assert_holds("x.vmfox", "old");
        assert_int_equal(folder_count("."), 1);
        vf_place_close(&place);
    }
}

static void names_beside_it_and_in_spare_folders(void **state)
{
    struct vf_place place;
    struct stat st;
    (void)state;
    assert_int_equal(mkdir("out", 0700), 0);
    assert_int_equal(mkdir("spare", 0700), 0);
    assert_int_equal(vf_place_open(&place, "out/x.vmfox", NULL), VF_OK);
    place.spare = spare;
    assert_int_equal(vf_place_count(&place), 5);
    assert_null(put(&place, 1)); /* the same folder again */
    assert_null(put(&place, 3)); /* not there */
    for (int named = 0; named < 2; named++) {
        place.named_drafts = named;
        char *beside = put(&place, 2), *far = put(&place, 4);
        assert_non_null(strstr(beside, "/out/x-"));
        assert_int_equal(strncmp(far, "spare/x-", 8), 0);
        assert_string_equal(far + strlen(far) - 6, ".vmfox");
        assert_holds(beside, "new");
        assert_holds(far, "new");
        assert_int_equal(stat(far, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        free(beside);
        free(far);
    }
    assert_false(vf_place_is_wanted(2));
    assert_int_equal(folder_count("out"), 2);
    vf_place_close(&place);
}

static void a_folder_that_is_renamed_or_made_anew(void **state)
{
    struct vf_place place;
    (void)state;
    assert_int_equal(mkdir("out", 0700), 0);
    assert_int_equal(vf_place_open(&place, "out/x.vmfox", NULL), VF_OK);
    assert_int_equal(rename("out", "moved"), 0);
    char *path = put(&place, 0);
    assert_non_null(strstr(path, "/moved/x.vmfox"));
    assert_holds("moved/x.vmfox", "new");
    free(path);
    assert_int_equal(unlink("moved/x.vmfox"), 0);
    assert_int_equal(rmdir("moved"), 0);
    assert_null(put(&place, 0));
    assert_null(put(&place, 1));
    assert_int_equal(mkdir("out", 0700), 0);
    assert_null(put(&place, 0));
    path = put(&place, 1);
    assert_string_equal(path, "out/x.vmfox");
    assert_true(vf_place_is_wanted(1));
    free(path);
    vf_place_close(&place);
}

static void what_is_written_is_locked(void **state)
{
    struct vf_place place;
    struct vf_draft draft;
    char *path = NULL;
    (void)state;
    assert_int_equal(vf_place_open(&place, "x.vmfox", NULL), VF_OK);
    assert_int_equal(vf_place_begin(&place, 0, &draft, NULL), VF_OK);
    assert_int_equal(vf_place_finish(&place, 0, &draft, &path, NULL), VF_OK);
    int fd = open("x.vmfox", O_RDONLY | O_CLOEXEC);
    assert_int_not_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    vf_place_drop(&draft);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    free(path);
    vf_place_close(&place);
}

/* What a signal that ends vmfox does. */
static void an_end_in_the_middle_leaves_nothing(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        struct vf_place place;
        struct vf_draft draft;
        char *path = NULL;
        assert_int_equal(vf_place_open(&place, "x.vmfox", NULL), VF_OK);
        place.named_drafts = named;
        assert_int_equal(vf_place_begin(&place, 0, &draft, NULL), VF_OK);
        vf_new_file_give_up();
        assert_int_equal(folder_count("."), 0);
        vf_place_drop(&draft);

        assert_int_equal(vf_place_begin(&place, 0, &draft, NULL), VF_OK);
        assert_int_equal(vf_place_finish(&place, 0, &draft, &path, NULL), VF_OK);
        vf_new_file_give_up();
        assert_int_equal(folder_count("."), 1);
        vf_place_drop(&draft);
        vf_new_file_give_up();
        assert_int_equal(folder_count("."), 1);
        unlink("x.vmfox");
        free(path);
        vf_place_close(&place);
    }
}

static void what_is_needed_for_a_while_only_goes_with_its_end(void **state)
{
    struct vf_place place;
    (void)state;
    assert_int_equal(vf_place_open(&place, "x.vmfox", NULL), VF_OK);
    place.is_passing = true;
    char *path = put(&place, 0);
    vf_new_file_give_up();
    assert_int_equal(folder_count("."), 0);
    vf_new_file_watch(NULL);
    free(path);

    path = put(&place, 0);
    vf_new_file_watch(NULL);
    vf_new_file_give_up();
    assert_int_equal(folder_count("."), 1);
    free(path);

    /* Where it has another name than it was to have, the user is told of it. */
    path = put(&place, 2);
    vf_new_file_give_up();
    assert_int_equal(folder_count("."), 2);
    free(path);
    vf_place_close(&place);
}

static void links_are_followed_once(void **state)
{
    struct vf_place place;
    struct stat st;
    (void)state;
    folder_put("there/x.vmfox", VF_STR("old"), 0600);
    assert_int_equal(symlink("there/x.vmfox", "link"), 0);
    assert_int_equal(vf_place_open(&place, "link", NULL), VF_OK);
    free(put(&place, 0));
    assert_holds("there/x.vmfox", "new");
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    vf_place_close(&place);
}

/* As on a network's file system, which has taken all that was written. */
static void no_room_that_is_said_late(void **state)
{
    (void)state;
    folder_put("x.vmfox", VF_STR("old"), 0600);
    for (int i = 0; i < 4; i++) {
        struct vf_place place;
        struct vf_draft draft;
        char *path = NULL;
        bool large = i / 2;
        assert_int_equal(vf_place_open(&place, "x.vmfox", NULL), VF_OK);
        place.named_drafts = i % 2;
        place.must_last = !large;
        assert_int_equal(vf_place_begin(&place, 0, &draft, NULL), VF_OK);
        assert_int_equal(ftruncate(draft.fd, large ? VF_PLACE_WAITED_FROM : 1), 0);
        wait_error = ENOSPC;
        assert_int_equal(vf_place_finish(&place, 0, &draft, &path, NULL), VF_FATAL);
        assert_int_equal(errno, ENOSPC);
        assert_null(path);
        wait_error = EINVAL; /* of what can't be waited for */
        assert_holds("x.vmfox", "old");
        assert_int_equal(folder_count("."), 1);
        vf_place_drop(&draft);
        vf_place_close(&place);
    }
    assert_int_equal(waits, 4);
    struct vf_place place;
    assert_int_equal(vf_place_open(&place, "x.vmfox", NULL), VF_OK);
    place.must_last = true;
    free(put(&place, 0));
    assert_int_equal(waits, 5);
    assert_holds("x.vmfox", "new");
    wait_error = 0;
    vf_place_close(&place);
}

/* Two that run in containers with one home may come by the same name. */
static void a_kept_recording_replaces_none(void **state)
{
    (void)state;
    folder_put("kept/x.vmfox", VF_STR("old"), 0600);
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"x.vmfox", "x.vmfox", "y.vmfox", "z.vmfox"};
        struct vf_place place;
        vf_place_in(&place, open("kept", O_PATH | O_DIRECTORY | O_CLOEXEC), "kept", names[i]);
        place.named_drafts = i % 2;
        char *path = put(&place, 0);
        assert_true((strstr(path, "kept/x-") != NULL) == (i < 2));
        assert_true((strcmp(vf_str_basename(vf_str_from(path)).ptr, names[i]) == 0) == (i >= 2));
        assert_holds(path, "new");
        assert_holds("kept/x.vmfox", "old");
        free(path);
        vf_place_close(&place);
    }
    assert_int_equal(folder_count("kept"), 5);
}

static void a_pipe_that_came_meanwhile_is_not_replaced(void **state)
{
    (void)state;
    struct vf_place place;
    struct vf_draft draft;
    struct stat st;
    char *path = NULL;
    assert_int_equal(vf_place_open(&place, "x.vmfox", NULL), VF_OK);
    assert_int_equal(mkfifo("x.vmfox", 0600), 0);
    assert_int_equal(vf_place_begin(&place, 0, &draft, NULL), VF_OK);
    assert_int_equal(vf_place_finish(&place, 0, &draft, &path, NULL), VF_FATAL);
    assert_int_equal(lstat("x.vmfox", &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    path = put(&place, 2);
    assert_holds(path, "new");
    free(path);
    vf_place_close(&place);
}

static void places_that_cant_be(void **state)
{
    struct vf_place place;
    struct vf_error error;
    (void)state;
    static const char *const paths[] = {"", ".", "missing/x.vmfox"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(vf_place_open(&place, paths[i], &error), VF_FATAL);
        assert_true(strlen(error.text) > 0);
        vf_place_close(&place);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest place[] = {
        IN_FOLDER(a_file_is_made_or_replaced),
        IN_FOLDER(a_draft_that_is_given_up_leaves_nothing),
        IN_FOLDER(names_beside_it_and_in_spare_folders),
        IN_FOLDER(a_folder_that_is_renamed_or_made_anew),
        IN_FOLDER(what_is_written_is_locked),
        IN_FOLDER(an_end_in_the_middle_leaves_nothing),
        IN_FOLDER(what_is_needed_for_a_while_only_goes_with_its_end),
        IN_FOLDER(links_are_followed_once),
        IN_FOLDER(no_room_that_is_said_late),
        IN_FOLDER(a_kept_recording_replaces_none),
        IN_FOLDER(a_pipe_that_came_meanwhile_is_not_replaced),
        IN_FOLDER(places_that_cant_be),
    };
    return cmocka_run_group_tests(place, NULL, NULL);
}

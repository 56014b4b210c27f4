/* Sources on disk: what a profile may ask for, and what it may not. */
#include "test.h"

#include "code/source.h"
#include "folder.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char here[512];

static int make_place(void **state)
{
    if (folder_make(state) != 0)
        return -1;
    snprintf(here, sizeof here, "%s", (const char *)*state);
    folder_put("project/a.py", VF_STR("a = 1\n"), 0644);
    folder_put("project/sub/b.pyw", VF_STR("b = 1\n"), 0644);
    folder_put("project/empty.py", VF_STR(""), 0644);
    folder_put("project/key", VF_STR("secret"), 0600);
    folder_put("project-2/c.py", VF_STR("c = 1\n"), 0644);
    folder_put("secret.py", VF_STR("secret"), 0600);
    return symlink("../secret.py", "project/out.py") || symlink("key", "project/key.py") ||
           symlink("..", "project/up") || symlink("project", "linked") ||
           mkdir("project/dir.py", 0755) || symlink("self.py", "project/self.py");
}

static bool reads(const char *path, const char *folder, const char *expected)
{
    struct vf_bytes bytes = {0};
    bool read = vf_source_read(vf_str_from(path), folder, &bytes);
    if (read && expected)
        assert_true(vf_str_eq(vf_bytes_view(&bytes), vf_str_from(expected)));
    vf_bytes_release(&bytes);
    return read;
}

static const char *below(const char *path)
{
    static char whole[1024];
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    return whole;
}

static void sources_below_the_folder_are_read(void **state)
{
    (void)state;
    assert_true(reads("a.py", "project", "a = 1\n"));
    assert_true(reads(below("project/a.py"), "project", "a = 1\n"));
    assert_true(reads("sub/b.pyw", "project", "b = 1\n"));
    assert_true(reads("sub/../a.py", "project", "a = 1\n"));
    assert_true(reads("empty.py", "project", ""));
    assert_true(reads("a.py", "linked", "a = 1\n"));
    assert_true(reads(below("linked/a.py"), "project", "a = 1\n"));
    assert_true(reads("../project/a.py", "project", "a = 1\n"));
    assert_true(reads(below("project/a.py"), "/", "a = 1\n"));
}

static void nothing_outside_the_folder_is_read(void **state)
{
    (void)state;
    assert_false(reads("../secret.py", "project", NULL));
    assert_false(reads(below("secret.py"), "project", NULL));
    assert_false(reads("out.py", "project", NULL));
    assert_false(reads("up/secret.py", "project", NULL));
    assert_false(reads("../project-2/c.py", "project", NULL));
    assert_false(reads(below("project-2/c.py"), "project", NULL));
    assert_false(reads("project/a.py", "project/sub", NULL));
}

static void only_python_files_are_read(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    assert_false(reads("key", "project", NULL));
    assert_false(reads("dir.py", "project", NULL));
    assert_false(reads("self.py", "project", NULL));
    assert_false(reads("gone.py", "project", NULL));
    assert_false(reads("", "project", NULL));
    assert_false(reads("a.py", "gone", NULL));
    assert_false(vf_source_read(VF_STR("key\0.py"), "project", &bytes));
    assert_false(vf_source_read(VF_STR("a.py\0.py"), "project", &bytes));
}

/* A name ending in .py that leads to something else is no Python file. */
static void a_link_to_what_is_no_python_is_not_read(void **state)
{
    (void)state;
    assert_false(reads("key.py", "project", NULL));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sources_below_the_folder_are_read),
        TEST(nothing_outside_the_folder_is_read),
        TEST(only_python_files_are_read),
        TEST(a_link_to_what_is_no_python_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

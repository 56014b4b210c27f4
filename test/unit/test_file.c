/* Files in and out, and gzip: what is refused, what is kept, what is never lost. */
#include "test.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Each test runs in a new folder, which is the working directory. */
static int make_folder(void **state)
{
    static char path[64];
    strcpy(path, "/tmp/vmfox-test-XXXXXX");
    *state = path;
    return mkdtemp(path) && chdir(path) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    DIR *dir = opendir(".");
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && unlink(entry->d_name) != 0)
            rmdir(entry->d_name);
    closedir(dir);
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static size_t files_here(void)
{
    DIR *dir = opendir(".");
    size_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static void put(const char *path, struct vf_str bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
    close(fd);
}

static void assert_holds(const char *path, struct vf_str expected)
{
    struct vf_bytes bytes;
    struct vf_error error = {0};
    if (vf_bytes_map(path, &bytes, &error) != VF_OK)
        fail_msg("%s: %s", path, error.text);
    assert_true(vf_str_eq(vf_bytes_view(&bytes), expected));
    vf_bytes_release(&bytes);
}

/* ---- mapping --------------------------------------------------------------------------------- */

static void a_file_is_mapped_as_it_is(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    put("a", VF_STR("one\0two"));
    assert_holds("a", VF_STR("one\0two"));
    put("empty", VF_STR(""));
    assert_int_equal(vf_bytes_map("empty", &bytes, NULL), VF_OK);
    assert_int_equal(bytes.len, 0);
    vf_bytes_release(&bytes);
    vf_bytes_release(&bytes);
}

static void assert_refused(const char *path, const char *expected)
{
    struct vf_bytes bytes = {(const unsigned char *)"x", 1, VF_BYTES_BORROWED};
    struct vf_error error = {0};
    assert_int_equal(vf_bytes_map(path, &bytes, &error), VF_FATAL);
    assert_string_equal(error.text, expected);
    assert_null(bytes.ptr);
    vf_bytes_release(&bytes);
}

static void what_is_no_file_is_refused_and_said(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_refused(".", "is a directory; a file was expected");
    assert_refused("pipe", "is not a regular file (a pipe or a device); a file was expected");
    assert_refused("/dev/null", "is not a regular file (a pipe or a device); a file was expected");
    assert_refused("missing", "can't be opened: No such file or directory");
    assert_refused("", "can't be opened: No such file or directory");
    assert_refused("pipe/a", "can't be opened: Not a directory");
}

static void a_file_is_read_as_it_is(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    struct vf_error error = {0};
    put("a", VF_STR("one\0two"));
    assert_int_equal(vf_bytes_read("a", 7, &bytes, &error), VF_OK);
    put("a", VF_STR(""));
    assert_true(vf_str_eq(vf_bytes_view(&bytes), VF_STR("one\0two")));
    vf_bytes_release(&bytes);
    assert_int_equal(vf_bytes_read("a", 0, &bytes, &error), VF_OK);
    assert_int_equal(bytes.len, 0);
    put("a", VF_STR("12345678"));
    assert_int_equal(vf_bytes_read("a", 7, &bytes, &error), VF_WARN);
    assert_string_equal(error.text, "is longer than 7 bytes");
    assert_null(bytes.ptr);
    assert_int_equal(vf_bytes_read("missing", 7, &bytes, &error), VF_FATAL);
    assert_int_equal(vf_bytes_read(".", 7, &bytes, &error), VF_FATAL);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void a_file_is_written_whole_with_the_usual_rights(void **state)
{
    (void)state;
    struct stat st;
    mode_t mask = umask(022);
    assert_int_equal(vf_write_file("new", VF_STR("content"), NULL), VF_OK);
    umask(mask);
    assert_holds("new", VF_STR("content"));
    assert_int_equal(stat("new", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(chmod("new", 0600), 0);
    assert_int_equal(vf_write_file("new", VF_STR("again"), NULL), VF_OK);
    assert_holds("new", VF_STR("again"));
    assert_int_equal(stat("new", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(vf_write_file("new", VF_STR(""), NULL), VF_OK);
    assert_holds("new", VF_STR(""));
    assert_int_equal(files_here(), 1);
}

/* A disk with room for 16 bytes more. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    struct rlimit before, small;
    struct vf_error error = {0};
    char big[1000] = {0};
    put("profile", VF_STR("the old one, longer than sixteen bytes"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 16;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum vf_status old = vf_write_file("profile", (struct vf_str){big, sizeof big}, &error);
    enum vf_status new = vf_write_file("other", (struct vf_str){big, sizeof big}, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(old, VF_FATAL);
    assert_int_equal(new, VF_FATAL);
    assert_string_equal(error.text, "can't be written: File too large");
    assert_holds("profile", VF_STR("the old one, longer than sixteen bytes"));
    assert_int_equal(files_here(), 1);
}

static void what_cannot_be_written_is_said(void **state)
{
    (void)state;
    struct vf_error error = {0};
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(vf_write_file("folder", VF_STR("x"), &error), VF_FATAL);
    assert_string_equal(error.text, "is a directory; can't be written");
    assert_int_equal(vf_write_file("missing/x", VF_STR("x"), &error), VF_FATAL);
    assert_string_equal(error.text, "can't be written: No such file or directory");
    assert_int_equal(vf_write_file("/dev/full", VF_STR("x"), &error), VF_FATAL);
    assert_string_equal(error.text, "can't be written: No space left on device");
    assert_int_equal(vf_write_file("/dev/null", VF_STR("x"), &error), VF_OK);
    assert_int_equal(files_here(), 1);
}

static void a_link_stays_and_what_it_leads_to_is_written(void **state)
{
    (void)state;
    struct stat st;
    put("target", VF_STR("old"));
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(vf_write_file("link", VF_STR("new"), NULL), VF_OK);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_holds("target", VF_STR("new"));
    assert_int_equal(files_here(), 2);
}

static void a_link_to_nothing_makes_what_it_leads_to(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(symlink("not-yet", "link"), 0);
    assert_int_equal(vf_write_file("link", VF_STR("new"), NULL), VF_OK);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_holds("not-yet", VF_STR("new"));
}

static void a_pipe_gets_the_bytes_themselves(void **state)
{
    (void)state;
    char bytes[16] = {0};
    assert_int_equal(mkfifo("pipe", 0600), 0);
    int fd = open("pipe", O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(vf_write_file("pipe", VF_STR("profile"), NULL), VF_OK);
    assert_int_equal(read(fd, bytes, sizeof bytes), 7);
    assert_string_equal(bytes, "profile");
    close(fd);
}

static void whether_a_file_can_be_written_is_known_before(void **state)
{
    (void)state;
    struct vf_error error = {0};
    put("old", VF_STR("old"));
    assert_true(vf_can_write("new", NULL));
    assert_true(vf_can_write("old", NULL));
    assert_true(vf_can_write("/dev/null", NULL));
    assert_false(vf_can_write(".", &error));
    assert_string_equal(error.text, "is a directory; can't be written");
    assert_false(vf_can_write("missing/new", &error));
    assert_string_equal(error.text, "can't be written: folder missing: No such file or directory");
    assert_false(vf_can_write("old/new", &error));
    assert_holds("old", VF_STR("old"));
    assert_int_equal(files_here(), 1);
}

static void a_temporary_file_leaves_nothing_behind(void **state)
{
    (void)state;
    char byte;
    assert_string_equal(vf_temp_folder(), "/tmp");
    vf_set_temp_folder(".");
    int fd = vf_temp_file();
    assert_true(fd >= 0);
    assert_int_equal(files_here(), 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_int_equal(pread(fd, &byte, 1, 0), 1);
    close(fd);
    vf_set_temp_folder("./missing");
    assert_int_equal(vf_temp_file(), -1);
    assert_int_equal(errno, ENOENT);
    vf_set_temp_folder("/tmp");
}

/* ---- gzip ------------------------------------------------------------------------------------ */

enum { LIMIT = 1 << 24 };

static struct vf_bytes borrow(const struct vf_buf *buf)
{
    return (struct vf_bytes){(const unsigned char *)buf->ptr, buf->len, VF_BYTES_BORROWED};
}

/* Text that does not shrink to nothing. */
static void make_text(struct vf_buf *text, size_t lines)
{
    for (uint32_t i = 0; i < lines; i++)
        vf_buf_printf(text, "line %u of %x\n", i, i * 2654435761u);
}

static void a_gzipped_text_comes_back(void **state)
{
    (void)state;
    static const size_t lines[] = {0, 1, 50000};
    for (size_t i = 0; i < 3; i++) {
        struct vf_buf text = {0}, gz = {0};
        struct vf_warnings warnings = {.count = 0};
        make_text(&text, lines[i]);
        assert_int_equal(vf_gzip(vf_buf_view(&text), &gz, NULL), VF_OK);
        struct vf_bytes bytes = borrow(&gz);
        assert_true(vf_is_gzip(&bytes));
        assert_int_equal(vf_gunzip(&bytes, text.len, &warnings, NULL), VF_OK);
        assert_true(vf_str_eq(vf_bytes_view(&bytes), vf_buf_view(&text)));
        assert_int_equal(warnings.count, 0);
        vf_bytes_release(&bytes);
        vf_buf_release(&text);
        vf_buf_release(&gz);
    }
}

static void several_members_are_one_text(void **state)
{
    (void)state;
    struct vf_buf gz = {0};
    struct vf_warnings warnings = {.count = 0};
    assert_int_equal(vf_gzip(VF_STR("one, "), &gz, NULL), VF_OK);
    assert_int_equal(vf_gzip(VF_STR(""), &gz, NULL), VF_OK);
    assert_int_equal(vf_gzip(VF_STR("two"), &gz, NULL), VF_OK);
    size_t members = gz.len;
    vf_buf_add(&gz, "\0\0\0\0", 4); /* padding, as tapes leave it */
    for (size_t len = members; len <= gz.len; len += 4) {
        struct vf_bytes bytes = borrow(&gz);
        bytes.len = len;
        assert_int_equal(vf_gunzip(&bytes, LIMIT, &warnings, NULL), VF_OK);
        assert_true(vf_str_eq(vf_bytes_view(&bytes), VF_STR("one, two")));
        vf_bytes_release(&bytes);
    }
    assert_int_equal(warnings.count, 0);
    vf_buf_release(&gz);
}

/* Inflates the first `len` bytes; returns how many come out, all of them as in `text`. */
static size_t inflated(const struct vf_buf *gz, size_t len, const struct vf_buf *text,
                       enum vf_status expected, struct vf_error *warning)
{
    struct vf_warnings *warnings = vf_alloc_zeroed(1, sizeof *warnings);
    struct vf_error error = {0};
    unsigned char *copy = vf_alloc(len, 1);
    memcpy(copy, gz->ptr, len);
    struct vf_bytes bytes = {copy, len, VF_BYTES_HEAP};
    assert_int_equal(vf_gunzip(&bytes, LIMIT, warnings, &error), expected);
    size_t out = bytes.len;
    assert_true(out <= text->len);
    assert_true(out == 0 || memcmp(bytes.ptr, text->ptr, out) == 0);
    assert_int_equal(warnings->count, expected == VF_WARN);
    *warning = warnings->items[0];
    vf_bytes_release(&bytes);
    free(warnings);
    return out;
}

static void a_cut_gzip_gives_what_came_before_the_cut(void **state)
{
    (void)state;
    struct vf_buf text = {0}, gz = {0};
    struct vf_error warning;
    make_text(&text, 60);
    assert_int_equal(vf_gzip(vf_buf_view(&text), &gz, NULL), VF_OK);
    size_t last = 0;
    for (size_t cut = 3; cut < gz.len; cut++) {
        char expected[100];
        size_t out = inflated(&gz, cut, &text, VF_WARN, &warning);
        snprintf(expected, sizeof expected,
                 "the gzip stream is cut; kept the first %zu bytes in it", out);
        assert_string_equal(warning.text, expected);
        assert_true(warning.has_offset);
        assert_int_equal(warning.offset, cut);
        assert_true(out >= last);
        last = out;
    }
    assert_int_equal(last, text.len);
    assert_int_equal(inflated(&gz, gz.len, &text, VF_OK, &warning), text.len);
    vf_buf_release(&text);
    vf_buf_release(&gz);
}

static void a_damaged_gzip_gives_what_came_before(void **state)
{
    (void)state;
    struct vf_buf text = {0}, gz = {0};
    struct vf_error warning;
    make_text(&text, 20000);
    assert_int_equal(vf_gzip(vf_buf_view(&text), &gz, NULL), VF_OK);
    /* The checksum at the end. */
    gz.ptr[gz.len - 8] ^= 1;
    assert_int_equal(inflated(&gz, gz.len, &text, VF_WARN, &warning), text.len);
    assert_non_null(strstr(warning.text, "the gzip stream is damaged; kept the first"));
    assert_between(warning.offset, gz.len - 8, gz.len);
    gz.ptr[gz.len - 8] ^= 1;
    /* The head. */
    gz.ptr[2] = 9;
    assert_int_equal(inflated(&gz, gz.len, &text, VF_WARN, &warning), 0);
    assert_between(warning.offset, 0, 10);
    gz.ptr[2] = 8;
    vf_buf_release(&text);
    vf_buf_release(&gz);
}

static void what_inflates_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct vf_buf gz = {0};
    struct vf_error error = {0};
    char *zeros = vf_alloc_zeroed(1, LIMIT + 1);
    assert_int_equal(vf_gzip((struct vf_str){zeros, LIMIT + 1}, &gz, NULL), VF_OK);
    struct vf_bytes bytes = borrow(&gz);
    assert_int_equal(vf_gunzip(&bytes, LIMIT, NULL, &error), VF_FATAL);
    assert_string_equal(error.text, "inflates to more than 16777216 bytes, the limit");
    assert_ptr_equal(bytes.ptr, gz.ptr); /* untouched */
    assert_int_equal(bytes.len, gz.len);
    assert_int_equal(vf_gunzip(&bytes, LIMIT + 1, NULL, &error), VF_OK);
    assert_int_equal(bytes.len, LIMIT + 1);
    vf_bytes_release(&bytes);
    vf_buf_release(&gz);
    free(zeros);
}

static void another_reader_takes_the_gzip(void **state)
{
    (void)state;
    struct vf_buf text = {0}, gz = {0};
    make_text(&text, 1000);
    assert_int_equal(vf_gzip(vf_buf_view(&text), &gz, NULL), VF_OK);
    put("a.gz", vf_buf_view(&gz));
    char *read = vf_alloc(text.len + 1, 1);
    gzFile file = gzopen("a.gz", "rb");
    assert_int_equal(gzread(file, read, (unsigned)text.len + 1), text.len);
    assert_memory_equal(read, text.ptr, text.len);
    gzclose(file);
    free(read);
    vf_buf_release(&text);
    vf_buf_release(&gz);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_is_mapped_as_it_is),
        IN_FOLDER(a_file_is_read_as_it_is),
        IN_FOLDER(what_is_no_file_is_refused_and_said),
        IN_FOLDER(a_file_is_written_whole_with_the_usual_rights),
        IN_FOLDER(a_full_disk_leaves_the_old_file),
        IN_FOLDER(what_cannot_be_written_is_said),
        IN_FOLDER(a_link_stays_and_what_it_leads_to_is_written),
        IN_FOLDER(a_link_to_nothing_makes_what_it_leads_to),
        IN_FOLDER(a_pipe_gets_the_bytes_themselves),
        IN_FOLDER(whether_a_file_can_be_written_is_known_before),
        IN_FOLDER(a_temporary_file_leaves_nothing_behind),
        IN_FOLDER(a_gzipped_text_comes_back),
        IN_FOLDER(several_members_are_one_text),
        IN_FOLDER(a_cut_gzip_gives_what_came_before_the_cut),
        IN_FOLDER(a_damaged_gzip_gives_what_came_before),
        IN_FOLDER(what_inflates_beyond_the_limit_is_refused),
        IN_FOLDER(another_reader_takes_the_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

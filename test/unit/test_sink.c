#include "test.h"

#include "base/file.h"
#include "base/sink.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Text that is neither all alike nor noise, as long as asked for. */
static void add_text(struct vf_buf *buf, size_t lines)
{
    uint32_t state = 1;
    for (size_t i = 0; i < lines; i++) {
        state = state * 1664525 + 1013904223;
        vf_buf_printf(buf, "%zu:%u\n", i, state >> 20);
    }
}

static struct vf_buf text_of(size_t lines)
{
    struct vf_buf text = {0};
    add_text(&text, lines);
    return text;
}

static void assert_unpacks_to(struct vf_str packed, struct vf_str text)
{
    /* zlib, and one member only: that is all a browser takes. */
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.ptr, .avail_in = (uInt)packed.len};
    char *out = vf_alloc(text.len + 1, 1);
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)text.len + 1;
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, text.len);
    assert_memory_equal(out, text.ptr, text.len);
    inflateEnd(&z);
    free(out);
}

static const size_t sizes[] = {0, 1, 1000, 200000, 1000000};

static void what_is_put_in_comes_out_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vf_buf text = text_of(sizes[i]), out;
        struct vf_sink *sink = vf_sink_open_memory(false);
        struct vf_buf buf = vf_sink_buf(sink);
        add_text(&buf, sizes[i]);
        assert_int_equal(vf_sink_close_memory(sink, &buf, &out, NULL), VF_OK);
        assert_int_equal(out.len, text.len);
        if (text.len)
            assert_memory_equal(out.ptr, text.ptr, text.len);
        vf_buf_release(&out);
        vf_buf_release(&text);
    }
}

static void what_is_gzipped_is_one_member_that_any_reader_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vf_buf text = text_of(sizes[i]), out;
        struct vf_sink *sink = vf_sink_open_memory(true);
        struct vf_buf buf = vf_sink_buf(sink);
        add_text(&buf, sizes[i]);
        assert_int_equal(vf_sink_close_memory(sink, &buf, &out, NULL), VF_OK);
        assert_unpacks_to(vf_buf_view(&out), vf_buf_view(&text));
        vf_buf_release(&out);
        vf_buf_release(&text);
    }
}

static void a_piece_larger_than_all_buffers_comes_whole(void **state)
{
    (void)state;
    struct vf_buf text = text_of(400000), out;
    struct vf_sink *sink = vf_sink_open_memory(true);
    struct vf_buf buf = vf_sink_buf(sink);
    vf_buf_str(&buf, VF_STR("before"));
    vf_buf_str(&buf, vf_buf_view(&text));
    vf_buf_str(&buf, VF_STR("behind"));
    assert_int_equal(vf_sink_close_memory(sink, &buf, &out, NULL), VF_OK);
    struct vf_buf all = {0};
    vf_buf_printf(&all, "before%.*sbehind", VF_STR_ARG(vf_buf_view(&text)));
    assert_unpacks_to(vf_buf_view(&out), vf_buf_view(&all));
    vf_buf_release(&all);
    vf_buf_release(&out);
    vf_buf_release(&text);
}

static void make_folder(char folder[64])
{
    snprintf(folder, 64, "/tmp/vmfox-sink-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
}

static void a_file_replaces_the_old_one_when_it_is_whole(void **state)
{
    (void)state;
    char folder[64];
    struct vf_bytes bytes;
    uint64_t size;
    make_folder(folder);
    assert_int_equal(vf_write_file("x", VF_STR("old"), NULL), VF_OK);
    struct vf_sink *sink = vf_sink_open("x", false, NULL);
    struct vf_buf buf = vf_sink_buf(sink);
    add_text(&buf, 300000);
    assert_int_equal(vf_bytes_map("x", &bytes, NULL), VF_OK);
    assert_int_equal(bytes.len, 3);
    vf_bytes_release(&bytes);
    assert_int_equal(vf_sink_close(sink, &buf, &size, NULL), VF_OK);
    struct vf_buf text = text_of(300000);
    assert_int_equal(vf_bytes_map("x", &bytes, NULL), VF_OK);
    assert_int_equal(size, text.len);
    assert_int_equal(bytes.len, text.len);
    assert_memory_equal(bytes.ptr, text.ptr, text.len);
    vf_bytes_release(&bytes);
    vf_buf_release(&text);
    assert_int_equal(unlink("x"), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void what_is_given_up_leaves_the_old_file_and_no_other(void **state)
{
    (void)state;
    char folder[64];
    struct vf_bytes bytes;
    make_folder(folder);
    assert_int_equal(vf_write_file("x", VF_STR("old"), NULL), VF_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vf_sink *sink = vf_sink_open("x", true, NULL);
        struct vf_buf buf = vf_sink_buf(sink);
        add_text(&buf, sizes[i]);
        vf_sink_abandon(sink, &buf);
    }
    assert_int_equal(vf_bytes_map("x", &bytes, NULL), VF_OK);
    assert_int_equal(bytes.len, 3);
    vf_bytes_release(&bytes);
    assert_int_equal(unlink("x"), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing else was in it */
}

static void a_full_disk_is_said_at_the_end(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++)
        for (int gzip = 0; gzip < 2; gzip++) {
            struct vf_error error = {0};
            struct vf_sink *sink = vf_sink_open("/dev/full", gzip, &error);
            assert_non_null(sink);
            struct vf_buf buf = vf_sink_buf(sink);
            add_text(&buf, sizes[i]);
            assert_int_equal(vf_sink_close(sink, &buf, NULL, &error), VF_FATAL);
            assert_string_equal(error.text, "can't be written: No space left on device");
        }
}

static void a_place_that_can_not_be_written_is_said_at_once(void **state)
{
    (void)state;
    struct vf_error error = {0};
    assert_null(vf_sink_open("/", true, &error));
    assert_string_equal(error.text, "is a directory; can't be written");
    assert_null(vf_sink_open("/nowhere/x", true, &error));
    assert_string_equal(error.text, "can't be written: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_in_comes_out_of_memory),
        cmocka_unit_test(what_is_gzipped_is_one_member_that_any_reader_takes),
        cmocka_unit_test(a_piece_larger_than_all_buffers_comes_whole),
        cmocka_unit_test(a_file_replaces_the_old_one_when_it_is_whole),
        cmocka_unit_test(what_is_given_up_leaves_the_old_file_and_no_other),
        cmocka_unit_test(a_full_disk_is_said_at_the_end),
        cmocka_unit_test(a_place_that_can_not_be_written_is_said_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

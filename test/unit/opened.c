#include "test.h"

#include "opened.h"

#include "prof_builder.h"
#include "profile/build.h"

struct opened file;

void open_file(const char *path)
{
    struct opened *o = &file;
    o->warnings.count = 0;
    o->error = (struct vf_error){0};
    o->status = vf_capture_open(&o->capture, path, &o->warnings, &o->error);
    if (o->status == VF_FATAL)
        assert_true(o->error.text[0]);
    assert_int_equal(o->status == VF_WARN, o->status != VF_FATAL && o->warnings.count > 0);
}

void open_zip(const struct zip_part *parts, size_t count)
{
    assert_true(zip_write_file("a.zip", parts, count));
    open_file("a.zip");
}
void refused(const char *part)
{
    assert_int_equal(file.status, VF_FATAL);
    if (!strstr(file.error.text, part))
        fail_msg("%s: nothing of %s in it", file.error.text, part);
    vf_capture_release(&file.capture);
}

void taken(const char *warning)
{
    if (file.status == VF_FATAL)
        fail_msg("refused: %s", file.error.text);
    assert_int_equal(file.warnings.count, warning ? 1 : 0);
    if (warning && !strstr(file.warnings.items[0].text, warning))
        fail_msg("%s: nothing of %s in it", file.warnings.items[0].text, warning);
}

void assert_str(struct vf_str value, const char *expected)
{
    if (!vf_str_eq(value, vf_str_from(expected)))
        fail_msg("%.*s is not %s", VF_STR_ARG(value), expected);
}

/* A small profile; the bytes stay until the program ends. */
struct vf_str prof(void)
{
    static struct prof_builder b = {.word_bytes = 8, .addr_bytes = 8, .version = 6};
    static const struct prof_frame frames[] = {{1, 0x10, 0}, {1, 0x20, 0}};
    if (b.out.len == 0) {
        prof_static_header(&b, 1000);
        prof_header(&b, "cpython");
        prof_start_time(&b, 1700000000, 0);
        for (size_t i = 0; i < 20; i++)
            prof_stack(&b, 1, &(struct prof_sample){frames, 2, i & 1, 0, 0});
        prof_name(&b, 2, 0x10, "py:main:1:/a.py");
        prof_name(&b, 2, 0x20, "py:f:2:/a.py");
        prof_trailer(&b, 1700000001, 0);
    }
    return vf_buf_view(&b.out);
}

void build_it(const char *what)
{
    struct vf_profile profile;
    if (vf_profile_build(&profile, &file.capture, NULL, NULL, &file.error) == VF_FATAL)
        fail_msg("%s: %s", what, file.error.text);
    assert_true(profile.threads.items[0].samples.len > 0);
    vf_profile_release(&profile);
}

/* Captures that are damaged, cut or made to do harm; and what a file is taken for by its content.
 */
#include "test.h"

#include "folder.h"
#include "opened.h"
#include "profile/build.h"

#include <stdio.h>
#include <unistd.h>

#define JSON PART("capture.json", "{\"version\":1}")

/* The bytes of a.zip, to be changed; freed by patch_end(), which opens what they are then. */
static struct vf_buf patched;

static void patch_begin(void)
{
    struct vf_bytes bytes;
    vf_capture_release(&file.capture);
    assert_int_equal(vf_bytes_map("a.zip", &bytes, NULL), VF_OK);
    patched = (struct vf_buf){0};
    vf_buf_add(&patched, bytes.ptr, bytes.len);
    vf_bytes_release(&bytes);
}

/* Replaces all places where `from` stands; how many. */
static size_t patch(struct vf_str from, struct vf_str to)
{
    size_t count = 0;
    assert_int_equal(from.len, to.len);
    for (size_t i = 0; i + from.len <= patched.len; i++)
        if (memcmp(patched.ptr + i, from.ptr, from.len) == 0) {
            memcpy(patched.ptr + i, to.ptr, to.len);
            count++;
        }
    return count;
}

static void patch_end(size_t len)
{
    folder_put("b.zip", (struct vf_str){patched.ptr, len}, 0644);
    open_file("b.zip");
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void a_damaged_member_is_kept_and_said(void **state)
{
    (void)state;
    OPEN_ZIP(JSON, {"profile.prof", prof(), true});
    taken(NULL);
    patch_begin();
    assert_int_equal(patch(VF_STR("py:main:1:"), VF_STR("py:Main:1:")), 1);
    patch_end(patched.len);
    taken("member profile.prof is damaged: CRC error");
    assert_int_equal(file.capture.prof.len, prof().len);
    build_it("damaged");
    vf_capture_release(&file.capture);
    vf_buf_release(&patched);
}

static void a_profile_that_cant_be_unpacked_is_not_called_missing(void **state)
{
    (void)state;
    OPEN_ZIP(JSON, {"profile.prof", prof(), true});
    taken(NULL);
    patch_begin();
    /* Behind the version needed and the flags: the way it is packed.  98 is one nobody has. */
    for (size_t i = 0; i + 46 < patched.len; i++)
        if (memcmp(patched.ptr + i, "PK\1\2", 4) == 0 && patched.ptr[i + 10] == 0 &&
            memcmp(patched.ptr + i + 46, "profile.prof", 12) == 0)
            patched.ptr[i + 10] = 98;
    for (size_t i = 0; i + 30 < patched.len; i++)
        if (memcmp(patched.ptr + i, "PK\3\4", 4) == 0 &&
            memcmp(patched.ptr + i + 30, "profile.prof", 12) == 0)
            patched.ptr[i + 8] = 98;
    patch_end(patched.len);
    assert_int_equal(file.status, VF_FATAL);
    assert_null(strstr(file.error.text, "found none"));
    refused("profile.prof");
    vf_buf_release(&patched);
}

static void two_members_of_one_name_are_one_of_them(void **state)
{
    (void)state;
    OPEN_ZIP(JSON, PROF, PART("profile.PROF", "not this"), PART("maps.txt", "one map"),
             PART("maps.TXT", "two map"));
    taken(NULL);
    patch_begin();
    assert_int_equal(patch(VF_STR("maps.TXT"), VF_STR("maps.txt")), 2);
    patch_end(patched.len);
    taken("member maps.txt is in the zip more than once");
    assert_true(vf_str_eq(file.capture.maps, VF_STR("one map")) ||
                vf_str_eq(file.capture.maps, VF_STR("two map")));
    build_it("two names");
    vf_capture_release(&file.capture);
    vf_buf_release(&patched);
}

static void a_cut_zip_is_refused_wherever_it_is_cut(void **state)
{
    (void)state;
    OPEN_ZIP(JSON, PROF, PART("stamps.i64", "12345678"), {"copy.prof", prof(), true});
    taken(NULL);
    patch_begin();
    assert_true(patched.len > 1000);
    for (size_t len = 0; len < patched.len; len += 64) {
        patch_end(len);
        refused(len < 16 ? "expected a VMProf header" : "zip");
    }
    vf_buf_release(&patched);
}

static void a_zip_with_any_byte_changed_does_no_harm(void **state)
{
    (void)state;
    size_t opened = 0;
    OPEN_ZIP(JSON, PROF, PART("s", "x = 1"));
    taken(NULL);
    patch_begin();
    for (size_t i = 0; i < patched.len; i++) {
        struct vf_profile profile;
        patched.ptr[i] = (char)(patched.ptr[i] ^ 0xff);
        patch_end(patched.len);
        patched.ptr[i] = (char)(patched.ptr[i] ^ 0xff);
        if (file.status != VF_FATAL) {
            opened++;
            vf_profile_build(&profile, &file.capture, NULL, NULL, NULL);
            vf_profile_release(&profile);
        }
        vf_capture_release(&file.capture);
    }
    assert_between(opened, 1, patched.len - 1);
    vf_buf_release(&patched);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void a_zip_with_too_many_members_is_refused(void **state)
{
    (void)state;
    enum { COUNT = VF_ZIP_MEMBERS_MAX + 1 };
    struct zip_part *parts = vf_alloc_zeroed(COUNT, sizeof *parts);
    char(*names)[24] = vf_alloc_zeroed(COUNT, sizeof *names);
    parts[0] = (struct zip_part)JSON;
    parts[1] = (struct zip_part)PROF;
    for (size_t i = 2; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "s/%zu", i);
        parts[i] = (struct zip_part){names[i], VF_STR(""), true};
    }
    open_zip(parts, COUNT);
    refused("the zip has 20001 members, more than 20000, the limit");
    open_zip(parts, COUNT - 1);
    taken(NULL);
    vf_capture_release(&file.capture);
    free(names);
    free(parts);
}

static void sources_are_taken_up_to_a_limit_over_all(void **state)
{
    (void)state;
    enum { BIG = 30 << 20 };
    char *big = vf_alloc_zeroed(BIG, 1);
    struct vf_buf json = {0};
    vf_buf_printf(&json, "{\"version\":1,\"sources\":[");
    for (size_t i = 0; i < 10; i++)
        vf_buf_printf(&json, "{\"path\":\"/%zu.py\",\"member\":\"big\"},", i);
    vf_buf_printf(&json, "{\"path\":\"/small.py\",\"member\":\"small\"}]}");
    OPEN_ZIP(PROF, {"capture.json", vf_buf_view(&json), false}, {"big", {big, BIG}, false},
             PART("small", "x = 1\n"));
    assert_int_equal(file.status, VF_WARN);
    assert_int_equal(file.warnings.count, 2);
    assert_non_null(strstr(file.warnings.items[0].text, "member big unpacks to more than"));
    assert_int_equal(file.capture.sources.len, 9);
    assert_str(file.capture.sources.items[8].path, "/small.py");
    assert_str(file.capture.sources.items[8].text, "x = 1\n");
    vf_capture_release(&file.capture);
    vf_buf_release(&json);
    free(big);
}

static void a_capture_json_over_the_limit_is_refused(void **state)
{
    (void)state;
    char *spaces = vf_alloc_zeroed(VF_ZIP_JSON_MAX + 1, 1);
    memset(spaces, ' ', VF_ZIP_JSON_MAX + 1);
    OPEN_ZIP(PROF, {"capture.json", {spaces, VF_ZIP_JSON_MAX + 1}, false});
    refused("capture.json in the zip can't be read");
    assert_int_equal(file.warnings.count, 1);
    assert_non_null(strstr(file.warnings.items[0].text, "unpacks to more than 16777216 bytes"));
    free(spaces);
}

static void a_capture_json_of_too_many_values_is_refused(void **state)
{
    (void)state;
    struct vf_buf json = {0};
    vf_buf_str(&json, VF_STR("{\"version\":1,\"x\":[1"));
    for (int i = 0; i < VF_ZIP_JSON_VALUES_MAX - 3; i++)
        vf_buf_str(&json, VF_STR(",1"));
    size_t len = json.len;
    vf_buf_str(&json, VF_STR("]}"));
    OPEN_ZIP(PROF, {"capture.json", vf_buf_view(&json), false});
    taken(NULL);
    vf_capture_release(&file.capture);
    json.len = len;
    vf_buf_str(&json, VF_STR(",1]}"));
    OPEN_ZIP(PROF, {"capture.json", vf_buf_view(&json), false});
    refused("capture.json in the zip holds more than 1000000 values, the limit");
    vf_buf_release(&json);
}

static void what_is_unpacked_is_measured_by_what_is_packed(void **state)
{
    (void)state;
    const uint64_t always = (uint64_t)1 << 30;
    assert_true(vf_inflated_max(0) == always);
    assert_true(vf_inflated_max(1000) == always);
    assert_true(vf_inflated_max(always) == VF_INFLATED_MAX);
    assert_true(vf_inflated_max(SIZE_MAX) == VF_INFLATED_MAX);
    assert_true(vf_inflated_max(10 << 20) == (uint64_t)VF_INFLATED_RATIO * (10 << 20));
}

/* ---- gzip ------------------------------------------------------------------------------------ */

static void a_gzipped_prof_is_read_in_a_zip_and_alone(void **state)
{
    (void)state;
    struct vf_buf packed = {0};
    assert_int_equal(vf_gzip(prof(), &packed, NULL), VF_OK);
    OPEN_ZIP(PART("dict.json", "{\"prof\":\"p\"}"), {"p", vf_buf_view(&packed), false});
    taken(NULL);
    assert_true(vf_str_eq(file.capture.prof, prof()));
    build_it("gz in a zip");
    vf_capture_release(&file.capture);
    OPEN_ZIP(JSON, {"profile.prof", {packed.ptr, packed.len - 20}, false});
    taken("the gzip stream is cut");
    vf_capture_release(&file.capture);
    folder_put("a.prof", vf_buf_view(&packed), 0644);
    open_file("a.prof");
    taken(NULL);
    assert_int_equal(file.capture.kind, VF_CAPTURE_PROF);
    assert_true(vf_str_eq(file.capture.prof, prof()));
    vf_capture_release(&file.capture);
    folder_put("a.prof", (struct vf_str){packed.ptr, packed.len - 9}, 0644);
    open_file("a.prof");
    taken("the gzip stream is cut; kept the first");
    assert_true(vf_str_starts(prof(), file.capture.prof) && file.capture.prof.len > 100);
    vf_capture_release(&file.capture);
    vf_buf_release(&packed);
}

/* ---- what a file is taken for ---------------------------------------------------------------- */

struct sniffed {
    struct vf_str bytes;
    int kind; /* -1: refused */
    const char *said;
};

#define JSLB "\xDC\xDF\x4A\x53\x4C\x42\x01\x00\x01\0\0\0"
#define OTHER "expected a VMProf file (.prof), a .vmfox, a zip of vmprof-firefox-converter or a "

static const struct sniffed sniffed[] = {
    {{"{}", 2}, VF_CAPTURE_FINISHED_JSON, NULL},
    {{" \r\n\t{\"meta\":1}", 14}, VF_CAPTURE_FINISHED_JSON, NULL},
    {{JSLB, sizeof JSLB - 1}, VF_CAPTURE_FINISHED_JSLB, NULL},
    {{JSLB, 8}, VF_CAPTURE_FINISHED_JSLB, NULL},
    {{"[1, 2, 3, 4, 5, 6]", 18}, -1, OTHER},
    {{"#!/usr/bin/env python3\n", 23}, -1, OTHER},
    {{JSLB, 7}, -1, "expected a VMProf header, found only 7 bytes"},
    {{"", 0}, -1, "expected a VMProf header, found an empty file"},
    {{"  \n", 3}, -1, "expected a VMProf header, found only 3 bytes"},
    {{"PK\3\4", 4}, -1, "the zip can't be read: "},
    {{"PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22}, -1, "expected capture.json"},
};

static void assert_sniffed(const struct sniffed *s, struct vf_str bytes)
{
    folder_put("a.prof", bytes, 0644); /* the name says nothing */
    open_file("a.prof");
    if (s->kind < 0) {
        refused(s->said);
        return;
    }
    taken(NULL);
    assert_int_equal(file.capture.kind, s->kind);
    assert_true(vf_str_eq(vf_bytes_view(&file.capture.file), bytes));
    vf_capture_release(&file.capture);
}

static void a_file_is_known_by_its_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sniffed / sizeof *sniffed; i++) {
        struct vf_buf packed = {0};
        assert_sniffed(&sniffed[i], sniffed[i].bytes);
        if (i >= 9)
            continue;
        assert_int_equal(vf_gzip(sniffed[i].bytes, &packed, NULL), VF_OK);
        assert_sniffed(&sniffed[i], vf_buf_view(&packed));
        vf_buf_release(&packed);
    }
}

static void companions_replace_what_the_capture_holds(void **state)
{
    (void)state;
    OPEN_ZIP(JSON, PROF, PART("profile.jitlog", "old"), PART("profile.pypylog", "old"));
    taken(NULL);
    folder_put("new.jit", VF_STR("new"), 0644);
    assert_int_equal(vf_capture_add_companions(&file.capture, "new.jit", NULL, NULL, &file.error),
                     VF_OK);
    assert_str(file.capture.jitlog, "new");
    assert_str(file.capture.pypylog, "old");
    assert_int_equal(vf_capture_add_companions(&file.capture, NULL, "gone", NULL, &file.error),
                     VF_FATAL);
    assert_string_equal(file.error.text, "can't be opened: No such file or directory");
    vf_capture_release(&file.capture);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_damaged_member_is_kept_and_said),
        TEST(a_profile_that_cant_be_unpacked_is_not_called_missing),
        TEST(two_members_of_one_name_are_one_of_them),
        TEST(a_cut_zip_is_refused_wherever_it_is_cut),
        TEST(a_zip_with_any_byte_changed_does_no_harm),
        TEST(a_zip_with_too_many_members_is_refused),
        TEST(sources_are_taken_up_to_a_limit_over_all),
        TEST(a_capture_json_over_the_limit_is_refused),
        TEST(a_capture_json_of_too_many_values_is_refused),
        TEST(what_is_unpacked_is_measured_by_what_is_packed),
        TEST(a_gzipped_prof_is_read_in_a_zip_and_alone),
        TEST(a_file_is_known_by_its_content),
        TEST(companions_replace_what_the_capture_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

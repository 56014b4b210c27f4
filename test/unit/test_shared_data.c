/* Published recordings, where they are at hand: every sample, name and count is compared with what
 * an independent reader found in the same file.
 *
 * The folder is $VMFOX_SHARED_DATA, or ../shared/data beside the source tree. */
#include "test.h"

#include "shared_data.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const char *data_dir(void)
{
    const char *dir = getenv("VMFOX_SHARED_DATA");
    return dir && *dir ? dir : VF_SOURCE_ROOT "/../shared/data";
}

static bool has_ending(const char *name, const char *ending)
{
    return vf_str_ends(vf_str_from(name), vf_str_from(ending));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef VF_VEC(char *) path_vec;

static void find_recordings(path_vec *paths)
{
    DIR *dir = opendir(data_dir());
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (!has_ending(entry->d_name, ".prof") && !has_ending(entry->d_name, ".tsprof"))
            continue;
        struct vf_buf path = {0};
        vf_buf_printf(&path, "%s/%s", data_dir(), entry->d_name);
        VF_APPEND(paths, vf_strdup(vf_buf_view(&path)));
        vf_buf_release(&path);
    }
    closedir(dir);
    if (paths->len)
        qsort(paths->items, paths->len, sizeof *paths->items, by_name);
}

/* Runs `check` on every recording; skips the test, and says so, where there is none. */
static void for_all_recordings(void (*check)(const char *path, const struct shared_profile *p))
{
    path_vec paths = {0};
    find_recordings(&paths);
    if (paths.len == 0) {
        print_message("no recordings in %s: nothing is compared\n", data_dir());
        free(paths.items);
        skip();
    }
    for (size_t i = 0; i < paths.len; i++) {
        struct shared_profile profile;
        print_message("  %s\n", strrchr(paths.items[i], '/') + 1);
        shared_profile_read(&profile, paths.items[i]);
        check(paths.items[i], &profile);
        shared_profile_release(&profile);
        free(paths.items[i]);
    }
    free(paths.items);
}

/* ---- every sample's stack -------------------------------------------------------------------- */

static void compare_lines(const char *path, const struct shared_profile *p)
{
    struct vf_buf tsv = {0}, line = {0}, text = {0};
    vf_buf_printf(&tsv, "%s.stacks.tsv.gz", path);
    vf_buf_add(&tsv, "", 1);
    gzFile file = gzopen(tsv.ptr, "rb");
    assert_non_null(file);
    for (size_t i = 0; i < p->samples.len; i++) {
        if (!shared_read_line(file, &line))
            fail_msg("the list ends before sample %zu", i);
        text.len = 0;
        shared_sample_text(p, &p->samples.items[i], &text);
        if (!vf_str_eq(vf_buf_view(&text), vf_buf_view(&line)))
            fail_msg("sample %zu at byte %llu:\n  found    %.*s\n  expected %.*s", i,
                     (unsigned long long)p->samples.items[i].offset, VF_STR_ARG(vf_buf_view(&text)),
                     VF_STR_ARG(vf_buf_view(&line)));
    }
    if (shared_read_line(file, &line))
        fail_msg("the list goes on behind the last of %zu samples", p->samples.len);
    gzclose(file);
    vf_buf_release(&tsv);
    vf_buf_release(&line);
    vf_buf_release(&text);
}

static void every_stack_is_as_listed(void **state)
{
    (void)state;
    for_all_recordings(compare_lines);
}

/* ---- the counts ------------------------------------------------------------------------------ */

static json_t *load_json(const char *path, const char *ending)
{
    struct vf_buf name = {0};
    json_error_t error;
    vf_buf_printf(&name, "%s%s", path, ending);
    vf_buf_add(&name, "", 1);
    json_t *json = json_load_file(name.ptr, 0, &error);
    if (!json)
        fail_msg("%s: %s", name.ptr, error.text);
    vf_buf_release(&name);
    return json;
}

static void compare_int(const json_t *expected, const char *key, int64_t found)
{
    const json_t *value = json_object_get(expected, key);
    if (!json_is_integer(value) || json_integer_value(value) != found)
        fail_msg("%s: found %lld, expected %lld", key, (long long)found,
                 (long long)json_integer_value(value));
}

static void compare_time(const json_t *expected, const char *key, bool has_time, int64_t found)
{
    if (!has_time)
        assert_true(json_is_null(json_object_get(expected, key)));
    else
        compare_int(expected, key, found);
}

static void compare_header(const json_t *expected, const struct shared_profile *p)
{
    const struct vf_vmprof *v = &p->reader;
    const char *dialect = json_string_value(json_object_get(expected, "dialect"));
    const char *interpreter = json_string_value(json_object_get(expected, "interpreter"));
    compare_int(expected, "word_bytes", v->word_bytes);
    compare_int(expected, "addr_bytes", v->addr_bytes);
    compare_int(expected, "version", v->version);
    compare_int(expected, "mode", v->mode);
    compare_int(expected, "period_us", v->period_us);
    assert_true(vf_str_eq(v->interpreter, vf_str_from(interpreter)));
    /* Allocation samples alone are the fork's too. */
    if (!dialect)
        assert_int_equal(v->dialect, VF_DIALECT_PLAIN);
    else
        assert_int_equal(v->dialect,
                         strcmp(dialect, "fork") == 0 ? VF_DIALECT_FORK : VF_DIALECT_UPSTREAM);
    compare_time(expected, "start_us", p->has_start, p->start_us);
    compare_time(expected, "end_us", p->end_us != 0, p->end_us);
}

static bool text_is(struct vf_str found, const json_t *expected)
{
    return vf_str_eq(found, vf_str_from(json_string_value(expected)));
}

/* Long lists are cut in the expectation: the first ones, then ["...", "count of all"]. */
static void compare_metas(const json_t *expected, const struct shared_profile *p)
{
    const json_t *metas = json_object_get(expected, "meta");
    size_t count = json_array_size(metas), i;
    for (i = 0; i < count; i++) {
        const json_t *key = json_array_get(json_array_get(metas, i), 0);
        const json_t *value = json_array_get(json_array_get(metas, i), 1);
        if (strcmp(json_string_value(key), "...") == 0) {
            assert_int_equal(p->metas.len, atoll(json_string_value(value)));
            return;
        }
        assert_true(i < p->metas.len);
        assert_true(text_is(p->metas.items[i].key, key));
        assert_true(text_is(p->metas.items[i].value, value));
    }
    assert_int_equal(p->metas.len, i);
}

static void compare_threads(const json_t *expected, const struct shared_profile *p)
{
    json_t *found = json_object();
    for (size_t i = 0; i < p->samples.len; i++) {
        char thread[24];
        snprintf(thread, sizeof thread, "%llu",
                 (unsigned long long)p->samples.items[i].sample.thread);
        json_int_t before = json_integer_value(json_object_get(found, thread));
        json_object_set_new(found, thread, json_integer(before + 1));
    }
    assert_true(json_equal(found, json_object_get(expected, "threads")));
    json_decref(found);
}

static void compare_frames(const json_t *expected, const struct shared_profile *p)
{
    json_t *found = json_object();
    size_t total = 0;
    for (size_t i = 0; i < p->samples.len; i++) {
        const struct vf_sample *sample = &p->samples.items[i].sample;
        total += sample->depth;
        for (uint32_t j = 0; j < sample->depth; j++) {
            const char *kind = shared_kind(vf_vmprof_frame(&p->reader, sample, j).kind);
            json_int_t before = json_integer_value(json_object_get(found, kind));
            json_object_set_new(found, kind, json_integer(before + 1));
        }
    }
    compare_int(expected, "frames_total", (int64_t)total);
    assert_true(json_equal(found, json_object_get(expected, "frame_kinds")));
    json_decref(found);
}

/* The leafmost Python function of a sample; empty when there is none. */
static struct vf_str self_name(const struct shared_profile *p, const struct vf_sample *sample)
{
    for (uint32_t i = sample->depth; i > 0; i--) {
        struct vf_frame frame = vf_vmprof_frame(&p->reader, sample, i - 1);
        struct vf_str name;
        if (shared_frame_name(p, frame, &name) && vf_str_starts(name, VF_STR("py:")))
            return name;
    }
    return VF_STR("");
}

static void compare_top(const json_t *expected, const struct shared_profile *p)
{
    const json_t *top = json_object_get(expected, "top_python_self");
    for (size_t i = 0; i < json_array_size(top); i++) {
        const json_t *name = json_array_get(json_array_get(top, i), 0);
        json_int_t count = 0;
        for (size_t j = 0; j < p->samples.len; j++)
            count += text_is(self_name(p, &p->samples.items[j].sample), name);
        if (count != json_integer_value(json_array_get(json_array_get(top, i), 1)))
            fail_msg("%s is the leaf of %lld samples", json_string_value(name), (long long)count);
    }
}

static void compare_counts(const char *path, const struct shared_profile *p)
{
    json_t *expected = load_json(path, ".expected.json");
    compare_header(expected, p);
    compare_metas(expected, p);
    compare_threads(expected, p);
    compare_frames(expected, p);
    compare_top(expected, p);
    compare_int(expected, "samples", (int64_t)p->samples.len);
    compare_int(expected, "alloc_samples", (int64_t)p->allocations.len);
    compare_int(expected, "obj_info_records", (int64_t)p->object_records);
    compare_int(expected, "symbols", (int64_t)shared_symbol_count(p));
    compare_int(expected, "bytes_after_trailer", (int64_t)p->bytes_after_trailer);
    assert_true(json_is_null(json_object_get(expected, "problem")));
    assert_string_equal(p->reader.problem.text, "");
    json_decref(expected);
}

static void every_count_is_as_listed(void **state)
{
    (void)state;
    for_all_recordings(compare_counts);
}

/* ---- allocations ----------------------------------------------------------------------------- */

/* The list leaves allocation stacks out: their frames must at least all be named or be addresses,
 * and the object records hold one entry for each allocation since the record before. */
static void check_allocations(const char *path, const struct shared_profile *p)
{
    (void)path;
    for (size_t i = 0; i < p->allocations.len; i++) {
        const struct vf_sample *sample = &p->allocations.items[i].sample;
        assert_true(sample->depth > 0);
        assert_true(sample->has_time);
        for (uint32_t j = 0; j < sample->depth; j++) {
            struct vf_frame frame = vf_vmprof_frame(&p->reader, sample, j);
            struct vf_str name;
            assert_between(frame.kind, VF_FRAME_CODE, VF_FRAME_NATIVE);
            bool python = frame.kind == VF_FRAME_CODE || frame.kind == VF_FRAME_JITTED;
            if (python &&
                (!shared_frame_name(p, frame, &name) || !vf_str_starts(name, VF_STR("py:"))))
                fail_msg("the allocation at byte %llu: frame %u (0x%llx) has no Python name",
                         (unsigned long long)p->allocations.items[i].offset, j,
                         (unsigned long long)frame.value);
        }
    }
    assert_int_equal(p->object_entries, p->allocations.len);
}

static void every_allocation_has_its_object_and_its_stack(void **state)
{
    (void)state;
    for_all_recordings(check_allocations);
}

/* ---- cut ------------------------------------------------------------------------------------- */

static void cut_some(const char *path, const struct shared_profile *p)
{
    (void)path;
    for (size_t i = 1; i < 50; i++) {
        size_t cut = p->bytes.len / 50 * i, samples = 0, whole = 0;
        struct vf_vmprof v;
        struct vf_record record;
        assert_int_equal(vf_vmprof_open(&v, p->bytes.ptr, cut, NULL), VF_OK);
        while (vf_vmprof_next(&v, &record))
            samples += record.type == VF_RECORD_SAMPLE;
        while (whole < p->samples.len && p->samples.items[whole].end <= cut)
            whole++;
        assert_int_equal(samples, whole);
        assert_int_equal(v.problem.text[0] != 0, cut < p->trailer_end);
    }
}

static void a_cut_recording_keeps_the_samples_before_the_cut(void **state)
{
    (void)state;
    for_all_recordings(cut_some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stack_is_as_listed),
        cmocka_unit_test(every_count_is_as_listed),
        cmocka_unit_test(every_allocation_has_its_object_and_its_stack),
        cmocka_unit_test(a_cut_recording_keeps_the_samples_before_the_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

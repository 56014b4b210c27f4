/* Whole logs that PyPy wrote: as they are, and cut at every byte. */
#include "test.h"

#include "base/buf.h"
#include "base/file.h"
#include "capture/runtime_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DATA VF_SOURCE_ROOT "/test/data/pypylog/"

static struct vf_bytes bytes;
static struct vf_runtime_log log_;

static int release(void **state)
{
    (void)state;
    vf_runtime_log_release(&log_);
    vf_bytes_release(&bytes);
    return 0;
}

static void read_file(const char *path)
{
    struct vf_error error = {0};
    release(NULL);
    if (vf_bytes_map(path, &bytes, &error) != VF_OK)
        fail_msg("%s: %s", path, error.text);
    vf_runtime_log_read(&log_, vf_bytes_view(&bytes));
}

static size_t count_kind(enum vf_log_kind kind)
{
    size_t count = 0;
    for (uint32_t i = 0; i < log_.sections.len; i++)
        count += vf_log_section_kind(&log_, i) == kind;
    return count;
}

static size_t count_made(void)
{
    size_t count = 0;
    for (size_t i = 0; i < log_.sections.len; i++)
        count += log_.sections.items[i].made;
    return count;
}

static void assert_no_damage(void)
{
    struct vf_warnings warnings = {0};
    vf_runtime_log_warn(&log_, &warnings);
    if (warnings.count)
        fail_msg("%s", warnings.items[0].text);
    assert_int_equal(log_.parts.len, 1);
}

static void assert_str(struct vf_str found, const char *expected)
{
    if (!vf_str_eq(found, vf_str_from(expected)))
        fail_msg("found \"%.*s\", expected \"%s\"", VF_STR_ARG(found), expected);
}

/* ---- as they are ----------------------------------------------------------------------------- */

static void a_log_with_text_is_read_whole(void **state)
{
    (void)state;
    read_file(DATA "text.log");
    assert_no_damage();
    assert_int_equal(log_.lines, 745);
    assert_int_equal(log_.sections.len, 137);
    assert_int_equal(log_.minors.len, 34);
    assert_int_equal(log_.steps.len, 12);
    assert_int_equal(count_kind(VF_LOG_DONE), 2);
    assert_int_equal(log_.traces.len, 8);
    assert_int_equal(log_.invalidations.len, 3);
    assert_int_equal(log_.loops.len, 1);
    assert_int_equal(count_made(), 7);
    assert_int_equal(log_.nursery_bytes, 2097152);
    for (size_t i = 0; i < log_.minors.len; i++)
        assert_true(log_.minors.items[i].has_text);
    const struct vf_log_summary *summary = &log_.parts.items[0].summary;
    assert_int_equal(summary->tracings, log_.traces.len);
    assert_int_equal(summary->backends, count_made());
    assert_int_equal(summary->loops, 4);
    assert_int_equal(summary->bridges, 3);
    assert_int_equal(summary->from, log_.sections.items[log_.loops.items[0].section].start);
}

struct expected_trace {
    const char *where, *result;
    uint64_t loop, bridge, compiled, runs;
};

#define MAKE "make;/var/tmp/vmfox-data/chain.py:14-16~#12 FOR_ITER"
#define INIT "__init__;/var/tmp/vmfox-data/chain.py:5-6~#0 LOAD_FAST"
#define WALK "walk;/var/tmp/vmfox-data/chain.py:21-23~#"

static void its_traces_are_as_it_tells(void **state)
{
    (void)state;
    static const struct expected_trace expected[] = {
        {MAKE, "", 0, 0, 0, 0},
        {INIT, "compiled new entry bridge", 1, 0, 45, 98958},
        {MAKE, "compiled new loop", 2, 0, 201, 6},
        {WALK "4 LOAD_FAST", "compiled new loop", 3, 0, 81, 401},
        {WALK "6 LOAD_CONST", "compiled new bridge", 3, 1, 35, 161},
        {WALK "10 POP_JUMP_IF_FALSE", "compiled new bridge", 3, 2, 27, 15688},
        {WALK "4 LOAD_FAST", "compiled new loop", 6, 0, 79, 205},
        {WALK "10 POP_JUMP_IF_FALSE", "compiled new bridge", 6, 1, 31, 11079},
    };
    read_file(DATA "text.log");
    assert_int_equal(log_.traces.len, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < log_.traces.len; i++) {
        const struct vf_log_trace *trace = &log_.traces.items[i];
        assert_str(trace->where, expected[i].where);
        assert_str(trace->result, expected[i].result);
        assert_str(trace->aborted, i ? "" : "ABORT_TOO_LONG");
        assert_int_equal(trace->loop, expected[i].loop);
        assert_int_equal(trace->bridge, expected[i].bridge);
        assert_int_equal(trace->compiled, expected[i].compiled);
        assert_int_equal(trace->has_runs, i > 0);
        assert_int_equal(trace->runs, expected[i].runs);
        assert_int_equal(trace->guard != 0, trace->bridge != 0);
        assert_true(i == 0 || trace->code_start < trace->code_end);
    }
}

static void a_log_without_text_has_all_its_sections(void **state)
{
    (void)state;
    read_file(DATA "profile.log");
    assert_no_damage();
    assert_int_equal(log_.lines, 426);
    assert_int_equal(log_.sections.len, 213);
    assert_int_equal(count_kind(VF_LOG_MINOR), log_.minors.len);
    assert_int_equal(log_.minors.len, 9);
    assert_false(log_.minors.items[0].has_text);
    assert_int_equal(log_.traces.len, 6);
    assert_int_equal(count_kind(VF_LOG_BACKEND), 6);
    assert_int_equal(count_made(), 0);
    assert_int_equal(log_.nursery_bytes, 0);
    assert_int_not_equal(log_.parts.items[0].summary.section, VF_LOG_NONE);
    assert_false(log_.parts.items[0].summary.has_text);
    assert_true(log_.parts.items[0].summary.from > 0);
}

/* Published with an older converter; see test_shared_data.c for the folder. */
static void the_published_log_is_read_whole(void **state)
{
    (void)state;
    const char *dir = getenv("VMFOX_SHARED_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/pystone.pypylog",
             dir && *dir ? dir : VF_SOURCE_ROOT "/../shared/data");
    if (access(path, R_OK) != 0) {
        print_message("%s is not there: nothing is compared\n", path);
        skip();
    }
    read_file(path);
    assert_no_damage();
    assert_int_equal(log_.lines, 8248);
    assert_int_equal(log_.sections.len, log_.lines / 2);
    assert_int_equal(log_.minors.len, 803);
    assert_int_equal(log_.traces.len, 62);
    assert_int_equal(count_made(), 0);
    /* Its counter says that 20 % of the run is tracing, and 9 % small collections. */
    uint64_t tracing = 0, minor = 0;
    uint64_t all = log_.parts.items[0].last_stamp - log_.parts.items[0].first_stamp;
    for (uint32_t i = 0; i < log_.sections.len; i++) {
        const struct vf_log_section *section = &log_.sections.items[i];
        uint64_t *sum = vf_log_section_kind(&log_, i) == VF_LOG_TRACING ? &tracing : &minor;
        if (section->parent == VF_LOG_NONE &&
            (sum == &tracing || vf_log_section_kind(&log_, i) == VF_LOG_MINOR))
            *sum += section->stop - section->start;
    }
    assert_int_equal((tracing * 200 / all + 1) / 2, 20);
    assert_int_equal((minor * 200 / all + 1) / 2, 9);
}

/* ---- cut ------------------------------------------------------------------------------------- */

static void check_sections(void)
{
    for (size_t i = 0; i < log_.sections.len; i++) {
        const struct vf_log_section *section = &log_.sections.items[i];
        assert_true(section->start <= section->stop);
        assert_true(section->name < log_.names.len);
        if (section->parent == VF_LOG_NONE)
            continue;
        assert_true(section->parent < i);
        const struct vf_log_section *parent = &log_.sections.items[section->parent];
        assert_true(parent->start <= section->start && section->stop <= parent->stop);
    }
}

static void cut_everywhere(const char *path)
{
    size_t sections = 0, traces = 0;
    struct vf_bytes whole;
    assert_int_equal(vf_bytes_map(path, &whole, NULL), VF_OK);
    for (size_t len = 0; len <= whole.len; len++) {
        /* A block of just this size: a sanitizer sees a byte read behind it. */
        char *copy = vf_alloc(len, 1);
        memcpy(copy, whole.ptr, len);
        vf_runtime_log_release(&log_);
        vf_runtime_log_read(&log_, (struct vf_str){copy, len});
        check_sections();
        if (log_.sections.len < sections || log_.traces.len < traces)
            fail_msg("%s cut at byte %zu: fewer sections or traces than before", path, len);
        sections = log_.sections.len;
        traces = log_.traces.len;
        assert_int_equal(log_.never_opened.count + log_.wrong_order.count + log_.in_itself.count,
                         0);
        assert_true(log_.parts.len <= 1);
        free(copy);
    }
    vf_bytes_release(&whole);
    assert_no_damage();
}

static void a_log_with_text_may_be_cut_anywhere(void **state)
{
    (void)state;
    cut_everywhere(DATA "text.log");
}

static void a_log_without_text_may_be_cut_anywhere(void **state)
{
    (void)state;
    cut_everywhere(DATA "profile.log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_with_text_is_read_whole),
        cmocka_unit_test(its_traces_are_as_it_tells),
        cmocka_unit_test(a_log_without_text_has_all_its_sections),
        cmocka_unit_test(the_published_log_is_read_whole),
        cmocka_unit_test(a_log_with_text_may_be_cut_anywhere),
        cmocka_unit_test(a_log_without_text_may_be_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

/* A profile with fewer samples: the first ones, and their names. */
#include "test.h"

#include "capture/vmprof.h"
#include "prof_story.h"
#include "record/shorten.h"

struct counts {
    uint64_t samples, names, others;
};

static struct counts count(struct vf_str prof)
{
    struct vf_vmprof stream;
    struct vf_record record;
    struct counts counts = {0};
    assert_int_not_equal(vf_vmprof_open(&stream, prof.ptr, prof.len, NULL), VF_FATAL);
    while (vf_vmprof_next(&stream, &record)) {
        bool is_sample = record.type == VF_RECORD_SAMPLE || record.type == VF_RECORD_ALLOCATION;
        counts.samples += is_sample;
        counts.names += record.type == VF_RECORD_CODE_NAME;
        counts.others += !is_sample && record.type != VF_RECORD_CODE_NAME;
    }
    assert_int_equal(stream.problem.text[0], 0);
    return counts;
}

static void every_dialect_is_shortened(void **state)
{
    size_t dialects;
    struct prof_dialect *all = prof_all_dialects(&dialects);
    (void)state;
    for (size_t d = 0; d < dialects; d += 5) {
        struct prof_story story;
        prof_story_make(&story, &all[d]);
        struct vf_str prof = {story.file.out.ptr, story.trailer_end};
        struct counts whole = count(prof);
        for (uint64_t samples = 0; samples <= whole.samples + 1; samples++) {
            struct vf_buf out = {0};
            vf_shorten(&out, prof, VF_STR(""), samples);
            struct counts left = count(vf_buf_view(&out));
            assert_int_equal(left.samples, samples < whole.samples ? samples : whole.samples);
            assert_int_equal(left.others, whole.others);
            assert_true(left.names <= whole.names && (samples || left.names == 0));
            vf_buf_release(&out);
        }
        prof_story_release(&story);
    }
    free(all);
}

static void either_piece_may_be_empty(void **state)
{
    size_t dialects;
    struct prof_dialect *all = prof_all_dialects(&dialects);
    struct prof_story story;
    struct vf_buf one = {0}, other = {0}, two = {0};
    (void)state;
    prof_story_make(&story, &all[dialects - 1]);
    struct vf_str prof = {story.file.out.ptr, story.trailer_end};
    vf_shorten(&one, prof, VF_STR(""), 2);
    vf_shorten(&other, VF_STR(""), prof, 2);
    assert_true(one.len > 0 && vf_str_eq(vf_buf_view(&one), vf_buf_view(&other)));
    bool begun = false;
    for (size_t i = 0; i < story.events.len; i++) {
        size_t at = story.events.items[i].offset;
        begun |= story.events.items[i].type == VF_RECORD_SAMPLE;
        if (!begun || at >= prof.len)
            continue;
        two.len = 0;
        vf_shorten(&two, (struct vf_str){prof.ptr, at},
                   (struct vf_str){prof.ptr + at, prof.len - at}, 2);
        assert_true(vf_str_eq(vf_buf_view(&one), vf_buf_view(&two)));
    }
    assert_true(begun);
    vf_buf_release(&one);
    vf_buf_release(&other);
    vf_buf_release(&two);
    prof_story_release(&story);
    free(all);
}

int main(void)
{
    const struct CMUnitTest shorten[] = {
        cmocka_unit_test(every_dialect_is_shortened),
        cmocka_unit_test(either_piece_may_be_empty),
    };
    return cmocka_run_group_tests(shorten, NULL, NULL);
}

/* Listings of logs that are cut or damaged: rows in order, each hit once, and of a cut log no
 * operation that the whole one does not have. */
#include "test.h"

#include "base/file.h"
#include "code/listing.h"
#include "jitlog_builder.h"

#include <stdlib.h>

enum { HITS_MAX = 64 };

static void read_log(struct vf_buf *out)
{
    struct vf_bytes bytes;
    assert_int_equal(vf_bytes_map(VF_SOURCE_ROOT "/test/data/jitlog/small.jitlog", &bytes, NULL),
                     VF_OK);
    vf_buf_str(out, vf_bytes_view(&bytes));
    vf_bytes_release(&bytes);
}

/* Makes the listing with hits all over the trace's code and looks whether it is in order. */
static void make_checked(struct vf_listing *listing, const struct vf_jit_traces *traces,
                         uint32_t row)
{
    const struct vf_jit_trace *trace = &traces->traces.items[row];
    uint64_t size = trace->code_end - trace->code_start, whole = 0, low = 0, high = 0;
    struct vf_jit_hit hits[HITS_MAX];
    size_t count = 0;
    for (uint64_t at = 0; at < size && at < UINT32_MAX && count < HITS_MAX; at += size / 60 + 1)
        hits[count++] = (struct vf_jit_hit){(uint32_t)at, (uint32_t)at % 5 + 1};
    for (size_t i = 0; i < count; i++)
        whole += hits[i].count;
    struct vf_listing_source source = {.traces = traces, .trace = row, .hits = {hits, count}};
    vf_listing_make(listing, &source);
    for (size_t i = 0; i < listing->rows.len; i++) {
        const struct vf_listing_row *at = &listing->rows.items[i];
        assert_true(i == 0 || at->offset >= at[-1].offset);
        if (at->kind == VF_LISTING_INSTRUCTION)
            low += at->hits;
        else
            high += at->hits;
    }
    assert_int_equal(low, whole);
    assert_int_equal(high, whole);
}

static const struct vf_listing_row *operation(const struct vf_listing *listing, size_t number)
{
    for (size_t i = 0; i < listing->rows.len; i++)
        if (listing->rows.items[i].kind == VF_LISTING_OPERATION && number-- == 0)
            return &listing->rows.items[i];
    return NULL;
}

/* What a guard leads to, which loop a bridge belongs to, and counts come later in the log: the
 * whole text goes on behind it. */
static void compare(const struct vf_listing *part, const struct vf_listing *whole)
{
    size_t number = 0;
    for (size_t i = 0; i < part->rows.len; i++) {
        const struct vf_listing_row *row = &part->rows.items[i];
        if (row->kind != VF_LISTING_OPERATION)
            continue;
        const struct vf_listing_row *other = operation(whole, number++);
        struct vf_str text = row->text, elsewhere = VF_STR("another trace");
        assert_non_null(other);
        if (vf_str_ends(text, elsewhere))
            text.len -= elsewhere.len;
        if (!vf_str_starts(other->text, text))
            fail_msg("%.*s is not the beginning of %.*s", VF_STR_ARG(text),
                     VF_STR_ARG(other->text));
        if (row->size) {
            assert_int_equal(row->size, other->size);
            assert_int_equal(row->offset, other->offset);
        }
    }
}

static void check_cuts(struct vf_str log, size_t step)
{
    struct vf_jit_traces all;
    VF_VEC(struct vf_listing) whole = {0};
    assert_int_not_equal(vf_jit_traces_read(&all, log, NULL), VF_FATAL);
    for (uint32_t i = 0; i < all.traces.len; i++)
        make_checked(VF_PUSH(&whole), &all, i);
    for (size_t length = 0; length < log.len; length += step) {
        struct vf_jit_traces traces;
        if (vf_jit_traces_read(&traces, (struct vf_str){log.ptr, length}, NULL) != VF_FATAL &&
            traces.traces.len) {
            uint32_t last = (uint32_t)traces.traces.len - 1;
            struct vf_listing part;
            make_checked(&part, &traces, last);
            compare(&part, &whole.items[last]);
            vf_listing_release(&part);
        }
        vf_jit_traces_release(&traces);
    }
    for (size_t i = 0; i < whole.len; i++)
        vf_listing_release(&whole.items[i]);
    free(whole.items);
    vf_jit_traces_release(&all);
}

static void a_cut_log_has_no_wrong_operation(void **state)
{
    (void)state;
    struct jitlog_builder b = jitlog_story(4, 8);
    check_cuts(vf_buf_view(&b.out), 1);
    vf_buf_release(&b.out);
}

static void so_has_a_real_one(void **state)
{
    (void)state;
    struct vf_buf log = {0};
    read_log(&log);
    check_cuts(vf_buf_view(&log), 1);
    vf_buf_release(&log);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void a_damaged_log_is_listed_in_order(void **state)
{
    (void)state;
    enum { TIMES = 1500 };
    struct vf_buf log = {0};
    uint32_t seed = 2463534242;
    size_t listed = 0;
    read_log(&log);
    char *copy = vf_alloc(log.len, 1);
    for (int time = 0; time < TIMES; time++) {
        struct vf_jit_traces traces;
        memcpy(copy, log.ptr, log.len);
        for (uint32_t i = next_random(&seed) % 8 + 1; i > 0; i--)
            copy[next_random(&seed) % log.len] = (char)next_random(&seed);
        if (vf_jit_traces_read(&traces, (struct vf_str){copy, log.len}, NULL) != VF_FATAL)
            for (uint32_t i = 0; i < traces.traces.len; i++) {
                struct vf_listing listing;
                make_checked(&listing, &traces, i);
                vf_listing_release(&listing);
                listed++;
            }
        vf_jit_traces_release(&traces);
    }
    assert_true(listed > TIMES);
    free(copy);
    vf_buf_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_log_has_no_wrong_operation),
        cmocka_unit_test(so_has_a_real_one),
        cmocka_unit_test(a_damaged_log_is_listed_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

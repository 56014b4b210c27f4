/* Any bytes at all as a JIT log: each trace's listing must be in order, hold every hit once, and
 * go out as a line a row. */
#include "fuzz.h"

#include "code/listing.h"

#include <stdlib.h>

enum { HITS = 32 };

static volatile unsigned char sink;

static void check_rows(const struct vf_listing *listing, uint64_t whole)
{
    uint64_t low = 0, high = 0;
    for (size_t i = 0; i < listing->rows.len; i++) {
        const struct vf_listing_row *row = &listing->rows.items[i];
        unsigned char sum = 0;
        if (i && row->offset < row[-1].offset)
            abort();
        for (size_t k = 0; k < row->text.len; k++) {
            if ((unsigned char)row->text.ptr[k] < ' ')
                abort();
            sum ^= (unsigned char)row->text.ptr[k];
        }
        sink ^= sum;
        if (row->kind == VF_LISTING_INSTRUCTION)
            low += row->hits;
        else
            high += row->hits;
    }
    if (low != whole || high != whole)
        abort();
}

static void check_trace(const struct vf_jit_traces *traces, uint32_t row)
{
    const struct vf_jit_trace *trace = &traces->traces.items[row];
    uint64_t size = trace->code_end - trace->code_start;
    struct vf_jit_hit hits[HITS];
    size_t count = 0;
    for (uint64_t at = 0; at < size && at < UINT32_MAX && count < HITS; at += size / HITS + 1)
        hits[count++] = (struct vf_jit_hit){(uint32_t)at, 1};
    struct vf_listing_source source = {.traces = traces, .trace = row, .hits = {hits, count}};
    struct vf_listing listing;
    struct vf_buf out = {0};
    vf_listing_make(&listing, &source);
    check_rows(&listing, count);
    vf_listing_write_asm(&out, &listing, trace->code_start, size, traces->machine);
    vf_buf_release(&out);
    vf_listing_release(&listing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vf_jit_traces traces;
    if (vf_jit_traces_read(&traces, (struct vf_str){(const char *)data, size}, NULL) != VF_FATAL)
        for (uint32_t i = 0; i < traces.traces.len; i++)
            check_trace(&traces, i);
    vf_jit_traces_release(&traces);
    return 0;
}

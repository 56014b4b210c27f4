#include "record/shorten.h"

#include "base/table.h"
#include "capture/vmprof.h"

/* The addresses that are in the samples. */
struct seen {
    VF_VEC(uint64_t) v;
    struct vf_table index;
};

static bool is_seen(const struct seen *seen, uint64_t address)
{
    struct vf_probe probe = vf_table_probe(&seen->index, vf_hash_u64(address, 0));
    uint32_t row;
    while (vf_table_next(&seen->index, &probe, &row))
        if (seen->v.items[row] == address)
            return true;
    return false;
}

static void see(struct seen *seen, const struct vf_vmprof *stream, const struct vf_sample *sample)
{
    for (uint32_t i = 0; i < sample->depth; i++) {
        uint64_t address = vf_vmprof_frame(stream, sample, i).value;
        if (is_seen(seen, address))
            continue;
        vf_table_insert(&seen->index, vf_hash_u64(address, 0), (uint32_t)seen->v.len);
        VF_APPEND(&seen->v, address);
    }
}

/* Calls for each record; once to see what is in the first samples, and once more, with `out`, to
 * write these and their names. */
static void pass(struct seen *seen, const struct vf_str pieces[2], uint64_t samples,
                 struct vf_buf *out)
{
    struct vf_vmprof stream;
    struct vf_record record;
    uint64_t count = 0;
    if (vf_vmprof_open(&stream, pieces[0].ptr, pieces[0].len, NULL) == VF_FATAL)
        return;
    if (out)
        vf_buf_add(out, pieces[0].ptr, stream.in.pos);
    for (size_t i = 0; i < 2 && pieces[i].len; i++) {
        if (i)
            stream.in = vf_reader_over(pieces[i].ptr, pieces[i].len);
        size_t from = stream.in.pos;
        while (stream.in.pos < pieces[i].len && vf_vmprof_next(&stream, &record)) {
            bool kept = true;
            if (record.type == VF_RECORD_SAMPLE || record.type == VF_RECORD_ALLOCATION)
                kept = count++ < samples;
            else if (record.type == VF_RECORD_CODE_NAME && out)
                kept = is_seen(seen, record.name.id);
            if (kept && out)
                vf_buf_add(out, pieces[i].ptr + from, stream.in.pos - from);
            else if (kept &&
                     (record.type == VF_RECORD_SAMPLE || record.type == VF_RECORD_ALLOCATION))
                see(seen, &stream, &record.sample);
            from = stream.in.pos;
        }
    }
}

void vf_shorten(struct vf_buf *out, struct vf_str first, struct vf_str second, uint64_t samples)
{
    struct seen seen = {0};
    struct vf_str pieces[2] = {first.len ? first : second, first.len ? second : VF_STR("")};
    pass(&seen, pieces, samples, NULL);
    pass(&seen, pieces, samples, out);
    free(seen.v.items);
    vf_table_release(&seen.index);
}

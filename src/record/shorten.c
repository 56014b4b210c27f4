#include "record/shorten.h"

#include "capture/vmprof.h"

void vf_shorten(struct vf_buf *out, struct vf_str first, struct vf_str second, uint64_t samples)
{
    struct vf_vmprof stream;
    struct vf_record record;
    struct vf_str pieces[2] = {first, second};
    uint64_t seen = 0;
    if (vf_vmprof_open(&stream, first.ptr, first.len, NULL) == VF_FATAL)
        return;
    vf_buf_add(out, first.ptr, stream.in.pos);
    for (size_t i = 0; i < 2; i++) {
        if (i)
            stream.in = vf_reader_over(second.ptr, second.len);
        size_t from = stream.in.pos;
        while (stream.in.pos < pieces[i].len && vf_vmprof_next(&stream, &record)) {
            bool is_sample = record.type == VF_RECORD_SAMPLE || record.type == VF_RECORD_ALLOCATION;
            if (!is_sample || seen++ < samples)
                vf_buf_add(out, pieces[i].ptr + from, stream.in.pos - from);
            from = stream.in.pos;
        }
    }
}

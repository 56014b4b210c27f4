/* Any bytes at all as a VMProf file: every record is read, every frame decoded and every byte of
 * every slice touched, so that a sanitizer sees what lies outside the input. */
#include "fuzz.h"

#include "capture/vmprof.h"

#include <stdlib.h>

static volatile unsigned char sink;

static void touch(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    unsigned char sum = 0;
    for (size_t i = 0; i < len; i++)
        sum ^= p[i];
    sink ^= sum;
}

static void touch_str(struct vf_str text)
{
    touch(text.ptr, text.len);
}

static void touch_sample(const struct vf_vmprof *v, const struct vf_sample *sample)
{
    touch(sample->frames, (size_t)sample->words * v->addr_bytes);
    for (uint32_t i = 0; i < sample->depth; i++) {
        struct vf_frame frame = vf_vmprof_frame(v, sample, i);
        touch(&frame, sizeof frame);
        if (frame.line < -1)
            abort();
    }
}

static void touch_name(struct vf_str text)
{
    struct vf_code_name name = vf_code_name_parse(text);
    touch_str(text);
    touch_str(name.lang);
    touch_str(name.name);
    touch_str(name.file);
    if (name.lang.len + name.name.len > text.len)
        abort();
}

static void touch_record(const struct vf_vmprof *v, const struct vf_record *record)
{
    switch (record->type) {
    case VF_RECORD_HEADER:
        touch_str(v->interpreter);
        break;
    case VF_RECORD_SAMPLE:
    case VF_RECORD_ALLOCATION:
        touch_sample(v, &record->sample);
        break;
    case VF_RECORD_CODE_NAME:
    case VF_RECORD_NATIVE_NAME:
        touch_name(record->name.text);
        break;
    case VF_RECORD_META:
        touch_str(record->meta.key);
        touch_str(record->meta.value);
        break;
    case VF_RECORD_OBJECT_INFO:
        touch(record->objects.entries, (size_t)record->objects.count * v->addr_bytes);
        break;
    case VF_RECORD_MAPS:
        touch_str(record->text);
        break;
    case VF_RECORD_START_TIME:
    case VF_RECORD_END:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vf_vmprof v;
    struct vf_record record;
    struct vf_error error = {0};
    uint64_t last = 0;
    if (vf_vmprof_open(&v, data, size, &error) == VF_FATAL) {
        if (!error.text[0] || error.offset > size)
            abort();
        return 0;
    }
    /* What opens is also taken for a profile. */
    if (!vf_vmprof_sniff(data, size))
        abort();
    while (vf_vmprof_next(&v, &record)) {
        /* Forward only, so that it ends. */
        if (record.offset < last || v.in.pos <= record.offset || v.in.pos > size)
            abort();
        last = v.in.pos;
        touch_record(&v, &record);
    }
    /* Either the trailer was read, or it is said where the file ends to make sense. */
    if (v.problem.text[0] ? !v.problem.has_offset || v.problem.offset > size : !v.ended)
        abort();
    if (vf_vmprof_next(&v, &record))
        abort();
    return 0;
}

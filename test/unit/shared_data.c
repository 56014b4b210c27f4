#include "test.h"

#include "shared_data.h"

#include <stdlib.h>

/* ---- reading --------------------------------------------------------------------------------- */

static struct shared_name *find_name(const struct shared_profile *p, uint64_t id)
{
    uint64_t hash = vf_hash_u64(id, 0);
    struct vf_probe probe = vf_table_probe(&p->by_id, hash);
    uint32_t row;
    while (vf_table_next(&p->by_id, &probe, &row))
        if (p->names.items[row].id == id)
            return &p->names.items[row];
    return NULL;
}

static void add_name(struct shared_profile *p, const struct vf_record *record)
{
    bool is_code = record->type == VF_RECORD_CODE_NAME;
    struct shared_name *name = find_name(p, record->name.id);
    if (!name) {
        vf_table_insert(&p->by_id, vf_hash_u64(record->name.id, 0), (uint32_t)p->names.len);
        name = VF_PUSH(&p->names);
        name->id = record->name.id;
    } else if (name->is_code && !is_code) {
        return;
    }
    name->text = record->name.text;
    name->is_code = is_code;
}

static void add_record(struct shared_profile *p, const struct vf_record *record)
{
    struct shared_sample sample = {
        .sample = record->sample, .offset = record->offset, .end = p->reader.in.pos};
    switch (record->type) {
    case VF_RECORD_SAMPLE:
        VF_APPEND(&p->samples, sample);
        break;
    case VF_RECORD_ALLOCATION:
        VF_APPEND(&p->allocations, sample);
        break;
    case VF_RECORD_CODE_NAME:
    case VF_RECORD_NATIVE_NAME:
        add_name(p, record);
        break;
    case VF_RECORD_META:
        *VF_PUSH(&p->metas) = (struct shared_meta){record->meta.key, record->meta.value};
        break;
    case VF_RECORD_OBJECT_INFO:
        p->object_records++;
        p->object_entries += record->objects.count;
        break;
    case VF_RECORD_START_TIME:
        p->start_us = record->time_us;
        p->has_start = true;
        break;
    case VF_RECORD_END:
        p->end_us = record->time_us;
        p->trailer_end = p->reader.in.pos;
        break;
    case VF_RECORD_MAPS:
        p->bytes_after_trailer = record->text.len;
        break;
    case VF_RECORD_HEADER:
        break;
    }
}

void shared_profile_read(struct shared_profile *p, const char *path)
{
    struct vf_error error = {0};
    struct vf_record record;
    *p = (struct shared_profile){0};
    if (vf_bytes_map(path, &p->bytes, &error) != VF_OK)
        fail_msg("%s: %s", path, error.text);
    if (vf_is_gzip(&p->bytes) && vf_gunzip(&p->bytes, 1u << 30, NULL, &error) != VF_OK)
        fail_msg("%s: %s", path, error.text);
    if (vf_vmprof_open(&p->reader, p->bytes.ptr, p->bytes.len, &error) != VF_OK)
        fail_msg("%s: %s", path, error.text);
    while (vf_vmprof_next(&p->reader, &record))
        add_record(p, &record);
}

void shared_profile_release(struct shared_profile *p)
{
    vf_bytes_release(&p->bytes);
    vf_table_release(&p->by_id);
    free(p->samples.items);
    free(p->allocations.items);
    free(p->names.items);
    free(p->metas.items);
    *p = (struct shared_profile){0};
}

size_t shared_symbol_count(const struct shared_profile *p)
{
    return p->names.len;
}

/* ---- as text --------------------------------------------------------------------------------- */

const char *shared_kind(int kind)
{
    static const char *const kinds[] = {"?",       "code", "blackhole", "jit",
                                        "jitting", "gc",   "asm",       "n"};
    return kind >= 0 && (size_t)kind < sizeof kinds / sizeof *kinds ? kinds[kind] : "?";
}

bool shared_frame_name(const struct shared_profile *p, struct vf_frame frame, struct vf_str *out)
{
    const struct shared_name *name = find_name(p, frame.value);
    if (name)
        *out = name->text;
    return name != NULL;
}

void shared_sample_text(const struct shared_profile *p, const struct shared_sample *shared,
                        struct vf_buf *out)
{
    const struct vf_sample *sample = &shared->sample;
    if (sample->has_time)
        vf_buf_printf(out, "%lld", (long long)sample->time_ns);
    else
        vf_buf_add(out, "-", 1);
    vf_buf_printf(out, "\t%llu\t%llu", (unsigned long long)sample->thread,
                  (unsigned long long)sample->memory_kb);
    for (uint32_t i = 0; i < sample->depth; i++) {
        struct vf_frame frame = vf_vmprof_frame(&p->reader, sample, i);
        struct vf_str name;
        vf_buf_printf(out, "\t%s:", shared_kind(frame.kind));
        if (shared_frame_name(p, frame, &name))
            vf_buf_str(out, name);
        else
            vf_buf_printf(out, "0x%llx", (unsigned long long)frame.value);
        if (vf_vmprof_has_lines(&p->reader))
            vf_buf_printf(out, "@%lld", (long long)frame.line);
    }
}

bool shared_read_line(gzFile file, struct vf_buf *line)
{
    enum { STEP = 4096 };
    line->len = 0;
    for (;;) {
        char *at = vf_buf_reserve(line, STEP);
        if (!gzgets(file, at, STEP))
            return line->len > 0;
        line->len += strlen(at);
        if (line->ptr[line->len - 1] == '\n') {
            line->len--;
            return true;
        }
    }
}

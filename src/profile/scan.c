#include "profile/scan.h"

#include "base/progress.h"
#include "profile/ids.h"

static uint64_t id_hash(uint64_t id)
{
    return vf_hash_u64(id, 0);
}

uint32_t vf_scan_name(const struct vf_scan *scan, uint64_t id)
{
    struct vf_probe probe = vf_table_probe(&scan->name_index, id_hash(id));
    uint32_t row;
    while (vf_table_next(&scan->name_index, &probe, &row))
        if (scan->names.items[row].id == id)
            return row;
    return VF_NONE;
}

static void add_name(struct vf_scan *scan, const struct vf_record *record)
{
    uint32_t row = vf_scan_name(scan, record->name.id);
    bool is_native = record->type == VF_RECORD_NATIVE_NAME;
    if (row != VF_NONE) {
        struct vf_name *name = &scan->names.items[row];
        if (is_native && !name->is_native)
            return;
        name->text = record->name.text;
        name->is_native = is_native;
        return;
    }
    vf_table_insert(&scan->name_index, id_hash(record->name.id), (uint32_t)scan->names.len);
    VF_APPEND(&scan->names, ((struct vf_name){record->name.id, record->name.text, is_native}));
}

static void take(struct vf_scan *scan, const struct vf_record *record)
{
    switch (record->type) {
    case VF_RECORD_SAMPLE:
        scan->samples++;
        vf_gathered_add(&scan->gathered, &record->sample, scan->header.addr_bytes, false);
        break;
    case VF_RECORD_ALLOCATION:
        scan->allocations++;
        vf_gathered_add(&scan->gathered, &record->sample, scan->header.addr_bytes, true);
        break;
    case VF_RECORD_OBJECT_INFO:
        scan->object_infos++;
        break;
    case VF_RECORD_CODE_NAME:
    case VF_RECORD_NATIVE_NAME:
        add_name(scan, record);
        break;
    case VF_RECORD_META:
        VF_APPEND(&scan->metas, ((struct vf_meta){record->meta.key, record->meta.value}));
        break;
    case VF_RECORD_START_TIME:
        scan->start_us = record->time_us;
        break;
    case VF_RECORD_END:
        scan->end_us = record->time_us;
        scan->has_end = record->time_us != 0;
        break;
    case VF_RECORD_MAPS:
        scan->maps_text = record->text;
        break;
    case VF_RECORD_HEADER:
        break;
    }
}

enum vf_status vf_scan_run(struct vf_scan *scan, struct vf_str prof, struct vf_error *error)
{
    struct vf_record record;
    *scan = (struct vf_scan){0};
    if (vf_vmprof_open(&scan->header, prof.ptr, prof.len, error) == VF_FATAL)
        return VF_FATAL;
    vf_progress_begin("reading %s", VF_PROGRESS_BYTES, prof.len);
    for (size_t i = 0; vf_vmprof_next(&scan->header, &record); i++) {
        if (vf_progress_due(i))
            vf_progress_set(scan->header.in.pos);
        take(scan, &record);
    }
    vf_gathered_freeze(&scan->gathered);
    return scan->header.problem.text[0] ? VF_WARN : VF_OK;
}

struct vf_str vf_scan_meta(const struct vf_scan *scan, struct vf_str key)
{
    for (size_t i = scan->metas.len; i > 0; i--)
        if (vf_str_eq(scan->metas.items[i - 1].key, key))
            return scan->metas.items[i - 1].value;
    return VF_STR("");
}

void vf_scan_release(struct vf_scan *scan)
{
    vf_gathered_release(&scan->gathered);
    free(scan->names.items);
    free(scan->metas.items);
    vf_table_release(&scan->name_index);
    *scan = (struct vf_scan){0};
}

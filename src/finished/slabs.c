#include "finished/slabs.h"

#include "base/reader.h"

struct entry {
    uint64_t type, start, len;
};

static uint64_t entry_at(uint32_t k)
{
    return VF_JSLB_HEADER_BYTES + (uint64_t)VF_JSLB_ENTRY_BYTES * k;
}

static struct entry entry_of(const struct vf_slabs *slabs, uint32_t k)
{
    const unsigned char *p = (const unsigned char *)slabs->file.ptr + entry_at(k);
    return (struct entry){vf_load_u32(p), vf_load_u32(p + 4), vf_load_u32(p + 8)};
}

static enum vf_status read_header(struct vf_slabs *slabs, struct vf_error *error)
{
    static const char magic[] = VF_JSLB_MAGIC;
    struct vf_reader r = vf_reader_over(slabs->file.ptr, slabs->file.len);
    struct vf_str start;
    uint64_t version, count, root;
    if (!vf_read_bytes(&r, sizeof magic, &start) || memcmp(start.ptr, magic, sizeof magic) != 0)
        return vf_fail_at(error, 0, "expected the first 8 bytes of JSON Slabs, found others");
    if (!vf_read_uint(&r, 4, &version) || !vf_read_uint(&r, 4, &count) ||
        !vf_read_uint(&r, 4, &root))
        return vf_fail_at(error, r.pos, "expected a header of %d bytes, found the end after %zu",
                          VF_JSLB_HEADER_BYTES, slabs->file.len);
    if (version != VF_JSLB_VERSION)
        return vf_fail_at(error, 8, "expected version %d of JSON Slabs, found %llu",
                          VF_JSLB_VERSION, (unsigned long long)version);
    if (count > vf_reader_left(&r) / VF_JSLB_ENTRY_BYTES)
        return vf_fail_at(error, 12,
                          "expected a table of %llu slabs, found the end %zu bytes later",
                          (unsigned long long)count, vf_reader_left(&r));
    if (root >= count)
        return vf_fail_at(error, 16, "expected one of %llu slabs as the root, found number %llu",
                          (unsigned long long)count, (unsigned long long)root);
    slabs->count = (uint32_t)count;
    slabs->root = (uint32_t)root;
    return VF_OK;
}

static enum vf_status check_entry(const struct vf_slabs *slabs, uint32_t k, struct vf_error *error)
{
    struct entry e = entry_of(slabs, k);
    if (e.type >= VF_SLABS_TYPES)
        return vf_fail_at(error, entry_at(k),
                          "expected a type from 0 to %d for slab %u, found %llu",
                          VF_SLABS_TYPES - 1, k, (unsigned long long)e.type);
    size_t size = vf_slabs_size((enum vf_slabs_type)e.type);
    if (e.start % size)
        return vf_fail_at(error, entry_at(k) + 4,
                          "expected slab %u to start at a multiple of %zu, found %llu", k, size,
                          (unsigned long long)e.start);
    if (e.start + e.len > slabs->file.len)
        return vf_fail_at(error, entry_at(k) + 4,
                          "expected %llu bytes of slab %u at byte 0x%llx, found the end at 0x%zx",
                          (unsigned long long)e.len, k, (unsigned long long)e.start,
                          slabs->file.len);
    if (e.len % size)
        return vf_fail_at(error, entry_at(k) + 8,
                          "expected slab %u to have a multiple of %zu bytes, found %llu", k, size,
                          (unsigned long long)e.len);
    return VF_OK;
}

enum vf_status vf_slabs_open(struct vf_slabs *slabs, struct vf_str file, struct vf_error *error)
{
    enum vf_slabs_type type;
    *slabs = (struct vf_slabs){.file = file};
    enum vf_status status = read_header(slabs, error);
    for (uint32_t k = 0; status == VF_OK && k < slabs->count; k++)
        status = check_entry(slabs, k, error);
    if (status != VF_OK)
        return status;
    vf_slabs_get(slabs, slabs->root, &type);
    if (type != VF_SLABS_JSON)
        return vf_fail_at(error, entry_at(slabs->root),
                          "expected the root, slab %u, to be JSON (type %d), found type %d",
                          slabs->root, VF_SLABS_JSON, (int)type);
    return VF_OK;
}

struct vf_str vf_slabs_get(const struct vf_slabs *slabs, uint32_t k, enum vf_slabs_type *type)
{
    struct entry e = entry_of(slabs, k);
    *type = (enum vf_slabs_type)e.type;
    return (struct vf_str){slabs->file.ptr + e.start, (size_t)e.len};
}

struct vf_str vf_slabs_root(const struct vf_slabs *slabs)
{
    enum vf_slabs_type type;
    return vf_slabs_get(slabs, slabs->root, &type);
}

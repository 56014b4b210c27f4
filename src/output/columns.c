#include "output/columns.h"

#include "base/progress.h"

enum {
    STEP = 1024,           /* rows that are filled at once */
    JSON_MOST = 512 << 20, /* V8's longest string */
};

/* Values of any type a column has. */
union step {
    uint8_t u8[STEP];
    int32_t i32[STEP];
    int64_t ns[STEP];
    double ms[STEP];
};

void vf_writer_init(struct vf_writer *w, struct vf_buf *out, bool binary)
{
    *w = (struct vf_writer){.out = out, .binary = binary};
    w->json.out = binary ? &w->root : out;
}

/* ---- columns ----------------------------------------------------------------------------------
 */

static void put_values(struct vf_json *json, enum vf_column_type type, const union step *values,
                       size_t count)
{
    switch (type) {
    case VF_COLUMN_U8:
        for (size_t i = 0; i < count; i++)
            vf_json_uint(json, values->u8[i]);
        break;
    case VF_COLUMN_I32:
        for (size_t i = 0; i < count; i++)
            vf_json_int(json, values->i32[i]);
        break;
    case VF_COLUMN_MS:
        for (size_t i = 0; i < count; i++)
            vf_json_ms(json, values->ns[i]);
        break;
    }
}

/* Where slab `count` is meant. */
static void put_reference(struct vf_writer *w)
{
    vf_json_begin(&w->json, '{');
    vf_json_key(&w->json, "$s");
    vf_json_uint(&w->json, w->slabs.len);
    vf_json_end(&w->json, '}');
}

void vf_writer_column(struct vf_writer *w, const char *name, enum vf_column_type type, size_t count,
                      vf_column_fill *fill, const void *table)
{
    union step values;
    vf_json_key(&w->json, name);
    if (w->binary) {
        put_reference(w);
        struct vf_slab *slab = VF_PUSH(&w->slabs);
        slab->type = (enum vf_slabs_type)type;
        slab->count = count;
        slab->fill = fill;
        slab->table = table;
        return;
    }
    vf_json_begin(&w->json, '[');
    for (size_t i = 0; i < count; i += STEP) {
        size_t now = count - i < STEP ? count - i : STEP;
        fill(table, i, now, &values);
        put_values(&w->json, type, &values, now);
    }
    vf_json_end(&w->json, ']');
}

void vf_writer_begin_apart(struct vf_writer *w, const char *name)
{
    vf_json_key(&w->json, name);
    if (!w->binary)
        return;
    put_reference(w);
    w->json.out = &w->apart;
    w->json.comma = false;
}

void vf_writer_end_apart(struct vf_writer *w)
{
    if (!w->binary)
        return;
    VF_APPEND(&w->slabs, ((struct vf_slab){.type = VF_SLABS_JSON, .text = w->apart}));
    w->apart = (struct vf_buf){0};
    w->json.out = &w->root;
    w->json.comma = true;
}

/* ---- the container ----------------------------------------------------------------------------
 */

static size_t bytes_of(const struct vf_slab *slab)
{
    return slab->type == VF_SLABS_JSON ? slab->text.len : slab->count * vf_slabs_size(slab->type);
}

static void put_u32(struct vf_buf *out, uint64_t value)
{
    unsigned char bytes[4];
    for (size_t i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    vf_buf_add(out, bytes, sizeof bytes);
}

static size_t align(size_t at, size_t to)
{
    return (at + to - 1) / to * to;
}

static void to_little_endian(union step *values, const struct vf_slab *slab, size_t count)
{
    if (slab->type == VF_SLABS_F64)
        for (size_t i = 0; i < count; i++)
            values->ms[i] = (double)values->ns[i] / 1e6;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "write the bytes of 32 and 64 bit values the other way round here"
#endif
}

static void put_slab(struct vf_buf *out, const struct vf_slab *slab)
{
    union step values;
    if (slab->type == VF_SLABS_JSON) {
        vf_buf_str(out, vf_buf_view(&slab->text));
        return;
    }
    for (size_t i = 0; i < slab->count; i += STEP) {
        size_t now = slab->count - i < STEP ? slab->count - i : STEP;
        slab->fill(slab->table, i, now, &values);
        to_little_endian(&values, slab, now);
        vf_buf_add(out, &values, now * vf_slabs_size(slab->type));
    }
}

/* The header's and the slabs' bytes. */
static void put_container(struct vf_writer *w)
{
    static const char magic[] = VF_JSLB_MAGIC;
    static const char zeros[8];
    size_t at = VF_JSLB_HEADER_BYTES + VF_JSLB_ENTRY_BYTES * w->slabs.len, end = at;
    vf_buf_add(w->out, magic, sizeof magic);
    put_u32(w->out, VF_JSLB_VERSION);
    put_u32(w->out, w->slabs.len);
    put_u32(w->out, w->slabs.len - 1);
    for (size_t i = 0; i < w->slabs.len; i++) {
        const struct vf_slab *slab = &w->slabs.items[i];
        end = align(end, vf_slabs_size(slab->type));
        put_u32(w->out, slab->type);
        put_u32(w->out, end);
        put_u32(w->out, bytes_of(slab));
        end += bytes_of(slab);
    }
    vf_progress_begin("writing", VF_PROGRESS_BYTES, end);
    for (size_t i = 0; i < w->slabs.len; i++) {
        struct vf_slab *slab = &w->slabs.items[i];
        size_t start = align(at, vf_slabs_size(slab->type));
        vf_buf_add(w->out, zeros, start - at);
        put_slab(w->out, slab);
        at = start + bytes_of(slab);
        vf_buf_release(&slab->text);
    }
}

static enum vf_status check_sizes(const struct vf_writer *w, struct vf_error *error)
{
    uint64_t all = VF_JSLB_HEADER_BYTES + VF_JSLB_ENTRY_BYTES * (uint64_t)w->slabs.len;
    for (size_t i = 0; i < w->slabs.len; i++) {
        const struct vf_slab *slab = &w->slabs.items[i];
        all += bytes_of(slab) + 8;
        if (slab->type == VF_SLABS_JSON && slab->text.len >= JSON_MOST)
            return vf_fail(error,
                           "a text of %zu bytes is longer than the Firefox Profiler can take",
                           slab->text.len);
    }
    if (all > UINT32_MAX)
        return vf_fail(error, "%llu bytes are more than fit into one file (4 GiB)",
                       (unsigned long long)all);
    return VF_OK;
}

enum vf_status vf_writer_finish(struct vf_writer *w, struct vf_error *error)
{
    enum vf_status status = VF_OK;
    if (w->binary) {
        VF_APPEND(&w->slabs, ((struct vf_slab){.type = VF_SLABS_JSON, .text = w->root}));
        status = check_sizes(w, error);
        if (status == VF_OK)
            put_container(w);
    }
    for (size_t i = 0; i < w->slabs.len; i++)
        vf_buf_release(&w->slabs.items[i].text);
    free(w->slabs.items);
    *w = (struct vf_writer){0};
    return status;
}

#include "finished/relabel.h"

struct restack {
    struct vf_relabel *r;
    struct vf_edits *edits;
    struct vf_column frame, prefix; /* of the new rows */
    int32_t *row;                   /* of each old stack the new one; -1: none */
    size_t count;
};

static int32_t push(struct restack *s, int32_t frame, int32_t parent)
{
    int32_t row = (int32_t)s->frame.len;
    VF_APPEND(&s->frame, frame);
    VF_APPEND(&s->prefix, parent < 0 ? 0 : row - parent);
    return row;
}

/* Inlined into a function that has been looked up again: its frames are all there already. */
static bool is_replaced(const struct restack *s, const bool *replaced, int32_t frame,
                        int32_t parent)
{
    const struct vf_finished *f = &s->r->file;
    if (parent < 0 || vf_finished_get(f, VF_FRAME_DEPTH, frame) <= 0)
        return false;
    int32_t above = f->columns[VF_STACK_FRAME].items[parent];
    return (replaced[parent] || s->r->fates[above].what == VF_FRAME_NAMED) &&
           vf_finished_get(f, VF_FRAME_ADDRESS, frame) ==
               vf_finished_get(f, VF_FRAME_ADDRESS, above);
}

static enum vf_status make_stacks(struct restack *s, struct vf_error *error)
{
    const struct vf_finished *f = &s->r->file;
    bool *replaced = vf_alloc_zeroed(s->count, sizeof *replaced);
    enum vf_status status = VF_OK;
    for (size_t i = 0; i < s->count && status == VF_OK; i++) {
        int32_t frame = f->columns[VF_STACK_FRAME].items[i];
        int32_t prefix = f->columns[VF_STACK_PREFIX].items[i];
        if (frame < 0 || (size_t)frame >= s->r->old_frames || prefix < 0 || (size_t)prefix > i) {
            status = vf_fail(error,
                             "expected a frame and a parent before it in row %zu of "
                             "shared.stackTable, found %d and %d",
                             i, frame, prefix);
            break;
        }
        int32_t parent = prefix ? (int32_t)i - prefix : -1;
        int32_t row = parent < 0 ? -1 : s->row[parent];
        const struct vf_frame_fate *fate = &s->r->fates[frame];
        replaced[i] = is_replaced(s, replaced, frame, parent);
        if (!replaced[i] && fate->what != VF_FRAME_DROPPED) {
            row = push(s, frame, row);
            for (uint32_t k = 0; k < fate->count; k++)
                row = push(s, (int32_t)(fate->first + k), row);
        }
        s->row[i] = row;
    }
    free(replaced);
    return status;
}

/* ---- what names stacks ----------------------------------------------------------------------- */

static int32_t new_row(const struct restack *s, int32_t old)
{
    int32_t row = old >= 0 && (size_t)old < s->count ? s->row[old] : -1;
    return row < 0 ? VF_JSON_NULL : row;
}

static enum vf_status refuse(const struct restack *s, struct vf_str value, struct vf_error *error)
{
    return vf_fail_at(error, (uint64_t)(value.ptr - s->r->file.text.ptr),
                      "expected rows of stacks as whole numbers, found another value");
}

static enum vf_status set_stacks(struct restack *s, struct vf_str table, struct vf_error *error)
{
    struct vf_column column;
    struct vf_str value = vf_json_member(table, VF_STR("stack"));
    if (!value.len)
        return VF_OK;
    bool good = vf_column_read(&column, value);
    if (good) {
        for (size_t i = 0; i < column.len; i++)
            column.items[i] = new_row(s, column.items[i]);
        vf_edits_set_column(s->edits, value, &column);
    }
    free(column.items);
    return good ? VF_OK : refuse(s, value, error);
}

/* A marker may tell where it comes from: {"cause": {"stack": 12}}. */
static enum vf_status set_causes(struct restack *s, struct vf_str data, struct vf_error *error)
{
    struct vf_json_walk walk;
    struct vf_str marker;
    if (!vf_json_enter(&walk, data, '['))
        return VF_OK;
    while (vf_json_next_item(&walk, &marker)) {
        int32_t old;
        struct vf_str cause = vf_json_member(marker, VF_STR("cause"));
        struct vf_str value = vf_json_member(cause, VF_STR("stack"));
        if (!value.len)
            continue;
        if (!vf_json_to_int(value, &old))
            return refuse(s, value, error);
        struct vf_json json = {.out = &s->edits->made};
        vf_edits_begin(s->edits, value);
        if (new_row(s, old) < 0)
            vf_json_null(&json);
        else
            vf_json_int(&json, new_row(s, old));
    }
    return VF_OK;
}

static enum vf_status set_thread(struct restack *s, struct vf_str thread, struct vf_error *error)
{
    static const char *const tables[] = {"samples", "nativeAllocations", "jsAllocations"};
    enum vf_status status = VF_OK;
    for (size_t i = 0; i < sizeof tables / sizeof *tables && status == VF_OK; i++)
        status = set_stacks(s, vf_json_member(thread, vf_str_from(tables[i])), error);
    if (status != VF_OK)
        return status;
    struct vf_str markers = vf_json_member(thread, VF_STR("markers"));
    return set_causes(s, vf_json_member(markers, VF_STR("data")), error);
}

enum vf_status vf_restack(struct vf_relabel *r, struct vf_edits *edits, struct vf_error *error)
{
    struct restack s = {.r = r, .edits = edits, .count = r->file.columns[VF_STACK_FRAME].len};
    struct vf_json_walk walk;
    struct vf_str thread, table = vf_json_member(r->file.shared, VF_STR("stackTable"));
    if (!r->restack)
        return VF_OK;
    s.row = vf_alloc(s.count, sizeof *s.row);
    enum vf_status status = make_stacks(&s, error);
    if (status == VF_OK) {
        const struct vf_new_values values[] = {
            {"frame", &s.frame, {0}}, {"prefixOffset", &s.prefix, {0}}, {0}};
        vf_edits_grow_table(edits, table, 0, NULL, values);
        struct vf_str length = vf_json_member(table, VF_STR("length"));
        if (length.len) {
            vf_edits_begin(edits, length);
            vf_buf_printf(&edits->made, "%zu", s.frame.len);
        }
        if (vf_json_enter(&walk, r->file.threads, '['))
            while (status == VF_OK && vf_json_next_item(&walk, &thread))
                status = set_thread(&s, thread, error);
    }
    free(s.row);
    free(s.frame.items);
    free(s.prefix.items);
    return status;
}

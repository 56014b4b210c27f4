#include "finished/edit.h"

void vf_edits_begin(struct vf_edits *edits, struct vf_str old)
{
    if (edits->v.len) {
        struct vf_edit *last = &edits->v.items[edits->v.len - 1];
        last->len = edits->made.len - last->from;
    }
    VF_APPEND(&edits->v, ((struct vf_edit){.at = (size_t)(old.ptr - edits->text.ptr),
                                           .cut = old.len,
                                           .from = edits->made.len}));
}

bool vf_edits_append(struct vf_edits *edits, struct vf_str value)
{
    bool list = value.len && value.ptr[0] == '[', empty = true;
    if (value.len < 2 || (!list && value.ptr[0] != '{') ||
        value.ptr[value.len - 1] != (list ? ']' : '}'))
        return false;
    for (size_t i = 1; i + 1 < value.len && empty; i++)
        empty = strchr(" \n\t\r", value.ptr[i]) && value.ptr[i];
    vf_edits_begin(edits, (struct vf_str){value.ptr + value.len - 1, 0});
    if (!empty)
        vf_buf_add(&edits->made, ",", 1);
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct vf_edit *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

void vf_edits_write(struct vf_edits *edits, struct vf_buf *out)
{
    size_t at = 0;
    if (edits->v.len) {
        struct vf_edit *last = &edits->v.items[edits->v.len - 1];
        last->len = edits->made.len - last->from;
        qsort(edits->v.items, edits->v.len, sizeof *edits->v.items, by_place);
    }
    vf_buf_reserve(out, edits->text.len + edits->made.len);
    for (size_t i = 0; i < edits->v.len; i++) {
        const struct vf_edit *edit = &edits->v.items[i];
        if (edit->at < at) /* inside one that went: of a text that names one thing twice */
            continue;
        vf_buf_add(out, edits->text.ptr + at, edit->at - at);
        vf_buf_add(out, edits->made.ptr + edit->from, edit->len);
        at = edit->at + edit->cut;
    }
    vf_buf_add(out, edits->text.ptr + at, edits->text.len - at);
}

void vf_edits_release(struct vf_edits *edits)
{
    free(edits->v.items);
    vf_buf_release(&edits->made);
    *edits = (struct vf_edits){0};
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void put_int(struct vf_json *json, int32_t value)
{
    if (value == VF_JSON_NULL)
        vf_json_null(json);
    else
        vf_json_int(json, value);
}

void vf_edits_set_column(struct vf_edits *edits, struct vf_str value,
                         const struct vf_column *column)
{
    vf_edits_begin(edits, value);
    struct vf_json json = {.out = &edits->made};
    vf_json_begin(&json, '[');
    for (size_t i = 0; i < column->len; i++)
        put_int(&json, column->items[i]);
    vf_json_end(&json, ']');
}

static int by_template(const void *a, const void *b, void *context)
{
    const uint32_t *templates = context;
    uint32_t x = templates[*(const uint32_t *)a], y = templates[*(const uint32_t *)b];
    return (x > y) - (x < y);
}

/* The items of the list that the templates name; null where it has none such.  To be freed. */
static struct vf_str *find_copies(struct vf_str list, size_t count, const uint32_t *templates)
{
    struct vf_json_walk walk;
    struct vf_str item = {0};
    uint32_t *order = vf_alloc(count, sizeof *order);
    struct vf_str *copies = vf_alloc(count, sizeof *copies);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, by_template, (void *)(uintptr_t)templates);
    bool more = vf_json_enter(&walk, list, '[') && vf_json_next_item(&walk, &item);
    size_t row = 0;
    for (size_t i = 0; i < count; i++) {
        for (; more && row < templates[order[i]]; row++)
            more = vf_json_next_item(&walk, &item);
        copies[order[i]] = more ? item : VF_STR("null");
    }
    free(order);
    return copies;
}

static void grow_column(struct vf_edits *edits, struct vf_str value, size_t count,
                        const uint32_t *templates)
{
    struct vf_str *copies = templates ? find_copies(value, count, templates) : NULL;
    if (!vf_edits_append(edits, value)) {
        free(copies);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (i)
            vf_buf_add(&edits->made, ",", 1);
        vf_buf_str(&edits->made, copies ? copies[i] : VF_STR("null"));
    }
    free(copies);
}

static const struct vf_new_values *find_values(const struct vf_new_values *values,
                                               struct vf_str key)
{
    for (; values->key; values++)
        if (vf_str_eq(key, vf_str_from(values->key)))
            return values;
    return NULL;
}

void vf_edits_grow_table(struct vf_edits *edits, struct vf_str table, size_t count,
                         const uint32_t *templates, const struct vf_new_values *values)
{
    struct vf_json_walk walk;
    struct vf_str key, value;
    int32_t length;
    if (!vf_json_enter(&walk, table, '{'))
        return;
    while (vf_json_next_member(&walk, &key, &value)) {
        const struct vf_new_values *known = find_values(values, key);
        if (known && known->whole) {
            vf_edits_set_column(edits, value, known->whole);
        } else if (count == 0) {
            continue;
        } else if (vf_str_eq(key, VF_STR("length")) && vf_json_to_int(value, &length)) {
            vf_edits_begin(edits, value);
            vf_buf_printf(&edits->made, "%zu", (size_t)length + count);
        } else if (known) {
            if (vf_edits_append(edits, value))
                vf_buf_str(&edits->made, known->text);
        } else if (value.ptr[0] == '[') {
            grow_column(edits, value, count, templates);
        }
    }
}

#include "cmd/share_listings.h"

#include "cmd/jit_code.h"

/* The front-end shows several blanks as one, and an empty cell as "(empty)". */
#define NO_BREAK "\xc2\xa0"

struct cells {
    VF_VEC(struct vf_str) items;
    size_t bytes;
    struct vf_buf text;
    struct vf_arena *arena;
};

static void keep_cell(struct cells *cells)
{
    if (cells->text.len == 0)
        vf_buf_str(&cells->text, VF_STR(NO_BREAK));
    VF_APPEND(&cells->items, vf_arena_str(cells->arena, vf_buf_view(&cells->text)));
    cells->bytes += cells->text.len;
    cells->text.len = 0;
}

static void add_row(struct cells *cells, const struct vf_listing_row *row)
{
    if (row->hits)
        vf_buf_count(&cells->text, row->hits);
    keep_cell(cells);
    vf_buf_printf(&cells->text, "+0x%x", row->offset);
    keep_cell(cells);
    for (int i = 0; i < row->kind * 2; i++)
        vf_buf_str(&cells->text, VF_STR(NO_BREAK));
    for (size_t i = 0; i < row->text.len; i++) {
        bool again = i && row->text.ptr[i] == ' ' && row->text.ptr[i - 1] == ' ';
        if (again)
            vf_buf_str(&cells->text, VF_STR(NO_BREAK));
        else
            vf_buf_add(&cells->text, &row->text.ptr[i], 1);
    }
    keep_cell(cells);
}

static void add_marker(struct vf_input *input, struct vf_markers *markers, uint32_t trace,
                       const struct cells *cells)
{
    struct vf_profile *profile = &input->profile;
    const struct vf_jit *jit = profile->jit;
    const struct vf_jit_row *heat = &jit->rows.items[trace];
    struct vf_buf name = {0};
    vf_jit_trace_name(&name, &jit->traces, &jit->traces.traces.items[trace]);
    vf_markers_add(markers, VF_MARKER_LISTING, 0, profile->end_ms);
    vf_markers_text(markers, "what", vf_strings_add(&profile->strings, vf_buf_view(&name)));
    vf_buf_release(&name);
    vf_markers_number(markers, "samples", jit->samples > 0 ? heat->samples / jit->samples : 0);
    if (jit->pcs) {
        vf_markers_number(markers, "hits", (double)heat->pcs);
        vf_markers_number(markers, "addresses", (double)heat->pcs / (double)jit->pcs);
    }
    vf_markers_table(markers, "listing");
    for (size_t i = 0; i < cells->items.len; i++)
        vf_markers_cell(markers, cells->items.items[i]);
}

/* False: there is no room for it. */
static bool add_listing(struct vf_input *input, struct vf_markers *markers, uint32_t trace,
                        size_t room, size_t *bytes)
{
    struct vf_listing_source source = vf_jit_listing_source(input, trace);
    struct vf_listing listing;
    struct vf_arena texts = {0};
    struct cells cells = {.arena = &texts};
    vf_listing_make(&listing, &source);
    for (size_t i = 0; i < listing.rows.len && cells.bytes <= room; i++)
        add_row(&cells, &listing.rows.items[i]);
    bool fits = cells.bytes <= room;
    for (size_t i = 0; fits && i < cells.items.len; i++)
        cells.items.items[i] = vf_arena_str(&input->profile.arena, cells.items.items[i]);
    if (fits)
        add_marker(input, markers, trace, &cells);
    *bytes = cells.bytes;
    vf_listing_release(&listing);
    free(cells.items.items);
    vf_buf_release(&cells.text);
    vf_arena_release(&texts);
    return fits;
}

static int by_heat(const void *a, const void *b, void *context)
{
    const struct vf_jit_row *rows = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (rows[x].samples != rows[y].samples)
        return rows[x].samples > rows[y].samples ? -1 : 1;
    if (rows[x].pcs != rows[y].pcs)
        return rows[x].pcs > rows[y].pcs ? -1 : 1;
    return (x > y) - (x < y);
}

static uint64_t code_bytes(const struct vf_jit *jit, uint32_t trace)
{
    const struct vf_jit_trace *info = &jit->traces.traces.items[trace];
    return info->code_end > info->code_start ? info->code_end - info->code_start : 0;
}

struct vf_share_listings vf_share_add_listings(struct vf_input *input, size_t bytes_max)
{
    struct vf_profile *profile = &input->profile;
    const struct vf_jit *jit = profile->jit;
    struct vf_share_listings told = {0};
    uint64_t too_much = UINT64_MAX;
    if (!jit || !jit->present)
        return told;
    bool runtime = profile->threads.len > 1 && profile->threads.items[1].is_runtime;
    struct vf_markers *markers = &profile->threads.items[runtime ? 1 : 0].markers;
    uint32_t *rows = vf_alloc(jit->rows.len, sizeof *rows);
    for (uint32_t i = 0; i < jit->rows.len; i++)
        if (jit->rows.items[i].samples > 0 || jit->rows.items[i].pcs)
            rows[told.sampled++] = i;
    if (told.sampled)
        qsort_r(rows, told.sampled, sizeof *rows, by_heat, jit->rows.items);
    for (size_t i = 0; i < told.sampled; i++) {
        size_t bytes = 0;
        uint64_t code = code_bytes(jit, rows[i]);
        /* Listings grow with the code: what is no smaller than one that did not fit is not made. */
        if (code < too_much &&
            add_listing(input, markers, rows[i], bytes_max - told.bytes, &bytes)) {
            told.listed++;
            told.bytes += bytes;
            continue;
        }
        too_much = code < too_much ? code : too_much;
        if (jit->samples > 0)
            told.left_share += jit->rows.items[rows[i]].samples / jit->samples;
    }
    vf_markers_sort(markers);
    free(rows);
    return told;
}

#include "profile/jit_find.h"

/* ---- texts ----------------------------------------------------------------------------------- */

enum { NAME_MAX_BYTES = 80 };

void vf_jit_find_add(struct vf_jit_find *f, double score, double count, struct vf_str text)
{
    VF_APPEND(&f->all, ((struct vf_jit_finding){text, count, score}));
}

double vf_jit_find_share(const struct vf_jit_find *f, uint32_t trace)
{
    const struct vf_jit_row *row = &f->jit->rows.items[trace];
    double part = f->jit->pcs ? (double)row->pcs : row->samples;
    return f->whole > 0 ? 100 * part / f->whole : 0;
}

const char *vf_jit_find_measure(const struct vf_jit_find *f)
{
    return f->jit->pcs ? "instruction addresses" : "samples";
}

static struct vf_str keep(struct vf_jit_find *f, struct vf_buf *text)
{
    struct vf_str kept = vf_arena_str(&f->b->profile->arena, vf_buf_view(text));
    vf_buf_release(text);
    return kept;
}

struct vf_str vf_jit_find_count(struct vf_jit_find *f, uint64_t count)
{
    struct vf_buf text = {0};
    vf_buf_count(&text, count);
    return keep(f, &text);
}

struct vf_str vf_jit_find_times(struct vf_jit_find *f, uint64_t count)
{
    struct vf_buf text = {0};
    if (count == 1)
        return VF_STR("once");
    vf_buf_count(&text, count);
    vf_buf_str(&text, VF_STR(" times"));
    return keep(f, &text);
}

/* Not within a character of UTF-8. */
static struct vf_str cut(struct vf_str text)
{
    if (text.len <= NAME_MAX_BYTES)
        return text;
    text.len = NAME_MAX_BYTES;
    while (text.len && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

struct vf_str vf_jit_find_name(struct vf_jit_find *f, uint32_t trace)
{
    struct vf_buf text = {0};
    vf_jit_trace_name(&text, &f->jit->traces, &f->jit->traces.traces.items[trace]);
    if (text.len > NAME_MAX_BYTES)
        text.len = cut(vf_buf_view(&text)).len;
    return keep(f, &text);
}

struct vf_str vf_jit_find_where_text(struct vf_jit_find *f, struct vf_str function, uint64_t line)
{
    struct vf_str name = cut(function);
    if (name.len == 0)
        return VF_STR("(unknown place)");
    if (line == 0)
        return VF_JIT_TEXT(f, "`%.*s`", VF_STR_ARG(name));
    return VF_JIT_TEXT(f, "`%.*s` line %llu", VF_STR_ARG(name), (unsigned long long)line);
}

struct vf_str vf_jit_find_where(struct vf_jit_find *f, const struct vf_jit_place *place)
{
    if (!place)
        return VF_STR("(unknown place)");
    return vf_jit_find_where_text(f, place->function, place->line);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int by_score(const void *a, const void *b)
{
    const struct vf_jit_finding *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    size_t shorter = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = memcmp(x->text.ptr, y->text.ptr, shorter);
    return order ? order : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

void vf_jit_findings_find(struct vf_jit_build *b)
{
    struct vf_jit_find f = {.b = b, .jit = b->jit};
    if (!b->jit || !b->jit->present)
        return;
    f.whole = b->jit->pcs ? (double)b->jit->pcs : b->jit->samples;
    vf_jit_find_bridges(&f);
    vf_jit_find_families(&f);
    vf_jit_find_exits(&f);
    vf_jit_find_given_up(&f);
    vf_jit_find_aborts(&f);
    vf_jit_find_again(&f);
    vf_jit_find_never_entered(&f);
    vf_jit_find_long(&f);
    if (f.all.len)
        qsort(f.all.items, f.all.len, sizeof *f.all.items, by_score);
    for (size_t i = 0; i < f.all.len && i < VF_JIT_FINDINGS_MAX; i++)
        b->jit->findings[b->jit->finding_count++] = f.all.items[i];
    free(f.all.items);
}

/* ---- markers --------------------------------------------------------------------------------- */

enum { TRACE_MARKERS_MAX = 20 };

static bool has_trace_markers(const struct vf_markers *markers)
{
    for (size_t i = 0; i < markers->rows.len; i++)
        if (markers->rows.items[i].kind == VF_MARKER_TRACE ||
            markers->rows.items[i].kind == VF_MARKER_BRIDGE)
            return true;
    return false;
}

static int by_heat(const void *a, const void *b, void *context)
{
    const struct vf_jit *jit = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct vf_jit_row *rows = jit->rows.items;
    if (rows[x].samples != rows[y].samples)
        return rows[x].samples > rows[y].samples ? -1 : 1;
    if (rows[x].pcs != rows[y].pcs)
        return rows[x].pcs > rows[y].pcs ? -1 : 1;
    return (x > y) - (x < y);
}

static void add_text(const struct vf_jit_build *b, struct vf_markers *markers, const char *key,
                     struct vf_str text)
{
    if (text.len)
        vf_markers_text(markers, key, vf_strings_add(&b->profile->strings, text));
}

static void add_trace(const struct vf_jit_build *b, struct vf_markers *markers, uint32_t row)
{
    const struct vf_jit *jit = b->jit;
    const struct vf_jit_trace *trace = &jit->traces.traces.items[row];
    const struct vf_jit_place *place = vf_jit_trace_place(&jit->traces, trace);
    struct vf_buf name = {0};
    vf_markers_add(markers, VF_MARKER_JIT_TRACE, b->profile->begin_ms, b->profile->end_ms);
    vf_jit_trace_name(&name, &jit->traces, trace);
    add_text(b, markers, "what", vf_buf_view(&name));
    vf_buf_release(&name);
    if (place) {
        add_text(b, markers, "function", place->function);
        add_text(b, markers, "file", place->file);
        vf_markers_number(markers, "line", place->line);
    }
    if (!vf_jit_trace_is_brief(trace)) {
        vf_markers_number(markers, "recorded", trace->recorded);
        vf_markers_number(markers, "optimized", trace->optimised);
        vf_markers_number(markers, "assembled", trace->assembled);
        vf_markers_number(markers, "guards", trace->guards);
        vf_markers_number(markers, "bridges", trace->bridges);
    }
    if (trace->code_end > trace->code_start)
        vf_markers_number(markers, "code", (double)(trace->code_end - trace->code_start));
    if (jit->traces.has_counters)
        vf_markers_number(markers, "runs", (double)trace->run_count);
    if (jit->samples > 0)
        vf_markers_number(markers, "samples", jit->rows.items[row].samples / jit->samples);
}

/* The log has no times: so they stand over the whole run, and only the hottest. */
static void add_traces(const struct vf_jit_build *b, struct vf_markers *markers)
{
    const struct vf_jit *jit = b->jit;
    uint32_t *rows = vf_alloc(jit->rows.len, sizeof *rows);
    size_t count = 0;
    for (uint32_t i = 0; i < jit->rows.len; i++)
        if (jit->rows.items[i].samples > 0 || jit->rows.items[i].pcs)
            rows[count++] = i;
    if (count)
        qsort_r(rows, count, sizeof *rows, by_heat, b->jit);
    for (size_t i = 0; i < count && i < TRACE_MARKERS_MAX; i++)
        add_trace(b, markers, rows[i]);
    free(rows);
}

void vf_jit_findings_add_markers(const struct vf_jit_build *b, struct vf_markers *markers)
{
    const struct vf_jit *jit = b->jit;
    if (!jit || !jit->present)
        return;
    bool told = has_trace_markers(markers);
    for (size_t i = 0; i < jit->finding_count; i++) {
        vf_markers_add(markers, VF_MARKER_FINDING, b->profile->begin_ms, b->profile->end_ms);
        add_text(b, markers, "finding", jit->findings[i].text);
        vf_markers_number(markers, "count", jit->findings[i].count);
    }
    if (!told)
        add_traces(b, markers);
    vf_markers_sort(markers);
}

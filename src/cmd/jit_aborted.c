#include "cmd/jit_table.h"

/* What was given up at one place. */
struct given_up {
    struct vf_str file, function, reason;
    uint64_t line, guard;
    uint64_t times;
    uint64_t recorded, last; /* operations, and the last one's id: of the JIT's log */
    double ms;               /* of the runtime's */
    const char *kind;
};

struct list {
    VF_VEC(struct given_up) rows;
};

static int compare_texts(struct vf_str a, struct vf_str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_place(const void *a, const void *b)
{
    const struct given_up *x = a, *y = b;
    int order = compare_texts(x->file, y->file);
    if (!order)
        order = compare_texts(x->function, y->function);
    if (!order)
        order = (x->line > y->line) - (x->line < y->line);
    if (!order)
        order = (x->guard > y->guard) - (x->guard < y->guard);
    if (!order)
        order = compare_texts(x->reason, y->reason);
    return order ? order : strcmp(x->kind, y->kind);
}

static int by_times(const void *a, const void *b)
{
    const struct given_up *x = a, *y = b;
    if (x->times != y->times)
        return x->times > y->times ? -1 : 1;
    return by_place(a, b);
}

/* One row a place, those with most in front. */
static void join(struct list *list)
{
    struct given_up *rows = list->rows.items;
    size_t kept = 0;
    if (list->rows.len)
        qsort(rows, list->rows.len, sizeof *rows, by_place);
    for (size_t i = 0; i < list->rows.len; i++) {
        if (kept && by_place(&rows[kept - 1], &rows[i]) == 0) {
            rows[kept - 1].times += rows[i].times;
            rows[kept - 1].recorded += rows[i].recorded;
            rows[kept - 1].ms += rows[i].ms;
            if (rows[i].last > rows[kept - 1].last)
                rows[kept - 1].last = rows[i].last;
        } else {
            rows[kept++] = rows[i];
        }
    }
    list->rows.len = kept;
    if (kept)
        qsort(rows, kept, sizeof *rows, by_times);
}

static void add_where(struct vf_page *page, const struct given_up *row)
{
    struct vf_str file = vf_str_basename(row->file);
    if (row->file.len)
        vf_page_add(page, VF_COLOR_SOURCE, "  %.*s:%llu", VF_STR_ARG(file),
                    (unsigned long long)row->line);
    vf_page_add(page, VF_COLOR_SOURCE, "  %.*s", VF_STR_ARG(row->function));
}

/* ---- by the JIT's log ------------------------------------------------------------------------ */

static void add_traces(struct vf_page *page, const struct vf_jit *jit,
                       const struct vf_jit_choice *choice)
{
    static const char *const kinds[] = {
        [VF_JIT_LOOP] = "loop", [VF_JIT_BRIDGE] = "bridge", [VF_JIT_ENTRY_BRIDGE] = "bridge"};
    struct vf_jit_chosen *chosen = vf_alloc(jit->rows.len, sizeof *chosen);
    size_t count = vf_jit_choose(jit, choice, chosen);
    struct list list = {0};
    for (size_t i = 0; i < count; i++) {
        const struct vf_jit_trace *trace = &jit->traces.traces.items[chosen[i].trace];
        const struct vf_jit_place *place = vf_jit_trace_place(&jit->traces, trace);
        struct given_up row = {
            .times = 1, .recorded = trace->recorded, .last = trace->id, .guard = trace->number};
        row.kind = kinds[trace->kind];
        if (place) {
            row.file = place->file;
            row.function = place->function;
            row.line = place->line;
        }
        VF_APPEND(&list.rows, row);
    }
    free(chosen);
    join(&list);
    vf_page_add(page, VF_COLOR_TITLE, "Given up as they were optimised (the JIT's log)");
    vf_page_newline(page);
    vf_page_add(page, VF_COLOR_TITLE, "%6s %8s %6s", "times", "recorded", "last");
    vf_page_newline(page);
    for (size_t i = 0; i < list.rows.len; i++) {
        const struct given_up *row = &list.rows.items[i];
        vf_page_add(page, VF_COLOR_PLAIN, "%6llu %8llu %6llu  %s", (unsigned long long)row->times,
                    (unsigned long long)row->recorded, (unsigned long long)row->last, row->kind);
        add_where(page, row);
        vf_page_newline(page);
    }
    if (list.rows.len == 0) {
        vf_page_add(page, VF_COLOR_DIM, "(no trace fits)");
        vf_page_newline(page);
    }
    free(list.rows.items);
}

/* ---- by the runtime's log -------------------------------------------------------------------- */

static struct vf_str text_of(const struct vf_profile *profile, const struct vf_markers *markers,
                             const struct vf_marker_row *row, const char *key)
{
    const struct vf_marker_value *value = vf_markers_value(markers, row, key);
    bool known = value && value->text.i != VF_NONE;
    return known ? vf_strings_get(&profile->strings, value->text) : VF_STR("");
}

static double number_of(const struct vf_markers *markers, const struct vf_marker_row *row,
                        const char *key)
{
    const struct vf_marker_value *value = vf_markers_value(markers, row, key);
    return value ? value->number : 0;
}

static void take_marker(struct list *list, const struct vf_profile *profile,
                        const struct vf_markers *markers, const struct vf_marker_row *row,
                        const struct vf_jit_choice *choice)
{
    struct given_up made = {.file = text_of(profile, markers, row, "file"),
                            .function = text_of(profile, markers, row, "function"),
                            .reason = text_of(profile, markers, row, "reason"),
                            .line = (uint64_t)number_of(markers, row, "line"),
                            .times = 1,
                            .kind = ""};
    if (choice->function && !vf_str_eq(made.function, vf_str_from(choice->function)))
        return;
    made.ms = number_of(markers, row, "tracing") + number_of(markers, row, "optimizing") +
              number_of(markers, row, "backend");
    VF_APPEND(&list->rows, made);
}

static void add_tracing(struct vf_page *page, const struct vf_profile *profile,
                        const struct vf_jit_choice *choice)
{
    struct list list = {0};
    for (size_t i = 0; i < profile->threads.len; i++) {
        const struct vf_markers *markers = &profile->threads.items[i].markers;
        for (size_t k = 0; profile->threads.items[i].is_runtime && k < markers->rows.len; k++)
            if (markers->rows.items[k].kind == VF_MARKER_ABORT)
                take_marker(&list, profile, markers, &markers->rows.items[k], choice);
    }
    join(&list);
    if (list.rows.len) {
        vf_page_newline(page);
        vf_page_add(page, VF_COLOR_TITLE, "Tracing that was given up (the runtime's log)");
        vf_page_newline(page);
        vf_page_add(page, VF_COLOR_TITLE, "%6s %8s reason", "times", "ms");
        vf_page_newline(page);
    }
    for (size_t i = 0; i < list.rows.len; i++) {
        const struct given_up *row = &list.rows.items[i];
        vf_page_add(page, VF_COLOR_PLAIN, "%6llu %8.1f %.*s", (unsigned long long)row->times,
                    row->ms, VF_STR_ARG(row->reason));
        add_where(page, row);
        vf_page_newline(page);
    }
    free(list.rows.items);
}

void vf_jit_aborted(struct vf_page *page, const struct vf_input *input,
                    const struct vf_jit_choice *choice)
{
    add_traces(page, input->profile.jit, choice);
    if (!choice->op)
        add_tracing(page, &input->profile, choice);
}

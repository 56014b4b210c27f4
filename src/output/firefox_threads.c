#include "output/firefox_tables.h"

#include <stdio.h>

/* ---- threads ----------------------------------------------------------------------------------
 */

/* Damaged readings can be any number; the front-end counts up to 2^53. */
static uint64_t whole_ns(float ns)
{
    const float most = 9e15f;
    return ns < most ? (uint64_t)ns : (uint64_t)most;
}

/* Differences of the rounded times: rounding does not add up. */
static void fill_deltas(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_sample_row *rows = (const struct vf_sample_row *)table + first;
    int64_t *deltas = out;
    int64_t before = first ? vf_ns_of_ms(rows[-1].time_ms) : 0;
    for (size_t i = 0; i < count; i++) {
        int64_t now = vf_ns_of_ms(rows[i].time_ms);
        deltas[i] = now - before;
        before = now;
    }
}

static void write_weights(struct vf_writer *w, const struct vf_thread *t)
{
    struct vf_json *json = &w->json;
    if (!t->weighted) {
        vf_json_key(json, "weight");
        vf_json_null(json);
        return;
    }
    vf_writer_begin_apart(w, "weight");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < t->samples.len; i++)
        vf_json_double(json, (double)t->samples.items[i].weight);
    vf_json_end(json, ']');
    vf_writer_end_apart(w);
}

static void write_cpu(struct vf_writer *w, const struct vf_thread *t)
{
    struct vf_json *json = &w->json;
    if (!t->has_cpu)
        return;
    vf_writer_begin_apart(w, "threadCPUDelta");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < t->samples.len; i++)
        if (i)
            vf_json_uint(json, whole_ns(t->samples.items[i].cpu_ns));
        else
            vf_json_null(json);
    vf_json_end(json, ']');
    vf_writer_end_apart(w);
}

/* A stack's number with the comma before it: there are many more samples than stacks. */
struct number {
    char text[15];
    uint8_t len;
};

static struct number *make_numbers(size_t count)
{
    struct number *numbers = vf_alloc(count, sizeof *numbers);
    for (size_t i = 0; i < count; i++)
        numbers[i].len = (uint8_t)snprintf(numbers[i].text, sizeof numbers[i].text, ",%zu", i);
    return numbers;
}

/* The rows behind the first, whose numbers are made already. */
static void put_numbers(struct vf_json *json, const struct vf_sample_row *s, size_t n,
                        const struct number *numbers)
{
    for (size_t i = 1; i < n; i++) {
        if (s[i].stack.i == VF_NONE) {
            vf_json_null(json);
            continue;
        }
        const struct number *number = &numbers[s[i].stack.i];
        memcpy(vf_buf_reserve(json->out, sizeof number->text), number->text, sizeof number->text);
        json->out->len += number->len;
    }
}

static void write_stacks(struct vf_writer *w, const struct vf_thread *t, size_t stacks)
{
    struct vf_json *json = &w->json;
    size_t n = t->samples.len;
    const struct vf_sample_row *s = t->samples.items;
    vf_writer_begin_apart(w, "stack");
    vf_json_begin(json, '[');
    if (n > 0)
        vf_json_id_or_null(json, s[0].stack.i);
    if (n / 8 > stacks) {
        struct number *numbers = make_numbers(stacks);
        put_numbers(json, s, n, numbers);
        free(numbers);
    } else {
        for (size_t i = 1; i < n; i++)
            vf_json_id_or_null(json, s[i].stack.i);
    }
    vf_json_end(json, ']');
    vf_writer_end_apart(w);
}

static void write_samples(struct vf_writer *w, const struct vf_thread *t, size_t stacks)
{
    struct vf_json *json = &w->json;
    size_t n = t->samples.len;
    const struct vf_sample_row *s = t->samples.items;
    vf_json_begin_table(json, "samples", n);
    write_stacks(w, t, stacks);
    vf_writer_column(w, "timeDeltas", VF_COLUMN_MS, n, fill_deltas, s);
    write_weights(w, t);
    write_cpu(w, t);
    vf_json_key(json, "weightType");
    vf_json_str(json, t->is_runtime ? VF_STR("tracing-ms") : VF_STR("samples"));
    vf_json_end(json, '}');
}

static void fill_allocation_times(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_allocation_row *rows = (const struct vf_allocation_row *)table + first;
    int64_t *times = out;
    for (size_t i = 0; i < count; i++)
        times[i] = vf_ns_of_ms(rows[i].time_ms);
}

static void write_allocations(struct vf_writer *w, const struct vf_thread *t)
{
    struct vf_json *json = &w->json;
    size_t n = t->allocations.len;
    const struct vf_allocation_row *a = t->allocations.items;
    if (n == 0)
        return;
    vf_json_begin_table(json, "nativeAllocations", n);
    vf_writer_column(w, "time", VF_COLUMN_MS, n, fill_allocation_times, a);
    COLUMN(json, "weight", n, vf_json_double(json, a[i].bytes));
    vf_json_key(json, "weightType");
    vf_json_str(json, VF_STR("bytes"));
    COLUMN(json, "stack", n, vf_json_id_or_null(json, a[i].stack.i));
    vf_json_end(json, '}');
}

static void write_cells(struct vf_json *json, const struct vf_markers *m,
                        const struct vf_marker_value *value, struct vf_str format)
{
    uint32_t columns = 1;
    for (size_t i = 0; i < format.len; i++)
        columns += format.ptr[i] == '|';
    vf_json_begin(json, '[');
    for (uint32_t row = 0; row + columns <= value->cells; row += columns) {
        vf_json_begin(json, '[');
        for (uint32_t i = row; i < row + columns; i++)
            vf_json_str(json, m->cells.items[value->first_cell + i]);
        vf_json_end(json, ']');
    }
    vf_json_end(json, ']');
}

static void write_marker_data(struct vf_json *json, const struct vf_markers *m,
                              const struct vf_marker_row *row)
{
    const struct vf_marker_schema *schema = &vf_marker_schemas[row->kind];
    vf_json_begin(json, '{');
    vf_json_key(json, "type");
    vf_json_str(json, vf_str_from(schema->type));
    for (uint32_t i = 0; i < row->count; i++) {
        const struct vf_marker_value *value = &m->values.items[row->first + i];
        vf_json_key(json, schema->fields[value->field].key);
        struct vf_str format = vf_str_from(schema->fields[value->field].format);
        if (vf_str_starts(format, VF_STR(VF_MARKER_TABLE)))
            write_cells(json, m, value, format);
        else if (value->text.i != VF_NONE)
            vf_json_uint(json, value->text.i);
        else
            vf_json_double(json, value->number);
    }
    vf_json_end(json, '}');
}

static void fill_marker_starts(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_marker_row *rows = (const struct vf_marker_row *)table + first;
    int64_t *times = out;
    for (size_t i = 0; i < count; i++)
        times[i] = vf_ns_of_ms(rows[i].start_ms);
}

/* 0 for none, as binary columns have it; in JSON it is null. */
static void fill_marker_ends(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_marker_row *rows = (const struct vf_marker_row *)table + first;
    int64_t *times = out;
    for (size_t i = 0; i < count; i++)
        times[i] = rows[i].end_ms > rows[i].start_ms ? vf_ns_of_ms(rows[i].end_ms) : 0;
}

static void write_markers(struct vf_writer *w, const struct vf_thread *t,
                          const vf_string_id *titles)
{
    struct vf_json *json = &w->json;
    enum { INSTANT = 0, INTERVAL = 1 };
    size_t n = t->markers.rows.len;
    const struct vf_marker_row *m = t->markers.rows.items;
    vf_json_begin_table(json, "markers", n);
    COLUMN(json, "name", n, vf_json_uint(json, titles[m[i].kind].i));
    vf_writer_column(w, "startTime", VF_COLUMN_MS, n, fill_marker_starts, m);
    if (w->binary)
        vf_writer_column(w, "endTime", VF_COLUMN_MS, n, fill_marker_ends, m);
    else
        COLUMN(json, "endTime", n, {
            if (m[i].end_ms > m[i].start_ms)
                vf_json_ms(json, vf_ns_of_ms(m[i].end_ms));
            else
                vf_json_null(json);
        });
    COLUMN(json, "phase", n, vf_json_uint(json, m[i].end_ms > m[i].start_ms ? INTERVAL : INSTANT));
    COLUMN(json, "category", n, vf_json_uint(json, vf_marker_schemas[m[i].kind].category));
    COLUMN(json, "data", n, write_marker_data(json, &t->markers, &m[i]));
    vf_json_end(json, '}');
}

static void write_pid(struct vf_json *json, const struct vf_profile *p)
{
    char pid[24];
    snprintf(pid, sizeof pid, "%llu", (unsigned long long)p->pid);
    vf_json_key(json, "pid");
    vf_json_str(json, vf_str_from(pid));
}

/* As text where a double can't hold it. */
static void write_tid(struct vf_json *json, uint64_t tid)
{
    char text[24];
    if (tid < 1ull << 53) {
        vf_json_uint(json, tid);
        return;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)tid);
    vf_json_str(json, vf_str_from(text));
}

static void write_thread(struct vf_writer *w, const struct vf_profile *p, const struct vf_thread *t)
{
    struct vf_json *json = &w->json;
    double first = t->is_main || t->samples.len == 0 ? 0 : t->samples.items[0].time_ms;
    vf_json_begin(json, '{');
    vf_json_key(json, "name");
    vf_json_str(json, vf_strings_get(&p->strings, t->name));
    write_pid(json, p);
    vf_json_key(json, "tid");
    if (t->is_runtime) /* it has none of its own: its work is done on the program's threads */
        vf_json_str(json, VF_STR("runtime"));
    else if (t->is_addresses) /* likewise: of all threads */
        vf_json_str(json, VF_STR("pc"));
    else
        write_tid(json, t->tid);
    vf_json_key(json, "isMainThread");
    vf_json_bool(json, t->is_main);
    vf_json_key(json, "processType");
    vf_json_str(json, VF_STR("default"));
    vf_json_key(json, "processName");
    vf_json_str(json, p->process_name);
    vf_json_key(json, "processStartupTime");
    vf_json_double(json, 0);
    vf_json_key(json, "processShutdownTime");
    vf_json_double(json, p->end_ms);
    vf_json_key(json, "registerTime");
    vf_json_double(json, first);
    vf_json_key(json, "unregisterTime");
    vf_json_null(json);
    vf_json_empty_column(json, "pausedRanges");
    write_samples(w, t, p->stacks.stacks.len);
    write_allocations(w, t);
    write_markers(w, t, p->marker_titles);
    if (t->markers.rows.len) {
        vf_json_key(json, "showMarkersInTimeline");
        vf_json_bool(json, true);
    }
    vf_json_end(json, '}');
}

/* ---- counters ---------------------------------------------------------------------------------
 */

static void write_counter_display(struct vf_json *json, const struct vf_counter *c, size_t rank)
{
    vf_json_key(json, "display");
    vf_json_begin(json, '{');
    vf_json_key(json, "graphType");
    vf_json_str(json, VF_STR("line-accumulated"));
    vf_json_key(json, "unit");
    vf_json_str(json, vf_str_from(c->unit));
    vf_json_key(json, "color");
    vf_json_str(json, vf_str_from(c->color));
    vf_json_key(json, "markerSchemaLocation");
    vf_json_str(json, VF_STR("timeline-memory"));
    vf_json_key(json, "sortWeight");
    vf_json_uint(json, 10 + (uint64_t)rank);
    vf_json_key(json, "label");
    vf_json_str(json, vf_str_from(c->name));
    vf_json_key(json, "tooltipRows");
    vf_json_begin(json, '[');
    const char *const rows[][2] = {
        {"sample-number", c->rows_label}, /* the level itself, whatever part is looked at */
        {"count-range", "range in the graph"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vf_json_begin(json, '{');
        vf_json_key(json, "type");
        vf_json_str(json, VF_STR("value"));
        vf_json_key(json, "source");
        vf_json_str(json, vf_str_from(rows[i][0]));
        vf_json_key(json, "format");
        vf_json_begin(json, '{');
        vf_json_key(json, "unit");
        vf_json_str(json, vf_str_from(c->unit));
        vf_json_end(json, '}');
        vf_json_key(json, "label");
        vf_json_str(json, vf_str_from(rows[i][1]));
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
    vf_json_end(json, '}');
}

/* One row more than there are levels: see write_counter(). */
static void fill_counter_times(const void *table, size_t first, size_t count, void *out)
{
    const struct vf_counter_row *rows = table;
    int64_t *times = out;
    for (size_t i = 0; i < count; i++) {
        size_t row = first + i;
        times[i] = vf_ns_of_ms(rows[row ? row - 1 : 0].time_ms);
    }
}

static void write_counter(struct vf_writer *w, const struct vf_profile *p,
                          const struct vf_counter *c)
{
    struct vf_json *json = &w->json;
    size_t n = c->rows.len;
    const struct vf_counter_row *r = c->rows.items;
    vf_json_begin(json, '{');
    vf_json_key(json, "name");
    vf_json_str(json, vf_str_from(c->name));
    vf_json_key(json, "category");
    vf_json_str(json, vf_str_from(c->category));
    vf_json_key(json, "description");
    vf_json_str(json, vf_str_from(c->description));
    write_pid(json, p);
    vf_json_key(json, "mainThreadIndex");
    vf_json_uint(json, 0);
    /* Counts are differences, and the first one is not looked at: so the level goes 0, then all of
     * it, at the same moment. */
    vf_json_begin_table(json, "samples", n + 1);
    vf_writer_column(w, "time", VF_COLUMN_MS, n + 1, fill_counter_times, r);
    COLUMN(json, "count", n + 1,
           vf_json_double(json, i == 0   ? 0
                                : i == 1 ? r[0].value
                                         : r[i - 1].value - r[i - 2].value));
    COLUMN(json, "number", n + 1, vf_json_double(json, r[i ? i - 1 : 0].value));
    vf_json_end(json, '}');
    write_counter_display(json, c, (size_t)(c - p->counters.items));
    vf_json_end(json, '}');
}

/* ---- for firefox.c ----------------------------------------------------------------------------
 */

void vf_firefox_write_threads(struct vf_writer *w, const struct vf_profile *p)
{
    COLUMN(&w->json, "threads", p->threads.len, write_thread(w, p, &p->threads.items[i]));
}

void vf_firefox_write_counters(struct vf_writer *w, const struct vf_profile *p)
{
    COLUMN(&w->json, "counters", p->counters.len, write_counter(w, p, &p->counters.items[i]));
}

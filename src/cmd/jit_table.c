#include "cmd/jit_table.h"

#include <fnmatch.h>

bool vf_jit_fits(const struct vf_jit_choice *choice, struct vf_str name)
{
    char text[128];
    if (!choice->op)
        return true;
    snprintf(text, sizeof text, "%.*s", VF_STR_ARG(name));
    return fnmatch(choice->op, text, 0) == 0;
}

/* How many operations of the trace fit; of the assembled ones, or of the recorded ones where it was
 * not assembled. */
static size_t count_fitting(const struct vf_jit_code *code, const struct vf_jit_choice *choice)
{
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_ASSEMBLED];
    size_t count = 0;
    if (stage->ops.len == 0)
        stage = &code->stages[VF_JITLOG_RECORDED];
    for (size_t i = 0; i < stage->ops.len; i++) {
        const struct vf_jit_name *name =
            vf_jit_traces_name(code->traces, stage->ops.items[i].opnum);
        count += name && vf_jit_fits(choice, name->name);
    }
    return count;
}

static bool is_in_function(const struct vf_jit_code *code, const char *function)
{
    for (size_t stage = 0; stage < 2; stage++)
        for (size_t i = 0; i < code->stages[stage].points.len; i++)
            if (vf_str_eq(code->stages[stage].points.items[i].place.function,
                          vf_str_from(function)))
                return true;
    return false;
}

struct row {
    uint32_t trace;
    size_t fitting;
};

static int by_weight(const void *a, const void *b, void *context)
{
    const struct vf_jit *jit = context;
    uint32_t x = ((const struct row *)a)->trace, y = ((const struct row *)b)->trace;
    const struct vf_jit_row *rows = jit->rows.items;
    const struct vf_jit_trace *traces = jit->traces.traces.items;
    if (rows[x].samples != rows[y].samples)
        return rows[x].samples > rows[y].samples ? -1 : 1;
    if (rows[x].pcs != rows[y].pcs)
        return rows[x].pcs > rows[y].pcs ? -1 : 1;
    if (traces[x].run_count != traces[y].run_count)
        return traces[x].run_count > traces[y].run_count ? -1 : 1;
    return (x > y) - (x < y);
}

static size_t choose(const struct vf_jit *jit, const struct vf_jit_choice *choice, struct row *rows)
{
    size_t count = 0;
    for (uint32_t i = 0; i < jit->rows.len; i++) {
        struct row row = {i, 0};
        bool good = jit->traces.traces.items[i].aborted == choice->aborted;
        if (good && (choice->op || choice->function)) {
            struct vf_jit_code code;
            vf_jit_code_read(&code, &jit->traces, i);
            row.fitting = count_fitting(&code, choice);
            good = (!choice->op || row.fitting) &&
                   (!choice->function || is_in_function(&code, choice->function));
            vf_jit_code_release(&code);
        }
        if (good)
            rows[count++] = row;
    }
    return count;
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void add_count(struct vf_page *page, int width, uint64_t count)
{
    struct vf_buf text = {0};
    vf_buf_count(&text, count);
    vf_page_add(page, VF_COLOR_PLAIN, "%*.*s ", width, VF_STR_ARG(vf_buf_view(&text)));
    vf_buf_release(&text);
}

static void add_row(struct vf_page *page, const struct vf_jit *jit, const struct row *row,
                    const struct vf_jit_choice *choice)
{
    const struct vf_jit_trace *trace = &jit->traces.traces.items[row->trace];
    const struct vf_jit_row *heat = &jit->rows.items[row->trace];
    const struct vf_jit_place *place = vf_jit_trace_place(&jit->traces, trace);
    double samples = percent(heat->samples, jit->samples);
    struct vf_buf name = {0};
    vf_page_add(page, samples >= 10 ? VF_COLOR_HOT : VF_COLOR_PLAIN, "%6.2f ", samples);
    vf_page_add(page, VF_COLOR_PLAIN, "%6.2f ", percent((double)heat->pcs, (double)jit->pcs.len));
    if (jit->traces.has_counters)
        add_count(page, 14, trace->run_count);
    else
        vf_page_add(page, VF_COLOR_DIM, "%14s ", "?");
    vf_page_add(page, VF_COLOR_PLAIN, "%6u %6u %6u %6u %7u %7llu ", trace->recorded,
                trace->optimised, trace->assembled, trace->guards, trace->bridges,
                (unsigned long long)(trace->code_end - trace->code_start));
    if (choice->op)
        vf_page_add(page, VF_COLOR_PLAIN, "%8zu ", row->fitting);
    vf_jit_trace_name(&name, &jit->traces, trace);
    vf_page_add(page, VF_COLOR_TITLE, "%.*s", VF_STR_ARG(vf_buf_view(&name)));
    if (place && trace->parent1) /* the others' names say file and line */
        vf_page_add(page, VF_COLOR_SOURCE, "  %.*s:%u", VF_STR_ARG(vf_str_basename(place->file)),
                    place->line);
    if (place)
        vf_page_add(page, VF_COLOR_SOURCE, "  %.*s", VF_STR_ARG(place->function));
    vf_page_newline(page);
    vf_buf_release(&name);
}

static void add_summary(struct vf_page *page, const struct vf_jit *jit)
{
    double inside = 0;
    for (size_t i = 0; i < jit->rows.len; i++)
        inside += jit->rows.items[i].samples;
    vf_page_newline(page);
    vf_page_add(page, VF_COLOR_PLAIN,
                "%% samples: of %.0f samples, those whose innermost trace this is; %.1f %% are in "
                "traces.",
                jit->samples, percent(inside, jit->samples));
    vf_page_newline(page);
    if (jit->pcs.len)
        vf_page_add(page, VF_COLOR_PLAIN,
                    "%% addr: of %zu instruction addresses; %.1f %% are in traces.", jit->pcs.len,
                    percent((double)jit->pcs_inside, (double)jit->pcs.len));
    else
        vf_page_add(page, VF_COLOR_PLAIN, "%% addr: no instruction addresses were taken.");
    vf_page_newline(page);
    for (size_t i = 0; i < jit->finding_count; i++) {
        if (i == 0) {
            vf_page_newline(page);
            vf_page_add(page, VF_COLOR_TITLE, "Worth a look");
            vf_page_newline(page);
        }
        vf_page_add(page, VF_COLOR_PLAIN, "%2zu. %.*s", i + 1, VF_STR_ARG(jit->findings[i].text));
        vf_page_newline(page);
    }
}

void vf_jit_table(struct vf_page *page, const struct vf_input *input,
                  const struct vf_jit_choice *choice)
{
    struct vf_jit *jit = input->profile.jit;
    struct row *rows = vf_alloc(jit->rows.len, sizeof *rows);
    size_t count = choose(jit, choice, rows);
    if (count)
        qsort_r(rows, count, sizeof *rows, by_weight, jit);
    vf_page_add(page, VF_COLOR_TITLE, "%6s %6s %14s %6s %6s %6s %6s %7s %7s %s%s", "% samp",
                "% addr", "runs", "rec", "opt", "asm", "guards", "bridges", "bytes",
                choice->op ? "fitting  " : "", "trace");
    vf_page_newline(page);
    for (size_t i = 0; i < count; i++)
        add_row(page, jit, &rows[i], choice);
    if (count == 0) {
        vf_page_add(page, VF_COLOR_DIM, "(no trace fits)");
        vf_page_newline(page);
    }
    if (!choice->aborted && !choice->op && !choice->function)
        add_summary(page, jit);
    free(rows);
}

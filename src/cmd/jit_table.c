#include "cmd/jit_table.h"

#include <fnmatch.h>

/* ---- which ----------------------------------------------------------------------------------- */

bool vf_jit_fits(const struct vf_jit_choice *choice, struct vf_str name)
{
    char text[128];
    if (!choice->op)
        return true;
    if (name.len >= sizeof text)
        name.len = sizeof text - 1;
    snprintf(text, sizeof text, "%.*s", VF_STR_ARG(name));
    return fnmatch(choice->op, text, 0) == 0;
}

static bool count_fitting(const struct vf_jit_code *code, const struct vf_jit_choice *choice,
                          uint32_t fitting[3])
{
    uint32_t sum = 0;
    for (size_t stage = 0; stage < 3; stage++) {
        for (size_t i = 0; i < code->stages[stage].ops.len; i++) {
            uint16_t opnum = code->stages[stage].ops.items[i].opnum;
            const struct vf_jit_name *name = vf_jit_traces_name(code->traces, opnum);
            fitting[stage] += name && vf_jit_fits(choice, name->name);
        }
        sum |= fitting[stage];
    }
    return sum != 0;
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

size_t vf_jit_choose(const struct vf_jit *jit, const struct vf_jit_choice *choice,
                     struct vf_jit_chosen *chosen)
{
    size_t count = 0;
    for (uint32_t i = 0; i < jit->rows.len; i++) {
        struct vf_jit_chosen row = {.trace = i};
        bool good = jit->traces.traces.items[i].aborted == choice->aborted;
        if (good && (choice->op || choice->function)) {
            struct vf_jit_code code;
            vf_jit_code_read(&code, &jit->traces, i);
            good = (!choice->op || count_fitting(&code, choice, row.fitting)) &&
                   (!choice->function || is_in_function(&code, choice->function));
            vf_jit_code_release(&code);
        }
        if (good)
            chosen[count++] = row;
    }
    return count;
}

static int by_weight(const void *a, const void *b, void *context)
{
    const struct vf_jit *jit = context;
    uint32_t x = ((const struct vf_jit_chosen *)a)->trace;
    uint32_t y = ((const struct vf_jit_chosen *)b)->trace;
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

/* ---- rows ------------------------------------------------------------------------------------ */

void vf_page_count(struct vf_page *page, int width, uint64_t count)
{
    struct vf_buf text = {0};
    vf_buf_count(&text, count);
    vf_page_add(page, VF_COLOR_PLAIN, "%*.*s ", width, VF_STR_ARG(vf_buf_view(&text)));
    vf_buf_release(&text);
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

/* "-" where nothing was measured. */
static void add_share(struct vf_page *page, double part, double whole)
{
    double share = percent(part, whole);
    if (whole > 0)
        vf_page_add(page, share >= 10 ? VF_COLOR_HOT : VF_COLOR_PLAIN, "%6.2f ", share);
    else
        vf_page_add(page, VF_COLOR_DIM, "%6s ", "-");
}

static void add_row(struct vf_page *page, const struct vf_jit *jit,
                    const struct vf_jit_chosen *chosen, const struct vf_jit_choice *choice)
{
    const struct vf_jit_trace *trace = &jit->traces.traces.items[chosen->trace];
    const struct vf_jit_row *heat = &jit->rows.items[chosen->trace];
    const struct vf_jit_place *place = vf_jit_trace_place(&jit->traces, trace);
    struct vf_buf name = {0};
    add_share(page, heat->samples, jit->samples);
    add_share(page, (double)heat->pcs, (double)jit->pcs);
    if (jit->traces.has_counters)
        vf_page_count(page, 14, trace->run_count);
    else
        vf_page_add(page, VF_COLOR_DIM, "%14s ", "?");
    if (vf_jit_trace_is_brief(trace)) /* left out of the log (--jitlog=auto) */
        vf_page_add(page, VF_COLOR_DIM, "%6s %6s %6s %6s %7s ", "-", "-", "-", "-", "-");
    else
        vf_page_add(page, VF_COLOR_PLAIN, "%6u %6u %6u %6u %7u ", trace->recorded, trace->optimised,
                    trace->assembled, trace->guards, trace->bridges);
    vf_page_add(page, VF_COLOR_PLAIN, "%7llu ", (unsigned long long)vf_jit_code_bytes(trace));
    if (choice->op)
        vf_page_add(page, VF_COLOR_PLAIN, "%7u %7u %7u ", chosen->fitting[0], chosen->fitting[1],
                    chosen->fitting[2]);
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

/* ---- what lies below ------------------------------------------------------------------------- */

struct sums {
    uint64_t kinds[3], given_up, operations[3], guards, bytes, runs;
    double samples;
};

static struct sums sum_up(const struct vf_jit *jit)
{
    struct sums sums = {0};
    for (size_t i = 0; i < jit->rows.len; i++) {
        const struct vf_jit_trace *trace = &jit->traces.traces.items[i];
        sums.samples += jit->rows.items[i].samples;
        sums.given_up += trace->aborted;
        if (trace->aborted)
            continue;
        sums.kinds[trace->kind]++;
        sums.operations[0] += trace->recorded;
        sums.operations[1] += trace->optimised;
        sums.operations[2] += trace->assembled;
        sums.guards += trace->guards;
        sums.bytes += vf_jit_code_bytes(trace);
        sums.runs += trace->run_count;
    }
    return sums;
}

static void add_total(struct vf_page *page, const struct vf_jit *jit, const struct sums *sums)
{
    add_share(page, sums->samples, jit->samples);
    add_share(page, (double)jit->pcs_inside, (double)jit->pcs);
    if (jit->traces.has_counters)
        vf_page_count(page, 14, sums->runs);
    else
        vf_page_add(page, VF_COLOR_DIM, "%14s ", "?");
    for (int i = 0; i < 3; i++)
        vf_page_add(page, VF_COLOR_PLAIN, "%6llu ", (unsigned long long)sums->operations[i]);
    vf_page_add(page, VF_COLOR_PLAIN, "%6llu %7llu %7llu ", (unsigned long long)sums->guards,
                (unsigned long long)sums->kinds[VF_JIT_BRIDGE], (unsigned long long)sums->bytes);
    vf_page_add(page, VF_COLOR_TITLE, "in all: %llu loops, %llu bridges, %llu entry bridges",
                (unsigned long long)sums->kinds[VF_JIT_LOOP],
                (unsigned long long)sums->kinds[VF_JIT_BRIDGE],
                (unsigned long long)sums->kinds[VF_JIT_ENTRY_BRIDGE]);
    if (sums->given_up)
        vf_page_add(page, VF_COLOR_PLAIN, "; %llu given up (--aborted)",
                    (unsigned long long)sums->given_up);
    vf_page_newline(page);
}

static void add_line(struct vf_page *page, const char *text)
{
    vf_page_add(page, VF_COLOR_DIM, "%s", text);
    vf_page_newline(page);
}

static void add_notes(struct vf_page *page, const struct vf_jit *jit)
{
    vf_page_newline(page);
    vf_page_add(page, VF_COLOR_DIM, "%% samp: of %.0f samples, those whose innermost trace it is",
                jit->samples);
    vf_page_newline(page);
    if (jit->pcs)
        vf_page_add(page, VF_COLOR_DIM, "%% addr: of %zu instruction addresses", jit->pcs);
    else
        vf_page_add(page, VF_COLOR_DIM, "%% addr: no instruction addresses were taken");
    vf_page_newline(page);
    if (jit->traces.has_counters)
        add_line(page, "runs: entries, of a bridge how often its guard failed; rounds of a loop "
                       "are in its listing");
    else
        add_line(page, "runs: not known, as the log has no counters: PyPy writes them when the "
                       "program ends in good order");
    add_line(page, "rec, opt, asm: operations as they were recorded, optimised and assembled");
}

static void add_findings(struct vf_page *page, const struct vf_jit *jit)
{
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
    struct vf_jit_chosen *rows = vf_alloc(jit->rows.len, sizeof *rows);
    size_t count = vf_jit_choose(jit, choice, rows);
    if (count)
        qsort_r(rows, count, sizeof *rows, by_weight, jit);
    vf_page_add(page, VF_COLOR_TITLE, "%6s %6s %14s %6s %6s %6s %6s %7s %7s %s%s", "% samp",
                "% addr", "runs", "rec", "opt", "asm", "guards", "bridges", "bytes",
                choice->op ? "fit rec fit opt fit asm " : "", "trace");
    vf_page_newline(page);
    for (size_t i = 0; i < count; i++)
        add_row(page, jit, &rows[i], choice);
    if (count == 0)
        add_line(page, "(no trace fits)");
    if (!choice->op && !choice->function) {
        struct sums sums = sum_up(jit);
        vf_page_newline(page);
        add_total(page, jit, &sums);
        add_notes(page, jit);
        add_findings(page, jit);
    }
    free(rows);
}

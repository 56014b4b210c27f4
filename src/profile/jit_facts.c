#include "profile/jit_build.h"

static const char JIT[] = "JIT code";

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void add_addresses(struct vf_jit_build *b)
{
    const struct vf_jit *jit = b->jit;
    if (jit->pcs == 0)
        return;
    vf_profile_extra(b->profile, JIT,
                     b->own_addresses ? "Samples' instructions" : "Instruction addresses",
                     "%llu of %zu in traces (%.1f %%)", (unsigned long long)jit->pcs_inside,
                     jit->pcs, percent((double)jit->pcs_inside, (double)jit->pcs));
    if (b->own_addresses)
        return;
    vf_profile_extra(b->profile, JIT, "Samples with an instruction",
                     "%llu: one was seen in the same trace of the same thread at most half a "
                     "period away",
                     (unsigned long long)jit->placed);
}

static void add_traces(struct vf_jit_build *b)
{
    static const char section[] = "JIT traces";
    const struct vf_jit *jit = b->jit;
    const struct vf_jit_traces *traces = &jit->traces;
    uint64_t kinds[3] = {0}, aborted = 0, operations = 0, bytes = 0, brief_bytes = 0;
    for (size_t i = 0; i < traces->traces.len; i++) {
        const struct vf_jit_trace *trace = &traces->traces.items[i];
        aborted += trace->aborted;
        kinds[trace->kind] += !trace->aborted;
        operations += trace->assembled;
        if (trace->code_end > trace->code_start && vf_jit_trace_is_brief(trace))
            brief_bytes += trace->code_end - trace->code_start;
        else if (trace->code_end > trace->code_start)
            bytes += trace->code_end - trace->code_start;
    }
    vf_profile_extra(b->profile, section, "Traces",
                     "%llu loops, %llu bridges, %llu entry bridges; %llu more were given up",
                     (unsigned long long)kinds[VF_JIT_LOOP],
                     (unsigned long long)kinds[VF_JIT_BRIDGE],
                     (unsigned long long)kinds[VF_JIT_ENTRY_BRIDGE], (unsigned long long)aborted);
    vf_profile_extra(b->profile, section, "Code", "%llu operations in %llu bytes",
                     (unsigned long long)operations, (unsigned long long)bytes);
    if (brief_bytes)
        vf_profile_extra(b->profile, section, "Code of traces without operations in the log",
                         "%llu bytes", (unsigned long long)brief_bytes);
    if (!traces->has_counters)
        vf_profile_extra(b->profile, section, "How often traces ran",
                         "not known: PyPy writes that when a log is ended in good order");
    static const char *const labels[VF_JIT_FINDINGS_MAX] = {"1", "2", "3", "4", "5",
                                                            "6", "7", "8", "9", "10"};
    for (size_t i = 0; i < jit->finding_count; i++)
        vf_profile_extra(b->profile, section, labels[i], "%.*s", VF_STR_ARG(jit->findings[i].text));
}

void vf_jit_facts_add(struct vf_jit_build *b)
{
    const struct vf_jit *jit = b->jit;
    if (!jit)
        return;
    if (jit->foreign) {
        vf_profile_extra(b->profile, JIT, "JIT log",
                         "of another run: no address of a sample lies in one of its traces");
        return;
    }
    double inside = 0;
    for (size_t i = 0; i < jit->rows.len; i++)
        inside += jit->rows.items[i].samples;
    vf_profile_extra(b->profile, JIT, "Samples in traces", "%.0f of %.0f (%.1f %%)", inside,
                     jit->samples, percent(inside, jit->samples));
    if (jit->unowned)
        vf_profile_extra(b->profile, JIT, "Compiled code of no known trace",
                         "%llu of %llu frames: of traces compiled before the log began, or missing "
                         "from it",
                         (unsigned long long)jit->unowned, (unsigned long long)jit->asm_frames);
    if (jit->left_over)
        vf_profile_extra(b->profile, JIT, "Frames that VMProf has made up",
                         "left out in %llu samples: a trace named by the return address of a call "
                         "that was over, which can't have called the trace below it",
                         (unsigned long long)jit->left_over);
    if (jit->continued)
        vf_profile_extra(b->profile, JIT, "Activations that went on in another trace",
                         "%llu frames, not shown twice", (unsigned long long)jit->continued);
    add_addresses(b);
    add_traces(b);
}

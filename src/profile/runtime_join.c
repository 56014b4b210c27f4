#include "profile/jit.h"
#include "profile/runtime.h"

/* The JIT's log counts what the text log does not. */
static void take_counts(struct vf_log_trace *trace, const struct vf_jit_trace *found, bool counted)
{
    if (trace->recorded == 0)
        trace->recorded = found->recorded;
    if (trace->optimized == 0) {
        trace->optimized = found->optimised;
        trace->guards = found->guards;
    }
    if (counted && trace->runs == 0) {
        trace->runs = found->run_count;
        trace->has_runs = true;
    }
}

void vf_runtime_join_jitlog(struct vf_runtime *r)
{
    const struct vf_jit *jit = r->profile->jit;
    if (!jit || jit->foreign)
        return;
    r->has_jitlog = true;
    for (size_t i = 0; i < r->log.traces.len; i++) {
        struct vf_log_trace *trace = &r->log.traces.items[i];
        const struct vf_jit_trace *found =
            trace->entry ? vf_jit_traces_find(&jit->traces, trace->entry) : NULL;
        /* Code of a freed trace may lie where a later one is: the numbers must agree too. */
        bool bridge = trace->kind == VF_LOG_TRACE_BRIDGE;
        if (found && (bridge ? found->guard == trace->guard : found->id == trace->loop))
            take_counts(trace, found, jit->traces.has_counters);
    }
}

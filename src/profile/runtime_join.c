#include "capture/jit_traces.h"
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

void vf_runtime_join_jitlog(struct vf_runtime *r, struct vf_str jitlog,
                            struct vf_warnings *warnings)
{
    struct vf_jit_traces traces;
    struct vf_error error = {0};
    char line[600];
    if (jitlog.len == 0)
        return;
    enum vf_status status = vf_jit_traces_read(&traces, jitlog, &error);
    if (status != VF_OK)
        vf_warn(warnings, "JIT log: %s", vf_error_line(&error, line, sizeof line));
    r->has_jitlog = true;
    for (size_t i = 0; status != VF_FATAL && i < r->log.traces.len; i++) {
        struct vf_log_trace *trace = &r->log.traces.items[i];
        const struct vf_jit_trace *found =
            trace->entry ? vf_jit_traces_find(&traces, trace->entry) : NULL;
        /* Code of a freed trace may lie where a later one is: the numbers must agree too. */
        bool bridge = trace->kind == VF_LOG_TRACE_BRIDGE;
        if (found && (bridge ? found->guard == trace->guard : found->id == trace->loop))
            take_counts(trace, found, traces.has_counters);
    }
    vf_jit_traces_release(&traces);
}

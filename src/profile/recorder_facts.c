/* How the recorder worked, and what it cost. */
#include "profile/facts.h"

static bool is_text(struct vf_str text, const char *word)
{
    return vf_str_eq(text, vf_str_from(word));
}

static void add_channel(struct vf_profile *profile, const struct vf_capture_info *info)
{
    static const char section[] = "Recording";
    if (is_text(info->channel, "ring"))
        vf_profile_extra(profile, section, "Channel",
                         "shared memory: no descriptor in the program");
    else if (is_text(info->channel, "socket"))
        vf_profile_extra(profile, section, "Channel", "a socket%s%.*s",
                         info->channel_why.len ? ", for " : "", VF_STR_ARG(info->channel_why));
    if (info->recovered)
        vf_profile_extra(profile, section, "Recovered",
                         "vmfox was killed while it recorded: this is what it had written until "
                         "then, and how the program ended is not known");
    if (info->records_left_out)
        vf_profile_extra(profile, section, "Records left out",
                         "%llu: the channel had no room for them, and the program does not wait",
                         (unsigned long long)info->records_left_out);
    if (info->threads_idle)
        vf_profile_extra(profile, section, "Threads without samples",
                         "%llu more than are listed: they ended before one was taken",
                         (unsigned long long)info->threads_idle);
    if (info->threads_left_out)
        vf_profile_extra(profile, section, "Threads without names",
                         "%llu: there were too many to be listed. They are called by their number, "
                         "and those of one number are shown as one",
                         (unsigned long long)info->threads_left_out);
    if (info->samples_skipped)
        vf_profile_extra(profile, "Samples", "Samples not taken",
                         "%llu: another thread was being sampled at that moment",
                         (unsigned long long)info->samples_skipped);
    if (info->stacks_unreadable)
        vf_profile_extra(profile, "Samples", "Stacks that could not be read",
                         "%llu: of a frame that was just being made; these samples are left out",
                         (unsigned long long)info->stacks_unreadable);
}

/* The recorder leaves operations out while the log takes more than its part of the time. */
static void add_jitlog(struct vf_profile *profile, const struct vf_facts *facts)
{
    const struct vf_capture_info *info = &facts->capture->info;
    if (!info->jitlog_detail_until_ns || !info->start_monotonic_ns)
        return;
    double seconds =
        (double)vf_clock_between(info->start_monotonic_ns, info->jitlog_detail_until_ns) / 1e9;
    const char *hint = is_text(info->jitlog_mode, "auto") ? " (--jitlog=full keeps them)" : "";
    if (info->jitlog_traces_brief)
        vf_profile_extra(profile, "JIT code", "Operations left out of the log",
                         "of %llu of %llu traces, from %.3f s on: writing them took too much of "
                         "the program's time%s",
                         (unsigned long long)info->jitlog_traces_brief,
                         (unsigned long long)info->jitlog_traces, seconds, hint);
    else
        vf_profile_extra(profile, "JIT code", "Operations left out of the log",
                         "from %.3f s on: writing them took too much of the program's time%s",
                         seconds, hint);
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : 0;
}

/* "12.3 ms, 0.45 % of the program's CPU time". */
static void add_cost(struct vf_profile *profile, const char *label, uint64_t ns, uint64_t whole_ns,
                     const char *note)
{
    if (ns && whole_ns)
        vf_profile_extra(profile, "Cost of this recording", label,
                         "%.1f ms, %.2f %% of the program's CPU time%s", (double)ns / 1e6,
                         percent(ns, whole_ns), note);
    else if (ns)
        vf_profile_extra(profile, "Cost of this recording", label, "%.1f ms%s", (double)ns / 1e6,
                         note);
}

static void add_costs(struct vf_profile *profile, const struct vf_capture_info *info)
{
    const struct vf_capture_cost *cost = &info->cost;
    const double signals = (double)cost->samples + (double)info->samples_skipped;
    static const char section[] = "Cost of this recording";
    if (cost->program_ns)
        vf_profile_extra(profile, section, "Program's CPU time", "%.3f s, with all of the below%s",
                         (double)cost->program_ns / 1e9, cost->recorder_ns ? " but vmfox" : "");
    if (signals > 0 && cost->handler_ns)
        vf_profile_extra(profile, section, "A sample",
                         "%.2f µs in the signal handler: the mean of those that were timed",
                         (double)cost->handler_ns / 1e3 / signals);
    add_cost(profile, "All samples", cost->handler_ns, cost->program_ns,
             " (ESTIMATE: some are timed)");
    add_cost(profile, "Writing the JIT's log", cost->jitlog_ns, cost->program_ns, " (ESTIMATE)");
    add_cost(profile, "Writing the runtime's log", cost->runtime_log_ns, cost->program_ns,
             " (ESTIMATE: some calls are timed)");
    add_cost(profile, "vmfox itself, another process", cost->recorder_ns, cost->program_ns, "");
}

void vf_facts_add_recorder(struct vf_profile *profile, const struct vf_facts *facts)
{
    const struct vf_capture_info *info = &facts->capture->info;
    add_channel(profile, info);
    add_jitlog(profile, facts);
    add_costs(profile, info);
}

bool vf_facts_timer_is_of_thread(struct vf_str timer)
{
    return is_text(timer, "perf") || is_text(timer, "ticks");
}

const char *vf_facts_timer(struct vf_str timer, bool real_time)
{
    if (is_text(timer, "perf"))
        return "CPU time of each thread, by the kernel's perf_event: sleeping and waiting give no "
               "samples";
    if (is_text(timer, "ticks"))
        return "CPU time of each thread, in ticks of the kernel: sleeping and waiting give no "
               "samples";
    if (is_text(timer, "recorder"))
        return real_time ? "wall time, signals sent by vmfox: sleeping and waiting are sampled"
                         : "CPU time of each thread, signals sent by vmfox: sleeping and waiting "
                           "give no samples";
    if (is_text(timer, "posix"))
        return "wall time, a timer for each thread: sleeping and waiting are sampled";
    return real_time ? "wall time: sleeping and waiting are sampled"
                     : "CPU time of the process: sleeping and waiting give no samples";
}

const char *vf_facts_stamps(struct vf_str stamps, const struct vf_clock *clock)
{
    if (clock->source != VF_CLOCK_ARRIVAL)
        return vf_clock_describe(clock);
    if (is_text(stamps, "program"))
        return "measured: each sample stamped in the program as it was taken (CLOCK_MONOTONIC)";
    if (is_text(stamps, "kernel"))
        return "measured: each sample stamped by the kernel as the program sent it "
               "(CLOCK_MONOTONIC)";
    if (is_text(stamps, "arrival"))
        return "measured when the recorder read each sample (CLOCK_MONOTONIC), up to some "
               "milliseconds after it was taken";
    return vf_clock_describe(clock);
}

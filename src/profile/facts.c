#include "profile/facts.h"

static const char *dialect_name(const struct vf_scan *scan)
{
    switch (scan->header.dialect) {
    case VF_DIALECT_UPSTREAM:
        return " (upstream)";
    case VF_DIALECT_FORK:
        return " (fork)";
    case VF_DIALECT_PLAIN:
        break;
    }
    return "";
}

static struct vf_str interpreter_name(const struct vf_facts *facts)
{
    struct vf_str name = facts->scan->header.interpreter;
    if (facts->capture->info.interpreter.len)
        return facts->capture->info.interpreter;
    if (vf_str_eq(name, VF_STR("pypy")))
        return VF_STR("PyPy");
    if (vf_str_eq(name, VF_STR("cpython")))
        return VF_STR("CPython");
    return name.len ? name : VF_STR("Python");
}

static void add_machine(struct vf_profile *profile, const struct vf_facts *facts)
{
    const struct vf_capture_info *info = &facts->capture->info;
    profile->pid = info->pid;
    profile->arguments = info->command;
    profile->cpu = info->cpu;
    profile->os = info->os.len ? info->os : vf_scan_meta(facts->scan, VF_STR("os"));
    profile->platform = VF_STR("X11"); /* what the front-end shows as Linux */
    if (vf_str_starts(profile->os, VF_STR("win")))
        profile->platform = VF_STR("Windows");
    else if (vf_str_starts(profile->os, VF_STR("mac")))
        profile->platform = VF_STR("Macintosh");
    profile->abi = info->arch;
    profile->logical_cpus = info->cpu_count;
    profile->memory_bytes = info->memory_bytes;
    struct vf_str interpreter = interpreter_name(facts);
    profile->process_name = info->program.len ? info->program : interpreter;
    if (info->program.len)
        profile->product = vf_arena_printf(&profile->arena, "%.*s on %.*s",
                                           VF_STR_ARG(info->program), VF_STR_ARG(interpreter));
    else
        profile->product = interpreter;
}

static void add_recording(struct vf_profile *profile, const struct vf_facts *facts)
{
    static const char section[] = "Recording";
    const struct vf_capture_info *info = &facts->capture->info;
    const struct vf_scan *scan = facts->scan;
    struct vf_str interpreter = interpreter_name(facts);
    vf_profile_extra(profile, section, "Interpreter", "%.*s", VF_STR_ARG(interpreter));
    if (info->interpreter_path.len)
        vf_profile_extra(profile, section, "Interpreter path", "%.*s",
                         VF_STR_ARG(info->interpreter_path));
    if (info->working_dir.len)
        vf_profile_extra(profile, section, "Working folder", "%.*s", VF_STR_ARG(info->working_dir));
    if (info->host.len)
        vf_profile_extra(profile, section, "Host", "%.*s", VF_STR_ARG(info->host));
    if (info->has_exit && info->exit_signal)
        vf_profile_extra(profile, section, "Ended", "killed by signal %lld",
                         (long long)info->exit_signal);
    else if (info->has_exit)
        vf_profile_extra(profile, section, "Ended", "exit code %lld", (long long)info->exit_code);
    if (info->children)
        vf_profile_extra(profile, section, "Child processes",
                         "the program started other processes; only the first one is profiled");
    if (info->recorder.len)
        vf_profile_extra(profile, section, "Recorded by", "%.*s", VF_STR_ARG(info->recorder));
    vf_profile_extra(profile, section, "File format", "VMProf version %d%s", scan->header.version,
                     dialect_name(scan));
    if (info->sources_left_out)
        vf_profile_extra(profile, section, "Sources left out", "%llu, over the limit of 64 MB",
                         (unsigned long long)info->sources_left_out);
}

static void add_sampling(struct vf_profile *profile, const struct vf_facts *facts)
{
    static const char section[] = "Samples";
    const struct vf_scan *scan = facts->scan;
    bool real_time = (scan->header.mode & VF_MODE_REAL_TIME) != 0;
    vf_profile_extra(profile, section, "Samples", "%llu", (unsigned long long)scan->samples);
    if (scan->allocations)
        vf_profile_extra(profile, section, "Allocation samples", "%llu",
                         (unsigned long long)scan->allocations);
    vf_profile_extra(profile, section, "Sample times", "%s",
                     vf_facts_stamps(facts->capture->info.stamps, facts->clock));
    if (scan->header.period_us)
        vf_profile_extra(profile, section, "Period asked for", "%.3f ms",
                         (double)scan->header.period_us / 1e3);
    if (facts->median_gap_ms > 0 && facts->clock->source != VF_CLOCK_SPREAD)
        vf_profile_extra(profile, section, "Median time between samples", "%.2f ms (measured)",
                         facts->median_gap_ms);
    if (scan->header.has_header && scan->samples)
        vf_profile_extra(profile, section, "Timer", "%s",
                         vf_facts_timer(facts->capture->info.timer, real_time));
    if (facts->capture->info.timer_note.len)
        vf_profile_extra(profile, section, "Timer, a note", "%.*s",
                         VF_STR_ARG(facts->capture->info.timer_note));
    if (facts->cpu == VF_CPU_MEASURED)
        vf_profile_extra(profile, section, "CPU use of threads",
                         "measured by the recorder every few milliseconds");
    else if (facts->cpu == VF_CPU_PARTLY_MEASURED)
        vf_profile_extra(
            profile, section, "CPU use of threads",
            "measured by the recorder; ESTIMATE for threads that lived too short to be "
            "measured: a sample stands for at most one interval of CPU time");
    else if (facts->cpu == VF_CPU_ESTIMATE)
        vf_profile_extra(profile, section, "CPU use of threads",
                         "ESTIMATE: a sample stands for at most one interval of CPU time");
    if (scan->header.dialect == VF_DIALECT_UPSTREAM)
        vf_profile_extra(profile, section, "Weights",
                         "by the time since the sample before (at most 1 s each)");
    if (facts->lost_ns > 0)
        vf_profile_extra(profile, section, "Lost time", "%.3f s in gaps over one second",
                         (double)facts->lost_ns / 1e9);
    if (facts->unnamed_code)
        vf_profile_extra(profile, section, "Code without a name", "%llu functions",
                         (unsigned long long)facts->unnamed_code);
}

static void add_natives(struct vf_profile *profile, const struct vf_facts *facts)
{
    static const char section[] = "Native code";
    const struct vf_natives *natives = facts->natives;
    const struct vf_capture_info *info = &facts->capture->info;
    if (natives->unnamed)
        vf_profile_extra(profile, section, "Functions without a symbol", "%llu",
                         (unsigned long long)natives->unnamed);
    if (natives->leaves && !info->native_innermost && !facts->own_addresses)
        vf_profile_extra(profile, section, "Innermost function",
                         "MISSING in all likelihood: VMProf with libunwind 1.0 or later leaves out "
                         "the function that was at work, and ends with the one that called it");
    if (info->pc_missing.len)
        vf_profile_extra(profile, section, "Instruction addresses", "none: %.*s",
                         VF_STR_ARG(info->pc_missing));
    if (natives->pcs->inside)
        vf_profile_extra(profile, section, "Instruction addresses",
                         "%zu, one each %.3f ms of CPU time", natives->pcs->inside,
                         (double)info->pc_period_ns / 1e6);
    if (info->pc_lost)
        vf_profile_extra(profile, section, "Instruction addresses lost", "%llu",
                         (unsigned long long)info->pc_lost);
    if (natives->leaves && !facts->own_addresses)
        vf_profile_extra(profile, section, "Samples that end in native code",
                         "%llu; %llu have an instruction: one was seen in the same function of "
                         "the same thread at most half a period away. VMProf itself records only "
                         "functions, so the others, and callers, have no line of their own",
                         (unsigned long long)natives->leaves, (unsigned long long)natives->placed);
}

void vf_facts_add(struct vf_profile *profile, const struct vf_facts *facts,
                  struct vf_warnings *warnings)
{
    const struct vf_error *problem = &facts->scan->header.problem;
    char line[600];
    add_machine(profile, facts);
    add_recording(profile, facts);
    add_sampling(profile, facts);
    add_natives(profile, facts);
    vf_facts_add_recorder(profile, facts);
    if (problem->text[0]) {
        vf_warn_error(warnings, problem);
        vf_profile_extra(profile, "Samples", "Incomplete", "the VMProf data end early: %s",
                         vf_error_line(problem, line, sizeof line));
    }
    if (facts->frames_folded) {
        vf_warn(warnings,
                "there are more than %llu different frames in it; %llu occurrences of others are "
                "shown as one frame",
                (unsigned long long)facts->frames_max, (unsigned long long)facts->frames_folded);
        vf_profile_extra(profile, "Samples", "Incomplete",
                         "too many different frames: %llu occurrences are shown as one",
                         (unsigned long long)facts->frames_folded);
    }
    if (facts->scan->gathered.left_out)
        vf_warn(warnings, "there are too many different stacks in it; %llu samples are left out",
                (unsigned long long)facts->scan->gathered.left_out);
    if (facts->scan->samples + facts->scan->allocations == 0)
        vf_warn(warnings, "there are no samples in it");
}

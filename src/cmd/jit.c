#include "cmd/commands.h"
#include "cmd/jit_table.h"

static const struct vf_option options[] = {
    {"op", 0, "PATTERN", "only traces with such operations (int_*); in a listing only these"},
    {"function", 0, "NAME", "only traces that come through this function"},
    {"aborted", 0, NULL, "the traces that were given up"},
    {"stage", 0, "STAGE", "list the trace as recorded, optimised or assembled (the default)"},
    VF_INPUT_OPTIONS,
    {"quiet", 'q', NULL, "print no warnings"},
    VF_OPTION_HELP,
    {0},
};

/* The row of the trace with this id; of several the last one that was compiled.  VF_NONE: there is
 * none. */
static uint32_t find_trace(const struct vf_jit *jit, uint64_t id)
{
    uint32_t found = VF_NONE;
    for (uint32_t i = 0; i < jit->rows.len; i++)
        if (jit->traces.traces.items[i].id == id &&
            (found == VF_NONE || !jit->traces.traces.items[i].aborted))
            found = i;
    return found;
}

/* `12`, `loop 12`, `bridge 31`: the last word counts. */
static bool read_id(const struct vf_args *args, uint64_t *id)
{
    const char *word = args->operands[args->operand_count - 1];
    if (vf_str_to_u64(vf_str_from(word), 10, id))
        return true;
    vf_say("%s is no trace's number", word);
    return false;
}

static bool read_stage(const struct vf_args *args, enum vf_jitlog_stage *stage)
{
    static const char *const names[] = {[VF_JITLOG_RECORDED] = "recorded",
                                        [VF_JITLOG_OPTIMISED] = "optimised",
                                        [VF_JITLOG_ASSEMBLED] = "assembled"};
    const char *wanted = vf_args_get(args, "stage");
    *stage = VF_JITLOG_ASSEMBLED;
    for (int i = 0; wanted && i < 3; i++)
        if (strcmp(wanted, names[i]) == 0) {
            *stage = (enum vf_jitlog_stage)i;
            return true;
        }
    if (wanted)
        vf_say("--stage takes recorded, optimised or assembled, not %s", wanted);
    return !wanted;
}

static const char *why_none(const struct vf_input *input)
{
    if (!input->has_profile)
        return "it is a finished profile; name the recording";
    if (!input->profile.jit)
        return "there is no JIT log in it (PyPy writes one; --jitlog names one beside a .prof)";
    return input->profile.jit->foreign ? "its JIT log is of another run" : NULL;
}

static int show(const struct vf_args *args, const struct vf_input *input,
                enum vf_jitlog_stage stage)
{
    const struct vf_jit_choice choice = {.op = vf_args_get(args, "op"),
                                         .function = vf_args_get(args, "function"),
                                         .aborted = vf_args_has(args, "aborted")};
    struct vf_page page;
    uint64_t id = 0;
    uint32_t trace = VF_NONE;
    if (args->operand_count > 1) {
        if (!read_id(args, &id))
            return VF_EXIT_USAGE;
        trace = find_trace(input->profile.jit, id);
        if (trace == VF_NONE) {
            vf_say("%s: there is no trace %llu in it", args->operands[0], (unsigned long long)id);
            return VF_EXIT_INPUT;
        }
    }
    vf_page_init(&page);
    if (trace == VF_NONE)
        vf_jit_table(&page, input, &choice);
    else
        vf_jit_show(&page, input, trace, stage, &choice);
    return vf_page_show(&page) ? VF_EXIT_OK : VF_EXIT_INPUT;
}

static int run(const struct vf_args *args)
{
    enum vf_jitlog_stage stage;
    struct vf_input input = {0};
    if (args->operand_count < 1 || args->operand_count > 4) {
        vf_say(args->operand_count ? "jit takes a file and a trace" : "name a recording");
        return VF_EXIT_USAGE;
    }
    if (!read_stage(args, &stage))
        return VF_EXIT_USAGE;
    struct vf_input_options how = vf_input_options(args);
    how.no_graphs = true;
    int code = VF_EXIT_INPUT;
    if (vf_input_open(&input, args->operands[0], args->operands[0], &how)) {
        const char *why = why_none(&input);
        if (why)
            vf_say("%s: %s", args->operands[0], why);
        else
            code = show(args, &input, stage);
    }
    vf_input_release(&input);
    return code;
}

const struct vf_command vf_cmd_jit = {
    .name = "jit",
    .operands = "FILE [TRACE]",
    .summary = "Prints the traces of PyPy's JIT, or one of them down to its instructions.",
    .about = "Without TRACE: a table, by samples, then by how often they ran.  With its number:\n"
             "Python lines, bytecode, operations and machine code, each with the instruction\n"
             "addresses that were taken there.",
    .options = options,
    .run = run,
};

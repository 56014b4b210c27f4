#include "cmd/commands.h"
#include "cmd/jit_table.h"
#include "cmd/progress.h"

#include <errno.h>

static const struct vf_option options[] = {
    {"op", 0, "PATTERN", "only traces with such operations (int_*); in a listing only these"},
    {"function", 0, "NAME", "only traces that come through this function"},
    {"aborted", 0, NULL, "the traces that were given up"},
    {"stage", 0, "STAGE", "list a trace as recorded, optimised or assembled (the default)"},
    VF_INPUT_OPTIONS,
    {"quiet", 'q', NULL, "print no warnings, show no progress"},
    VF_OPTION_HELP,
    {0},
};

/* ---- which trace ----------------------------------------------------------------------------- */

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

/* The first number among the words. */
static bool read_id(const struct vf_args *args, uint64_t *id)
{
    struct vf_buf word = {0};
    for (int i = 1; i < args->operand_count; i++)
        if (vf_str_to_u64(vf_str_from(args->operands[i]), 10, id))
            return true;
    vf_page_safe(&word, vf_str_from(args->operands[args->operand_count - 1]));
    vf_say("%.*s is no trace's number", VF_STR_ARG(vf_buf_view(&word)));
    vf_buf_release(&word);
    return false;
}

/* Whether the words are how the name begins, with its kind or all of it: `12`, `bridge 31`,
 * `bridge 31 of loop 12`, of an entry bridge also `bridge 9`. */
static bool is_called(struct vf_str name, const struct vf_args *args)
{
    char *const *words = args->operands + 1;
    int count = args->operand_count - 1;
    if (strcmp(words[0], "entry") != 0 && vf_str_starts(name, VF_STR("entry ")))
        vf_str_cut(&name, ' ');
    if (words[0][0] >= '0' && words[0][0] <= '9')
        vf_str_cut(&name, ' ');
    for (int i = 0; i < count; i++)
        if (!vf_str_eq(vf_str_cut(&name, ' '), vf_str_from(words[i])))
            return false;
    return true;
}

/* The trace that is named; VF_NONE where none is.  Sets *code, said, where it can't be. */
static uint32_t choose_trace(const struct vf_args *args, const char *file, const struct vf_jit *jit,
                             int *code)
{
    uint64_t id = 0;
    struct vf_buf name = {0}, shown = {0};
    if (args->operand_count == 1)
        return VF_NONE;
    *code = VF_EXIT_USAGE;
    if (!read_id(args, &id))
        return VF_NONE;
    uint32_t trace = find_trace(jit, id);
    *code = trace == VF_NONE ? VF_EXIT_INPUT : VF_EXIT_OK;
    if (trace == VF_NONE) {
        vf_say("%s: there is no trace %llu in it", file, (unsigned long long)id);
        return VF_NONE;
    }
    vf_jit_trace_name(&name, &jit->traces, &jit->traces.traces.items[trace]);
    vf_page_safe(&shown, vf_buf_view(&name));
    if (!is_called(vf_buf_view(&name), args)) {
        vf_say("%s: trace %llu is %.*s", file, (unsigned long long)id,
               VF_STR_ARG(vf_buf_view(&shown)));
        *code = VF_EXIT_INPUT;
    }
    vf_buf_release(&name);
    vf_buf_release(&shown);
    return trace;
}

/* ---- options --------------------------------------------------------------------------------- */

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
    if (!input->profile.jit && input->capture.jitlog.ptr)
        return "its JIT log can't be read";
    if (!input->profile.jit)
        return "there is no JIT log in it (PyPy writes one; --jitlog names one beside a .prof)";
    return input->profile.jit->foreign ? "its JIT log is of another run" : NULL;
}

/* Where a trace has not come to be assembled, the last stage that it has come to. */
static enum vf_jitlog_stage last_stage(const struct vf_jit_trace *trace)
{
    if (trace->assembled)
        return VF_JITLOG_ASSEMBLED;
    return trace->optimised ? VF_JITLOG_OPTIMISED : VF_JITLOG_RECORDED;
}

static int show(const struct vf_args *args, const char *file, const struct vf_input *input,
                enum vf_jitlog_stage stage)
{
    const struct vf_jit *jit = input->profile.jit;
    const struct vf_jit_choice choice = {.op = vf_args_get(args, "op"),
                                         .function = vf_args_get(args, "function"),
                                         .aborted = vf_args_has(args, "aborted")};
    struct vf_page page;
    int code = VF_EXIT_OK;
    uint32_t trace = choose_trace(args, file, jit, &code);
    if (code != VF_EXIT_OK)
        return code;
    vf_page_init(&page);
    if (trace == VF_NONE && choice.aborted) {
        vf_jit_aborted(&page, input, &choice);
    } else if (trace == VF_NONE) {
        vf_jit_table(&page, input, &choice);
    } else {
        if (!vf_args_has(args, "stage"))
            stage = last_stage(&jit->traces.traces.items[trace]);
        vf_jit_show(&page, input, trace, stage, &choice);
    }
    if (vf_page_show(&page))
        return VF_EXIT_OK;
    vf_say("standard output: %s", strerror(errno));
    return VF_EXIT_INPUT;
}

static bool is_usable(const struct vf_args *args)
{
    if (args->operand_count < 1) {
        vf_say("name a recording");
        return false;
    }
    if (args->operand_count == 1 && vf_args_has(args, "stage")) {
        vf_say("--stage lists a trace: name one");
        return false;
    }
    if (args->operand_count > 1 &&
        (vf_args_has(args, "aborted") || vf_args_has(args, "function"))) {
        vf_say("--aborted and --function choose among the traces: name none with them");
        return false;
    }
    return true;
}

static int run(const struct vf_args *args)
{
    enum vf_jitlog_stage stage;
    struct vf_debug debug = {0};
    struct vf_input input = {0};
    struct vf_buf file = {0};
    if (!read_stage(args, &stage) || !is_usable(args))
        return VF_EXIT_USAGE;
    if (!vf_debug_init(&debug, args)) {
        vf_debug_release(&debug);
        return VF_EXIT_USAGE;
    }
    struct vf_input_options how;
    if (!vf_input_options(&how, args, &debug)) {
        vf_debug_release(&debug);
        return VF_EXIT_USAGE;
    }
    how.no_graphs = true;
    vf_page_safe(&file, vf_str_from(args->operands[0]));
    vf_buf_add(&file, "", 1);
    int code = VF_EXIT_INPUT;
    vf_work_begin(args->operands[0], how.quiet);
    bool good = vf_input_open(&input, args->operands[0], file.ptr, &how);
    vf_work_end();
    if (good) {
        const char *why = why_none(&input);
        if (why)
            vf_say("%s: %s", file.ptr, why);
        else
            code = show(args, file.ptr, &input, stage);
    }
    vf_input_release(&input);
    vf_debug_release(&debug);
    vf_buf_release(&file);
    return code;
}

const struct vf_command vf_cmd_jit = {
    .name = "jit",
    .operands = "FILE [TRACE]",
    .summary = "Prints the traces of PyPy's JIT, or one of them down to its instructions.",
    .about =
        "Without TRACE: a table, by samples, then by how often they ran.  With its number:\n"
        "Python lines, bytecode, operations and machine code, each with the instruction\n"
        "addresses that were taken there.  FILE is a recording, or the folder vmfox-XXXXXX of\n"
        "a recorder that was killed, which is left as it is.",
    .options = options,
    .run = run,
};

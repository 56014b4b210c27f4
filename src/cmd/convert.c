#include "cmd/commands.h"
#include "cmd/common.h"

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "where to write: .json or .json.gz, - for standard output"},
    VF_INPUT_OPTIONS,
    {"quiet", 'q', NULL, "print errors only"},
    VF_OPTION_HELP,
    {0},
};

static int write_out(const struct vf_input *input, const char *out, bool gzip, bool quiet)
{
    struct vf_buf bytes = {0};
    if (!vf_input_write(input, gzip, &bytes))
        return VF_EXIT_INPUT;
    bool written = vf_output_write(out, vf_buf_view(&bytes));
    size_t size = bytes.len;
    vf_buf_release(&bytes);
    if (!written)
        return VF_EXIT_INPUT;
    if (!quiet && strcmp(out, "-") != 0)
        vf_say_wrote(out, size);
    return VF_EXIT_OK;
}

static int run(const struct vf_args *args)
{
    if (args->operand_count != 1) {
        vf_say(args->operand_count ? "convert takes one file" : "name a file to convert");
        return VF_EXIT_USAGE;
    }
    const char *in = args->operands[0], *out = vf_args_get(args, "output");
    bool quiet = vf_args_has(args, "quiet"), gzip = false;
    char *made = out ? NULL : vf_replace_ending(in, ".json.gz");
    struct vf_debug debug = {0};
    struct vf_input input = {0};
    int code = VF_EXIT_USAGE;
    if (!out)
        out = made;
    if (strcmp(out, "-") != 0 && !vf_output_format(out, &gzip))
        goto done;
    code = VF_EXIT_INPUT;
    if (vf_output_is_input(in, out))
        goto done;
    vf_debug_init(&debug, args);
    struct vf_input_options how = vf_input_options(args, &debug);
    if (!vf_input_open(&input, in, in, &how))
        goto done;
    if (!input.has_profile) {
        vf_say("%s: is a Firefox Profiler file already; see it with: vmfox view", in);
        goto done;
    }
    code = write_out(&input, out, gzip, quiet);
done:
    vf_input_release(&input);
    vf_debug_release(&debug);
    free(made);
    return code;
}

const struct vf_command vf_cmd_convert = {
    .name = "convert",
    .operands = "IN",
    .summary = "Writes a recording as a Firefox Profiler file.",
    .about = "IN is a VMProf file (.prof, also gzipped), a .vmfox, or a zip of\n"
             "vmprof-firefox-converter.  Without -o the result is IN with its ending replaced by\n"
             ".json.gz.",
    .options = options,
    .run = run,
};

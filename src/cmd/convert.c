#include "cmd/commands.h"
#include "cmd/common.h"

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "where to write: .json or .json.gz, - for standard output"},
    VF_INPUT_OPTIONS,
    VF_EMBED_OPTIONS,
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
    struct vf_conversion c;
    struct vf_input input = {0};
    int code = vf_conversion_init(&c, args);
    if (code == VF_EXIT_OK)
        code = vf_conversion_output(&c, ".json.gz");
    if (code != VF_EXIT_OK)
        goto done;
    struct vf_input_options how = vf_input_options(args, &c.debug);
    how.sources_apart = vf_args_has(args, "no-embed-sources");
    code = VF_EXIT_INPUT;
    if (!vf_input_open(&input, c.in, c.in, &how))
        goto done;
    if (input.has_profile)
        code = write_out(&input, c.out, c.gzip, c.quiet);
    else
        vf_say("%s: is a Firefox Profiler file already; see it with: vmfox view", c.in);
done:
    vf_input_release(&input);
    vf_conversion_release(&c);
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

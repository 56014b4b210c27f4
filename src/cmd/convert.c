#include "cmd/commands.h"
#include "cmd/common.h"
#include "cmd/progress.h"

static const struct vf_option options[] = {
    {"output", 'o', "FILE",
     "where to write: .json.gz, .json, .jslb.gz or .jslb,\n"
     "                               - for standard output (JSON)"},
    VF_INPUT_OPTIONS,
    VF_EMBED_OPTIONS,
    {"quiet", 'q', NULL, "print errors only, show no progress"},
    VF_OPTION_HELP,
    {0},
};

static int write_out(const struct vf_input *input, const struct vf_conversion *c)
{
    uint64_t size;
    if (!vf_input_write(input, c->format, c->out, &size))
        return VF_EXIT_INPUT;
    vf_work_end();
    if (!c->quiet && strcmp(c->out, "-") != 0)
        vf_say_wrote(c->out, size);
    return VF_EXIT_OK;
}

static int run(const struct vf_args *args)
{
    struct vf_conversion c;
    struct vf_input input = {0};
    int code = vf_conversion_init(&c, args);
    if (code == VF_EXIT_OK)
        code = vf_conversion_output(&c, ".json.gz", true);
    if (code != VF_EXIT_OK)
        goto done;
    struct vf_input_options how = vf_input_options(args, &c.debug);
    how.sources_apart = vf_args_has(args, "no-embed-sources");
    code = VF_EXIT_INPUT;
    vf_conversion_begin_work(&c);
    if (!vf_input_open(&input, c.in, c.in, &how))
        goto done;
    if (input.has_profile)
        code = write_out(&input, &c);
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

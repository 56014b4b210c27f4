#include "cmd/commands.h"
#include "cmd/finished.h"
#include "cmd/progress.h"

static const struct vf_option options[] = {
    {"output", 'o', "FILE",
     "where to write: .json.gz, .json, .jslb.gz or .jslb,\n"
     "                               - for standard output (JSON)"},
    VF_INPUT_OPTIONS,
    VF_EMBED_OPTIONS,
    VF_THIN_OPTIONS,
    {"quiet", 'q', NULL, "print errors only, show no progress"},
    VF_OPTION_HELP,
    {0},
};

/* False, said: there is nothing to be made of a finished file in that way. */
static bool can_make(const struct vf_conversion *c, const struct vf_capture *capture,
                     const struct vf_args *args)
{
    static const char *const building[] = {"jitlog",    "pypylog",   "sources",         "no-phases",
                                           "no-traces", "no-graphs", "no-embed-sources"};
    if (capture->kind != VF_CAPTURE_FINISHED_JSLB || c->format.slabs) {
        vf_say("%s: is a Firefox Profiler file already; see it with: vmfox view", c->in);
        return false;
    }
    for (size_t i = 0; i < sizeof building / sizeof *building; i++)
        if (vf_args_has(args, building[i])) {
            vf_say("%s: is a Firefox Profiler file already: --%s needs the recording", c->in,
                   building[i]);
            return false;
        }
    return vf_finished_is_whole(c->in, args);
}

static int write_out(const struct vf_input *input, const struct vf_conversion *c,
                     const struct vf_args *args)
{
    uint64_t size;
    if (input->has_profile ? !vf_input_write(input, c->format, c->out, &size)
                           : !can_make(c, &input->capture, args) ||
                                 !vf_finished_convert(c, &input->capture, &size))
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
    struct vf_input_options how;
    if (!vf_input_options(&how, args, &c.debug)) {
        code = VF_EXIT_USAGE;
        goto done;
    }
    code = VF_EXIT_INPUT;
    vf_conversion_begin_work(&c);
    if (vf_input_open(&input, c.in, c.in, &how))
        code = write_out(&input, &c, args);
done:
    vf_input_release(&input);
    vf_conversion_release(&c);
    return code;
}

const struct vf_command vf_cmd_convert = {
    .name = "convert",
    .operands = "IN",
    .summary = "Writes a recording as a Firefox Profiler file.",
    .about = "IN is a VMProf file (.prof, also gzipped), a .vmfox, a zip of\n"
             "vmprof-firefox-converter, or the folder vmfox-XXXXXX of a recorder that was killed,\n"
             "which is left as it is; a Firefox Profiler file in JSON Slabs (.jslb, also\n"
             "gzipped) becomes one in JSON.  Without -o the result is IN with its ending replaced\n"
             "by .json.gz.",
    .options = options,
    .run = run,
};

#include "cmd/commands.h"
#include "cmd/finished.h"
#include "cmd/progress.h"
#include "cmd/serving.h"

static const struct vf_option options[] = {
    VF_SERVE_OPTIONS,
    VF_INPUT_OPTIONS,
    VF_EMBED_OPTIONS,
    VF_THIN_OPTIONS,
    {"quiet", 'q', NULL, "print no warnings, show no progress"},
    VF_OPTION_HELP,
    {0},
};

static struct vf_format finished_format(const struct vf_capture *capture)
{
    return (struct vf_format){.slabs = capture->kind == VF_CAPTURE_FINISHED_JSLB,
                              .gzip = vf_is_gzip(&capture->file)};
}

static int run(const struct vf_args *args)
{
    if (args->operand_count != 1) {
        vf_say(args->operand_count ? "view takes one file" : "name a file to view");
        return VF_EXIT_USAGE;
    }
    struct vf_serving serving;
    struct vf_debug debug = {0};
    struct vf_input input = {0};
    struct vf_buf made = {0};
    int code = VF_EXIT_USAGE;
    if (!vf_serving_init(&serving, args) || !vf_debug_init(&debug, args))
        goto done;
    code = VF_EXIT_INPUT;
    struct vf_input_options how;
    if (!vf_input_options(&how, args, &debug)) {
        code = VF_EXIT_USAGE;
        goto done;
    }
    vf_work_begin(args->operands[0], how.quiet);
    if (!vf_input_open(&input, args->operands[0], args->operands[0], &how))
        goto done;
    if (!input.has_profile && !vf_finished_is_whole(args->operands[0], args))
        goto done;
    bool good = !input.has_profile || vf_input_write_memory(&input, vf_served_format(), &made);
    vf_work_end();
    if (good && !input.has_profile)
        code = vf_serving_run(&serving, &input, vf_bytes_view(&input.capture.file),
                              finished_format(&input.capture), stdout);
    else if (good)
        code = vf_serving_run(&serving, &input, vf_buf_view(&made), vf_served_format(), stdout);
done:
    vf_work_end();
    vf_buf_release(&made);
    vf_input_release(&input);
    vf_debug_release(&debug);
    vf_serving_release(&serving);
    return code;
}

const struct vf_command vf_cmd_view = {
    .name = "view",
    .operands = "FILE",
    .summary = "Opens a recording or a finished profile in the Firefox Profiler.",
    .about =
        "FILE is a VMProf file, a .vmfox, a zip of vmprof-firefox-converter, or a Firefox\n"
        "Profiler file.  It is served on 127.0.0.1 to the profiler's page alone, until Ctrl-C.",
    .options = options,
    .run = run,
};

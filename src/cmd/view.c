#include "cmd/commands.h"
#include "cmd/finished.h"
#include "cmd/places.h"
#include "cmd/progress.h"
#include "cmd/serving.h"

static const struct vf_option options[] = {
    {"last", 0, NULL, "the newest recording that vmfox run has kept"},
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

/* To be freed; NULL after a message. */
static char *find_last(void)
{
    struct vf_error error;
    struct vf_keep keep;
    char *last = NULL;
    enum vf_status status = vf_keep_open_own(&keep, false, &error);
    if (status == VF_FATAL)
        vf_say_error(NULL, &error, 0);
    else if (status == VF_OK)
        last = vf_keep_last(&keep);
    if (!last && status != VF_FATAL)
        vf_say("no recording is kept; vmfox run makes one");
    vf_keep_close(&keep);
    return last;
}

static int view(const struct vf_args *args, const char *path)
{
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
    vf_work_begin(path, how.quiet);
    if (!vf_input_open(&input, path, path, &how))
        goto done;
    if (!input.has_profile &&
        (!vf_finished_is_whole(path, args) || !vf_finished_is_sound(path, &input.capture)))
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

static int run(const struct vf_args *args)
{
    bool last = vf_args_has(args, "last");
    if (args->operand_count + last != 1) {
        vf_say(args->operand_count || last ? "view takes one file" : "name a file to view");
        return VF_EXIT_USAGE;
    }
    if (!last)
        return view(args, args->operands[0]);
    char *path = find_last();
    int code = path ? view(args, path) : VF_EXIT_INPUT;
    free(path);
    return code;
}

const struct vf_command vf_cmd_view = {
    .name = "view",
    .operands = "FILE",
    .summary = "Opens a recording or a finished profile in the Firefox Profiler.",
    .about =
        "FILE is a VMProf file, a .vmfox, a zip of vmprof-firefox-converter, a Firefox Profiler\n"
        "file, or the folder vmfox-XXXXXX of a recorder that was killed, which is left as it is.\n"
        "It is served on 127.0.0.1 to the profiler's page alone, until Ctrl-C.",
    .options = options,
    .run = run,
};

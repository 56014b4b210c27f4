#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/recording.h"
#include "cmd/serving.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "keep the profile: .jslb.gz, .jslb, .json.gz or .json"},
    {"no-serve", 0, NULL, "only write the profile (default: NAME.jslb.gz)"},
    VF_SERVE_OPTIONS,
    VF_RECORD_OPTIONS,
    VF_BUILD_OPTIONS,
    VF_EMBED_OPTIONS,
    VF_THIN_OPTIONS,
    VF_OPTION_HELP,
    {0},
};

struct run {
    struct vf_recording recording;
    struct vf_serving serving;
    const char *output; /* NULL: not kept */
    char *made;         /* owns `output` where it is the default name */
    struct vf_input_options how;
    struct vf_format format;
    bool serve;
};

static int prepare(struct run *r, const struct vf_args *args)
{
    int code = vf_recording_init(&r->recording, args);
    if (code == VF_EXIT_OK && !vf_input_build_options(&r->how, args))
        code = VF_EXIT_USAGE;
    r->how.debug = &r->recording.debug.files;
    if (code != VF_EXIT_OK)
        return code;
    r->serve = !vf_args_has(args, "no-serve");
    r->output = vf_args_get(args, "output");
    if (!vf_serving_init(&r->serving, args))
        return VF_EXIT_USAGE;
    if (!r->output && !r->serve) {
        r->made = vf_recording_default_name(&r->recording, ".jslb.gz");
        r->output = r->made;
    }
    if (r->output && !vf_format_of(r->output, &r->format))
        return VF_EXIT_USAGE;
    if (r->output && !vf_recording_can_write(r->output))
        return VF_EXIT_INPUT;
    return VF_EXIT_OK;
}

static void keep(const struct run *r, const struct vf_input *input)
{
    uint64_t size;
    if (vf_input_write(input, r->format, r->output, &size) && !r->recording.quiet)
        vf_say_wrote(r->output, size);
}

/* From the capture to the browser.  What goes wrong here is said; the exit code stays the
 * program's. */
static void show(const struct run *r, const char *capture)
{
    struct vf_input input;
    struct vf_buf made = {0};
    vf_work_begin("the recording", r->recording.quiet);
    bool good = vf_input_open(&input, capture, "the recording", &r->how) && input.has_profile;
    unlink(capture); /* it is mapped, and nobody else needs it */
    vf_new_file_watch(NULL);
    if (good && r->output)
        keep(r, &input);
    good = good && r->serve && vf_input_write_memory(&input, vf_served_format(), &made);
    vf_work_end();
    if (good)
        vf_serving_run(&r->serving, &input, vf_buf_view(&made), vf_served_format(), stderr);
    vf_buf_release(&made);
    vf_input_release(&input);
}

static int run(const struct vf_args *args)
{
    struct run r = {0};
    bool saved = false;
    char capture[4096];
    int code = prepare(&r, args);
    if (code != VF_EXIT_OK)
        goto done;
    snprintf(capture, sizeof capture, "%s/vmfox-capture-XXXXXX", vf_temp_folder());
    int fd = mkostemp(capture, O_CLOEXEC);
    if (fd < 0) {
        vf_say("can't make a file in %s: %s", vf_temp_folder(), strerror(errno));
        code = VF_EXIT_INPUT;
        goto done;
    }
    close(fd);
    vf_new_file_watch(capture);
    vf_work_guard();
    code = vf_recording_run(&r.recording, capture, &saved);
    if (saved)
        show(&r, capture);
    else
        unlink(capture);
done:
    vf_new_file_watch(NULL);
    vf_work_end();
    free(r.made);
    vf_serving_release(&r.serving);
    vf_recording_release(&r.recording);
    return code;
}

const struct vf_command vf_cmd_run = {
    .name = "run",
    .operands = "[--] [INTERPRETER [its options]] SCRIPT|-m MODULE|-c CODE [args]",
    .summary = "Runs a Python program and shows its profile in the browser.",
    .about = "With no interpreter named: --python, then $VMFOX_PYTHON, then pypy3, then python3.\n"
             "CPython needs the vmprof package; PyPy needs nothing.\n"
             "The exit code is the program's own; 128 + signal when it was killed.",
    .options = options,
    .program_follows = true,
    .run = run,
};

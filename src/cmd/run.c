#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/places.h"
#include "cmd/progress.h"
#include "cmd/recording.h"
#include "cmd/serving.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "keep the profile: .jslb.gz, .jslb, .json.gz or .json"},
    {"no-serve", 0, NULL, "only write the profile (default: NAME.jslb.gz)"},
    {"no-keep", 0, NULL, "do not keep the recording for vmfox view --last"},
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
    struct vf_place output_place;
    struct vf_input_options how;
    struct vf_format format;
    bool serve;
    struct vf_keep keep;   /* its folder is -1 where the recording is not kept */
    struct vf_place place; /* of the recording */
    struct vf_record_result made_recording;
};

static int prepare_output(struct run *r)
{
    if (!r->output && !r->serve) {
        r->made = vf_recording_default_name(&r->recording, ".jslb.gz");
        r->output = r->made;
    }
    if (r->output && !vf_format_of(r->output, &r->format))
        return VF_EXIT_USAGE;
    if (r->output && !vf_recording_output_place(&r->output_place, r->output))
        return VF_EXIT_INPUT;
    return VF_EXIT_OK;
}

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
    code = prepare_output(r);
    if (code == VF_EXIT_OK && r->serve && !vf_serving_can(&r->serving))
        code = VF_EXIT_INPUT;
    return code;
}

/* ---- the recording --------------------------------------------------------------------------- */

/* In the user's cache; where it is not to be kept there, or can't be, in the temporary folder, and
 * only until the profile is shown. */
static int find_place(struct run *r, bool no_keep)
{
    struct vf_error error;
    const char *path = vf_temp_folder();
    int folder = -1;
    if (!no_keep && vf_keep_open_own(&r->keep, true, &error) == VF_FATAL && !r->recording.quiet)
        vf_say("warning: the recording is not kept: %s (--no-keep asks for none)", error.text);
    if (r->keep.folder >= 0) {
        path = r->keep.path;
        folder = fcntl(r->keep.folder, F_DUPFD_CLOEXEC, 0);
    }
    if (folder < 0)
        folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        vf_say("can't make a file in %s: %s", path, strerror(errno));
        return VF_EXIT_INPUT;
    }
    char *name =
        vf_keep_name(vf_target_name(&r->recording.target), (int64_t)time(NULL) * 1000000000);
    vf_place_in(&r->place, folder, path, name);
    r->place.is_passing = r->keep.folder < 0;
    free(name);
    return VF_EXIT_OK;
}

static bool is_kept(const struct run *r)
{
    return r->keep.folder >= 0 || r->made_recording.elsewhere;
}

static void look_after_kept(struct run *r)
{
    struct vf_error error;
    if (r->keep.folder < 0 || r->made_recording.elsewhere)
        return;
    if (vf_keep_trim(&r->keep, &error) == VF_FATAL && !r->recording.quiet)
        vf_say("warning: too many recordings are kept in %s: %s", r->keep.path, error.text);
    if (!r->keep.is_new || r->recording.quiet)
        return;
    vf_say("recordings of run are kept in %s, the last %d and at most %d GB; --no-keep keeps none, "
           "vmfox clean removes them",
           r->keep.path, VF_KEEP_COUNT, (int)(VF_KEEP_BYTES >> 30));
    vf_keep_told(&r->keep);
}

/* It is mapped, and nobody else needs it. */
static void forget(void *context)
{
    struct run *r = context;
    unlink(r->made_recording.path);
    vf_new_file_watch(NULL);
}

/* ---- the profile ----------------------------------------------------------------------------- */

static bool write_output(struct run *r, const struct vf_input *input)
{
    uint64_t size;
    char *path = vf_place_now(&r->output_place);
    bool good = vf_input_write(input, r->format, path, &size);
    if (good && !r->recording.quiet)
        vf_say_wrote(path, size);
    free(path);
    return good;
}

/* From the recording to the browser.  False: something went wrong, which was said. */
static bool show(struct run *r)
{
    struct vf_input input;
    struct vf_buf made = {0};
    if (!is_kept(r)) { /* and is removed, should a signal come before that (is_passing) */
        r->serving.started = forget;
        r->serving.context = r;
    }
    vf_work_begin("the recording", r->recording.quiet);
    bool good = vf_input_open(&input, r->made_recording.path, "the recording", &r->how) &&
                input.has_profile;
    if (good && r->output)
        good = write_output(r, &input);
    bool served = good && r->serve && vf_input_write_memory(&input, vf_served_format(), &made);
    vf_work_end();
    if (served)
        good = vf_serving_run(&r->serving, &input, vf_buf_view(&made), vf_served_format(),
                              stderr) == VF_EXIT_OK;
    vf_new_file_watch(NULL);
    vf_buf_release(&made);
    vf_input_release(&input);
    return good && (served || !r->serve);
}

/* The exit code is the program's own, unless that says that all went well. */
static int finish(struct run *r, int code)
{
    look_after_kept(r);
    if (show(r)) {
        if (!is_kept(r))
            unlink(r->made_recording.path);
        return code;
    }
    vf_say_go_on("the recording is kept", r->made_recording.path);
    return code == VF_EXIT_OK ? VF_EXIT_INPUT : code;
}

static int run(const struct vf_args *args)
{
    struct run r = {.keep.folder = -1,
                    .place.folder = -1,
                    .output_place.folder = -1,
                    .made_recording.held = -1};
    int code = prepare(&r, args);
    if (code == VF_EXIT_OK)
        code = find_place(&r, vf_args_has(args, "no-keep"));
    if (code != VF_EXIT_OK)
        goto done;
    vf_work_guard();
    code = vf_recording_run(&r.recording, &r.place, &r.made_recording);
    if (r.made_recording.path)
        code = finish(&r, code);
done:
    vf_work_end();
    vf_recording_result_release(&r.made_recording);
    vf_place_close(&r.place);
    vf_place_close(&r.output_place);
    vf_keep_close(&r.keep);
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

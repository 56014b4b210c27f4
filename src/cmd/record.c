#include "cmd/commands.h"
#include "cmd/recording.h"
#include "code/disassembly.h"

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "where to write the capture (default: NAME.vmfox)"},
    {"share", 0, NULL,
     "keep the machine code of the native functions that were seen, for\n"
     "                               other machines (to publish a profile: vmfox share)"},
    VF_RECORD_OPTIONS,
    VF_OPTION_HELP,
    {0},
};

static int run(const struct vf_args *args)
{
    struct vf_recording recording;
    struct vf_place place = {.folder = -1};
    struct vf_record_result result = {.held = -1};
    char *made = NULL;
    const char *out = vf_args_get(args, "output");
    int code = vf_recording_init(&recording, args);
    if (code != VF_EXIT_OK)
        goto done;
    recording.options.code = vf_args_has(args, "share");
    recording.options.targets = vf_disassembly_targets;
    if (!out) {
        made = vf_recording_default_name(&recording, ".vmfox");
        out = made;
    }
    code = VF_EXIT_INPUT;
    if (!vf_recording_place(&place, out))
        goto done;
    code = vf_recording_run(&recording, &place, &result);
    if (result.path && !result.elsewhere && !recording.quiet)
        vf_say("wrote %s; see it with: vmfox view %s", result.path, result.path);
done:
    vf_recording_result_release(&result);
    vf_place_close(&place);
    free(made);
    vf_recording_release(&recording);
    return code;
}

const struct vf_command vf_cmd_record = {
    .name = "record",
    .operands = "[--] [INTERPRETER [its options]] SCRIPT|-m MODULE|-c CODE [args]",
    .summary = "Runs a Python program and writes its recording (.vmfox).",
    .about = "The exit code is the program's own; 128 + signal when it was killed.",
    .options = options,
    .program_follows = true,
    .run = run,
};

#include "cmd/commands.h"
#include "cmd/common.h"

static const struct vf_option options[] = {VF_OPTION_HELP, {0}};

const struct vf_command *vf_command_find(const char *name)
{
    for (const struct vf_command *const *c = vf_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

int vf_command_unknown(const char *name)
{
    const char *names[16];
    size_t n = 0;
    for (const struct vf_command *const *c = vf_commands; *c; c++)
        names[n++] = (*c)->name;
    names[n] = NULL;
    const char *hint = vf_nearest(name, names);
    if (hint)
        vf_say("there is no command %s; did you mean %s?", name, hint);
    else
        vf_say("there is no command %s; see vmfox help", name);
    return VF_EXIT_USAGE;
}

void vf_commands_help(FILE *to)
{
    fprintf(to, "usage: vmfox COMMAND [options] ...\n\n"
                "Runs Python programs under VMProf and shows where their time went in the Firefox\n"
                "Profiler.\n\ncommands:\n");
    for (const struct vf_command *const *c = vf_commands; *c; c++)
        fprintf(to, "  %-11s %s\n", (*c)->name, (*c)->summary);
    fprintf(to, "\nvmfox help COMMAND tells more; vmfox --version prints the version.\n"
                "To begin: vmfox run script.py\n");
}

static int run(const struct vf_args *args)
{
    if (args->operand_count == 0) {
        vf_commands_help(stdout);
        return VF_EXIT_OK;
    }
    const struct vf_command *command = vf_command_find(args->operands[0]);
    if (!command)
        return vf_command_unknown(args->operands[0]);
    vf_command_help(command, stdout);
    return VF_EXIT_OK;
}

const struct vf_command vf_cmd_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "Explains the commands.",
    .options = options,
    .run = run,
};

/* The commands, one file each. */
#ifndef VF_CMD_COMMANDS_H
#define VF_CMD_COMMANDS_H

#include "cmd/options.h"

extern const struct vf_command vf_cmd_run, vf_cmd_record, vf_cmd_convert, vf_cmd_view, vf_cmd_jit,
    vf_cmd_share, vf_cmd_symbolicate, vf_cmd_recover, vf_cmd_clean, vf_cmd_help;

/* All of them, in the order they are listed; ends with NULL. */
extern const struct vf_command *const vf_commands[];
/* The command of that name, or NULL. */
const struct vf_command *vf_command_find(const char *name);
/* Says that there is no such command, with the nearest one; VF_EXIT_USAGE. */
int vf_command_unknown(const char *name);
/* The overview, as `vmfox help` prints it. */
void vf_commands_help(FILE *to);

#endif

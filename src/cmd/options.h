/* Commands and their options.
 *
 * One table a command drives everything: parsing, `--help`, the hint for a mistyped option, and the
 * test that holds the manual page against it. */
#ifndef VF_CMD_OPTIONS_H
#define VF_CMD_OPTIONS_H

#include "base/error.h"

#include <stdio.h>

struct vf_option {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    const char *value; /* what the value is called in the help; NULL: a flag; with '=' in front it
                          may be left out, and stands behind that sign only */
    const char *help;
};

enum { VF_OPTIONS_MAX = 48 };

/* The parsed command line of one command. */
struct vf_args {
    const struct vf_command *command;
    const char *values[VF_OPTIONS_MAX]; /* by row of the option table; flags: "" when given */
    char **operands;                    /* points into argv */
    int operand_count;
};

struct vf_command {
    const char *name, *operands, *summary;
    const char *about;               /* a paragraph for --help, lines broken; may be NULL */
    const struct vf_option *options; /* ends with a row without a name */
    bool program_follows; /* options end at the first operand, and at -m and -c: what follows is a
                             program's command line and is not looked at */
    int (*run)(const struct vf_args *args);
};

enum { VF_EXIT_OK = 0, VF_EXIT_INPUT = 1, VF_EXIT_USAGE = 2 };

/* Every command has these two rows of its own accord. */
#define VF_OPTION_HELP                                                                             \
    {                                                                                              \
        "help", 'h', NULL, "show this help"                                                        \
    }

/* Parses what stands behind the command's name.  False: a message is in `error` (with a hint at the
 * nearest right option). */
bool vf_args_parse(struct vf_args *args, const struct vf_command *command, int argc, char **argv,
                   struct vf_error *error);
/* The value of an option, "" for a flag that was given, NULL when it was not. */
const char *vf_args_get(const struct vf_args *args, const char *name);
/* True when the command has such an option at all. */
bool vf_args_knows(const struct vf_args *args, const char *name);
static inline bool vf_args_has(const struct vf_args *args, const char *name)
{
    return vf_args_get(args, name) != NULL;
}

void vf_command_help(const struct vf_command *command, FILE *to);

/* The one of `words` (ending with NULL) that `wrong` was most likely meant to be; NULL when none is
 * near. */
const char *vf_nearest(const char *wrong, const char *const *words);

#endif

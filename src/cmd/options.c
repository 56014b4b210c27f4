#include "cmd/options.h"

#include <stdlib.h>
#include <string.h>

/* ---- hints ------------------------------------------------------------------------------------
 */

enum { WORD_MAX = 40 };

/* Levenshtein's distance; words longer than WORD_MAX are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[WORD_MAX + 1];
    if (n > WORD_MAX || m > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

const char *vf_nearest(const char *wrong, const char *const *words)
{
    const char *best = NULL;
    size_t limit = strlen(wrong) / 2 < 3 ? strlen(wrong) / 2 + 1 : 4;
    for (; *words; words++) {
        size_t d = distance(wrong, *words);
        if (d < limit) {
            limit = d;
            best = *words;
        }
    }
    return best;
}

static bool unknown_option(const struct vf_command *command, const char *given,
                           struct vf_error *error)
{
    const char *words[VF_OPTIONS_MAX + 1];
    size_t n = 0;
    char name[64];
    for (const struct vf_option *o = command->options; o->name; o++)
        words[n++] = o->name;
    words[n] = NULL;
    snprintf(name, sizeof name, "%s", given + strspn(given, "-"));
    name[strcspn(name, "=")] = 0;
    const char *hint = vf_nearest(name, words);
    if (hint)
        vf_fail(error, "there is no option %s; did you mean --%s?", given, hint);
    else
        vf_fail(error, "there is no option %s; see vmfox help %s", given, command->name);
    return false;
}

/* ---- parsing ----------------------------------------------------------------------------------
 */

static const struct vf_option *find_long(const struct vf_command *command, const char *name,
                                         size_t length)
{
    for (const struct vf_option *o = command->options; o->name; o++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

static const struct vf_option *find_letter(const struct vf_command *command, char letter)
{
    for (const struct vf_option *o = command->options; o->name; o++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

static bool needs_value(const struct vf_option *option)
{
    return option->value && option->value[0] != '=';
}

/* Takes argv[*at], and its value from behind it or from the next word. */
static bool take_option(struct vf_args *args, int argc, char **argv, int *at,
                        struct vf_error *error)
{
    const struct vf_command *command = args->command;
    const char *given = argv[*at], *value = NULL;
    const struct vf_option *option;
    if (given[1] == '-') {
        size_t length = strcspn(given + 2, "=");
        option = find_long(command, given + 2, length);
        if (given[2 + length] == '=')
            value = given + 3 + length;
    } else {
        /* Flags may stand together, and before an option with a value: -rq, -qo FILE. */
        const char *letter = given + 1;
        option = find_letter(command, *letter);
        while (option && !needs_value(option) && letter[1]) {
            args->values[option - command->options] = "";
            option = find_letter(command, *++letter);
        }
        if (option && letter[1])
            value = letter + 1;
    }
    if (!option)
        return unknown_option(command, given, error);
    if (!option->value && value) {
        vf_fail(error, "--%s takes no value", option->name);
        return false;
    }
    if (needs_value(option) && !value) {
        if (*at + 1 >= argc) {
            vf_fail(error, "--%s needs a value: %s", option->name, option->value);
            return false;
        }
        value = argv[++*at];
    }
    args->values[option - command->options] = value ? value : "";
    return true;
}

bool vf_args_parse(struct vf_args *args, const struct vf_command *command, int argc, char **argv,
                   struct vf_error *error)
{
    *args = (struct vf_args){.command = command};
    int operands = 0, i = 0;
    for (; i < argc; i++) {
        bool option = argv[i][0] == '-' && argv[i][1];
        if (option && strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (command->program_follows &&
            (!option || strncmp(argv[i], "-m", 2) == 0 || strncmp(argv[i], "-c", 2) == 0))
            break;
        if (!option)
            argv[operands++] = argv[i]; /* operands may stand between options */
        else if (!take_option(args, argc, argv, &i, error))
            return false;
    }
    while (i < argc)
        argv[operands++] = argv[i++];
    args->operands = argv;
    args->operand_count = operands;
    return true;
}

bool vf_args_knows(const struct vf_args *args, const char *name)
{
    return find_long(args->command, name, strlen(name)) != NULL;
}

const char *vf_args_get(const struct vf_args *args, const char *name)
{
    const struct vf_option *option = find_long(args->command, name, strlen(name));
    if (!option)
        abort(); /* a name that is not in the command's table is a mistake in the program */
    return args->values[option - args->command->options];
}

/* ---- help -------------------------------------------------------------------------------------
 */

void vf_command_help(const struct vf_command *command, FILE *to)
{
    fprintf(to, "usage: vmfox %s [options]%s%s\n\n%s\n", command->name,
            command->operands[0] ? " " : "", command->operands, command->summary);
    if (command->about)
        fprintf(to, "\n%s\n", command->about);
    fprintf(to, "\noptions:\n");
    for (const struct vf_option *o = command->options; o->name; o++) {
        char left[64];
        bool optional = o->value && !needs_value(o);
        snprintf(left, sizeof left, "%c%c%s --%s%s%s%s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
                 optional   ? "["
                 : o->value ? " "
                            : "",
                 o->value ? o->value : "", optional ? "]" : "");
        fprintf(to, "  %-28s %s\n", left, o->help);
    }
}

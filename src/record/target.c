#include "record/target.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the interpreter --------------------------------------------------------------------------
 */

static bool is_executable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The path of an executable as execvp() would find it; NULL: none. */
static char *find_executable(const char *name, const char *search_path)
{
    if (strchr(name, '/'))
        return is_executable(name) ? vf_strdup(vf_str_from(name)) : NULL;
    struct vf_str rest = vf_str_from(search_path);
    while (rest.len) {
        struct vf_str folder = vf_str_cut(&rest, ':');
        if (folder.len == 0)
            folder = VF_STR(".");
        size_t size = folder.len + strlen(name) + 2;
        char *path = vf_alloc(size, 1);
        snprintf(path, size, "%.*s/%s", VF_STR_ARG(folder), name);
        if (is_executable(path))
            return path;
        free(path);
    }
    return NULL;
}

/* "python", "python3.11", "pypy3", "pypy3.9-c", "python3-dbg", ... */
static bool has_interpreter_name(struct vf_str path)
{
    struct vf_str name = vf_str_basename(path);
    if (vf_str_ends(name, VF_STR(".py")))
        return false;
    for (int i = 0; i < 2; i++) {
        struct vf_str prefix = i ? VF_STR("pypy") : VF_STR("python");
        if (!vf_str_starts(name, prefix))
            continue;
        if (name.len == prefix.len)
            return true;
        char next = name.ptr[prefix.len];
        return (next >= '0' && next <= '9') || next == '-' ||
               (next == 'd' && name.len == prefix.len + 1);
    }
    return false;
}

/* True when the first word names an interpreter: by its own name or, through links, by the name of
 * what it leads to. */
static bool is_interpreter(const char *word, const char *search_path)
{
    if (word[0] == '-')
        return false;
    char *path = find_executable(word, search_path);
    if (!path)
        return has_interpreter_name(vf_str_from(word)) && !strchr(word, '/');
    char *real = realpath(path, NULL);
    bool yes = has_interpreter_name(vf_str_from(word)) ||
               (real && has_interpreter_name(vf_str_from(real)));
    free(real);
    free(path);
    return yes;
}

static enum vf_status choose_interpreter(struct vf_target *target, const char *named,
                                         const char *chosen, const char *const *candidates,
                                         const char *search_path, struct vf_error *error)
{
    const char *wanted = named ? named : chosen;
    const char *word = wanted;
    if (wanted) {
        target->interpreter = find_executable(wanted, search_path);
        if (!target->interpreter)
            return vf_fail(error, "there is no interpreter %s; name another one or install it",
                           wanted);
    }
    for (; !target->interpreter && *candidates; candidates++) {
        word = *candidates;
        target->interpreter = find_executable(word, search_path);
    }
    if (!target->interpreter)
        return vf_fail(error, "found neither pypy3 nor python3; install PyPy (Debian, Ubuntu: apt "
                              "install pypy3) or name an interpreter with --python");
    target->argv[target->argc++] = vf_strdup(vf_str_from(word));
    return VF_OK;
}

/* ---- the script -------------------------------------------------------------------------------
 */

/* Notes a cluster of one-letter options, as in `-Im`.  Returns 'm' or 'c' where the cluster ends in
 * one of them (the value is behind it or in the next word), 'W' where it wants a value that is not
 * ours, 0 else. */
static char read_cluster(struct vf_target *target, const char *word, const char **value)
{
    for (const char *p = word + 1; *p; p++) {
        target->ignores_environment |= *p == 'E' || *p == 'I';
        target->no_site |= *p == 'S';
        target->safe_path |= *p == 'I' || *p == 'P';
        if (strchr("mcWX", *p)) {
            *value = p[1] ? p + 1 : NULL;
            return *p == 'X' ? 'W' : *p;
        }
    }
    return 0;
}

/* Long options of the interpreters whose value is the next word. */
static bool long_option_takes_value(const char *word)
{
    return strcmp(word, "--check-hash-based-pycs") == 0 || strcmp(word, "--jit") == 0;
}

static enum vf_status check_script(const char *path, struct vf_error *error)
{
    if (access(path, R_OK) == 0)
        return VF_OK;
    int why = errno;
    return vf_fail_errno(error, why, "can't open the script %s", path);
}

/* Goes over the words behind the interpreter's name up to the script, -m or -c. */
static enum vf_status find_script(struct vf_target *target, struct vf_error *error)
{
    int i = 1;
    target->options_end = 1;
    for (; i < target->argc; i++) {
        const char *word = target->argv[i], *value = NULL;
        if (word[0] != '-' || word[1] == 0)
            break;
        if (strcmp(word, "--") == 0) {
            i++;
            break;
        }
        if (word[1] == '-') {
            i += long_option_takes_value(word);
            continue;
        }
        char letter = read_cluster(target, word, &value);
        if (letter == 'W')
            i += value == NULL;
        if (letter != 'm' && letter != 'c')
            continue;
        target->kind = letter == 'm' ? VF_TARGET_MODULE : VF_TARGET_CODE;
        target->options_end = i;
        target->script_at = value ? i : i + 1;
        target->arguments_at = target->script_at + 1;
        if (target->script_at >= target->argc)
            return vf_fail(error, "-%c needs %s behind it", letter,
                           letter == 'm' ? "a module's name" : "code");
        return VF_OK;
    }
    if (i >= target->argc)
        return vf_fail(error, "name a script to run, or -m MODULE or -c CODE");
    target->kind = strcmp(target->argv[i], "-") == 0 ? VF_TARGET_STDIN : VF_TARGET_FILE;
    target->options_end = target->script_at = i;
    target->arguments_at = i + 1;
    return target->kind == VF_TARGET_FILE ? check_script(target->argv[i], error) : VF_OK;
}

enum vf_status vf_target_parse(struct vf_target *target, char *const *words, int count,
                               const char *chosen, const char *const *candidates,
                               const char *search_path, struct vf_error *error)
{
    *target = (struct vf_target){0};
    target->argv = vf_alloc_zeroed((size_t)count + 2, sizeof *target->argv);
    const char *named = NULL;
    if (count && is_interpreter(words[0], search_path)) {
        named = words[0];
        words++;
        count--;
    }
    if (choose_interpreter(target, named, chosen, candidates, search_path, error) != VF_OK)
        return VF_FATAL;
    for (int i = 0; i < count; i++)
        target->argv[target->argc++] = vf_strdup(vf_str_from(words[i]));
    return find_script(target, error);
}

/* The word that names the program, without an option's letter before it. */
static struct vf_str script_word(const struct vf_target *target)
{
    struct vf_str word = vf_str_from(target->argv[target->script_at]);
    if (target->kind == VF_TARGET_MODULE && target->script_at == target->options_end)
        while (word.len && word.ptr[0] != 'm') {
            word.ptr++;
            word.len--;
        }
    if (target->kind == VF_TARGET_MODULE && target->script_at == target->options_end && word.len)
        return (struct vf_str){word.ptr + 1, word.len - 1};
    return word;
}

struct vf_str vf_target_name(const struct vf_target *target)
{
    if (target->kind == VF_TARGET_CODE || target->kind == VF_TARGET_STDIN)
        return VF_STR("python");
    struct vf_str name = script_word(target);
    while (name.len && name.ptr[name.len - 1] == '/')
        name.len--;
    name = vf_str_basename(name);
    if (target->kind == VF_TARGET_FILE && name.len > 3 && vf_str_ends(name, VF_STR(".py")))
        name.len -= 3;
    if (name.len == 0 || vf_str_eq(name, VF_STR(".")) || vf_str_eq(name, VF_STR("..")))
        return VF_STR("python");
    return name;
}

void vf_target_command(const struct vf_target *target, struct vf_arena *arena, struct vf_str *out)
{
    struct vf_buf text = {0};
    for (int i = 0; i < target->argc; i++) {
        if (i)
            vf_buf_add(&text, " ", 1);
        vf_buf_shell_word(&text, target->argv[i]);
    }
    *out = vf_arena_str(arena, vf_buf_view(&text));
    vf_buf_release(&text);
}

void vf_target_release(struct vf_target *target)
{
    for (int i = 0; i < target->argc; i++)
        free(target->argv[i]);
    free(target->argv);
    free(target->interpreter);
    *target = (struct vf_target){0};
}

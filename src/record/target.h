/* What is to be run: the words behind `vmfox run`, taken apart as the interpreter would. */
#ifndef VF_RECORD_TARGET_H
#define VF_RECORD_TARGET_H

#include "base/error.h"
#include "base/mem.h"

enum vf_target_kind { VF_TARGET_FILE, VF_TARGET_MODULE, VF_TARGET_CODE, VF_TARGET_STDIN };

struct vf_target {
    char *interpreter; /* path of the executable, found by $PATH */
    char **argv;       /* the program's command line, argv[0] first, ends with NULL */
    int argc;
    enum vf_target_kind kind;
    int script_at;            /* row of argv with FILE, MODULE or CODE */
    int arguments_at;         /* row of argv where the program's arguments begin; argc: none */
    int options_end;          /* row behind the interpreter's own options */
    bool ignores_environment; /* -E or -I: no PYTHONPATH */
    bool no_site;             /* -S */
    bool safe_path;           /* -I or -P: the script's folder does not go into sys.path */
};

/* `words` is what the user wrote, [INTERPRETER [its options]] SCRIPT|-m M|-c C [args].  Where no
 * interpreter is named the first of `candidates` (ends with NULL; NULLs in between are not
 * possible) that exists is taken; `chosen` as the user gave it (--python, $VMFOX_PYTHON) or NULL
 * goes before them.  Fails with a line that says what to do: no interpreter, no script, a script
 * that is not there.  Release also after a failure. */
enum vf_status vf_target_parse(struct vf_target *target, char *const *words, int count,
                               const char *chosen, const char *const *candidates,
                               const char *search_path, struct vf_error *error);
/* A short name for the program: the script's or module's base name without ".py", "python" for -c
 * and standard input.  Never empty, without '/'. */
struct vf_str vf_target_name(const struct vf_target *target);
/* The command line quoted as for a shell. */
void vf_target_command(const struct vf_target *target, struct vf_arena *arena, struct vf_str *out);
void vf_target_release(struct vf_target *target);

#endif

#include "cmd/recording.h"

#include "cmd/places.h"
#include "record/space.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static bool parse_period(const char *text, double *period_s)
{
    char *end;
    if (!text)
        return true;
    errno = 0;
    *period_s = strtod(text, &end);
    /* VMProf's own limits: a microsecond, and less than a second. */
    if (errno || end == text || *end || !(*period_s >= 1e-6 && *period_s < 1)) {
        vf_say("--period takes seconds from 0.000001 to less than 1, not %s", text);
        return false;
    }
    return true;
}

static bool parse_budget(const char *text, double *budget)
{
    char *end;
    if (!text)
        return true;
    errno = 0;
    double percent = strtod(text, &end);
    if (errno || end == text || *end || !(percent >= 0.1 && percent <= 50)) {
        vf_say("--budget takes a percentage from 0.1 to 50, not %s", text);
        return false;
    }
    *budget = percent / 100;
    return true;
}

/* --jitlog[=MODE], --no-jitlog. */
static bool parse_jitlog(const struct vf_args *args, enum vf_jitlog_detail *detail)
{
    const char *mode = vf_args_get(args, "jitlog");
    *detail = VF_JITLOG_AUTO;
    if (mode && (!*mode || strcmp(mode, "full") == 0))
        *detail = VF_JITLOG_FULL;
    else if (mode && strcmp(mode, "none") == 0)
        *detail = VF_JITLOG_NONE;
    else if (mode && strcmp(mode, "auto") != 0) {
        vf_say("--jitlog takes auto, full or none behind a =, not %s", mode);
        return false;
    }
    if (mode && vf_args_has(args, "no-jitlog") && *detail != VF_JITLOG_NONE)
        vf_say("warning: --jitlog and --no-jitlog both given; it is off");
    if (vf_args_has(args, "no-jitlog"))
        *detail = VF_JITLOG_NONE;
    return true;
}

static bool is_on(const struct vf_args *args, const char *on, const char *off)
{
    if (vf_args_has(args, on) && vf_args_has(args, off))
        vf_say("warning: --%s and --%s both given; it is off", on, off);
    return !vf_args_has(args, off);
}

/* The program gets all variables, also those that vmfox takes out of its own environment. */
static char **copy_environment(void)
{
    extern char **environ;
    size_t count = 0;
    while (environ[count])
        count++;
    char **copy = vf_alloc(count + 1, sizeof *copy);
    memcpy(copy, environ, (count + 1) * sizeof *copy);
    return copy;
}

int vf_recording_init(struct vf_recording *recording, const struct vf_args *args)
{
    static const char *const candidates[] = {"pypy3", "python3", NULL};
    struct vf_error error;
    const char *chosen = vf_args_get(args, "python"), *path = getenv("PATH");
    *recording = (struct vf_recording){
        .quiet = vf_args_has(args, "quiet"),
        .options =
            {
                .period_s = vf_args_has(args, "real-time") ? 0.00099 : 0.00397,
                .real_time = vf_args_has(args, "real-time"),
                .native = !vf_args_has(args, "no-native"),
                .lines = !vf_args_has(args, "no-lines"),
                .memory = !vf_args_has(args, "no-memory"),
                .pc = !vf_args_has(args, "no-pc"),
                .pc_thread = vf_args_has(args, "pc-thread"),
                .pypylog = is_on(args, "pypylog", "no-pypylog"),
            },
    };
    recording->environment = copy_environment();
    recording->options.environment = recording->environment;
    recording->options.debug = &recording->debug.files;
    if (!vf_debug_init(&recording->debug, args))
        return VF_EXIT_USAGE;
    if (args->operand_count == 0) {
        vf_say("name a script to run; see vmfox help %s", args->command->name);
        return VF_EXIT_USAGE;
    }
    if (!parse_period(vf_args_get(args, "period"), &recording->options.period_s) ||
        !parse_budget(vf_args_get(args, "budget"), &recording->options.budget) ||
        !parse_jitlog(args, &recording->options.jitlog))
        return VF_EXIT_USAGE;
    if (!chosen)
        chosen = getenv("VMFOX_PYTHON");
    if (chosen && !*chosen)
        chosen = NULL;
    if (vf_target_parse(&recording->target, args->operands, args->operand_count, chosen, candidates,
                        path ? path : "/usr/local/bin:/usr/bin:/bin", &error) == VF_FATAL)
        return vf_say_error(NULL, &error, VF_EXIT_USAGE);
    return VF_EXIT_OK;
}

bool vf_recording_output_place(struct vf_place *place, const char *path)
{
    struct vf_error error;
    if (vf_place_open(place, path, &error) == VF_OK)
        return true;
    vf_say_error(path, &error, 0);
    return false;
}

/* A zip is written here and there, so only into a regular file. */
static bool is_place_for_zip(const char *path)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (strcmp(path, "-") != 0 && (!exists || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
        return true;
    vf_say("%s: a recording can only be written to a regular file", path);
    return false;
}

bool vf_recording_place(struct vf_place *place, const char *path)
{
    *place = (struct vf_place){.folder = -1};
    return is_place_for_zip(path) && vf_recording_output_place(place, path);
}

char *vf_recording_default_name(const struct vf_recording *recording, const char *ending)
{
    struct vf_str name = vf_target_name(&recording->target);
    size_t size = name.len + strlen(ending) + 1;
    char *made = vf_alloc(size, 1);
    snprintf(made, size, "%.*s%s", VF_STR_ARG(name), ending);
    return made;
}

void vf_say_go_on(const char *what, const char *path)
{
    struct vf_buf word = {0};
    vf_buf_shell_word(&word, path);
    vf_say("%s; go on with: vmfox view %.*s", what, VF_STR_ARG(vf_buf_view(&word)));
    vf_buf_release(&word);
}

void vf_say_elsewhere(const struct vf_place *place, const struct vf_record_result *result)
{
    char why[600];
    struct vf_buf text = {0};
    vf_error_line(&result->why, why, sizeof why);
    vf_buf_printf(&text, "%s %s; the recording is kept in %s", place->path, why, result->path);
    vf_buf_add(&text, "", 1);
    vf_say_go_on(text.ptr, result->path);
    vf_buf_release(&text);
}

void vf_say_remains(const char *what, const char *folder)
{
    struct vf_buf word = {0};
    vf_buf_shell_word(&word, folder);
    vf_say("%s; make room and go on with: vmfox recover %.*s", what,
           VF_STR_ARG(vf_buf_view(&word)));
    vf_buf_release(&word);
}

/* A line of its own, whatever the lines before it have room for. */
static void say_kept_remains(const struct vf_record_result *result)
{
    char what[128];
    if (!result->remains_part)
        snprintf(what, sizeof what, "all that was recorded is kept");
    else if (result->remains_until_ns)
        snprintf(what, sizeof what, "what was recorded is kept, but not all from second %.1f on",
                 (double)result->remains_until_ns / 1e9);
    else
        snprintf(what, sizeof what, "what was recorded is kept, but not all of it");
    vf_say_remains(what, result->remains);
}

static void tell(const char *text)
{
    vf_say("warning: %s", text);
}

/* A temporary folder that is full can't even hold the beginning.  One that is not there is said. */
static void find_room(const struct vf_recording *recording)
{
    const char *const *folders = vf_spare_folders();
    const char *temp = folders[0], *picked = vf_space_pick(folders);
    if (picked == temp || access(temp, F_OK) != 0)
        return;
    if (!recording->quiet)
        vf_say("warning: there is no room in %s for a recording; it begins in %s", temp, picked);
    vf_set_temp_folder(picked);
}

int vf_recording_run(struct vf_recording *recording, struct vf_place *place,
                     struct vf_record_result *result)
{
    struct vf_error error;
    struct vf_warnings warnings = {0};
    find_room(recording);
    place->spare = vf_spare_folders();
    if (!recording->quiet)
        recording->options.tell = tell;
    enum vf_status status =
        vf_record_run(&recording->target, &recording->options, place, result, &warnings, &error);
    int code = result->started ? result->exit_code : VF_EXIT_INPUT;
    if (!recording->quiet)
        vf_say_warnings(NULL, &warnings);
    if (status == VF_FATAL)
        vf_say_error(NULL, &error, 0);
    else if (result->elsewhere)
        vf_say_elsewhere(place, result);
    if (result->remains)
        say_kept_remains(result);
    vf_record_let_signals_in(result);
    if (code == VF_EXIT_OK && (status == VF_FATAL || result->elsewhere))
        code = VF_EXIT_INPUT;
    return code;
}

void vf_recording_result_release(struct vf_record_result *result)
{
    free(result->path);
    free(result->remains);
    if (result->held >= 0)
        close(result->held);
    *result = (struct vf_record_result){.held = -1};
}

void vf_recording_release(struct vf_recording *recording)
{
    vf_target_release(&recording->target);
    vf_debug_release(&recording->debug);
    free(recording->environment);
}

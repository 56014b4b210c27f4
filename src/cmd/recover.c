#include "cmd/recover.h"

#include "cmd/commands.h"
#include "cmd/common.h"
#include "cmd/places.h"
#include "cmd/progress.h"
#include "cmd/recording.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "where to write the recording (default: NAME-DATE.vmfox)"},
    {"dry-run", 'n', NULL, "only list what there is"},
    VF_DEBUG_OPTIONS,
    {"quiet", 'q', NULL, "print errors only"},
    VF_OPTION_HELP,
    {0},
};

struct recovery {
    struct vf_debug debug;
    const char *output; /* NULL: by the program's name */
    bool only_list, quiet;
};

/* A name in this folder that is not taken. */
static char *make_name(const struct vf_recover_facts *facts)
{
    enum { TRIES = 1000 };
    char date[32] = "", name[256];
    struct stat st;
    time_t seconds = (time_t)(facts->start_realtime_ns / 1000000000);
    struct tm when;
    if (facts->start_realtime_ns > 0 && localtime_r(&seconds, &when))
        strftime(date, sizeof date, "-%Y%m%d-%H%M%S", &when);
    for (int i = 1; i < TRIES; i++) {
        int length = snprintf(name, sizeof name, "%s%s", facts->program, date);
        if (i > 1)
            snprintf(name + length, sizeof name - (size_t)length, "-%d", i);
        length = (int)strlen(name);
        snprintf(name + length, sizeof name - (size_t)length, ".vmfox");
        if (lstat(name, &st) != 0)
            break;
    }
    return vf_strdup(vf_str_from(name));
}

static void list_one(const struct vf_remains *remains, const struct vf_recover_facts *facts)
{
    char date[32] = "at a time that is not known";
    time_t seconds = (time_t)(facts->start_realtime_ns / 1000000000);
    struct tm when;
    if (facts->start_realtime_ns > 0 && localtime_r(&seconds, &when))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &when);
    printf("%s  %s, started %s, %llu samples, %.1f MB\n", remains->path, facts->program, date,
           (unsigned long long)facts->samples, (double)remains->bytes / 1e6);
}

/* Says what came of it. */
static void say_result(const struct recovery *r, const struct vf_place *place,
                       const struct vf_record_result *result)
{
    if (result->elsewhere)
        vf_say_elsewhere(place, result);
    else if (!r->quiet)
        vf_say("wrote %s; see it with: vmfox view %s", result->path, result->path);
}

/* The folder goes only when all that is in it is in the recording. */
static bool drop_remains(const struct vf_remains *remains, const struct vf_record_result *result)
{
    if (result->detail != VF_DETAIL_ALL) {
        vf_say_remains("the folder stays, for not all that is in it had room in the recording",
                       remains->path);
        return false;
    }
    if (!vf_remains_remove(remains))
        vf_say("warning: %s can't be removed", remains->path);
    return true;
}

static bool write_one(const struct recovery *r, const struct vf_remains *remains, const char *name)
{
    struct vf_place place;
    struct vf_record_result result = {.held = -1};
    struct vf_warnings warnings = {0};
    struct vf_error error;
    bool good = vf_recording_place(&place, name);
    if (good) {
        place.spare = vf_spare_folders();
        place.must_last = true; /* for the folder goes */
        good = vf_recover(remains, &place, &r->debug.files, &result, &warnings, &error) != VF_FATAL;
        if (!r->quiet)
            vf_say_warnings(remains->path, &warnings);
        if (!good)
            vf_say_error(remains->path, &error, 0);
    }
    if (good) {
        say_result(r, &place, &result);
        good = drop_remains(remains, &result) && !result.elsewhere;
    }
    vf_recording_result_release(&result);
    vf_place_close(&place);
    return good;
}

/* A recorder that was killed before the first sample has left nothing that anybody needs. */
static bool has_samples(const struct vf_remains *remains)
{
    struct stat st;
    return fstatat(remains->folder, "profile.prof", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_size > 0;
}

static bool drop_empty(const struct recovery *r, const struct vf_remains *remains)
{
    bool gone = r->only_list || vf_remains_remove(remains);
    if (!r->quiet)
        vf_say("%s: vmfox was killed before the first sample; there is nothing to recover%s",
               remains->path, r->only_list || !gone ? "" : ", it was removed");
    return false;
}

/* `remains` is open. */
static bool recover_one(const struct recovery *r, const struct vf_remains *remains)
{
    struct vf_recover_facts facts;
    struct vf_error error;
    if (!has_samples(remains))
        return drop_empty(r, remains);
    if (vf_recover_look(remains, &facts, &error) == VF_FATAL) {
        vf_say_error(remains->path, &error, 0);
        return false;
    }
    if (r->only_list) {
        list_one(remains, &facts);
        return true;
    }
    char *made = r->output ? NULL : make_name(&facts);
    bool good = write_one(r, remains, r->output ? r->output : made);
    free(made);
    return good;
}

static bool recover_named(const struct recovery *r, const char *path)
{
    struct vf_remains remains;
    struct vf_error error;
    bool good = vf_remains_open(&remains, path, &error) == VF_OK;
    if (!good)
        vf_say_error(path, &error, 0);
    else
        good = recover_one(r, &remains);
    vf_remains_close(&remains);
    return good;
}

static bool recover_all(const struct recovery *r)
{
    struct vf_remains_list list;
    bool good = true;
    vf_remains_find(&list, vf_recorder_folders());
    if (list.v.len == 0 && !r->quiet)
        vf_say("there is nothing to recover: no vmfox of yours was killed");
    if (list.v.len > 1 && r->output && !r->only_list) {
        vf_say("there are %zu recordings to recover; with -o name one of their folders (vmfox "
               "recover -n lists them)",
               list.v.len);
        good = false;
    } else {
        for (size_t i = 0; i < list.v.len; i++)
            good = recover_one(r, &list.v.items[i]) && good;
    }
    vf_remains_list_release(&list);
    return good;
}

static int run(const struct vf_args *args)
{
    struct recovery r = {.output = vf_args_get(args, "output"),
                         .only_list = vf_args_has(args, "dry-run"),
                         .quiet = vf_args_has(args, "quiet")};
    int code = VF_EXIT_USAGE;
    vf_work_guard();
    if (args->operand_count > 1)
        vf_say("recover takes one folder, or none for all there are");
    else if (vf_debug_init(&r.debug, args))
        code = (args->operand_count ? recover_named(&r, args->operands[0]) : recover_all(&r))
                   ? VF_EXIT_OK
                   : VF_EXIT_INPUT;
    vf_work_end();
    vf_debug_release(&r.debug);
    return code;
}

const struct vf_command vf_cmd_recover = {
    .name = "recover",
    .operands = "[FOLDER]",
    .summary = "Makes a recording of what a killed vmfox left.",
    .about =
        "FOLDER is what lies in the temporary folder of a vmfox run or record that was killed,\n"
        "vmfox-XXXXXX.  It is removed when all of it is in the recording.  Without one, all of\n"
        "yours in the temporary folder, /tmp, /var/tmp and the home folder whose vmfox is gone.",
    .options = options,
    .run = run,
};

/* ---- for other commands ---------------------------------------------------------------------- */

char *vf_recover_for_reading(const char *path, const struct vf_debug_files *debug, bool quiet,
                             struct vf_remains **held, bool *failed)
{
    struct stat st;
    struct vf_remains remains;
    struct vf_place place;
    struct vf_record_result result = {.held = -1};
    struct vf_warnings warnings = {0};
    struct vf_error error;
    *failed = false;
    *held = NULL;
    struct vf_str name = vf_str_from(path);
    while (name.len && name.ptr[name.len - 1] == '/')
        name.len--;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode) ||
        !vf_str_starts(vf_str_basename(name), VF_STR("vmfox-")))
        return NULL;
    int folder = open(vf_temp_folder(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    vf_place_in(&place, folder, vf_temp_folder(), "vmfox-recovered.vmfox");
    place.spare = vf_spare_folders();
    place.only_random = true;
    place.is_passing = true;
    *failed = vf_remains_open_to_read(&remains, path, &error) != VF_OK ||
              vf_recover(&remains, &place, debug, &result, &warnings, &error) == VF_FATAL;
    if (!quiet)
        vf_say_warnings(path, &warnings);
    if (*failed)
        vf_say_error(path, &error, 0);
    char *made = result.path;
    result.path = NULL;
    vf_recording_result_release(&result);
    vf_place_close(&place);
    if (*failed) {
        vf_remains_close(&remains);
    } else {
        *held = vf_alloc(1, sizeof remains);
        **held = remains;
    }
    return made;
}

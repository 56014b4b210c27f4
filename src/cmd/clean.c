#include "cmd/commands.h"
#include "cmd/common.h"
#include "cmd/places.h"
#include "record/remains.h"

static const struct vf_option options[] = {
    {"dry-run", 'n', NULL, "only list what there is"},
    VF_OPTION_HELP,
    {0},
};

struct cleaning {
    bool only_list;
    size_t recordings, remains;
    uint64_t bytes;
    int code;
};

static void print_size(const char *folder, const char *name, uint64_t bytes, const char *what)
{
    if (name)
        printf("%s/%s  %.1f MB  %s\n", folder, name, (double)bytes / 1e6, what);
    else
        printf("%s  %.1f MB  %s\n", folder, (double)bytes / 1e6, what);
}

static void clean_one(struct cleaning *c, const struct vf_keep *keep, const struct vf_kept *kept)
{
    static const char *const words[] = {[VF_KEPT_REMOVED] = "recording",
                                        [VF_KEPT_IN_USE] = "in use, stays",
                                        [VF_KEPT_GONE] = NULL,
                                        [VF_KEPT_STAYS] = "stays"};
    struct vf_error error;
    enum vf_kept_fate fate = c->only_list ? vf_keep_look(keep, kept->name, &error)
                                          : vf_keep_remove(keep, kept->name, &error);
    if (words[fate])
        print_size(keep->path, kept->name, kept->bytes, words[fate]);
    if (fate == VF_KEPT_STAYS)
        c->code = vf_say_error(keep->path, &error, VF_EXIT_INPUT);
    c->recordings += fate == VF_KEPT_REMOVED;
    c->bytes += fate == VF_KEPT_REMOVED ? kept->bytes : 0;
}

static void clean_kept(struct cleaning *c)
{
    struct vf_error error;
    struct vf_keep keep;
    struct vf_kept_list list;
    enum vf_status status = vf_keep_open_own(&keep, false, &error);
    if (status == VF_FATAL)
        c->code = vf_say_error(NULL, &error, VF_EXIT_INPUT);
    if (status != VF_OK)
        return;
    vf_keep_list(&keep, &list);
    for (size_t i = 0; i < list.v.len; i++)
        clean_one(c, &keep, &list.v.items[i]);
    vf_kept_list_release(&list);
    vf_keep_close(&keep);
}

static void clean_remains(struct cleaning *c)
{
    struct vf_remains_list list;
    vf_remains_find(&list, vf_recorder_folders());
    for (size_t i = 0; i < list.v.len; i++) {
        const struct vf_remains *remains = &list.v.items[i];
        bool gone = c->only_list || vf_remains_remove(remains);
        print_size(remains->path, NULL, remains->bytes,
                   gone ? "left by a vmfox that was killed" : "can't be removed");
        c->remains += gone;
        c->bytes += gone ? remains->bytes : 0;
        if (!gone)
            c->code = VF_EXIT_INPUT;
    }
    vf_remains_list_release(&list);
}

static int run(const struct vf_args *args)
{
    struct cleaning c = {.only_list = vf_args_has(args, "dry-run")};
    if (args->operand_count) {
        vf_say("clean takes no file");
        return VF_EXIT_USAGE;
    }
    clean_kept(&c);
    clean_remains(&c);
    printf("%s %zu recording%s and the remains of %zu recorder%s, %.1f MB\n",
           c.only_list ? "there are" : "removed", c.recordings, c.recordings == 1 ? "" : "s",
           c.remains, c.remains == 1 ? "" : "s", (double)c.bytes / 1e6);
    return c.code;
}

const struct vf_command vf_cmd_clean = {
    .name = "clean",
    .operands = "",
    .summary = "Removes kept recordings, and what killed recorders left.",
    .about =
        "The recordings of vmfox run are kept in ~/.cache/vmfox/recordings; what is left of a\n"
        "vmfox that was killed lies in the temporary folder, and vmfox recover makes a\n"
        "recording of it.",
    .options = options,
    .run = run,
};

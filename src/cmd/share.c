#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/share_listings.h"

#include "output/firefox.h"
#include "profile/clean.h"

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "where to write: .json or .json.gz, - for standard output"},
    {"no-paths", 0, NULL, "files by short names only, wherever they are named"},
    {"no-arguments", 0, NULL, "of the command line only the program's name"},
    {"no-env", 0, NULL, "nothing of host, user, machine, folders and the time of day"},
    VF_INPUT_OPTIONS,
    VF_THIN_OPTIONS,
    {"quiet", 'q', NULL, "print errors only, show no progress"},
    VF_OPTION_HELP,
    {0},
};

/* The profiler's server takes 150 MiB, compressed (MAX_BODY_LENGTH in its src/routes/publish.ts).
 */
enum { LISTINGS_MAX = 8 * 1000 * 1000, UPLOAD_MAX = 150 << 20 };

static const char section[] = "Sharing";

/* ---- what it says of itself ------------------------------------------------------------------ */

static void add_listing_facts(struct vf_profile *profile, const struct vf_share_listings *told)
{
    if (told->sampled == 0)
        return;
    vf_profile_extra(profile, section, "Listings of traces",
                     "%zu of %zu sampled traces, %.1f kB: markers \"JIT listing\"", told->listed,
                     told->sampled, (double)told->bytes / 1e3);
    if (told->listed < told->sampled)
        vf_profile_extra(profile, section, "Listings left out",
                         "%zu, for want of room; %.2f %% of the samples are in them",
                         told->sampled - told->listed, 100 * told->left_share);
}

static void add_facts(struct vf_profile *profile, const struct vf_share_listings *told,
                      const struct vf_clean *how)
{
    add_listing_facts(profile, told);
    vf_profile_extra(profile, section, "Not in it", "sources and graphs%s%s%s",
                     how->no_paths ? "; paths" : "", how->no_arguments ? "; arguments" : "",
                     how->no_env ? "; host, user, machine, time of day" : "");
}

/* ---- what is said of it ---------------------------------------------------------------------- */

static void put_size(char *out, size_t size, size_t bytes)
{
    if (bytes < 1000000)
        snprintf(out, size, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(out, size, "%.1f MB", (double)bytes / 1e6);
}

static void say_listings(const struct vf_share_listings *told)
{
    char size[32];
    put_size(size, sizeof size, told->bytes);
    if (told->sampled)
        vf_say(
            "listings of %zu of the %zu sampled traces are in it (%s), as markers \"JIT listing\"",
            told->listed, told->sampled, size);
    if (told->listed < told->sampled)
        vf_say("left out, for want of room: %zu listings, with %.2f %% of the samples",
               told->sampled - told->listed, 100 * told->left_share);
}

static void say_what_stays(const struct vf_clean *how)
{
    if (!how->no_paths)
        vf_say("  whole paths of files, with your home folder's name in them (--no-paths)");
    if (!how->no_arguments)
        vf_say("  the command line with all arguments (--no-arguments)");
    if (!how->no_env)
        vf_say("  host, processor, memory, system, folders, and when it was (--no-env)");
    vf_say("  names of functions, files, libraries and threads, and in listings lines of source");
}

static void say_size(const char *out, size_t packed, size_t plain)
{
    char small[32], large[32];
    put_size(small, sizeof small, packed);
    put_size(large, sizeof large, plain);
    vf_say("wrote %s: %s compressed, which is what is uploaded; %s plain", out, small, large);
    if (packed > UPLOAD_MAX)
        vf_say("warning: the profiler's server takes at most %d MiB", UPLOAD_MAX >> 20);
}

static void say_how(const char *out, const struct vf_clean *how)
{
    vf_say("nothing was sent.  To upload it: vmfox view %s", out);
    vf_say("  and there \"Share...\" or \"Upload Local Profile\", at the top right; or open");
    vf_say("  https://profiler.firefox.com, \"Load a profile from file\", and then the same");
    vf_say("whoever has the link can then see what is in the file:");
    say_what_stays(how);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int write_out(const struct vf_profile *profile, const char *out, bool gzip, bool quiet,
                     const struct vf_share_listings *told, const struct vf_clean *how)
{
    struct vf_error error;
    struct vf_buf plain = {0}, packed = {0};
    int code = VF_EXIT_INPUT;
    bool to_stdout = strcmp(out, "-") == 0;
    vf_firefox_write(&plain, profile, 0, NULL);
    if (vf_gzip(vf_buf_view(&plain), &packed, &error) == VF_FATAL)
        vf_say_error(NULL, &error, 0);
    else if (vf_output_write(out, vf_buf_view(gzip ? &packed : &plain)))
        code = VF_EXIT_OK;
    vf_work_end();
    if (code == VF_EXIT_OK && !quiet) {
        say_size(to_stdout ? "standard output" : out, packed.len, plain.len);
        say_listings(told);
        say_how(to_stdout ? "FILE" : out, how);
    }
    vf_buf_release(&plain);
    vf_buf_release(&packed);
    return code;
}

static struct vf_clean how_to_clean(const struct vf_args *args, const struct vf_input *input)
{
    const char *user = getenv("USER");
    return (struct vf_clean){
        .no_paths = vf_args_has(args, "no-paths"),
        .no_arguments = vf_args_has(args, "no-arguments"),
        .no_env = vf_args_has(args, "no-env"),
        .home = vf_str_from(getenv("HOME")),
        .user = vf_str_from(user && *user ? user : getenv("LOGNAME")),
        .host = input->capture.info.host,
    };
}

static int share(const struct vf_args *args, struct vf_input *input, const char *out, bool gzip)
{
    struct vf_profile *profile = &input->profile;
    struct vf_clean how = how_to_clean(args, input);
    vf_profile_thaw(profile);
    struct vf_share_listings told = vf_share_add_listings(input, LISTINGS_MAX);
    add_facts(profile, &told, &how);
    vf_profile_clean(profile, &how);
    vf_profile_freeze(profile);
    return write_out(profile, out, gzip, vf_args_has(args, "quiet"), &told, &how);
}

static int run(const struct vf_args *args)
{
    struct vf_conversion c;
    struct vf_input input = {0};
    int code = vf_conversion_init(&c, args);
    if (code == VF_EXIT_OK)
        code = vf_conversion_output(&c, ".share.json.gz", false);
    if (code != VF_EXIT_OK)
        goto done;
    struct vf_input_options how;
    if (!vf_input_options(&how, args, &c.debug)) {
        code = VF_EXIT_USAGE;
        goto done;
    }
    how.no_graphs = true; /* they would not come through the upload */
    code = VF_EXIT_INPUT;
    vf_conversion_begin_work(&c);
    if (!vf_input_open(&input, c.in, c.in, &how))
        goto done;
    if (input.has_profile)
        code = share(args, &input, c.out, c.format.gzip);
    else
        vf_say("%s: is a Firefox Profiler file already; share the recording that it was made from "
               "(.vmfox or .prof), or upload it as it is, from vmfox view",
               c.in);
done:
    vf_input_release(&input);
    vf_conversion_release(&c);
    return code;
}

const struct vf_command vf_cmd_share = {
    .name = "share",
    .operands = "FILE",
    .summary = "Writes a recording as a file to upload and share; sends nothing.",
    .about = "FILE is a VMProf file (.prof, also gzipped), a .vmfox, a zip of\n"
             "vmprof-firefox-converter, or the folder vmfox-XXXXXX of a recorder that was killed, "
             "which\n"
             "is left as it is.  Without -o the result is FILE with its ending replaced by\n"
             ".share.json.gz.  It has no sources and no graphs, which an upload drops anyway, but\n"
             "the listings of the JIT's traces as markers, which it keeps.",
    .options = options,
    .run = run,
};

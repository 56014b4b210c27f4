#include "cmd/debug.h"

#include "cmd/common.h"
#include "cmd/progress.h"

#include <sys/stat.h>
#include <unistd.h>

static const char URLS[] = "DEBUGINFOD_URLS";
/* For everything that is fetched in one run of a command. */
enum { LIMIT_S = 60 };

static unsigned read_limit(void)
{
    uint64_t limit_s;
    const char *text = getenv("DEBUGINFOD_TIMEOUT"); /* debuginfod_find_debuginfo(3) */
    bool good = text && vf_str_to_u64(vf_str_from(text), 10, &limit_s) && limit_s > 0 &&
                limit_s <= INT32_MAX;
    return good ? (unsigned)limit_s : LIMIT_S;
}

static int fetch(void *context, const unsigned char *id, size_t id_bytes)
{
    struct vf_debug *debug = context;
    struct vf_error error;
    if (!debug->urls || debug->refused)
        return -1;
    const int64_t limit_ms = (int64_t)debug->limit_s * 1000;
    if (!debug->opened && vf_debuginfod_open(&debug->client, limit_ms, &error) == VF_FATAL) {
        debug->refused = true;
        vf_say_error("warning", &error, 0);
        return -1;
    }
    debug->opened = true;
    setenv(URLS, debug->urls, 1);
    bool shown = vf_show_begin(debug->quiet, limit_ms - debug->client.left_ms);
    int fd = vf_debuginfod_fetch(&debug->client, id, id_bytes);
    unsetenv(URLS);
    if (shown)
        vf_show_end();
    if (debug->client.interrupted) {
        debug->refused = true;
        vf_say("warning: interrupted; the rest is done without debug info from servers");
    } else if (debug->client.timed_out) {
        debug->refused = true;
        vf_say("warning: debug info was not there within %u s and is done without "
               "(--no-debuginfod asks for none)",
               debug->limit_s);
    }
    return fd;
}

bool vf_debug_init(struct vf_debug *debug, const struct vf_args *args)
{
    const char *urls = getenv(URLS), *folder = vf_args_get(args, "debug-dir");
    struct stat st;
    *debug = (struct vf_debug){.quiet = vf_args_has(args, "quiet"), .limit_s = read_limit()};
    if (urls && *urls && !vf_args_has(args, "no-debuginfod")) {
        debug->urls = vf_strdup(vf_str_from(urls));
        debug->files.fetch = fetch;
        debug->files.context = debug;
    }
    unsetenv(URLS);
    if (!folder)
        return true;
    /* elfutils takes a relative one from where the library is. */
    debug->files.folder = debug->folder = realpath(folder, NULL);
    if (!debug->folder || stat(debug->folder, &st) != 0 || !S_ISDIR(st.st_mode)) {
        vf_say("--debug-dir %s: is no folder", folder);
        return false;
    }
    if (!strchr(debug->folder, ':'))
        return true;
    vf_say("--debug-dir %s: has a ':' in its path, with which elfutils separates folders", folder);
    return false;
}

void vf_debug_release(struct vf_debug *debug)
{
    if (debug->opened)
        vf_debuginfod_close(&debug->client);
    free(debug->urls);
    free(debug->folder);
    *debug = (struct vf_debug){0};
}

#include "cmd/debug.h"

#include "cmd/common.h"
#include "cmd/progress.h"

#include <sys/mman.h>
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
    struct vf_debug_shared *shared = debug->shared;
    if (!debug->urls || !shared || shared->refused)
        return -1;
    const int64_t limit_ms = (int64_t)debug->limit_s * 1000;
    if (!debug->opened && vf_debuginfod_open(&debug->client, shared->left_ms, &error) == VF_FATAL) {
        shared->refused = true;
        vf_say_error("warning", &error, 0);
        return -1;
    }
    debug->opened = true;
    setenv(URLS, debug->urls, 1);
    bool shown = vf_show_begin(debug->quiet, limit_ms - debug->client.left_ms);
    int fd = vf_debuginfod_fetch(&debug->client, id, id_bytes);
    shared->left_ms = debug->client.left_ms;
    unsetenv(URLS);
    if (shown)
        vf_show_end();
    if (debug->client.interrupted) {
        shared->refused = true;
        vf_say("warning: interrupted; the rest is done without debug info from servers");
    } else if (debug->client.timed_out) {
        shared->refused = true;
        vf_say("warning: debug info was not there within %u s and is done without "
               "(--no-debuginfod asks for none)",
               debug->limit_s);
    }
    return fd;
}

static struct vf_debug_shared *make_shared(unsigned limit_s)
{
    struct vf_debug_shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return NULL;
    shared->left_ms = (int64_t)limit_s * 1000;
    return shared;
}

bool vf_debug_init(struct vf_debug *debug, const struct vf_args *args)
{
    const char *urls = getenv(URLS), *folder = vf_args_get(args, "debug-dir");
    struct stat st;
    *debug = (struct vf_debug){.quiet = vf_args_has(args, "quiet"), .limit_s = read_limit()};
    if (urls && *urls && !vf_args_has(args, "no-debuginfod")) {
        debug->urls = vf_strdup(vf_str_from(urls));
        debug->files.fetch = fetch;
        debug->shared = make_shared(debug->limit_s);
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
    if (debug->shared)
        munmap(debug->shared, sizeof *debug->shared);
    free(debug->urls);
    free(debug->folder);
    *debug = (struct vf_debug){0};
}

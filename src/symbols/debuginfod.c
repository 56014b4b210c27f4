#include "symbols/debuginfod.h"

#include "base/progress.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The client calls back without a word on whose behalf; there is one at a time. */
static struct vf_debuginfod *at_work;

static bool is_interrupted(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGINT) || sigismember(&waiting, SIGTERM) ||
            sigismember(&waiting, SIGHUP) || sigismember(&waiting, SIGQUIT));
}

/* How much it is going to be is told when the first of it comes. */
static void tell(struct vf_debuginfod *d, long have, long all)
{
    uint64_t total = all > 0 ? (uint64_t)all : 0;
    if (total != d->all)
        vf_progress_begin("fetching debug info", VF_PROGRESS_BYTES, total);
    d->all = total;
    vf_progress_set(have > 0 && total ? (uint64_t)have : 0);
}

/* Not 0 ends the request. */
static int on_progress(debuginfod_client *client, long have, long all)
{
    struct vf_debuginfod *d = at_work;
    (void)client;
    if (!d)
        return 0;
    if (is_interrupted()) {
        d->interrupted = true;
        d->left_ms = 0;
        return 1;
    }
    if (now_ms() > d->until_ms) {
        d->timed_out = true;
        return 1;
    }
    tell(d, have, all);
    return 0;
}

enum vf_status vf_debuginfod_open(struct vf_debuginfod *d, int64_t limit_ms, struct vf_error *error)
{
    __typeof__(debuginfod_begin) *begin;
    __typeof__(debuginfod_set_progressfn) *set_progress;
    *d = (struct vf_debuginfod){.left_ms = limit_ms};
    d->library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!d->library)
        return vf_fail(error, "debuginfod's client is not installed (Debian, Ubuntu: apt install "
                              "libdebuginfod1)");
    /* POSIX's own way to get a function from dlsym(). */
    *(void **)&begin = dlsym(d->library, "debuginfod_begin");
    *(void **)&set_progress = dlsym(d->library, "debuginfod_set_progressfn");
    *(void **)&d->find = dlsym(d->library, "debuginfod_find_debuginfo");
    *(void **)&d->end = dlsym(d->library, "debuginfod_end");
    if (begin && set_progress && d->find && d->end)
        d->client = begin();
    if (!d->client) {
        vf_debuginfod_close(d);
        return vf_fail(error, "debuginfod's client does not start");
    }
    set_progress(d->client, on_progress);
    return VF_OK;
}

int vf_debuginfod_fetch(struct vf_debuginfod *d, const unsigned char *id, size_t id_bytes)
{
    struct vf_progress before;
    if (!d->client || d->left_ms <= 0)
        return -1;
    bool within = vf_progress_get(&before);
    vf_progress_begin("fetching debug info", VF_PROGRESS_BYTES, 0);
    d->all = 0;
    int64_t begin = now_ms();
    d->until_ms = begin + d->left_ms;
    d->asked++;
    at_work = d;
    int fd = d->find(d->client, id, (int)id_bytes, NULL);
    at_work = NULL;
    if (within)
        vf_progress_resume(&before);
    d->left_ms -= now_ms() - begin;
    d->timed_out |= fd == -ETIME; /* the client has looked at the clock itself */
    d->found += fd >= 0;
    return fd >= 0 ? fd : -1;
}

void vf_debuginfod_close(struct vf_debuginfod *d)
{
    if (d->client)
        d->end(d->client);
    /* The library stays loaded: its HTTP client has threads and hooks of its own. */
    *d = (struct vf_debuginfod){0};
}

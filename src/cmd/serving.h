/* Serving a finished profile and opening the browser; shared by run and view. */
#ifndef VF_CMD_SERVING_H
#define VF_CMD_SERVING_H

#include "cmd/common.h"

#define VF_SERVE_OPTIONS                                                                           \
    {"port", 'P', "PORT", "serve on this port of 127.0.0.1 (default: first free from 5000)"},      \
        {"no-open", 'n', NULL, "serve, but open no browser"},                                      \
    {                                                                                              \
        "profiler-url", 0, "URL",                                                                  \
            "the profiler to use (default: $PROFILER_URL, else\n"                                  \
            "                               https://profiler.firefox.com)"                         \
    }

/* How a profile is handed to the page when it is made for that: binary columns load quicker, and
 * packing costs less than the way to a page at the other end of an SSH connection. */
#define VF_SERVED_FORMAT ((struct vf_format){.slabs = true, .gzip = true})
#define VF_SERVED_NAME "profile.jslb.gz"

/* Where to serve, as the options say; checked before anything is recorded. */
struct vf_serving {
    uint16_t port;
    const char *profiler_url;
    struct vf_buf origin;
    bool no_open;
};

/* False: wrong usage, said. */
bool vf_serving_init(struct vf_serving *serving, const struct vf_args *args);
/* Serves until SIGINT, SIGTERM or SIGHUP.  `finished` are the bytes of the file to hand out, whose
 * URL ends in `name`; the sources of `input` answer source questions.  The URL is printed to `to`.
 * VF_EXIT_OK or VF_EXIT_INPUT. */
int vf_serving_run(const struct vf_serving *serving, struct vf_input *input, struct vf_str finished,
                   const char *name, FILE *to);
/* Frees what vf_serving_init() made, also after it failed. */
void vf_serving_release(struct vf_serving *serving);

#endif

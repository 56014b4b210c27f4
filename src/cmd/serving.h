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

/* The shape of a profile that is made to be handed to the page: binary columns, which load quicker;
 * packed only for a page at the other end of an SSH connection, for on one machine the page spends
 * more on unpacking than the bytes cost. */
struct vf_format vf_served_format(void);

/* Where to serve, as the options say; checked before anything is recorded. */
struct vf_serving {
    uint16_t port;
    const char *profiler_url;
    struct vf_buf origin;
    bool no_open;
    /* Called when the page can come; NULL: nobody is told. */
    void (*started)(void *context);
    void *context;
};

/* False: wrong usage, said. */
bool vf_serving_init(struct vf_serving *serving, const struct vf_args *args);
/* False, said: the port that the options name can't be had. */
bool vf_serving_can(const struct vf_serving *serving);
/* Serves until SIGINT, SIGTERM or SIGHUP.  `finished` are the bytes of the file to hand out, whose
 * URL ends in "profile" and the ending of `format`; the sources of `input` answer source questions.
 * The URL is printed to `to`. VF_EXIT_OK or VF_EXIT_INPUT. */
int vf_serving_run(const struct vf_serving *serving, struct vf_input *input, struct vf_str finished,
                   struct vf_format format, FILE *to);
/* Frees what vf_serving_init() made, also after it failed. */
void vf_serving_release(struct vf_serving *serving);

#endif

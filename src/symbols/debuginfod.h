/* Debug files from the servers in $DEBUGINFOD_URLS, through elfutils' client (debuginfod(8)).
 *
 * The client is loaded when it is first needed: it brings an HTTP library with it that everything
 * else can do without.  A blocked signal that is waiting (INT, TERM, HUP, QUIT) ends a request.  It
 * keeps what it gets in its own cache ($DEBUGINFOD_CACHE_PATH). */
#ifndef VF_SYMBOLS_DEBUGINFOD_H
#define VF_SYMBOLS_DEBUGINFOD_H

#include "base/error.h"

#include <elfutils/debuginfod.h>

struct vf_debuginfod {
    void *library; /* NULL: not loaded */
    debuginfod_client *client;
    __typeof__(debuginfod_end) *end;
    __typeof__(debuginfod_find_debuginfo) *find;
    int64_t left_ms;  /* for all requests together */
    int64_t until_ms; /* of the request in work */
    uint64_t all;     /* bytes that it is going to be; 0: not known */
    unsigned asked, found;
    bool timed_out;
    bool interrupted; /* by a signal that is blocked: nobody is asked any more */
};

/* Loads the client.  VF_FATAL: it is not installed, `error` says so.  Requests take `limit_ms`
 * altogether at most; what is not there by then is given up. */
enum vf_status vf_debuginfod_open(struct vf_debuginfod *d, int64_t limit_ms,
                                  struct vf_error *error);
/* An open descriptor of the debug file, or -1. */
int vf_debuginfod_fetch(struct vf_debuginfod *d, const unsigned char *id, size_t id_bytes);
void vf_debuginfod_close(struct vf_debuginfod *d);

#endif

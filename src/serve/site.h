/* What the server answers to one request: who is let in, and what is where.  Used by server.c
 * alone, which owns the sockets. */
#ifndef VF_SERVE_SITE_H
#define VF_SERVE_SITE_H

#include "serve/api.h"

#include <microhttpd.h>

enum {
    VF_SITE_TOKEN_DIGITS = 32,
    VF_SITE_BODY_LIMIT = 1 << 20, /* bytes */
};

struct vf_site {
    uint16_t port;
    char token[VF_SITE_TOKEN_DIGITS + 1];
    char *origin;          /* owned */
    char *file_path;       /* the profile's path behind the token, percent-encoded; owned */
    struct vf_str profile; /* borrowed */
    bool profile_is_gzip;
    bool file_is_json;    /* the name ends in .json */
    bool file_is_json_gz; /* the name ends in .json.gz */
    struct vf_api_context api;
};

/* Fills all but port and token.  Copies `origin` and `file_name`. */
void vf_site_init(struct vf_site *site, struct vf_str origin, struct vf_str file_name,
                  struct vf_str profile, struct vf_api_context api);
void vf_site_release(struct vf_site *site);

/* The request as libmicrohttpd's MHD_AccessHandlerCallback gives it, piece by piece; `*slot` is
 * NULL at the request's first piece, and goes to vf_site_request_done() at its end.  `*answered`
 * becomes true with the call that has queued the answer.  MHD_NO closes the connection. */
enum MHD_Result vf_site_request(const struct vf_site *site, struct MHD_Connection *connection,
                                const char *url, const char *method, const char *upload,
                                size_t *upload_size, void **slot, bool *answered);
void vf_site_request_done(void **slot);

#endif

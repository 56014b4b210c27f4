/* The local HTTP server: hands one finished profile and answers about its code to the Firefox
 * Profiler, and to nobody else.
 *
 * What it promises:
 * - It listens on 127.0.0.1 only.
 * - The first path component is a random 128-bit token, compared in constant time.  Without it
 *   every request gets the same empty 404, whatever it asks; so do unknown paths behind it.
 *   Paths are compared as they came, never decoded.
 * - A Host other than 127.0.0.1, localhost or [::1], with no port or the right one, gets an empty
 *   403; so does any Origin but the one in the options.  A request without Origin (the address
 *   bar, curl) is fine when it knows the token.  Only the allowed origin gets CORS headers.
 * - Nothing of a request ever reaches the file system: the profile and the sources are in memory.
 * - A request that is not plain HTTP/1.1 gets an empty 403 (serve/door.h), never a page of
 *   libmicrohttpd's.  One connection, one request.
 * - Bodies are at most 1 MiB, else 413; they have a Content-Length.  64 connections are served at a
 *   time, a request must be in within 30 s, and a client that takes no byte for 30 s is dropped.
 *   Connections that have not sent their request's head yet keep nobody out.
 *
 * Below /TOKEN/ there are FILE (GET, HEAD) and the questions of serve/api.h (POST); OPTIONS
 * answers the browser's preflight for them.  A gzipped profile goes out as it is: under a name
 * that ends in .json.gz, to a client that accepts gzip, as JSON with Content-Encoding, else as
 * plain bytes, which the front-end recognises by content. */
#ifndef VF_SERVE_SERVER_H
#define VF_SERVE_SERVER_H

#include "base/error.h"
#include "serve/api.h"

enum {
    VF_SERVE_FIRST_PORT = 5000,
    VF_SERVE_LAST_PORT = 5099,
};

struct vf_serve_options {
    uint16_t port;             /* 0: the first free one from VF_SERVE_FIRST_PORT */
    struct vf_str origin;      /* as vf_origin_of_url() makes it: the only one let in; copied */
    struct vf_str profile;     /* the finished file's bytes; must outlive the server */
    struct vf_str file_name;   /* last component of the profile's URL, before percent-encoding; like
                                  "profile.json.gz"; copied */
    struct vf_api_context api; /* must outlive the server, with all it points at */
    unsigned timeout_s;        /* 0: 30 */
};

struct vf_server;

/* Binds, and serves from a thread of its own in which every signal is blocked.  VF_FATAL when no
 * port can be had (the text says which) or the options are unusable; then `*out` is untouched. */
enum vf_status vf_server_start(const struct vf_serve_options *options, struct vf_server **out,
                               struct vf_error *error);
/* VF_FATAL where the port can't be had now; nothing is kept of it. */
enum vf_status vf_server_try_port(uint16_t port, struct vf_error *error);
uint16_t vf_server_port(const struct vf_server *server);
/* 32 lower-case hex digits; lives as long as the server. */
const char *vf_server_token(const struct vf_server *server);
/* Closes every connection, also those in the middle of an answer, and frees the server.  NULL is
 * fine. */
void vf_server_stop(struct vf_server *server);

#endif

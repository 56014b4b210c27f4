/* The way to the browser: the URL that opens a profile, the origin to let in, the program to start,
 * and what to say when the browser is on another machine. */
#ifndef VF_SERVE_BROWSER_H
#define VF_SERVE_BROWSER_H

#include "base/buf.h"
#include "base/error.h"

/* Appends `text` with every byte but letters, digits and -._~ as %XX. */
void vf_percent_encode(struct vf_buf *out, struct vf_str text);

/* Appends PROFILER/from-url/<profile>/?symbolServer=<base>, where <base> is
 * http://127.0.0.1:PORT/TOKEN and <profile> is that followed by /FILE, both percent-encoded.
 * Slashes at the end of `profiler_url` don't matter.  `file_name` is the one given to
 * vf_server_start(). */
void vf_profiler_url(struct vf_buf *out, struct vf_str profiler_url, uint16_t port,
                     struct vf_str token, struct vf_str file_name);

/* Appends the origin of the profiler's URL as a browser writes it in its Origin header: scheme,
 * host and port, in lower case, the scheme's own port left out.  VF_FATAL, with nothing appended,
 * when the URL is not one to start a front-end from: another scheme than http and https, a user
 * name, a query or fragment, spaces and control characters, a name that is not ASCII. */
enum vf_status vf_origin_of_url(struct vf_str url, struct vf_buf *origin, struct vf_error *error);

/* Starts a browser on `url` (http or https), detached: its own session, /dev/null for its standard
 * streams, no other file open.  `command` is a value as in $BROWSER: the first of its entries
 * (between colons) is split at spaces, every %s becomes the URL, which goes to the end when there
 * is none; no shell is involved.  NULL or an empty entry is xdg-open.  VF_FATAL when the program
 * can't be started; whether it then shows anything is not known. */
enum vf_status vf_browser_open(const char *url, const char *command, struct vf_error *error);

/* Appends `ssh -L PORT:127.0.0.1:PORT USER@SERVER`, with -p where sshd is not on port 22: what to
 * run at the other end so that the URL works there.  `ssh_connection` is $SSH_CONNECTION (client
 * address, client port, server address, server port); where its server address is unusable
 * elsewhere (missing, or link-local) `host` is named instead.  `user` may be empty.  False, with
 * nothing appended, when there is neither address nor host. */
bool vf_ssh_line(struct vf_buf *out, struct vf_str ssh_connection, struct vf_str user,
                 struct vf_str host, uint16_t port);

#endif

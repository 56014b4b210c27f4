/* The door: takes the connections in, and lets those on whose request's head is whole and plain
 * (serve/head.h).  It only looks at the bytes: who gets the connection reads them anew.
 *
 * What is not plain gets the same empty 403, whatever it is.  The head must be in within the time
 * limit.  VF_DOOR_WAITING connections may wait; when one more comes, the one that has waited the
 * longest is closed, so that a crowd that sends nothing keeps nobody out.  Not thread-safe. */
#ifndef VF_SERVE_DOOR_H
#define VF_SERVE_DOOR_H

#include "base/error.h"
#include "serve/head.h"

enum { VF_DOOR_WAITING = 256 };

struct vf_door_guest {
    int fd;
    bool ready; /* its head is whole */
    int64_t since_ms;
};

struct vf_door {
    int listen_fd, epoll_fd; /* owned; epoll_fd is readable when there is something to do */
    struct vf_door_guest waiting[VF_DOOR_WAITING]; /* the longest waiting first */
    size_t count;
    char seen[VF_HEAD_BYTES_MAX];
};

/* Takes over `listen_fd`, which does not block, also when it fails. */
enum vf_status vf_door_open(struct vf_door *door, int listen_fd, struct vf_error *error);
/* Closes all it holds. */
void vf_door_close(struct vf_door *door);

/* Sees to what has come, and closes what came before `oldest_ms`. */
void vf_door_see(struct vf_door *door, int64_t now_ms, int64_t oldest_ms);
/* The next connection to let on, which is then the caller's; false when there is none. */
bool vf_door_next(struct vf_door *door, struct vf_door_guest *out);
bool vf_door_has_next(const struct vf_door *door);

#endif

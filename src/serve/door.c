#include "serve/door.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTED_AT_ONCE = 256, /* then the others have their turn */
    EVENTS_AT_ONCE = 64,
    READ_BEFORE_CLOSE = 64, /* times VF_HEAD_BYTES_MAX */
};

enum vf_status vf_door_open(struct vf_door *door, int listen_fd, struct vf_error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listen_fd};
    door->count = 0;
    door->listen_fd = listen_fd;
    door->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (door->epoll_fd < 0 || epoll_ctl(door->epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) < 0)
        return vf_fail_errno(error, errno, "epoll");
    return VF_OK;
}

void vf_door_close(struct vf_door *door)
{
    for (size_t i = 0; i < door->count; i++)
        close(door->waiting[i].fd);
    door->count = 0;
    if (door->epoll_fd >= 0)
        close(door->epoll_fd);
    if (door->listen_fd >= 0)
        close(door->listen_fd);
    door->epoll_fd = door->listen_fd = -1;
}

static struct vf_door_guest take_out(struct vf_door *door, size_t at)
{
    struct vf_door_guest guest = door->waiting[at];
    door->count--;
    memmove(&door->waiting[at], &door->waiting[at + 1],
            (door->count - at) * sizeof door->waiting[0]);
    return guest;
}

/* The bytes that came are read first: closing a socket with bytes unread resets the connection, and
 * the answer may be lost with it. */
static void refuse(struct vf_door *door, int fd)
{
    static const char answer[] =
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for (int i = 0; i < READ_BEFORE_CLOSE; i++)
        if (recv(fd, door->seen, sizeof door->seen, MSG_DONTWAIT) <= 0)
            break;
    (void)!send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* Looks at what the one at `at` has sent; false when it is there no longer. */
static bool look(struct vf_door *door, size_t at)
{
    struct vf_door_guest *guest = &door->waiting[at];
    if (guest->ready)
        return true;
    ssize_t got = recv(guest->fd, door->seen, sizeof door->seen, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0) {
        close(take_out(door, at).fd);
        return false;
    }
    enum vf_head head = vf_head_check((struct vf_str){door->seen, (size_t)got});
    guest->ready = head == VF_HEAD_WHOLE;
    if (head != VF_HEAD_BAD)
        return true;
    refuse(door, take_out(door, at).fd);
    return false;
}

static void take_in(struct vf_door *door, int fd, int64_t now_ms)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if (door->count == VF_DOOR_WAITING)
        close(take_out(door, 0).fd);
    size_t at = door->count++;
    door->waiting[at] = (struct vf_door_guest){.fd = fd, .since_ms = now_ms};
    /* Who brings all of it along never waits. */
    if (!look(door, at) || door->waiting[at].ready)
        return;
    if (epoll_ctl(door->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        close(take_out(door, at).fd);
}

static void accept_all(struct vf_door *door, int64_t now_ms)
{
    for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
        int fd = accept4(door->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take_in(door, fd, now_ms);
        } else if (errno == EMFILE || errno == ENFILE) {
            if (door->count == 0) {
                poll(NULL, 0, 10); /* the others must end first; not to spin until then */
                return;
            }
            close(take_out(door, 0).fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void look_at(struct vf_door *door, int fd)
{
    for (size_t i = 0; i < door->count; i++)
        if (door->waiting[i].fd == fd) {
            look(door, i);
            return;
        }
}

void vf_door_see(struct vf_door *door, int64_t now_ms, int64_t oldest_ms)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(door->epoll_fd, events, EVENTS_AT_ONCE, 0);
    bool more = false;
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == door->listen_fd)
            more = true;
        else
            look_at(door, events[i].data.fd);
    }
    /* Behind the others: a new connection may get the number of one that was just closed. */
    if (more)
        accept_all(door, now_ms);
    while (door->count > 0 && door->waiting[0].since_ms < oldest_ms)
        close(take_out(door, 0).fd);
}

/* The one that waits the longest of those that are ready, or -1. */
static ptrdiff_t find_ready(const struct vf_door *door)
{
    for (size_t i = 0; i < door->count; i++)
        if (door->waiting[i].ready)
            return (ptrdiff_t)i;
    return -1;
}

bool vf_door_has_next(const struct vf_door *door)
{
    return find_ready(door) >= 0;
}

bool vf_door_next(struct vf_door *door, struct vf_door_guest *out)
{
    ptrdiff_t at = find_ready(door);
    if (at < 0)
        return false;
    *out = take_out(door, (size_t)at);
    epoll_ctl(door->epoll_fd, EPOLL_CTL_DEL, out->fd, NULL);
    return true;
}

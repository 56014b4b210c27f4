#include "record/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int64_t vf_clock_now_ns(int clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int vf_fd_move_up(int fd)
{
    struct rlimit limit;
    int floor = 700;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 768)
        floor = limit.rlim_cur > 32 ? (int)limit.rlim_cur - 16 : 3;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, floor);
    if (moved < 0)
        return fd;
    close(fd);
    return moved;
}

static void widen(int fd)
{
    int size = VF_CHANNEL_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

enum vf_status vf_channel_open(struct vf_channel *channel, struct vf_error *error)
{
    int ends[2], on = 1;
    *channel = (struct vf_channel){.ours = -1, .theirs = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return vf_fail_errno(error, errno, "can't make a socket pair");
    channel->ours = ends[0];
    channel->theirs = vf_fd_move_up(ends[1]);
    widen(channel->theirs);
    setsockopt(channel->ours, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    fcntl(channel->theirs, F_SETFL, O_NONBLOCK);
    channel->buffers = vf_alloc(VF_BATCH, VF_PACKET_MAX);
    return VF_OK;
}

static int64_t stamp_of(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        struct timespec sent;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&sent, CMSG_DATA(c), sizeof sent);
        return (int64_t)sent.tv_sec * 1000000000 + sent.tv_nsec;
    }
    return 0;
}

/* From the kernel's CLOCK_REALTIME to CLOCK_MONOTONIC.  A stamp in the future, or much older than a
 * packet can be, means that the wall clock was set in between: then the time of arrival is taken.
 */
static int64_t to_monotonic(struct vf_channel *channel, int64_t sent_ns, int64_t realtime_ns,
                            int64_t monotonic_ns)
{
    const int64_t oldest = 10 * (int64_t)1000000000;
    int64_t age = realtime_ns - sent_ns;
    int64_t at = monotonic_ns;
    if (sent_ns && age >= 0 && age < oldest)
        at = monotonic_ns - age;
    if (at < channel->last_ns)
        at = channel->last_ns;
    channel->last_ns = at;
    return at;
}

int vf_channel_receive(struct vf_channel *channel)
{
    struct mmsghdr messages[VF_BATCH] = {0};
    struct iovec vectors[VF_BATCH];
    _Alignas(struct cmsghdr) char controls[VF_BATCH][CMSG_SPACE(sizeof(struct timespec))];
    for (size_t i = 0; i < VF_BATCH; i++) {
        vectors[i] = (struct iovec){channel->buffers + i * VF_PACKET_MAX, VF_PACKET_MAX};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i],
                                              .msg_iovlen = 1,
                                              .msg_control = controls[i],
                                              .msg_controllen = sizeof controls[i]};
    }
    int got = recvmmsg(channel->ours, messages, VF_BATCH, MSG_DONTWAIT, NULL);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
    int64_t realtime_ns = vf_clock_now_ns(CLOCK_REALTIME);
    int64_t monotonic_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    int kept = 0;
    for (int i = 0; i < got; i++) {
        /* An empty packet is _vmprof trying whether the descriptor is writable; at the end of the
         * stream one comes without a stamp. */
        int64_t sent_ns = stamp_of(&messages[i].msg_hdr);
        if (messages[i].msg_len == 0 && sent_ns == 0)
            return kept ? kept : -1;
        if (messages[i].msg_len == 0)
            continue;
        channel->packets[kept].bytes = (struct vf_str){vectors[i].iov_base, messages[i].msg_len};
        channel->packets[kept++].monotonic_ns =
            to_monotonic(channel, sent_ns, realtime_ns, monotonic_ns);
    }
    return kept;
}

bool vf_channel_send(struct vf_channel *channel, const void *bytes, size_t len)
{
    return send(channel->ours, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

void vf_channel_close(struct vf_channel *channel)
{
    if (channel->ours >= 0)
        close(channel->ours);
    if (channel->theirs >= 0)
        close(channel->theirs);
    free(channel->buffers);
    *channel = (struct vf_channel){.ours = -1, .theirs = -1};
}

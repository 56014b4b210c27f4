#include "serve/server.h"

#include "serve/door.h"
#include "serve/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTION_LIMIT = 64,
    DEFAULT_TIMEOUT_S = 30,
    /* A head that the door let through must fit however many fields and arguments it is made of:
     * libmicrohttpd needs 56 bytes for each, which may be two bytes long, and half for the text. */
    CONNECTION_MEMORY_BYTES = 64 * VF_HEAD_BYTES_MAX,
    TICK_MS = 1000, /* how often slow clients are looked for */
};

/* A connection, for the deadline of its request. */
struct client {
    bool used;
    bool receiving; /* the request is not in yet */
    MHD_socket fd;
    int64_t since_ms; /* when the connection, or its last answer, was done */
};

struct vf_server {
    struct vf_site site;
    struct vf_door door;
    struct MHD_Daemon *daemon;
    struct client clients[CONNECTION_LIMIT];
    unsigned client_count;
    int64_t let_on_since_ms; /* of the connection that libmicrohttpd is just given */
    unsigned timeout_s;
    int epoll_fd;
    int wake_fd; /* readable: stop */
    pthread_t thread;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct vf_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct client *client = *socket_context;
        if (client) {
            *client = (struct client){0};
            server->client_count--;
        }
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (size_t i = 0; info && i < CONNECTION_LIMIT; i++) {
        struct client *client = &server->clients[i];
        if (client->used)
            continue;
        *client = (struct client){.used = true,
                                  .receiving = true,
                                  .fd = info->connect_fd,
                                  .since_ms = server->let_on_since_ms};
        *socket_context = client;
        server->client_count++;
        return;
    }
}

static struct client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **slot)
{
    struct vf_server *server = cls;
    struct client *client = client_of(connection);
    bool answered = false;
    (void)version;
    enum MHD_Result result = vf_site_request(&server->site, connection, url, method, upload,
                                             upload_size, slot, &answered);
    if (answered && client)
        client->receiving = false;
    return result;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    struct client *client = client_of(connection);
    (void)cls;
    (void)code;
    vf_site_request_done(slot);
    if (client) {
        client->receiving = true;
        client->since_ms = now_ms();
    }
}

/* Paths stay as they came. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static int64_t oldest_ms(const struct vf_server *server)
{
    return now_ms() - (int64_t)server->timeout_s * 1000;
}

/* libmicrohttpd's own time limit starts anew with every byte; this one counts from the start of
 * the request. */
static void drop_slow(struct vf_server *server)
{
    int64_t oldest = oldest_ms(server);
    for (size_t i = 0; i < CONNECTION_LIMIT; i++) {
        struct client *client = &server->clients[i];
        if (client->used && client->receiving && client->since_ms < oldest)
            shutdown(client->fd, SHUT_RDWR);
    }
}

static void let_on(struct vf_server *server)
{
    static const struct sockaddr_in address = {.sin_family = AF_INET};
    struct vf_door_guest guest;
    while (server->client_count < CONNECTION_LIMIT && vf_door_next(&server->door, &guest)) {
        server->let_on_since_ms = guest.since_ms;
        MHD_add_connection(server->daemon, guest.fd, (const struct sockaddr *)&address,
                           sizeof address);
    }
}

static int wait_ms(struct vf_server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout = TICK_MS;
    if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES)
        return server->client_count > 0 || server->door.count > 0 ? TICK_MS : -1;
    return timeout < TICK_MS ? (int)timeout : TICK_MS;
}

static void *serve(void *arg)
{
    struct vf_server *server = arg;
    struct pollfd fds[3] = {{.fd = server->wake_fd, .events = POLLIN},
                            {.fd = server->door.epoll_fd, .events = POLLIN},
                            {.fd = server->epoll_fd, .events = POLLIN}};
    for (;;) {
        poll(fds, 3, wait_ms(server));
        if (fds[0].revents)
            return NULL;
        vf_door_see(&server->door, now_ms(), oldest_ms(server));
        /* Once more behind those that were closed: others may have waited for their places. */
        do {
            let_on(server);
            MHD_run(server->daemon);
        } while (server->client_count < CONNECTION_LIMIT && vf_door_has_next(&server->door));
        drop_slow(server);
    }
}

/* A listening socket on the port, or -1 and errno. */
static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    /* Else a port stays taken for a minute after its last server. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    int failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

static enum vf_status open_port(uint16_t wanted, uint16_t *port, int *fd, struct vf_error *error)
{
    unsigned first = wanted ? wanted : VF_SERVE_FIRST_PORT;
    unsigned last = wanted ? wanted : VF_SERVE_LAST_PORT;
    for (unsigned i = first; i <= last; i++) {
        *port = (uint16_t)i;
        *fd = listen_on(*port);
        if (*fd >= 0)
            return VF_OK;
        if (errno != EADDRINUSE)
            return vf_fail_errno(error, errno, "can't listen on 127.0.0.1 port %u", i);
    }
    if (wanted)
        return vf_fail(error, "port %u is taken by another program", first);
    return vf_fail(error, "every port from %u to %u is taken", first, last);
}

enum vf_status vf_server_try_port(uint16_t port, struct vf_error *error)
{
    int fd;
    enum vf_status status = open_port(port, &port, &fd, error);
    if (status == VF_OK)
        close(fd);
    return status;
}

static enum vf_status make_token(char token[VF_SITE_TOKEN_DIGITS + 1], struct vf_error *error)
{
    unsigned char random[VF_SITE_TOKEN_DIGITS / 2];
    ssize_t got;
    do
        got = getrandom(random, sizeof random, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof random)
        return vf_fail_errno(error, errno, "no random bytes for the token");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
    return VF_OK;
}

static enum vf_status start_daemon(struct vf_server *server, struct vf_error *error)
{
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL,
        on_request, server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_LIMIT,
        MHD_OPTION_CONNECTION_TIMEOUT, server->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_escaped, NULL, MHD_OPTION_END);
    if (!server->daemon)
        return vf_fail(error, "the HTTP server did not start");
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return vf_fail(error, "the HTTP server has no epoll");
    server->epoll_fd = info->epoll_fd;
    return VF_OK;
}

/* Signals are for the thread that waits for Ctrl-C. */
static enum vf_status start_thread(struct vf_server *server, struct vf_error *error)
{
    sigset_t all, before;
    server->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (server->wake_fd < 0)
        return vf_fail_errno(error, errno, "eventfd");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&server->thread, NULL, serve, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure ? vf_fail_errno(error, failure, "can't start the server's thread") : VF_OK;
}

static void release(struct vf_server *server)
{
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    vf_door_close(&server->door);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    vf_site_release(&server->site);
    free(server);
}

static bool is_file_name(struct vf_str name)
{
    return name.len > 0 && !vf_str_eq(name, VF_STR(".")) && !vf_str_eq(name, VF_STR("..")) &&
           !memchr(name.ptr, '/', name.len);
}

enum vf_status vf_server_start(const struct vf_serve_options *options, struct vf_server **out,
                               struct vf_error *error)
{
    int fd;
    if (!is_file_name(options->file_name))
        return vf_fail(error, "expected a file name for the profile's URL");
    if (options->origin.len == 0)
        return vf_fail(error, "expected the profiler's origin");
    struct vf_server *server = vf_alloc_zeroed(1, sizeof *server);
    server->wake_fd = server->door.listen_fd = server->door.epoll_fd = -1;
    server->timeout_s = options->timeout_s ? options->timeout_s : DEFAULT_TIMEOUT_S;
    vf_site_init(&server->site, options->origin, options->file_name, options->profile,
                 options->api);
    if (make_token(server->site.token, error) ||
        open_port(options->port, &server->site.port, &fd, error))
        goto fail;
    if (vf_door_open(&server->door, fd, error) || start_daemon(server, error) ||
        start_thread(server, error))
        goto fail;
    *out = server;
    return VF_OK;

fail:
    release(server);
    return VF_FATAL;
}

uint16_t vf_server_port(const struct vf_server *server)
{
    return server->site.port;
}

const char *vf_server_token(const struct vf_server *server)
{
    return server->site.token;
}

void vf_server_stop(struct vf_server *server)
{
    uint64_t one = 1;
    if (!server)
        return;
    while (write(server->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    pthread_join(server->thread, NULL);
    release(server);
}

#include "serve/browser.h"

#include <arpa/inet.h>
#include <strings.h>

static bool is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

void vf_percent_encode(struct vf_buf *out, struct vf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_letter_or_digit(c) || is_one_of(c, "-._~"))
            vf_buf_add(out, &c, 1);
        else
            vf_buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

void vf_profiler_url(struct vf_buf *out, struct vf_str profiler_url, uint16_t port,
                     struct vf_str token, struct vf_str file_name)
{
    struct vf_buf url = {0};
    while (vf_str_ends(profiler_url, VF_STR("/")))
        profiler_url.len--;
    vf_buf_printf(&url, "http://127.0.0.1:%u/%.*s", (unsigned)port, VF_STR_ARG(token));
    size_t base_len = url.len;
    vf_buf_str(&url, VF_STR("/"));
    vf_percent_encode(&url, file_name);

    vf_buf_str(out, profiler_url);
    vf_buf_str(out, VF_STR("/from-url/"));
    vf_percent_encode(out, vf_buf_view(&url));
    vf_buf_str(out, VF_STR("/?symbolServer="));
    vf_percent_encode(out, (struct vf_str){url.ptr, base_len});
    vf_buf_release(&url);
}

struct scheme {
    const char *text; /* with "://" */
    unsigned port;
};

static const struct scheme *cut_scheme(struct vf_str *url)
{
    static const struct scheme schemes[] = {{"http://", 80}, {"https://", 443}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i].text);
        if (url->len >= len && strncasecmp(url->ptr, schemes[i].text, len) == 0) {
            *url = (struct vf_str){url->ptr + len, url->len - len};
            return &schemes[i];
        }
    }
    return NULL;
}

/* Appends a bracketed IPv6 address in its shortest form, as browsers do. */
static bool add_ipv6(struct vf_buf *out, struct vf_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (host.len < 4 || host.len - 2 >= sizeof text || !vf_str_ends(host, VF_STR("]")))
        return false;
    memcpy(text, host.ptr + 1, host.len - 2);
    text[host.len - 2] = '\0';
    if (inet_pton(AF_INET6, text, &address) != 1)
        return false;
    inet_ntop(AF_INET6, &address, text, sizeof text);
    vf_buf_printf(out, "[%s]", text);
    return true;
}

static bool add_host(struct vf_buf *out, struct vf_str host)
{
    if (vf_str_starts(host, VF_STR("[")))
        return add_ipv6(out, host);
    if (host.len == 0 || host.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = lower(host.ptr[i]);
        if (!is_letter_or_digit(c) && !is_one_of(c, "-._"))
            return false;
        vf_buf_add(out, &c, 1);
    }
    return true;
}

/* Splits host[:port]; the port stays at 0 when there is none. */
static bool split_port(struct vf_str *host, uint64_t *port)
{
    size_t i = host->len;
    while (i > 0 && host->ptr[i - 1] >= '0' && host->ptr[i - 1] <= '9')
        i--;
    *port = 0;
    if (i == 0 || host->ptr[i - 1] != ':')
        return true;
    struct vf_str digits = {host->ptr + i, host->len - i};
    host->len = i - 1;
    return vf_str_to_u64(digits, 10, port) && *port > 0 && *port <= 65535;
}

static bool is_plain(struct vf_str url)
{
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~' || is_one_of(url.ptr[i], "\"<>\\^`{|}?#"))
            return false;
    return true;
}

enum vf_status vf_origin_of_url(struct vf_str url, struct vf_buf *origin, struct vf_error *error)
{
    size_t start = origin->len;
    struct vf_str rest = url;
    uint64_t port;
    if (!is_plain(url))
        return vf_fail(error, "expected a plain http or https URL without query or spaces");
    const struct scheme *scheme = cut_scheme(&rest);
    if (!scheme)
        return vf_fail(error, "expected a URL that starts with http:// or https://");
    struct vf_str host = vf_str_cut(&rest, '/');
    if (memchr(host.ptr, '@', host.len))
        return vf_fail(error, "expected a URL without a user name");
    /* "[::1]" ends in a digit behind a colon too, but for its bracket. */
    if (!split_port(&host, &port))
        return vf_fail(error, "expected a port from 1 to 65535 in the URL");
    vf_buf_str(origin, vf_str_from(scheme->text));
    if (!add_host(origin, host)) {
        origin->len = start;
        return vf_fail(error, "expected a host name or address in the URL");
    }
    if (port != 0 && port != scheme->port)
        vf_buf_printf(origin, ":%u", (unsigned)port);
    return VF_OK;
}

/* The server's address as others can use it. */
static bool is_reachable(struct vf_str *address)
{
    const struct vf_str mapped = VF_STR("::ffff:");
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (address->len == 0 || address->len >= sizeof text)
        return false;
    memcpy(text, address->ptr, address->len);
    text[address->len] = '\0';
    if (vf_str_starts(*address, mapped) && inet_pton(AF_INET, text + mapped.len, &v4) == 1) {
        *address = (struct vf_str){address->ptr + mapped.len, address->len - mapped.len};
        return true;
    }
    if (inet_pton(AF_INET, text, &v4) == 1)
        return true;
    return inet_pton(AF_INET6, text, &v6) == 1 && !IN6_IS_ADDR_LINKLOCAL(&v6);
}

/* Whether it can stand on a command line as it is. */
static bool is_shell_safe(struct vf_str word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!is_letter_or_digit(word.ptr[i]) && !is_one_of(word.ptr[i], "-._@+:"))
            return false;
    return word.len > 0 && word.ptr[0] != '-';
}

bool vf_ssh_line(struct vf_buf *out, struct vf_str ssh_connection, struct vf_str user,
                 struct vf_str host, uint16_t port)
{
    uint64_t ssh_port = 22;
    vf_str_cut(&ssh_connection, ' ');
    vf_str_cut(&ssh_connection, ' ');
    struct vf_str server = vf_str_cut(&ssh_connection, ' ');
    if (!is_reachable(&server)) {
        server = host;
        if (!is_shell_safe(host))
            return false;
    }
    if (!vf_str_to_u64(vf_str_cut(&ssh_connection, ' '), 10, &ssh_port) || ssh_port == 0 ||
        ssh_port > 65535)
        ssh_port = 22;
    vf_buf_printf(out, "ssh -L %u:127.0.0.1:%u ", (unsigned)port, (unsigned)port);
    if (ssh_port != 22)
        vf_buf_printf(out, "-p %u ", (unsigned)ssh_port);
    if (is_shell_safe(user))
        vf_buf_printf(out, "%.*s@", VF_STR_ARG(user));
    vf_buf_str(out, server);
    return true;
}

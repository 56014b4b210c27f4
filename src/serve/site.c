#include "serve/site.h"

#include "serve/browser.h"

#include <stdio.h>
#include <strings.h>

enum {
    STATUS_OK = 200,
    STATUS_NO_CONTENT = 204,
    STATUS_FORBIDDEN = 403,
    STATUS_NOT_FOUND = 404,
    STATUS_NOT_ALLOWED = 405,
    STATUS_TOO_LARGE = 413,
};

/* A POST on its way in. */
struct request {
    const struct vf_api_handler *handler;
    struct vf_buf body;
};

/* What a path behind the token names. */
struct place {
    bool is_profile;
    const struct vf_api_handler *handler;
};

void vf_site_init(struct vf_site *site, struct vf_str origin, struct vf_str file_name,
                  struct vf_str profile, struct vf_api_context api)
{
    struct vf_buf path = {0};
    vf_percent_encode(&path, file_name);
    site->origin = vf_strdup(origin);
    site->file_path = vf_strdup(vf_buf_view(&path));
    site->profile = profile;
    site->profile_is_gzip =
        profile.len >= 2 && profile.ptr[0] == '\x1f' && profile.ptr[1] == '\x8b';
    site->file_is_json = vf_str_ends(file_name, VF_STR(".json"));
    site->file_is_json_gz = vf_str_ends(file_name, VF_STR(".json.gz"));
    site->api = api;
    vf_buf_release(&path);
}

void vf_site_release(struct vf_site *site)
{
    free(site->origin);
    free(site->file_path);
}

/* A header by name: how often it was sent, and the last value. */
struct header {
    struct vf_str name;
    struct vf_str value;
    unsigned count;
};

static enum MHD_Result match_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                    size_t key_len, const char *value, size_t value_len)
{
    struct header *header = cls;
    (void)kind;
    if (key_len == header->name.len && strncasecmp(key, header->name.ptr, key_len) == 0) {
        header->value = (struct vf_str){value, value ? value_len : 0};
        header->count++;
    }
    return MHD_YES;
}

static struct header get_header(struct MHD_Connection *connection, struct vf_str name)
{
    struct header header = {.name = name};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, match_header, &header);
    return header;
}

static bool host_is_ours(const struct vf_site *site, struct MHD_Connection *connection)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    struct header host = get_header(connection, VF_STR("Host"));
    char port[8];
    int port_len = snprintf(port, sizeof port, ":%u", (unsigned)site->port);
    if (host.count != 1)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len = strlen(names[i]);
        if (host.value.len < len || strncasecmp(host.value.ptr, names[i], len) != 0)
            continue;
        struct vf_str rest = {host.value.ptr + len, host.value.len - len};
        return rest.len == 0 || vf_str_eq(rest, (struct vf_str){port, (size_t)port_len});
    }
    return false;
}

/* Behind "/TOKEN/": the rest of the path, or NULL.  Takes the same time for every wrong token. */
static const char *behind_token(const struct vf_site *site, const char *url)
{
    volatile unsigned char differ = 0;
    if (strlen(url) < VF_SITE_TOKEN_DIGITS + 2)
        return NULL;
    for (size_t i = 0; i < VF_SITE_TOKEN_DIGITS; i++)
        differ = (unsigned char)(differ | (url[i + 1] ^ site->token[i]));
    if (differ != 0 || url[0] != '/' || url[VF_SITE_TOKEN_DIGITS + 1] != '/')
        return NULL;
    return url + VF_SITE_TOKEN_DIGITS + 2;
}

static bool find_place(const struct vf_site *site, const char *url, struct place *out)
{
    const char *path = behind_token(site, url);
    if (!path)
        return false;
    out->is_profile = strcmp(path, site->file_path) == 0;
    out->handler = out->is_profile ? NULL : vf_api_find(vf_str_from(path));
    return out->is_profile || out->handler;
}

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response)
{
    if (!response)
        return MHD_NO;
    /* The door has looked at one request's head, and a second one would come in unseen. */
    MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static struct MHD_Response *empty_response(void)
{
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

/* An empty answer that says nothing, not even which of the rules refused it. */
static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status)
{
    return queue(connection, status, empty_response());
}

/* For those who are let in.  `vary` names the request's headers that the answer depends on. */
static void add_headers_varying(const struct vf_site *site, struct MHD_Connection *connection,
                                struct MHD_Response *response, const char *vary)
{
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    /* This keeps other origins from embedding (<img>, <script>); a CORS fetch is not subject to
     * it. */
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Vary", vary);
    if (get_header(connection, VF_STR("Origin")).count > 0)
        MHD_add_response_header(response, "Access-Control-Allow-Origin", site->origin);
}

static void add_headers(const struct vf_site *site, struct MHD_Connection *connection,
                        struct MHD_Response *response)
{
    add_headers_varying(site, connection, response, "Origin");
}

/* Takes over the buffer. */
static enum MHD_Result send_json(const struct vf_site *site, struct MHD_Connection *connection,
                                 unsigned status, struct vf_buf *json)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(json->len, json->ptr, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        vf_buf_release(json);
        return MHD_NO;
    }
    add_headers(site, connection, response);
    MHD_add_response_header(response, "Content-Type", "application/json; charset=utf-8");
    return queue(connection, status, response);
}

static struct vf_str trim(struct vf_str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct vf_str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* "q=0", "q=0.0" and so on; any other weight is a yes. */
static bool is_zero_weight(struct vf_str parameter)
{
    if (parameter.len < 3 || strncasecmp(parameter.ptr, "q=0", 3) != 0)
        return false;
    for (size_t i = 3; i < parameter.len; i++)
        if (parameter.ptr[i] != '.' && parameter.ptr[i] != '0')
            return false;
    return true;
}

static bool accepts_gzip(struct MHD_Connection *connection)
{
    struct vf_str list = get_header(connection, VF_STR("Accept-Encoding")).value;
    while (list.len > 0) {
        struct vf_str parameter = vf_str_cut(&list, ',');
        struct vf_str coding = trim(vf_str_cut(&parameter, ';'));
        if (coding.len == 4 && strncasecmp(coding.ptr, "gzip", 4) == 0)
            return !is_zero_weight(trim(parameter));
    }
    return false;
}

static enum MHD_Result send_profile(const struct vf_site *site, struct MHD_Connection *connection)
{
    /* An iovec because it takes constant bytes. */
    struct MHD_IoVec bytes = {site->profile.ptr, site->profile.len};
    struct MHD_Response *response = MHD_create_response_from_iovec(&bytes, 1, NULL, NULL);
    if (!response)
        return MHD_NO;
    const char *type = "application/octet-stream", *vary = "Origin";
    if (site->profile_is_gzip && site->file_is_json_gz) {
        vary = "Origin, Accept-Encoding";
        if (accepts_gzip(connection)) {
            MHD_add_response_header(response, "Content-Encoding", "gzip");
            type = "application/json";
        }
    } else if (!site->profile_is_gzip && site->file_is_json) {
        type = "application/json";
    }
    add_headers_varying(site, connection, response, vary);
    MHD_add_response_header(response, "Content-Type", type);
    return queue(connection, STATUS_OK, response);
}

static bool asks_for(struct MHD_Connection *connection, struct vf_str header)
{
    return vf_str_eq(get_header(connection, header).value, VF_STR("true"));
}

/* The browser's question before it lets a page send a request: CORS, and what Chromium asks before
 * a public page may reach a local address, under its old name and its new one. */
static enum MHD_Result send_preflight(const struct vf_site *site, struct MHD_Connection *connection)
{
    struct MHD_Response *response = empty_response();
    if (!response)
        return MHD_NO;
    add_headers(site, connection, response);
    MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    /* The page sets a User-Agent on /symbolicate/v5, and Firefox asks whether it may. */
    MHD_add_response_header(response, "Access-Control-Allow-Headers", "content-type, user-agent");
    if (asks_for(connection, VF_STR("Access-Control-Request-Private-Network")))
        MHD_add_response_header(response, "Access-Control-Allow-Private-Network", "true");
    if (asks_for(connection, VF_STR("Access-Control-Request-Local-Network")))
        MHD_add_response_header(response, "Access-Control-Allow-Local-Network", "true");
    return queue(connection, STATUS_NO_CONTENT, response);
}

static enum MHD_Result send_not_allowed(const struct vf_site *site,
                                        struct MHD_Connection *connection,
                                        const struct place *place)
{
    struct MHD_Response *response = empty_response();
    if (!response)
        return MHD_NO;
    add_headers(site, connection, response);
    MHD_add_response_header(response, "Allow",
                            place->is_profile ? "GET, HEAD, OPTIONS" : "POST, OPTIONS");
    return queue(connection, STATUS_NOT_ALLOWED, response);
}

static enum MHD_Result send_too_large(const struct vf_site *site, struct MHD_Connection *connection)
{
    struct vf_buf json = {0};
    vf_api_error(&json, "The request is larger than 1 MiB.");
    return send_json(site, connection, STATUS_TOO_LARGE, &json);
}

/* The start of a POST: its body is still to come, unless it says itself that it is too large. */
static enum MHD_Result begin_post(const struct vf_site *site, struct MHD_Connection *connection,
                                  const struct place *place, void **slot, bool *answered)
{
    struct header length = get_header(connection, VF_STR("Content-Length"));
    uint64_t size = 0;
    if (length.count > 0 &&
        (!vf_str_to_u64(length.value, 10, &size) || size > VF_SITE_BODY_LIMIT)) {
        *answered = true;
        return send_too_large(site, connection);
    }
    struct request *request = vf_alloc_zeroed(1, sizeof *request);
    request->handler = place->handler;
    *slot = request;
    return MHD_YES;
}

/* With the headers in: everything but a POST that is to be answered is answered here. */
static enum MHD_Result begin_request(const struct vf_site *site, struct MHD_Connection *connection,
                                     const char *url, const char *method, void **slot,
                                     bool *answered)
{
    struct header origin = get_header(connection, VF_STR("Origin"));
    bool origin_is_ours = origin.count == 0 ||
                          (origin.count == 1 && vf_str_eq(origin.value, vf_str_from(site->origin)));
    struct place place;

    *answered = true;
    if (!host_is_ours(site, connection) || !origin_is_ours)
        return refuse(connection, STATUS_FORBIDDEN);
    if (!find_place(site, url, &place))
        return refuse(connection, STATUS_NOT_FOUND);
    if (strcmp(method, "OPTIONS") == 0 && origin.count == 1)
        return send_preflight(site, connection);
    if (place.is_profile && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
        return send_profile(site, connection);
    if (!place.handler || strcmp(method, "POST") != 0)
        return send_not_allowed(site, connection, &place);
    *answered = false;
    return begin_post(site, connection, &place, slot, answered);
}

enum MHD_Result vf_site_request(const struct vf_site *site, struct MHD_Connection *connection,
                                const char *url, const char *method, const char *upload,
                                size_t *upload_size, void **slot, bool *answered)
{
    struct request *request = *slot;
    if (!request)
        return begin_request(site, connection, url, method, slot, answered);
    if (*upload_size > 0) {
        /* None gets here: the door lets no chunked body in, and the others have told their size. */
        if (*upload_size > VF_SITE_BODY_LIMIT - request->body.len)
            return MHD_NO;
        vf_buf_add(&request->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    struct vf_buf json = {0};
    vf_api_answer(request->handler, &site->api, vf_buf_view(&request->body), &json);
    *answered = true;
    return send_json(site, connection, STATUS_OK, &json);
}

void vf_site_request_done(void **slot)
{
    struct request *request = *slot;
    if (!request)
        return;
    vf_buf_release(&request->body);
    free(request);
    *slot = NULL;
}

/* The way to the browser (URLs, origins, the ssh line, starting a program), the answers to code
 * questions, and the server's promises, asked over real sockets. */
#include "serve/browser.h"
#include "serve/door.h"
#include "serve/server.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The buffer's text with a NUL, good until it is released. */
static const char *text_of(struct vf_buf *buf)
{
    *vf_buf_reserve(buf, 1) = '\0';
    return buf->ptr;
}

static void test_percent_encode(void **state)
{
    struct vf_buf out = {0};
    (void)state;
    vf_percent_encode(&out, VF_STR("aZ9-._~ /:%\xc3\xa9'"));
    assert_string_equal(text_of(&out), "aZ9-._~%20%2F%3A%25%C3%A9%27");
    vf_buf_release(&out);
}

static void test_profiler_url(void **state)
{
    const char *expected = "https://profiler.firefox.com/from-url/"
                           "http%3A%2F%2F127.0.0.1%3A5001%2F0123abcd%2Fprofile.json.gz/"
                           "?symbolServer=http%3A%2F%2F127.0.0.1%3A5001%2F0123abcd";
    struct vf_buf out = {0};
    (void)state;
    vf_profiler_url(&out, VF_STR("https://profiler.firefox.com"), 5001, VF_STR("0123abcd"),
                    VF_STR("profile.json.gz"));
    assert_string_equal(text_of(&out), expected);
    out.len = 0;
    vf_profiler_url(&out, VF_STR("https://profiler.firefox.com//"), 5001, VF_STR("0123abcd"),
                    VF_STR("profile.json.gz"));
    assert_string_equal(text_of(&out), expected);
    out.len = 0;
    /* A name with a space is encoded once in the profile's URL, and once more with all of it. */
    vf_profiler_url(&out, VF_STR("http://[::1]:8/p"), 5000, VF_STR("t"), VF_STR("my run.json"));
    assert_string_equal(text_of(&out), "http://[::1]:8/p/from-url/"
                                       "http%3A%2F%2F127.0.0.1%3A5000%2Ft%2Fmy%2520run.json/"
                                       "?symbolServer=http%3A%2F%2F127.0.0.1%3A5000%2Ft");
    vf_buf_release(&out);
}

static void test_origin(void **state)
{
    static const char *const cases[][2] = {
        {"https://profiler.firefox.com", "https://profiler.firefox.com"},
        {"https://profiler.firefox.com/", "https://profiler.firefox.com"},
        {"HTTPS://Profiler.Firefox.COM:443/some/path", "https://profiler.firefox.com"},
        {"http://localhost:80", "http://localhost"},
        {"http://localhost:4242/", "http://localhost:4242"},
        {"https://localhost:80", "https://localhost:80"},
        {"http://127.0.0.1:04242", "http://127.0.0.1:4242"},
        {"http://[::1]:4242", "http://[::1]:4242"},
        {"http://[0:0::0:1]/x", "http://[::1]"},
        {"http://deploy-preview--perf_html.example.app",
         "http://deploy-preview--perf_html.example.app"},
    };
    struct vf_buf out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_error error = {0};
        out.len = 0;
        assert_int_equal(vf_origin_of_url(vf_str_from(cases[i][0]), &out, &error), VF_OK);
        assert_string_equal(text_of(&out), cases[i][1]);
    }
    vf_buf_release(&out);
}

static void test_origin_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "profiler.firefox.com",
        "/from-url/x",
        "//profiler.firefox.com",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://profiler.firefox.com",
        "http:profiler.firefox.com",
        "https://",
        "https:///path",
        "https://:443",
        "https://me@profiler.firefox.com",
        "https://profiler.firefox.com:x@evil.example",
        "https://profiler.firefox.com:",
        "https://profiler.firefox.com:0",
        "https://profiler.firefox.com:65536",
        "https://profiler.firefox.com:-1",
        "https://profiler.firefox.com\\@evil.example",
        "https://profiler.firefox.com?x",
        "https://profiler.firefox.com#x",
        "https://profiler.firefox.com/a b",
        "https://profiler.firefox.com\r\nX-Y: z",
        "https://profiler%2efirefox.com",
        "https://xx\xc3\xb6",
        "http://::1",
        "http://[::1",
        "http://[]",
        "http://[::1%25eth0]",
        "http://[::1]x:80",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_buf out = {0};
        struct vf_error error = {0};
        if (vf_origin_of_url(vf_str_from(cases[i]), &out, &error) != VF_FATAL || out.len != 0)
            fail_msg("not refused: %s", cases[i]);
        assert_true(strlen(error.text) > 0);
        vf_buf_release(&out);
    }
}

static void check_ssh_line(const char *connection, const char *user, const char *host,
                           const char *expected)
{
    struct vf_buf out = {0};
    bool made =
        vf_ssh_line(&out, vf_str_from(connection), vf_str_from(user), vf_str_from(host), 5000);
    assert_int_equal(made, expected != NULL);
    assert_string_equal(text_of(&out), expected ? expected : "");
    vf_buf_release(&out);
}

static void test_ssh_line(void **state)
{
    (void)state;
    check_ssh_line("192.0.2.7 51000 192.0.2.1 22", "ann", "box",
                   "ssh -L 5000:127.0.0.1:5000 ann@192.0.2.1");
    check_ssh_line("192.0.2.7 51000 192.0.2.1 2222", "ann", "box",
                   "ssh -L 5000:127.0.0.1:5000 -p 2222 ann@192.0.2.1");
    check_ssh_line("2001:db8::7 51000 2001:db8::1 22", "ann", "box",
                   "ssh -L 5000:127.0.0.1:5000 ann@2001:db8::1");
    check_ssh_line("::ffff:192.0.2.7 51000 ::ffff:192.0.2.1 22", "ann", "box",
                   "ssh -L 5000:127.0.0.1:5000 ann@192.0.2.1");
    check_ssh_line("192.0.2.7 51000 192.0.2.1 22", "", "", "ssh -L 5000:127.0.0.1:5000 192.0.2.1");
    /* Addresses that mean nothing at the other end. */
    check_ssh_line("fe80::7%eth0 51000 fe80::1%eth0 22", "ann", "box",
                   "ssh -L 5000:127.0.0.1:5000 ann@box");
    check_ssh_line("fe80::7 51000 fe80::1 2222", "ann", "box",
                   "ssh -L 5000:127.0.0.1:5000 -p 2222 ann@box");
    check_ssh_line("", "ann", "box", "ssh -L 5000:127.0.0.1:5000 ann@box");
    check_ssh_line("a b $(id) 22", "ann", "box", "ssh -L 5000:127.0.0.1:5000 ann@box");
    check_ssh_line("", "ann", "", NULL);
    check_ssh_line("", "ann", "-oProxyCommand=x", NULL);
    /* A user name that a shell would take apart is left to the reader. */
    check_ssh_line("192.0.2.7 51000 192.0.2.1 22", "a;b", "box",
                   "ssh -L 5000:127.0.0.1:5000 192.0.2.1");
}

/* ---- starting a browser ---- */

static char *read_when_there(const char *path)
{
    static char text[2048];
    for (int tries = 0; tries < 500; tries++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        if (got > 0) {
            text[got] = '\0';
            return text;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    fail_msg("%s was not written", path);
    return NULL;
}

static void test_browser_open(void **state)
{
    char dir[] = "/tmp/vmfox-test-XXXXXX", script[64], result[64], command[128];
    struct vf_error error = {0};
    int leak = dup2(2, 77);
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(script, sizeof script, "%s/browser", dir);
    snprintf(result, sizeof result, "%s/result", dir);
    FILE *file = fopen(script, "w");
    assert_non_null(file);
    fprintf(file,
            "#!/bin/sh\n"
            "{ for a in \"$@\"; do echo \"[$a]\"; done\n"
            "  readlink /proc/$$/fd/0; test -e /proc/$$/fd/77 && echo leak; } >%s.new\n"
            "mv %s.new %s\n",
            result, result, result);
    fclose(file);
    assert_int_equal(chmod(script, 0700), 0);

    snprintf(command, sizeof command, "%s", script);
    assert_int_equal(vf_browser_open("http://x/;id", command, &error), VF_OK);
    assert_string_equal(read_when_there(result), "[http://x/;id]\n/dev/null\n");
    unlink(result);
    snprintf(command, sizeof command, "%s --new  u=%%s $HOME:other", script);
    assert_int_equal(vf_browser_open("https://x/", command, &error), VF_OK);
    assert_string_equal(read_when_there(result), "[--new]\n[u=https://x/]\n[$HOME]\n/dev/null\n");
    unlink(result);

    unlink(script);
    assert_int_equal(vf_browser_open("http://x/", command, &error), VF_FATAL);
    assert_non_null(strstr(error.text, "found no program"));
    assert_int_equal(vf_browser_open("javascript:x", NULL, &error), VF_FATAL);
    assert_int_equal(vf_browser_open("--help", NULL, &error), VF_FATAL);
    rmdir(dir);
    close(leak);
}

/* ---- code questions ---- */

static const struct vf_serve_source sources[] = {
    {{"/home/ann/app.py", 16}, {"print('h\xc3\xa9')\n", 13}},
    {{"<string>", 8}, {"x = 1\n", 6}},
    {{"/home/ann/b\xff.py", 15}, {"bad \xfe\n", 6}},
    {{"empty.py", 8}, {NULL, 0}},
};

static void check_answer(const char *path, struct vf_str body, const char *expected)
{
    struct vf_api_context context = {.sources = sources,
                                     .source_count = sizeof sources / sizeof *sources};
    const struct vf_api_handler *handler = vf_api_find(vf_str_from(path));
    struct vf_buf out = {0};
    assert_non_null(handler);
    vf_api_answer(handler, &context, body, &out);
    assert_string_equal(text_of(&out), expected);
    vf_buf_release(&out);
}

#define NO_SOURCE "{\"error\":\"This profile holds no source of that file.\"}"
#define NO_OBJECT "{\"error\":\"The request is not a JSON object.\"}"
#define SOURCE(file, text)                                                                         \
    "{\"symbolsLastModified\":null,\"sourceLastModified\":null,\"file\":\"" file                   \
    "\",\"source\":\"" text "\"}"

static void test_source(void **state)
{
    (void)state;
    check_answer("source/v1",
                 VF_STR("{\"debugName\":\"app\",\"debugId\":\"0\",\"moduleOffset\":\"0x1\","
                        "\"file\":\"/home/ann/app.py\"}"),
                 SOURCE("/home/ann/app.py", "print('h\xc3\xa9')\\n"));
    check_answer("source/v1", VF_STR("{\"file\":\"<string>\"}"), SOURCE("<string>", "x = 1\\n"));
    check_answer("source/v1", VF_STR("{\"file\":\"empty.py\"}"), SOURCE("empty.py", ""));
    /* The profile shows such a name with a replacement character. */
    check_answer("source/v1", VF_STR("{\"file\":\"/home/ann/b\\ufffd.py\"}"),
                 SOURCE("/home/ann/b\xef\xbf\xbd.py", "bad \xef\xbf\xbd\\n"));
}

static void test_source_not_in_the_profile(void **state)
{
    static const char *const names[] = {
        "/etc/passwd",
        "app.py",
        "/home/ann/../ann/app.py",
        "/home/ann/app.py/",
        "/home/ann/app.py\\u0000",
        "/home//ann/app.py",
        "",
        "file:///etc/passwd",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"file\":\"%s\"}", names[i]);
        check_answer("source/v1", vf_str_from(body), NO_SOURCE);
    }
}

static void test_bad_questions(void **state)
{
    const char *no_file = "{\"error\":\"The request names no \\\"file\\\".\"}";
    (void)state;
    check_answer("source/v1", VF_STR("{}"), no_file);
    check_answer("source/v1", VF_STR("{\"file\":null}"), no_file);
    check_answer("source/v1", VF_STR("{\"file\":[\"<string>\"]}"), no_file);
    check_answer("source/v1", VF_STR(""), NO_OBJECT);
    check_answer("source/v1", (struct vf_str){NULL, 0}, NO_OBJECT);
    check_answer("source/v1", VF_STR("[]"), NO_OBJECT);
    check_answer("source/v1", VF_STR("{\"file\":\"<string>\""), NO_OBJECT);
    check_answer("source/v1", VF_STR("{\"file\":\"\xff\"}"), NO_OBJECT);
    struct vf_buf deep = {0};
    for (int i = 0; i < 100000; i++)
        vf_buf_str(&deep, VF_STR("{\"file\":"));
    check_answer("source/v1", vf_buf_view(&deep), NO_OBJECT);
    vf_buf_release(&deep);
}

static void test_other_questions(void **state)
{
    (void)state;
    check_answer("asm/v1", VF_STR("{\"startAddress\":\"0x0\",\"size\":\"0x10\"}"),
                 "{\"error\":\"The request names no \\\"debugName\\\" or no "
                 "\\\"startAddress\\\".\"}");
    check_answer("asm/v1", VF_STR("{\"debugName\":\"x\",\"startAddress\":\"16\"}"),
                 "{\"error\":\"The request's \\\"startAddress\\\" is no hexadecimal number.\"}");
    check_answer("asm/v1", VF_STR("{\"debugName\":\"x\",\"startAddress\":\"0x10\"}"),
                 "{\"error\":\"This profile has no machine code of that function.\"}");
    check_answer("symbolicate/v5", VF_STR("{\"jobs\":[]}"), "{\"results\":[]}");
    check_answer("symbolicate/v5", VF_STR("{}"),
                 "{\"error\":\"The request has no \\\"jobs\\\" and no \\\"memoryMap\\\".\"}");
    check_answer(
        "symbolicate/v5",
        VF_STR("{\"memoryMap\":[[\"a\",\"0\"]],\"stacks\":[[[0,16],[7,1],[-1,2],5,[]]]}"),
        "{\"results\":[{\"stacks\":[[{\"frame\":0,\"module_offset\":\"0x10\",\"module\":\"a\"},"
        "{\"frame\":1,\"module_offset\":\"0x1\",\"module\":\"\"},"
        "{\"frame\":2,\"module_offset\":\"0x2\",\"module\":\"\"},"
        "{\"frame\":3,\"module_offset\":\"0x0\",\"module\":\"\"},"
        "{\"frame\":4,\"module_offset\":\"0x0\",\"module\":\"\"}]],"
        "\"found_modules\":{\"a/0\":false}}]}");
    assert_null(vf_api_find(VF_STR("")));
    assert_null(vf_api_find(VF_STR("source")));
    assert_null(vf_api_find(VF_STR("source/v1/")));
    assert_null(vf_api_find(VF_STR("/source/v1")));
}

/* ---- the server ---- */

static const struct vf_serve_options plain_options = {
    .origin = {"https://profiler.firefox.com", 28},
    .profile = {"{\"meta\":{}}", 11},
    .file_name = {"profile.json", 12},
    .api = {.sources = sources, .source_count = sizeof sources / sizeof *sources},
};

static int try_connect(const char *address, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 10};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static int open_to(const struct vf_server *server)
{
    int fd = try_connect("127.0.0.1", vf_server_port(server));
    assert_true(fd >= 0);
    return fd;
}

/* All that comes until the server closes. */
static const char *read_all(int fd, struct vf_buf *out)
{
    ssize_t got;
    out->len = 0;
    while ((got = recv(fd, vf_buf_reserve(out, 4096), 4096, 0)) > 0)
        out->len += (size_t)got;
    if (got < 0 && errno == EAGAIN)
        fail_msg("the server does not close the connection");
    return text_of(out);
}

static const char *ask(const struct vf_server *server, const char *request, struct vf_buf *out)
{
    int fd = open_to(server);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    read_all(fd, out);
    close(fd);
    return out->ptr;
}

static struct vf_server *start(const struct vf_serve_options *options)
{
    struct vf_server *server = NULL;
    struct vf_error error = {0};
    if (vf_server_start(options, &server, &error) != VF_OK)
        fail_msg("%s", error.text);
    return server;
}

static void test_server_serves(void **state)
{
    struct vf_server *server = start(&plain_options);
    struct vf_buf answer = {0};
    char request[256];
    (void)state;
    assert_int_equal(strlen(vf_server_token(server)), 32);
    assert_int_equal(strspn(vf_server_token(server), "0123456789abcdef"), 32);
    assert_between(vf_server_port(server), VF_SERVE_FIRST_PORT, VF_SERVE_LAST_PORT);
    snprintf(request, sizeof request,
             "GET /%s/profile.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
             vf_server_token(server));
    ask(server, request, &answer);
    assert_non_null(strstr(answer.ptr, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer.ptr, "\r\n\r\n{\"meta\":{}}"));
    assert_null(strcasestr(answer.ptr, "\r\nServer:"));
    assert_string_equal(ask(server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer),
                        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    vf_buf_release(&answer);
    vf_server_stop(server);
}

/* Such a file goes out as it is, also to who would take it gzipped: the front-end looks inside. */
static void test_server_serves_slabs(void **state)
{
    struct vf_serve_options options = plain_options;
    struct vf_buf answer = {0};
    char request[256];
    (void)state;
    options.profile = VF_STR("\x1f\x8b\x08 slabs");
    options.file_name = VF_STR("my profile.jslb.gz");
    struct vf_server *server = start(&options);
    snprintf(request, sizeof request,
             "GET /%s/my%%20profile.jslb.gz HTTP/1.1\r\nHost: localhost\r\n"
             "Accept-Encoding: gzip\r\n\r\n",
             vf_server_token(server));
    ask(server, request, &answer);
    assert_non_null(strstr(answer.ptr, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer.ptr, "\r\nContent-Type: application/octet-stream\r\n"));
    assert_null(strstr(answer.ptr, "Content-Encoding"));
    assert_non_null(strstr(answer.ptr, "\r\n\r\n\x1f\x8b\x08 slabs"));
    vf_buf_release(&answer);
    vf_server_stop(server);
}

static void test_server_on_one_address(void **state)
{
    struct vf_server *server = start(&plain_options);
    (void)state;
    /* All of 127/8 is this machine: a server on 0.0.0.0 would be heard here. */
    assert_int_equal(try_connect("127.0.0.2", vf_server_port(server)), -1);
    vf_server_stop(server);
}

static void test_server_ports(void **state)
{
    struct vf_server *first = start(&plain_options), *second = start(&plain_options), *third = NULL;
    struct vf_serve_options options = plain_options;
    struct vf_error error = {0};
    uint16_t port = vf_server_port(first);
    (void)state;
    assert_true(vf_server_port(second) > port);
    assert_string_not_equal(vf_server_token(first), vf_server_token(second));
    options.port = port;
    assert_int_equal(vf_server_start(&options, &third, &error), VF_FATAL);
    assert_non_null(strstr(error.text, "is taken by another program"));
    assert_null(third);
    vf_server_stop(first);
    third = start(&options);
    assert_int_equal(vf_server_port(third), port);
    vf_server_stop(second);
    vf_server_stop(third);
    vf_server_stop(NULL);
}

static void test_server_options(void **state)
{
    static const char *const names[] = {"", ".", "..", "a/b"};
    struct vf_server *server = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct vf_serve_options options = plain_options;
        options.file_name = vf_str_from(names[i]);
        assert_int_equal(vf_server_start(&options, &server, NULL), VF_FATAL);
    }
    struct vf_serve_options options = plain_options;
    options.origin = VF_STR("");
    assert_int_equal(vf_server_start(&options, &server, NULL), VF_FATAL);
    assert_null(server);
}

static void test_server_drops_slow_clients(void **state)
{
    struct vf_serve_options options = plain_options;
    options.timeout_s = 1;
    struct vf_server *server = start(&options);
    struct vf_buf answer = {0};
    (void)state;
    int silent = open_to(server), trickle = open_to(server);
    assert_true(send(trickle, "GET / HTTP/1.1\r\nX: ", 19, MSG_NOSIGNAL) == 19);
    bool dropped = false;
    for (int i = 0; i < 100 && !dropped; i++) {
        char byte;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        dropped =
            send(trickle, "x", 1, MSG_NOSIGNAL) < 0 || recv(trickle, &byte, 1, MSG_DONTWAIT) == 0;
    }
    assert_true(dropped);
    assert_string_equal(read_all(silent, &answer), "");
    close(silent);
    close(trickle);
    vf_buf_release(&answer);
    vf_server_stop(server);
}

static void test_server_survives_a_crowd(void **state)
{
    struct vf_serve_options options = plain_options;
    options.timeout_s = 1;
    struct vf_server *server = start(&options);
    struct vf_buf answer = {0};
    int fds[200];
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(vf_server_port(server)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        assert_true(connect(fds[i], (const struct sockaddr *)&to, sizeof to) == 0 ||
                    errno == EINPROGRESS);
        send(fds[i], "GET /", 5, MSG_NOSIGNAL);
    }
    ask(server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer);
    assert_true(vf_str_starts(vf_buf_view(&answer), VF_STR("HTTP/1.1 404 ")));
    for (size_t i = 0; i < 200; i++)
        close(fds[i]);
    vf_buf_release(&answer);
    vf_server_stop(server);
}

/* What has sent no whole head is given up for what comes later. */
static void test_server_gives_up_the_oldest(void **state)
{
    struct vf_server *server = start(&plain_options);
    struct vf_buf answer = {0};
    int fds[VF_DOOR_WAITING + 1];
    char byte;
    (void)state;
    for (size_t i = 0; i <= VF_DOOR_WAITING; i++) {
        fds[i] = open_to(server);
        send(fds[i], "GET /", 5, MSG_NOSIGNAL);
    }
    ssize_t got = recv(fds[0], &byte, 1, 0);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    const char rest[] = " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_int_equal(send(fds[1], rest, sizeof rest - 1, MSG_NOSIGNAL), sizeof rest - 1);
    assert_true(vf_str_starts(vf_str_from(read_all(fds[1], &answer)), VF_STR("HTTP/1.1 404 ")));
    for (size_t i = 0; i <= VF_DOOR_WAITING; i++)
        close(fds[i]);
    vf_buf_release(&answer);
    vf_server_stop(server);
}

static void test_server_stops_in_the_middle(void **state)
{
    struct vf_serve_options options = plain_options;
    size_t size = (size_t)64 << 20;
    char *zeros = vf_alloc_zeroed(size, 1), request[256], some[16];
    (void)state;
    options.profile = (struct vf_str){zeros, size};
    struct vf_server *server = start(&options);
    int fd = open_to(server);
    int length = snprintf(request, sizeof request,
                          "GET /%s/profile.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
                          vf_server_token(server));
    assert_int_equal(send(fd, request, (size_t)length, MSG_NOSIGNAL), length);
    assert_int_equal(recv(fd, some, sizeof some, MSG_WAITALL), sizeof some);
    vf_server_stop(server);
    close(fd);
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percent_encode),
        cmocka_unit_test(test_profiler_url),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_origin_refused),
        cmocka_unit_test(test_ssh_line),
        cmocka_unit_test(test_browser_open),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_source_not_in_the_profile),
        cmocka_unit_test(test_bad_questions),
        cmocka_unit_test(test_other_questions),
        cmocka_unit_test(test_server_serves),
        cmocka_unit_test(test_server_serves_slabs),
        cmocka_unit_test(test_server_on_one_address),
        cmocka_unit_test(test_server_ports),
        cmocka_unit_test(test_server_options),
        cmocka_unit_test(test_server_drops_slow_clients),
        cmocka_unit_test(test_server_survives_a_crowd),
        cmocka_unit_test(test_server_gives_up_the_oldest),
        cmocka_unit_test(test_server_stops_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

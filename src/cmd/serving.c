#include "cmd/serving.h"

#include "cmd/jit_code.h"
#include "cmd/native_code.h"

#include "serve/browser.h"
#include "serve/server.h"

#include <signal.h>
#include <unistd.h>

static const char DEFAULT_PROFILER[] = "https://profiler.firefox.com";

bool vf_serving_init(struct vf_serving *serving, const struct vf_args *args)
{
    struct vf_error error;
    const char *port = vf_args_get(args, "port"), *url = vf_args_get(args, "profiler-url");
    const char *from = "--profiler-url";
    uint64_t number = 0;
    *serving = (struct vf_serving){.no_open = vf_args_has(args, "no-open")};
    if (port && (!vf_str_to_u64(vf_str_from(port), 10, &number) || number == 0 || number > 65535)) {
        vf_say("--port takes a number from 1 to 65535, not %s", port);
        return false;
    }
    serving->port = (uint16_t)number;
    if (!url) {
        url = getenv("PROFILER_URL");
        from = "$PROFILER_URL";
    }
    if (!url || !*url)
        url = DEFAULT_PROFILER;
    serving->profiler_url = url;
    if (vf_origin_of_url(vf_str_from(url), &serving->origin, &error) == VF_FATAL) {
        vf_say_error(from, &error, 0);
        return false;
    }
    return true;
}

bool vf_serving_can(const struct vf_serving *serving)
{
    struct vf_error error;
    if (!serving->port || vf_server_try_port(serving->port, &error) == VF_OK)
        return true;
    vf_say_error(NULL, &error, 0);
    return false;
}

struct vf_format vf_served_format(void)
{
    const char *connection = getenv("SSH_CONNECTION");
    return (struct vf_format){.slabs = true, .gzip = connection && *connection};
}

/* Over SSH the browser is on another machine: the line that brings the port there. */
static bool print_ssh_line(uint16_t port, FILE *to)
{
    struct vf_buf line = {0};
    char host[256] = "";
    const char *connection = getenv("SSH_CONNECTION"), *user = getenv("USER");
    if (!connection || !*connection)
        return false;
    gethostname(host, sizeof host - 1);
    bool made =
        vf_ssh_line(&line, vf_str_from(connection), vf_str_from(user), vf_str_from(host), port);
    if (made)
        fprintf(to,
                "On your own machine run\n  %.*s\nand open the URL there. Ctrl-C here ends it.\n",
                VF_STR_ARG(vf_buf_view(&line)));
    vf_buf_release(&line);
    return made;
}

static void open_browser(const struct vf_serving *serving, const char *url, uint16_t port, FILE *to)
{
    struct vf_error error;
    const char *browser = getenv("BROWSER");
    bool screen = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    if (print_ssh_line(port, to))
        return;
    fprintf(to, "Ctrl-C ends it.\n");
    fflush(to);
    if (serving->no_open || (!screen && !(browser && *browser)))
        return;
    if (vf_browser_open(url, browser && *browser ? browser : NULL, &error) == VF_FATAL)
        vf_say_error("no browser was opened", &error, 0);
}

static void wait_for_signal(const sigset_t *signals)
{
    int got;
    sigwait(signals, &got);
}

/* Where code questions go. */
struct answers {
    const struct vf_input *input;
    struct vf_native_code native;
};

static bool answer_assembly(const void *context, const struct vf_serve_function *function,
                            struct vf_buf *out)
{
    const struct answers *answers = context;
    return vf_jit_answer_assembly(answers->input, function, out) ||
           vf_native_code_assembly(&answers->native, function, out);
}

int vf_serving_run(const struct vf_serving *serving, struct vf_input *input, struct vf_str finished,
                   struct vf_format format, FILE *to)
{
    char name[32];
    snprintf(name, sizeof name, "profile%s", vf_format_ending(format));
    struct vf_error error;
    struct vf_server *server;
    VF_VEC(struct vf_serve_source) sources = {0};
    const struct vf_funcs *funcs = &input->profile.funcs;
    for (size_t i = 0; i < funcs->sources.len; i++)
        if (funcs->sources.items[i].text.ptr)
            VF_APPEND(&sources,
                      ((struct vf_serve_source){
                          vf_strings_get(&input->profile.strings, funcs->sources.items[i].path),
                          funcs->sources.items[i].text}));
    struct answers answers = {.input = input};
    vf_native_code_init(&answers.native, input);
    struct vf_serve_options options = {.port = serving->port,
                                       .origin = vf_buf_view(&serving->origin),
                                       .profile = finished,
                                       .file_name = vf_str_from(name),
                                       .api = {.sources = sources.items,
                                               .source_count = sources.len,
                                               .assembly = answer_assembly,
                                               .assembly_context = &answers,
                                               .library = vf_native_code_library,
                                               .find = vf_native_code_find,
                                               .native_source = vf_native_code_source,
                                               .symbols_context = &answers.native}};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (vf_server_start(&options, &server, &error) == VF_FATAL) {
        free(sources.items);
        vf_native_code_release(&answers.native);
        return vf_say_error(NULL, &error, VF_EXIT_INPUT);
    }
    if (serving->started)
        serving->started(serving->context);
    struct vf_buf url = {0};
    vf_profiler_url(&url, vf_str_from(serving->profiler_url), vf_server_port(server),
                    vf_str_from(vf_server_token(server)), vf_str_from(name));
    vf_buf_add(&url, "", 1);
    fprintf(to, "%s\n", url.ptr);
    open_browser(serving, url.ptr, vf_server_port(server), to);
    fflush(to);
    wait_for_signal(&signals);
    vf_server_stop(server);
    vf_buf_release(&url);
    free(sources.items);
    vf_native_code_release(&answers.native);
    return VF_EXIT_OK;
}

void vf_serving_release(struct vf_serving *serving)
{
    vf_buf_release(&serving->origin);
}

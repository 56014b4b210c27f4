#include "serve/browser.h"

#include "base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct argv {
    char **items; /* NULL at the end once finished */
    size_t len, cap;
};

static void argv_release(struct argv *argv)
{
    for (size_t i = 0; i < argv->len; i++)
        free(argv->items[i]);
    free(argv->items);
}

/* The word with every %s replaced; true when there was one. */
static bool add_word(struct argv *argv, struct vf_str word, struct vf_str url)
{
    struct vf_buf text = {0};
    bool replaced = false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '%' && i + 1 < word.len && word.ptr[i + 1] == 's') {
            vf_buf_str(&text, url);
            replaced = true;
            i++;
        } else {
            vf_buf_add(&text, &word.ptr[i], 1);
        }
    }
    VF_APPEND(argv, vf_strdup(vf_buf_view(&text)));
    vf_buf_release(&text);
    return replaced;
}

static void make_argv(struct argv *argv, const char *command, struct vf_str url)
{
    struct vf_str entries = vf_str_from(command);
    struct vf_str entry = vf_str_cut(&entries, ':');
    bool has_url = false;
    while (entry.len > 0) {
        struct vf_str word = vf_str_cut(&entry, ' ');
        /* A trailing "&" is how some write that the program stays in the foreground. */
        if (word.len > 0 && !(vf_str_eq(word, VF_STR("&")) && entry.len == 0))
            has_url |= add_word(argv, word, url);
    }
    if (argv->len == 0)
        VF_APPEND(argv, vf_strdup(VF_STR("xdg-open")));
    if (!has_url)
        VF_APPEND(argv, vf_strdup(url));
    VF_APPEND(argv, NULL);
}

/* Only what is safe between fork() and exec() in a program with threads. */

static void close_files_on_exec(void)
{
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    /* Kernels before 5.11. */
    long limit = sysconf(_SC_OPEN_MAX);
    if (limit < 0 || limit > 65536)
        limit = 65536;
    for (int fd = 3; fd < limit; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void reset_signals(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD};
    sigset_t none;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void report(int fd, int failure)
{
    while (write(fd, &failure, sizeof failure) < 0 && errno == EINTR)
        continue;
}

static _Noreturn void run_browser(char *const *argv, int report_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2) {
        reset_signals();
        close_files_on_exec();
        vf_descriptors_give_back();
        execvp(argv[0], argv);
    }
    report(report_fd, errno);
    _exit(127);
}

static _Noreturn void run_parent_of_browser(char *const *argv, int report_fd)
{
    setsid();
    pid_t pid = fork();
    if (pid == 0)
        run_browser(argv, report_fd);
    if (pid < 0)
        report(report_fd, errno);
    _exit(0);
}

/* 0, or the errno of what failed.  The browser's parent is a process that is gone at once, so
 * nobody here has to wait for the browser. */
static int spawn_detached(char *const *argv)
{
    int ends[2], failure = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    pid_t pid = fork();
    if (pid == 0)
        run_parent_of_browser(argv, ends[1]);
    if (pid < 0)
        failure = errno;
    close(ends[1]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    /* exec() closes the other end: nothing to read means that it worked. */
    if (pid > 0)
        while (read(ends[0], &failure, sizeof failure) < 0 && errno == EINTR)
            continue;
    close(ends[0]);
    return failure;
}

enum vf_status vf_browser_open(const char *url, const char *command, struct vf_error *error)
{
    enum vf_status status = VF_OK;
    struct argv argv = {0};
    struct vf_str text = vf_str_from(url);
    if (!vf_str_starts(text, VF_STR("http://")) && !vf_str_starts(text, VF_STR("https://")))
        return vf_fail(error, "expected an http or https URL to open");
    make_argv(&argv, command, text);
    int failure = spawn_detached(argv.items);
    if (failure == ENOENT)
        status = vf_fail(error, "found no program %s to open a browser with", argv.items[0]);
    else if (failure != 0)
        status = vf_fail_errno(error, failure, "can't start %s", argv.items[0]);
    argv_release(&argv);
    return status;
}

#include "cmd/pager.h"

#include "base/descriptors.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const codes[] = {
    [VF_COLOR_PLAIN] = "",       [VF_COLOR_TITLE] = "\033[1m",  [VF_COLOR_SOURCE] = "\033[36m",
    [VF_COLOR_DIM] = "\033[90m", [VF_COLOR_HOT] = "\033[1;31m", [VF_COLOR_GUARD] = "\033[33m"};

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

void vf_page_init(struct vf_page *page)
{
    const char *term = getenv("TERM");
    *page = (struct vf_page){0};
    page->colors =
        isatty(STDOUT_FILENO) && !is_set("NO_COLOR") && term && *term && strcmp(term, "dumb") != 0;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* The character of UTF-8 that `text` begins with, and its length; 0: it is none. */
static size_t decode(struct vf_str text, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] >= 0xf8 || (p[0] >= 0x80 && p[0] < 0xc0) || len > text.len)
        return 0;
    *character = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (p[i] & 0x3f);
    }
    bool good = *character >= least[len] && *character <= 0x10ffff &&
                (*character < 0xd800 || *character > 0xdfff);
    return good ? len : 0;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Marks and separators by which a text can look like another one. */
static bool is_deceptive(uint32_t c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

void vf_page_safe(struct vf_buf *out, struct vf_str text)
{
    while (text.len) {
        uint32_t c = 0;
        size_t len = decode(text, &c);
        if (len == 0)
            vf_buf_printf(out, "\\x%02x", (unsigned char)text.ptr[0]);
        else if (c == '\t')
            vf_buf_add(out, " ", 1);
        else if (is_control(c))
            vf_buf_printf(out, "\\x%02x", c);
        else if (is_deceptive(c))
            vf_buf_printf(out, "\\u%04x", c);
        else
            vf_buf_add(out, text.ptr, len);
        len += len == 0;
        text = (struct vf_str){text.ptr + len, text.len - len};
    }
}

void vf_page_add(struct vf_page *page, enum vf_color color, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bool colored = page->colors && color != VF_COLOR_PLAIN, cut = len >= (int)sizeof text;
    struct vf_str shown = {text, strlen(text)};
    while (cut && shown.len && ((unsigned char)shown.ptr[shown.len - 1] & 0xc0) == 0x80)
        shown.len--;
    if (cut && shown.len && (unsigned char)shown.ptr[shown.len - 1] >= 0xc0)
        shown.len--;
    if (colored)
        vf_buf_str(&page->text, vf_str_from(codes[color]));
    vf_page_safe(&page->text, shown);
    if (cut)
        vf_buf_str(&page->text, VF_STR("..."));
    if (colored)
        vf_buf_str(&page->text, VF_STR("\033[0m"));
}

void vf_page_newline(struct vf_page *page)
{
    while (page->text.len && page->text.ptr[page->text.len - 1] == ' ')
        page->text.len--;
    vf_buf_add(&page->text, "\n", 1);
}

/* ---- out ------------------------------------------------------------------------------------- */

static size_t count_lines(struct vf_str text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

static bool needs_pager(const struct vf_page *page)
{
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
           size.ws_row > 0 && count_lines(vf_buf_view(&page->text)) >= size.ws_row;
}

/* All of it, or errno. */
static bool write_all(int fd, struct vf_str text)
{
    while (text.len) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text = (struct vf_str){text.ptr + n, text.len - (size_t)n};
    }
    return true;
}

static const char *find_pager(void)
{
    const char *pager = getenv("VMFOX_PAGER");
    if (!pager)
        pager = getenv("PAGER");
    if (!pager)
        pager = "less -FRX";
    return *pager && strcmp(pager, "cat") != 0 ? pager : NULL;
}

static pid_t start_pager(const char *pager, int fds[2])
{
    if (pipe(fds) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        dup2(fds[0], STDIN_FILENO);
        close(fds[0]);
        close(fds[1]);
        vf_descriptors_give_back();
        execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
        _exit(127);
    }
    close(fds[0]);
    if (child < 0)
        close(fds[1]);
    return child;
}

/* False: there is no such pager, nothing was shown.  Ctrl-C is the pager's, which may go on. */
static bool show_in_pager(const char *pager, struct vf_str text)
{
    enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 };
    int fds[2], status = 0;
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    pid_t child = start_pager(pager, fds);
    if (child > 0) {
        write_all(fds[1], text); /* whoever leaves the pager early has seen enough */
        close(fds[1]);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    return child > 0 && !(WIFEXITED(status) && (WEXITSTATUS(status) == NOT_EXECUTABLE ||
                                                WEXITSTATUS(status) == NOT_FOUND));
}

bool vf_page_show(struct vf_page *page)
{
    const char *pager = needs_pager(page) ? find_pager() : NULL;
    struct vf_str text = vf_buf_view(&page->text);
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    bool good = (pager && show_in_pager(pager, text)) || write_all(STDOUT_FILENO, text);
    int why = errno;
    vf_buf_release(&page->text);
    errno = why;
    return good || why == EPIPE;
}

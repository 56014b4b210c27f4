#include "cmd/pager.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
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

void vf_page_add(struct vf_page *page, enum vf_color color, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    bool colored = page->colors && color != VF_COLOR_PLAIN;
    vf_buf_printf(&page->text, "%s%s%s", colored ? codes[color] : "", text,
                  colored ? "\033[0m" : "");
}

void vf_page_newline(struct vf_page *page)
{
    while (page->text.len && page->text.ptr[page->text.len - 1] == ' ')
        page->text.len--;
    vf_buf_add(&page->text, "\n", 1);
}

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

static FILE *open_pager(void)
{
    const char *pager = getenv("VMFOX_PAGER");
    if (!pager)
        pager = getenv("PAGER");
    if (!pager)
        pager = "less -FRX";
    return *pager && strcmp(pager, "cat") != 0 ? popen(pager, "w") : NULL;
}

bool vf_page_show(struct vf_page *page)
{
    signal(SIGPIPE, SIG_IGN);
    FILE *pager = needs_pager(page) ? open_pager() : NULL, *to = pager ? pager : stdout;
    bool good =
        fwrite(page->text.ptr ? page->text.ptr : "", 1, page->text.len, to) == page->text.len &&
        fflush(to) == 0;
    int why = errno;
    if (pager)
        pclose(pager);
    vf_buf_release(&page->text);
    return good || why == EPIPE || pager;
}

#include "capture/pypylog.h"

void vf_pypylog_open(struct vf_pypylog *log, struct vf_str bytes)
{
    const char *at = bytes.len ? bytes.ptr : "";
    *log = (struct vf_pypylog){.at = at, .end = at + bytes.len};
}

/* `ESC [ ... m` at the beginning of a line: what PyPy writes to a terminal. */
static const char *skip_colours(const char *p, const char *end)
{
    while (end - p >= 3 && p[0] == '\033' && p[1] == '[') {
        const char *q = p + 2;
        while (q < end && ((*q >= '0' && *q <= '9') || *q == ';'))
            q++;
        if (q == end || *q != 'm')
            break;
        p = q + 1;
    }
    return p;
}

/* The digit and 1; 0: it is none.  A table, as branches on digits of a counter are never foreseen:
 * that is half of the time that reading a log takes. */
static const unsigned char hex_digits[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* Reads `[hex] {name` or `[hex] name}`; false: it is text. */
static bool read_bracket(const char *p, const char *end, struct vf_log_event *event)
{
    enum { DIGITS_MAX = 16 };
    uint64_t stamp = 0;
    const char *digits = ++p;
    unsigned digit;
    while (p < end && (digit = hex_digits[(unsigned char)*p]) != 0) {
        stamp = stamp << 4 | (digit - 1);
        p++;
    }
    /* "] ", a brace and a letter. */
    if (p == digits || p - digits > DIGITS_MAX || end - p < 4 || p[0] != ']' || p[1] != ' ')
        return false;
    p += 2;
    if (p[0] == '{') {
        event->type = VF_LOG_START;
        event->text = (struct vf_str){p + 1, (size_t)(end - p - 1)};
    } else if (end[-1] == '}') {
        event->type = VF_LOG_STOP;
        event->text = (struct vf_str){p, (size_t)(end - p - 1)};
    } else {
        return false;
    }
    event->stamp = stamp;
    return true;
}

bool vf_pypylog_next(struct vf_pypylog *log, struct vf_log_event *event)
{
    const char *p = log->at, *end;
    if (p >= log->end)
        return false;
    const char *newline = memchr(p, '\n', (size_t)(log->end - p));
    end = newline ? newline : log->end;
    log->at = newline ? newline + 1 : log->end;
    log->line++;
    if (p < end && *p == '\033')
        p = skip_colours(p, end);
    if (p < end && end[-1] == '\r')
        end--;
    *event = (struct vf_log_event){.line = log->line};
    if (p == end || *p != '[' || !read_bracket(p, end, event)) {
        event->type = VF_LOG_TEXT;
        event->text = (struct vf_str){p, (size_t)(end - p)};
    }
    /* Only the brace at its end says that a line without a newline is whole. */
    if (!newline && event->type != VF_LOG_STOP) {
        if (p == end) /* nothing but the colour code behind the last line */
            return false;
        log->half_line = log->line;
        return false;
    }
    return true;
}

bool vf_pypylog_sniff(struct vf_str bytes)
{
    enum { LOOK = 100 };
    struct vf_pypylog log;
    struct vf_log_event event;
    vf_pypylog_open(&log, bytes);
    for (int i = 0; i < LOOK && vf_pypylog_next(&log, &event); i++)
        if (event.type == VF_LOG_START)
            return true;
    return false;
}

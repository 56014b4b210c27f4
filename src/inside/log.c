/* PyPy's runtime log (PYPYLOG).
 *
 * PyPy reads the variable and opens the file that it names before any code of ours runs, and what
 * runs between may close that descriptor and open a file of its own under the number.  So there is
 * none: the file can't be opened, for which PyPy takes its standard error, and no section has the
 * name that is set (record/child.c).  PyPy keeps that name in a variable of its own, where the
 * sections that are wanted are put in its place, and the stream in one that it exports, where one
 * comes that writes into the ring.
 *
 * A forked child closes the stream and opens what the variable names then, or writes to its
 * standard error where there is none: there it is given a stream that forgets.
 *
 * A minor collection prints seven lines and flushes twice, which by the C library's streams takes
 * longer than a small one itself.  So PyPy's calls of fprintf, fwrite, fputs and fflush are led to
 * here, and what is for our stream is put into a buffer of ours as the words of log_words.h.  The
 * stream itself, without a buffer, is for what is printed in a way that is not known here. */
#include "inside/inside.h"
#include "inside/log_words.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* One call of TIMED_EACH is timed: of a number that no order of lines comes in step with. */
enum { BUFFER_BYTES = 1 << 16, TIMED_EACH = 17, LONGEST_NAME = 1000 };

static const char NOWHERE[] = "vmfox:/nowhere";
static char nowhere_setting[] = "none:vmfox:/nowhere";

static const char *const names[VF_LOG_NAME_COUNT] = VF_LOG_NAMES;
static const char *const lines[VF_LOG_LINE_COUNT] = VF_LOG_LINES;

static struct {
    FILE *stream; /* ours, in the recorded process */
    bool busy;    /* it is in the buffer: by PyPy's own lock one thread at a time */
    bool in_text; /* the last word is a text */
    bool waits;   /* what was said last is followed by more of the same section */
    size_t used;
    size_t text_at, text_len;   /* the last text; 0 bytes: there is none */
    uint64_t calls, look_ticks; /* look_ticks: what looking at the counter takes */
    struct inside_meter timed;
    const char *formats[1 + VF_LOG_LINE_COUNT]; /* PyPy's own, once seen */
    char bytes[BUFFER_BYTES];
} text_log;

/* ---- into the ring --------------------------------------------------------------------------- */

static void put_buffer(void)
{
    if (text_log.used > 0) {
        inside_put(VF_RING_PYPYLOG, text_log.bytes, text_log.used, NULL, 0);
        inside_jitlog_hear(text_log.bytes + text_log.text_at, text_log.text_len);
    }
    text_log.used = text_log.text_len = 0;
    text_log.in_text = false;
}

/* Text that the buffer does not take. */
static void put_text(const char *bytes, size_t len)
{
    char head[VF_LOG_WORD_TEXT_HEAD] = {VF_LOG_WORD_TEXT};
    uint32_t count;
    for (; len > 0; bytes += count, len -= count) {
        count = len < BUFFER_BYTES ? (uint32_t)len : BUFFER_BYTES;
        memcpy(head + 1, &count, sizeof count);
        inside_put(VF_RING_PYPYLOG, head, sizeof head, bytes, count);
        inside_jitlog_hear(bytes, count);
    }
}

static bool enter(void)
{
    bool is_free = !__atomic_load_n(&text_log.busy, __ATOMIC_RELAXED);
    __atomic_store_n(&text_log.busy, true, __ATOMIC_RELAXED);
    return is_free;
}

static void leave(void)
{
    __atomic_store_n(&text_log.busy, false, __ATOMIC_RELAXED);
}

/* ---- what it costs --------------------------------------------------------------------------- */

static uint64_t begin_timed(void)
{
    return text_log.calls++ % TIMED_EACH == 0 ? inside_ticks() : 0;
}

static void end_timed(uint64_t begin)
{
    struct vf_ring *ring = inside.ring;
    if (begin == 0 || !ring)
        return;
    uint64_t took = inside_ticks() - begin;
    inside_meter_add(&text_log.timed, took > text_log.look_ticks ? took - text_log.look_ticks : 0);
    __atomic_store_n(&ring->pypylog_ns,
                     (uint64_t)(inside_meter_ns(&text_log.timed) * (double)TIMED_EACH),
                     __ATOMIC_RELAXED);
}

static void begin_costs(void)
{
    inside_meter_begin(&text_log.timed);
    text_log.look_ticks = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t before = inside_ticks(), ticks = inside_ticks() - before;
        text_log.look_ticks = ticks < text_log.look_ticks ? ticks : text_log.look_ticks;
    }
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool is_line_end(const char *format, int line)
{
    return line == VF_LOG_LINE_TIME ? strcmp(format, "%f\n") == 0
                                    : strcmp(format, "%ld\n") == 0 || strcmp(format, "%lu\n") == 0;
}

/* Which of `formats` it is: 0 that of a section, 1 and more a line's; -1: another. */
static int find_format(const char *format)
{
    static const char section[] = "%s[%llx] %s%s%s\n%s";
    for (int i = 0; i < 1 + VF_LOG_LINE_COUNT; i++)
        if (text_log.formats[i] == format)
            return i;
    if (!text_log.formats[0] && strcmp(format, section) == 0) {
        text_log.formats[0] = format;
        return 0;
    }
    for (int i = 0; i < VF_LOG_LINE_COUNT; i++) {
        size_t len = strlen(lines[i]);
        if (!text_log.formats[1 + i] && strncmp(format, lines[i], len) == 0 &&
            is_line_end(format + len, i)) {
            text_log.formats[1 + i] = format;
            return 1 + i;
        }
    }
    return -1;
}

static bool add_word(enum vf_log_word word, int which, uint64_t value)
{
    char *at = text_log.bytes + text_log.used;
    if (text_log.used + VF_LOG_WORD_BYTES > BUFFER_BYTES)
        return false;
    at[0] = (char)word;
    at[1] = (char)which;
    memcpy(at + 2, &value, sizeof value);
    text_log.used += VF_LOG_WORD_BYTES;
    text_log.in_text = false;
    return true;
}

static int find_name(const char *name)
{
    for (int i = 0; i < VF_LOG_NAME_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool add_line(int which, va_list *words)
{
    uint64_t value;
    if (which == VF_LOG_LINE_TIME) {
        double real = va_arg(*words, double);
        memcpy(&value, &real, sizeof value);
    } else {
        value = va_arg(*words, unsigned long);
        if (value > INT64_MAX)
            return false;
    }
    return add_word(VF_LOG_WORD_NUMBER, which, value);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Room for text that goes on where text was last; NULL: there are no `least` bytes of it. */
static char *text_room(size_t least)
{
    size_t head = text_log.in_text ? 0 : VF_LOG_WORD_TEXT_HEAD;
    if (text_log.used + head + least > BUFFER_BYTES)
        return NULL;
    return text_log.bytes + text_log.used + head;
}

static void text_added(size_t len)
{
    if (!text_log.in_text) {
        text_log.bytes[text_log.used] = VF_LOG_WORD_TEXT;
        text_log.used += VF_LOG_WORD_TEXT_HEAD;
        text_log.text_at = text_log.used;
        text_log.text_len = 0;
    }
    text_log.in_text = true;
    text_log.used += len;
    text_log.text_len += len;
    uint32_t all = (uint32_t)text_log.text_len;
    memcpy(text_log.bytes + text_log.text_at - sizeof all, &all, sizeof all);
}

static void add_text(const char *bytes, size_t len)
{
    char *room = text_room(len);
    text_log.waits = false;
    if (room) {
        memcpy(room, bytes, len);
        text_added(len);
    } else {
        put_buffer();
        put_text(bytes, len);
    }
}

/* Where the buffer is too small it goes through the stream. */
__attribute__((format(printf, 2, 0))) static void print_text(FILE *file, const char *format,
                                                             va_list words)
{
    char *room = text_room(1);
    va_list again;
    va_copy(again, words);
    size_t space = room ? (size_t)(text_log.bytes + BUFFER_BYTES - room) : 0;
    int len = room ? vsnprintf(room, space, format, words) : -1;
    if (len >= 0 && (size_t)len < space) {
        text_added((size_t)len);
    } else {
        put_buffer();
        vfprintf(file, format, again);
    }
    va_end(again);
}

__attribute__((format(printf, 2, 3))) static void print_words(FILE *file, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    print_text(file, format, words);
    va_end(words);
}

/* color, stamp, "{" or "", name, "" or "}", color.  PyPy has colors where its standard error is a
 * terminal; they are left out. */
static void print_section(FILE *file, va_list *words)
{
    (void)va_arg(*words, const char *);
    unsigned long long stamp = va_arg(*words, unsigned long long);
    const char *before = va_arg(*words, const char *), *name = va_arg(*words, const char *);
    const char *behind = va_arg(*words, const char *);
    int which = find_name(name);
    if (which >= 0 && !before[0] != !behind[0] &&
        add_word(*before ? VF_LOG_WORD_OPEN : VF_LOG_WORD_CLOSE, which, stamp)) {
        text_log.waits = which == VF_LOG_NAME_WALKROOTS;
        return;
    }
    print_words(file, "[%llx] %s%s%s\n", stamp, before, name, behind);
}

/* ---- PyPy's calls ---------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void print(FILE *file, const char *format,
                                                        va_list *words, va_list again)
{
    uint64_t begin = begin_timed();
    int which = find_format(format);
    text_log.waits = false;
    if (which == 0)
        print_section(file, words);
    else if (which < 0 || !add_line(which - 1, words))
        print_text(file, format, again);
    end_timed(begin);
}

__attribute__((format(printf, 2, 0))) static int print_or_pass(FILE *file, const char *format,
                                                               va_list *words)
{
    va_list again;
    int done = 0; /* PyPy looks at no result of its log's */
    va_copy(again, *words);
    if (file != text_log.stream || !file || !enter()) {
        done = vfprintf(file, format, again);
    } else {
        print(file, format, words, again);
        leave();
    }
    va_end(again);
    return done;
}

int inside_fprintf(FILE *file, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    int done = print_or_pass(file, format, &words);
    va_end(words);
    return done;
}

/* What fprintf becomes where a program is built with _FORTIFY_SOURCE. */
int inside_fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    (void)flag;
    int done = print_or_pass(file, format, &words);
    va_end(words);
    return done;
}

static bool take_text(FILE *file, const char *bytes, size_t len)
{
    if (file != text_log.stream || !file || !enter())
        return false;
    uint64_t begin = begin_timed();
    add_text(bytes, len);
    end_timed(begin);
    leave();
    return true;
}

size_t inside_fwrite(const void *bytes, size_t size, size_t count, FILE *file)
{
    return take_text(file, bytes, size * count) ? count : fwrite(bytes, size, count, file);
}

int inside_fputs(const char *text, FILE *file)
{
    return take_text(file, text, strlen(text)) ? 1 : fputs(text, file);
}

/* PyPy flushes where a section ends. */
int inside_fflush(FILE *file)
{
    if (file != text_log.stream || !file || !enter())
        return fflush(file);
    uint64_t begin = begin_timed();
    if (!text_log.waits)
        put_buffer();
    end_timed(begin);
    leave();
    return 0;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static ssize_t write_log(void *cookie, const char *bytes, size_t len)
{
    (void)cookie;
    put_text(bytes, len);
    return (ssize_t)len;
}

static ssize_t forget(void *cookie, const char *bytes, size_t len)
{
    (void)cookie, (void)bytes;
    return (ssize_t)len;
}

/* ---- PyPy's variables ------------------------------------------------------------------------ */

/* Whether `text` is the name that was set: vmfox and then dashes, `len` in all.  It may be
 * anything: the kernel reads it. */
static bool is_name_set(uintptr_t text, size_t len)
{
    static const char begin[] = "vmfox";
    char bytes[LONGEST_NAME + 1];
    struct iovec to = {bytes, len + 1}, from = {(void *)text, len + 1};
    if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)(len + 1))
        return false;
    return memcmp(bytes, begin, strlen(begin)) == 0 && bytes[len] == 0 &&
           strspn(bytes + strlen(begin), "-") == len - strlen(begin);
}

/* The nearest pointer to that name, seen from `near`, in the part of the object that begins as
 * zeros. */
static char *find_name_set(const struct inside_object *object, const void *near, size_t len)
{
    uintptr_t begin = object->zeroed, end = object->zeroed_end & ~(uintptr_t)7;
    uintptr_t middle = (uintptr_t)near & ~(uintptr_t)7;
    for (uintptr_t away = 0; away < end - begin; away += 8)
        for (int side = 0; side < 2; side++) {
            uintptr_t at = side ? middle + away : middle - away;
            if (at < begin || at >= end)
                continue;
            uintptr_t text = *(const uintptr_t *)at;
            if (text >= 4096 && is_name_set(text, len))
                return (char *)text;
        }
    return NULL;
}

bool inside_log_take(const struct inside_object *object, const char *sections)
{
    size_t len = strlen(sections);
    FILE **file = inside_object_symbol(object, "pypy_debug_file");
    char *name = file && len <= LONGEST_NAME ? find_name_set(object, file, len) : NULL;
    FILE *ours = name ? fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_log}) : NULL;
    if (!ours)
        return false;
    setvbuf(ours, NULL, _IONBF, 0);
    begin_costs();
    text_log.stream = ours;
    *file = ours;
    memcpy(name, sections, len);
    inside.log_taken = true;
    return true;
}

/* What was not flushed yet, where the program ends by exit(). */
__attribute__((destructor)) static void put_rest(void)
{
    if (text_log.stream && enter())
        put_buffer();
}

/* A child writes nothing into the ring. */
void inside_log_forget(void)
{
    text_log.stream = NULL;
    text_log.used = 0;
    text_log.in_text = text_log.busy = false;
}

char *inside_getenv(const char *name)
{
    char *value = getenv(name);
    return inside.forked && !value && strcmp(name, "PYPYLOG") == 0 ? nowhere_setting : value;
}

FILE *inside_fopen(const char *path, const char *mode)
{
    if (inside.forked && strcmp(path, NOWHERE) == 0)
        return fopencookie(NULL, "w", (cookie_io_functions_t){.write = forget});
    return fopen(path, mode);
}

#include "base/buf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void vf_buf_release(struct vf_buf *buf)
{
    free(buf->ptr);
    *buf = (struct vf_buf){0};
}

char *vf_buf_grow(struct vf_buf *buf, size_t more)
{
    if (buf->drain && buf->len)
        buf->drain(buf->drain_context, buf);
    if (more > PTRDIFF_MAX - buf->len)
        vf_oom(more);
    size_t need = buf->len + more;
    if (need > buf->cap || !buf->ptr) {
        size_t cap = buf->cap ? buf->cap : 256;
        while (cap < need)
            cap = cap > PTRDIFF_MAX / 2 ? need : cap * 2;
        buf->ptr = vf_realloc(buf->ptr, cap, 1);
        vf_large_pages(buf->ptr, cap);
        buf->cap = cap;
    }
    return buf->ptr + buf->len;
}

void vf_buf_str(struct vf_buf *buf, struct vf_str text)
{
    vf_buf_add(buf, text.ptr, text.len);
}

void vf_buf_printf(struct vf_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        vsnprintf(vf_buf_reserve(buf, (size_t)length + 1), (size_t)length + 1, format, again);
        buf->len += (size_t)length;
    }
    va_end(again);
}

bool vf_is_shell_word(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_@%+=:,./-";
    return *word && word[strspn(word, plain)] == 0;
}

void vf_buf_shell_word(struct vf_buf *buf, const char *word)
{
    if (vf_is_shell_word(word)) {
        vf_buf_add(buf, word, strlen(word));
        return;
    }
    vf_buf_add(buf, "'", 1);
    for (; *word; word++)
        if (*word == '\'')
            vf_buf_add(buf, "'\\''", 4);
        else
            vf_buf_add(buf, word, 1);
    vf_buf_add(buf, "'", 1);
}

void vf_buf_count(struct vf_buf *buf, uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            vf_buf_add(buf, ",", 1);
        vf_buf_add(buf, &digits[i], 1);
    }
}

static void comma(struct vf_json *json)
{
    if (json->comma)
        vf_buf_add(json->out, ",", 1);
    json->comma = true;
}

void vf_json_begin(struct vf_json *json, char bracket)
{
    comma(json);
    vf_buf_add(json->out, &bracket, 1);
    json->comma = false;
}

void vf_json_end(struct vf_json *json, char bracket)
{
    vf_buf_add(json->out, &bracket, 1);
    json->comma = true;
}

void vf_json_key(struct vf_json *json, const char *key)
{
    comma(json);
    vf_buf_add(json->out, "\"", 1);
    vf_buf_add(json->out, key, strlen(key));
    vf_buf_add(json->out, "\":", 2);
    json->comma = false;
}

/* The length of the well-formed UTF-8 sequence at `p` (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF), 0 when there is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    size_t length;
    unsigned char low = 0x80, high = 0xBF;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        length = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        length = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        length = 4;
    else
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    if (left < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

static void escape_char(struct vf_buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        vf_buf_add(out, "\\\"", 2);
        break;
    case '\\':
        vf_buf_add(out, "\\\\", 2);
        break;
    case '\n':
        vf_buf_add(out, "\\n", 2);
        break;
    case '\t':
        vf_buf_add(out, "\\t", 2);
        break;
    case '\r':
        vf_buf_add(out, "\\r", 2);
        break;
    default:
        vf_buf_printf(out, "\\u%04x", c);
    }
}

void vf_json_str(struct vf_json *json, struct vf_str text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t start = 0, i = 0;
    comma(json);
    vf_buf_add(json->out, "\"", 1);
    while (i < text.len) {
        unsigned char c = p[i];
        size_t length = c < 0x80 ? 1 : utf8_length(p + i, text.len - i);
        if (length > 1 || (length == 1 && c >= 0x20 && c != '"' && c != '\\')) {
            i += length;
            continue;
        }
        vf_buf_add(json->out, p + start, i - start);
        if (length == 0)
            vf_buf_add(json->out, "\xEF\xBF\xBD", 3);
        else
            escape_char(json->out, c);
        start = ++i;
    }
    if (text.len)
        vf_buf_add(json->out, p + start, i - start);
    vf_buf_add(json->out, "\"", 1);
}

static const char two_digits[] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";

/* So many digits has the number at most that one with so many bits has; and one less below the
 * power of ten. */
static unsigned count_digits(uint64_t value)
{
    static const uint64_t powers[20] = {0,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        10000000000,
                                        100000000000,
                                        1000000000000,
                                        10000000000000,
                                        100000000000000,
                                        1000000000000000,
                                        10000000000000000,
                                        100000000000000000,
                                        1000000000000000000,
                                        10000000000000000000u};
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned most = bits * 1233 >> 12; /* log10(2) is 1233 / 4096, near enough up to 64 bits */
    return most + (value >= powers[most]);
}

/* Writes exactly `count` digits at `to`. */
static void put_digits(char *to, uint64_t value, unsigned count)
{
    while (count >= 2) {
        count -= 2;
        memcpy(to + count, two_digits + value % 100 * 2, 2);
        value /= 100;
    }
    if (count)
        *to = (char)('0' + value);
}

void vf_json_text_key(struct vf_json *json, struct vf_str key)
{
    vf_json_str(json, key);
    vf_buf_add(json->out, ":", 1);
    json->comma = false;
}

void vf_buf_uint(struct vf_buf *buf, uint64_t value)
{
    unsigned count = count_digits(value);
    put_digits(vf_buf_reserve(buf, 20), value, count);
    buf->len += count;
}

void vf_json_uint(struct vf_json *json, uint64_t value)
{
    unsigned count = count_digits(value);
    char *to = vf_buf_reserve(json->out, 21);
    *to = ',';
    to += json->comma;
    put_digits(to, value, count);
    json->out->len += count + json->comma;
    json->comma = true;
}

/* A number with `fraction` millionths. */
static void put_number(struct vf_json *json, bool negative, uint64_t whole, uint64_t fraction)
{
    unsigned count = count_digits(whole);
    char *start = vf_buf_reserve(json->out, 32), *to = start;
    *to = ',';
    to += json->comma;
    *to = '-';
    to += negative;
    put_digits(to, whole, count);
    to += count;
    if (fraction) {
        *to = '.';
        put_digits(to + 1, fraction, 6);
        to += 7;
        while (to[-1] == '0')
            to--;
    }
    json->out->len += (size_t)(to - start);
    json->comma = true;
}

void vf_json_ms(struct vf_json *json, int64_t ns)
{
    uint64_t all = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    put_number(json, ns < 0, all / 1000000, all % 1000000);
}

void vf_json_int(struct vf_json *json, int64_t value)
{
    if (value >= 0) {
        vf_json_uint(json, (uint64_t)value);
        return;
    }
    comma(json);
    vf_buf_add(json->out, "-", 1);
    json->comma = false;
    vf_json_uint(json, 0 - (uint64_t)value);
}

void vf_json_bool(struct vf_json *json, bool value)
{
    comma(json);
    if (value)
        vf_buf_add(json->out, "true", 4);
    else
        vf_buf_add(json->out, "false", 5);
}

void vf_json_null(struct vf_json *json)
{
    comma(json);
    vf_buf_add(json->out, "null", 4);
}

void vf_json_double(struct vf_json *json, double value)
{
    if (!(fabs(value) < 9007199254740992.0)) {
        vf_json_null(json);
        return;
    }
    uint64_t whole = (uint64_t)fabs(value);
    uint64_t fraction = (uint64_t)llround((fabs(value) - (double)whole) * 1e6);
    if (fraction >= 1000000) {
        whole++;
        fraction -= 1000000;
    }
    put_number(json, value < 0 && (whole || fraction), whole, fraction);
}

/* A growing byte buffer, and the JSON text written into one.
 *
 * The JSON functions put commas by themselves: call the pieces in order.  Text that is not UTF-8
 * (file names, sources in another encoding) gets U+FFFD in place of each bad byte, so the output
 * is always valid JSON. */
#ifndef VF_BASE_BUF_H
#define VF_BASE_BUF_H

#include "base/mem.h"

struct vf_buf {
    char *ptr;
    size_t len, cap;
    /* Where a full buffer is emptied to instead of growing; NULL: it grows.  It sets len to 0, and
     * may put another piece of memory into ptr and cap (base/sink.h). */
    void (*drain)(void *context, struct vf_buf *buf);
    void *drain_context;
};

void vf_buf_release(struct vf_buf *buf);
/* For vf_buf_reserve(), when there is no room. */
char *vf_buf_grow(struct vf_buf *buf, size_t more);
/* Room for `more` bytes behind the end; returns where they go. */
static inline char *vf_buf_reserve(struct vf_buf *buf, size_t more)
{
    if (buf->ptr && more <= buf->cap - buf->len)
        return buf->ptr + buf->len;
    return vf_buf_grow(buf, more);
}
static inline void vf_buf_add(struct vf_buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    memcpy(vf_buf_reserve(buf, len), bytes, len);
    buf->len += len;
}
void vf_buf_str(struct vf_buf *buf, struct vf_str text);
void vf_buf_printf(struct vf_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void vf_buf_uint(struct vf_buf *buf, uint64_t value);
/* A number with commas: 19,800. */
void vf_buf_count(struct vf_buf *buf, uint64_t count);
/* A word of a command line, in quotes where a shell would take it otherwise. */
void vf_buf_shell_word(struct vf_buf *buf, const char *word);
/* True for a word that needs none. */
bool vf_is_shell_word(const char *word);
static inline struct vf_str vf_buf_view(const struct vf_buf *buf)
{
    return (struct vf_str){buf->ptr, buf->len};
}

struct vf_json {
    struct vf_buf *out;
    bool comma; /* the next value or key needs one before it */
};

void vf_json_begin(struct vf_json *json, char bracket); /* '{' or '[' */
void vf_json_end(struct vf_json *json, char bracket);   /* '}' or ']' */
/* `"key":`, the key being plain ASCII. */
void vf_json_key(struct vf_json *json, const char *key);
/* The same with any text for the key. */
void vf_json_text_key(struct vf_json *json, struct vf_str key);
void vf_json_str(struct vf_json *json, struct vf_str text);
void vf_json_uint(struct vf_json *json, uint64_t value);
void vf_json_int(struct vf_json *json, int64_t value);
/* Nanoseconds as milliseconds, up to six digits behind the point: read again as a double it is
 * ns / 1e6, exactly. */
void vf_json_ms(struct vf_json *json, int64_t ns);
void vf_json_bool(struct vf_json *json, bool value);
void vf_json_null(struct vf_json *json);
/* A number with at most six digits behind the point, trailing zeros dropped: nanoseconds where the
 * unit is milliseconds.  Not a number, infinities and numbers beyond 2^53 become null. */
void vf_json_double(struct vf_json *json, double value);

#endif

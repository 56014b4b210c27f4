#include "record/log_text.h"

#include "inside/log_words.h"

#include <string.h>

static const char *const names[VF_LOG_NAME_COUNT] = VF_LOG_NAMES;
static const char *const lines[VF_LOG_LINE_COUNT] = VF_LOG_LINES;

/* printf takes longer for a number than PyPy for the collection. */
static void add_hex(struct vf_buf *out, uint64_t value)
{
    char digits[16], *end = digits + sizeof digits, *at = end;
    do
        *--at = "0123456789abcdef"[value & 15];
    while ((value >>= 4) != 0);
    vf_buf_add(out, at, (size_t)(end - at));
}

static void add_section(struct vf_buf *out, uint64_t stamp, const char *name, bool opens)
{
    vf_buf_str(out, VF_STR("["));
    add_hex(out, stamp);
    vf_buf_str(out, opens ? VF_STR("] {") : VF_STR("] "));
    vf_buf_str(out, vf_str_from(name));
    vf_buf_str(out, opens ? VF_STR("\n") : VF_STR("}\n"));
}

static void add_line(struct vf_buf *out, unsigned which, uint64_t value)
{
    double real;
    vf_buf_str(out, vf_str_from(lines[which]));
    memcpy(&real, &value, sizeof real);
    if (which == VF_LOG_LINE_TIME)
        vf_buf_printf(out, "%f", real);
    else
        vf_buf_uint(out, value);
    vf_buf_str(out, VF_STR("\n"));
}

static size_t add_text(struct vf_str rest, struct vf_buf *out)
{
    uint32_t len;
    if (rest.len < VF_LOG_WORD_TEXT_HEAD)
        return 0;
    memcpy(&len, rest.ptr + 1, sizeof len);
    if (len > rest.len - VF_LOG_WORD_TEXT_HEAD)
        return 0;
    vf_buf_str(out, (struct vf_str){rest.ptr + VF_LOG_WORD_TEXT_HEAD, len});
    return VF_LOG_WORD_TEXT_HEAD + len;
}

static size_t add_word(struct vf_str rest, struct vf_buf *out)
{
    uint64_t value;
    unsigned char word = (unsigned char)rest.ptr[0];
    if (word == VF_LOG_WORD_TEXT)
        return add_text(rest, out);
    if (rest.len < VF_LOG_WORD_BYTES)
        return 0;
    unsigned char which = (unsigned char)rest.ptr[1];
    memcpy(&value, rest.ptr + 2, sizeof value);
    if ((word == VF_LOG_WORD_OPEN || word == VF_LOG_WORD_CLOSE) && which < VF_LOG_NAME_COUNT) {
        add_section(out, value, names[which], word == VF_LOG_WORD_OPEN);
    } else if (word == VF_LOG_WORD_NUMBER && which < VF_LOG_LINE_COUNT) {
        add_line(out, which, value);
    } else {
        return 0;
    }
    return VF_LOG_WORD_BYTES;
}

size_t vf_log_text(struct vf_str entry, struct vf_buf *out)
{
    size_t at = 0, len;
    while (at < entry.len &&
           (len = add_word((struct vf_str){entry.ptr + at, entry.len - at}, out)) > 0)
        at += len;
    return at;
}

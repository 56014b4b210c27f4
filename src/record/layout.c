#include "record/layout.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CODE_BYTES = 512, STRING_BYTES = 256, TEXT_MAX = 1024 };

/* By the process's file of its memory: a container may forbid the call and not this. */
static bool peek_file(pid_t pid, uint64_t address, void *to, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int fd = address <= INT64_MAX ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd < 0 ? -1 : pread(fd, to, size, (off_t)address);
    if (fd >= 0)
        close(fd);
    return got == (ssize_t)size;
}

static bool peek(pid_t pid, uint64_t address, void *to, size_t size)
{
    struct iovec here = {to, size}, there = {(void *)(uintptr_t)address, size};
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size)
        return true;
    return (errno == EPERM || errno == ENOSYS) && peek_file(pid, address, to, size);
}

/* Reads up to `size` bytes; objects at the end of a mapping have less behind them. */
static size_t peek_most(pid_t pid, uint64_t address, void *to, size_t size)
{
    while (size >= 64 && !peek(pid, address, to, size))
        size /= 2;
    return size >= 64 ? size : 0;
}

/* Offset of a value of `width` bytes, aligned to its width; SIZE_MAX: not there. */
static size_t find_value(const unsigned char *bytes, size_t len, uint64_t value, size_t width)
{
    for (size_t at = 0; at + width <= len; at += width)
        if (memcmp(bytes + at, &value, width) == 0)
            return at;
    return SIZE_MAX;
}

/* In a string object: where its length and its text stand. */
static bool find_string(pid_t pid, uint64_t address, struct vf_str text, size_t *length_at,
                        size_t *text_at, unsigned char *bytes, size_t *len)
{
    *len = peek_most(pid, address, bytes, STRING_BYTES);
    const unsigned char *found = *len ? memmem(bytes, *len, text.ptr, text.len) : NULL;
    if (!found)
        return false;
    *text_at = (size_t)(found - bytes);
    *length_at = find_value(bytes, *text_at, text.len, 8);
    return *length_at != SIZE_MAX;
}

void vf_layout_find(struct vf_layout *layout, pid_t pid, uint64_t code, uint64_t name_address,
                    struct vf_str name, uint64_t file_address, struct vf_str file, uint32_t line)
{
    unsigned char bytes[CODE_BYTES], a[STRING_BYTES], b[STRING_BYTES];
    size_t len = peek_most(pid, code, bytes, sizeof bytes);
    size_t a_len, b_len, other_length, other_text;
    layout->known = false; /* it may have been, of an interpreter before this one */
    layout->name_at = find_value(bytes, len, name_address, 8);
    layout->file_at = find_value(bytes, len, file_address, 8);
    layout->line_at = find_value(bytes, len, line, 4);
    if (layout->name_at == SIZE_MAX || layout->file_at == SIZE_MAX || layout->line_at == SIZE_MAX)
        return;
    if (!find_string(pid, name_address, name, &layout->length_at, &layout->text_at, a, &a_len) ||
        !find_string(pid, file_address, file, &other_length, &other_text, b, &b_len) ||
        other_length != layout->length_at || other_text != layout->text_at)
        return;
    /* Behind length and hash stands the state: two bits on interning, then the kind, then whether
     * the string is compact and ASCII.  The other bits may hold anything. */
    uint32_t state_a, state_b;
    layout->state_at = layout->length_at + 16;
    if (layout->state_at + 4 > layout->text_at)
        return;
    memcpy(&state_a, a + layout->state_at, 4);
    memcpy(&state_b, b + layout->state_at, 4);
    layout->state_mask = 0x7C;
    layout->ascii_bits = state_a & layout->state_mask;
    layout->known = (state_b & layout->state_mask) == layout->ascii_bits;
}

/* ---- strings that are not ASCII -------------------------------------------------------------- */

static const unsigned widths[VF_LAYOUT_WIDTHS] = {1, 2, 4};

/* The characters of UTF-8 text, each in `width` bytes; 0: one of them has no room. */
static size_t widen(struct vf_str text, unsigned width, unsigned char *out, size_t room,
                    uint64_t *count)
{
    size_t len = 0;
    *count = 0;
    while (text.len) {
        uint32_t c = vf_utf8_next(&text);
        if (len + width > room || (width < 4 && c >> 8 * width))
            return 0;
        memcpy(out + len, &c, width);
        len += width;
        *count += 1;
    }
    return len;
}

void vf_layout_find_string(struct vf_layout *layout, pid_t pid, uint64_t address,
                           struct vf_str text)
{
    unsigned char bytes[STRING_BYTES], wanted[STRING_BYTES];
    uint64_t count, length;
    uint32_t state;
    size_t len = layout->known ? peek_most(pid, address, bytes, sizeof bytes) : 0;
    if (len < layout->state_at + 4 || len < layout->length_at + 8)
        return;
    memcpy(&length, bytes + layout->length_at, 8);
    memcpy(&state, bytes + layout->state_at, 4);
    for (size_t i = 0; i < VF_LAYOUT_WIDTHS; i++) {
        size_t wide = widen(text, widths[i], wanted, sizeof wanted, &count);
        const unsigned char *found = wide ? memmem(bytes, len, wanted, wide) : NULL;
        if (!found || length != count)
            continue;
        size_t at = (size_t)(found - bytes);
        if (layout->wide_at && layout->wide_at != at)
            return;
        layout->wide_at = at;
        layout->wide_bits[i] = state & layout->state_mask;
        return;
    }
}

/* Text of `length` characters at `address`, as UTF-8; characters that have none are escaped as
 * Python's backslashreplace does. */
static bool peek_wide(pid_t pid, uint64_t address, uint64_t length, unsigned width,
                      struct vf_arena *arena, struct vf_str *out)
{
    unsigned char text[TEXT_MAX * 4];
    struct vf_buf utf8 = {0};
    if (!peek(pid, address, text, (size_t)length * width))
        return false;
    for (size_t i = 0; i < length; i++) {
        uint32_t c = 0;
        memcpy(&c, text + i * width, width);
        if (c < 0x20 || c > 0x10ffff) {
            vf_buf_release(&utf8);
            return false;
        }
        if (c >= 0xd800 && c < 0xe000)
            vf_buf_printf(&utf8, "\\u%04x", c);
        else
            utf8.len += vf_utf8_put(vf_buf_reserve(&utf8, 4), c);
    }
    *out = vf_arena_str(arena, vf_buf_view(&utf8));
    vf_buf_release(&utf8);
    return true;
}

static bool peek_ascii(pid_t pid, uint64_t address, uint64_t length, struct vf_arena *arena,
                       struct vf_str *out)
{
    char text[TEXT_MAX];
    if (!peek(pid, address, text, (size_t)length))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
            return false;
    *out = vf_arena_str(arena, (struct vf_str){text, (size_t)length});
    return true;
}

/* A string's text into the arena; false where it is kept in a way that is not known. */
static bool peek_string(const struct vf_layout *layout, pid_t pid, uint64_t address,
                        struct vf_arena *arena, struct vf_str *out)
{
    unsigned char head[STRING_BYTES];
    uint64_t length;
    uint32_t state;
    if (layout->text_at > sizeof head || !peek(pid, address, head, layout->text_at))
        return false;
    memcpy(&length, head + layout->length_at, 8);
    memcpy(&state, head + layout->state_at, 4);
    state &= layout->state_mask;
    if (length == 0 || length > TEXT_MAX)
        return false;
    if (state == layout->ascii_bits)
        return peek_ascii(pid, address + layout->text_at, length, arena, out);
    for (size_t i = 0; i < VF_LAYOUT_WIDTHS; i++)
        if (layout->wide_at && layout->wide_bits[i] && state == layout->wide_bits[i])
            return peek_wide(pid, address + layout->wide_at, length, widths[i], arena, out);
    return false;
}

/* ---- code objects ---------------------------------------------------------------------------- */

void vf_layout_peek(struct vf_layout *layout, pid_t pid, uint64_t id, struct vf_arena *arena)
{
    unsigned char bytes[CODE_BYTES];
    uint64_t name, file;
    uint32_t line;
    struct vf_peeked peeked = {.id = id};
    if (!layout->known)
        return;
    size_t len = peek_most(pid, id, bytes, sizeof bytes);
    if (layout->name_at + 8 > len || layout->file_at + 8 > len || layout->line_at + 4 > len)
        return;
    memcpy(&name, bytes + layout->name_at, 8);
    memcpy(&file, bytes + layout->file_at, 8);
    memcpy(&line, bytes + layout->line_at, 4);
    if (!peek_string(layout, pid, name, arena, &peeked.name) ||
        !peek_string(layout, pid, file, arena, &peeked.file))
        return;
    peeked.line = line <= INT32_MAX ? line : 0;
    VF_APPEND(&layout->names, peeked);
}

void vf_layout_release(struct vf_layout *layout)
{
    free(layout->names.items);
    *layout = (struct vf_layout){0};
}

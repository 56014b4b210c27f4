#include "record/layout.h"

#include <sys/uio.h>

enum { CODE_BYTES = 512, STRING_BYTES = 256, TEXT_MAX = 1024 };

static bool peek(pid_t pid, uint64_t address, void *to, size_t size)
{
    struct iovec here = {to, size}, there = {(void *)(uintptr_t)address, size};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
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
    layout->state_bits = state_a & layout->state_mask;
    layout->known = (state_b & layout->state_mask) == layout->state_bits;
}

/* A compact ASCII string's text into the arena; false for any other string. */
static bool peek_string(const struct vf_layout *layout, pid_t pid, uint64_t address,
                        struct vf_arena *arena, struct vf_str *out)
{
    unsigned char head[STRING_BYTES];
    char text[TEXT_MAX];
    uint64_t length;
    uint32_t state;
    if (layout->text_at > sizeof head || !peek(pid, address, head, layout->text_at))
        return false;
    memcpy(&length, head + layout->length_at, 8);
    memcpy(&state, head + layout->state_at, 4);
    if ((state & layout->state_mask) != layout->state_bits || length == 0 || length > TEXT_MAX)
        return false;
    if (!peek(pid, address + layout->text_at, text, (size_t)length))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
            return false;
    *out = vf_arena_str(arena, (struct vf_str){text, (size_t)length});
    return true;
}

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

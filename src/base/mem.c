#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

static vf_oom_handler oom_handler;

void vf_set_oom_handler(vf_oom_handler handler)
{
    oom_handler = handler;
}

void vf_oom(size_t bytes)
{
    if (oom_handler)
        oom_handler(bytes);
    abort();
}

static size_t checked_size(size_t count, size_t size_each)
{
    size_t size;
    if (__builtin_mul_overflow(count, size_each, &size) || size > PTRDIFF_MAX)
        vf_oom(SIZE_MAX);
    return size ? size : 1;
}

void *vf_alloc(size_t count, size_t size_each)
{
    size_t size = checked_size(count, size_each);
    void *memory = malloc(size);
    if (!memory)
        vf_oom(size);
    return memory;
}

void *vf_alloc_zeroed(size_t count, size_t size_each)
{
    size_t size = checked_size(count, size_each);
    void *memory = calloc(1, size);
    if (!memory)
        vf_oom(size);
    return memory;
}

void *vf_realloc(void *old, size_t count, size_t size_each)
{
    size_t size = checked_size(count, size_each);
    void *memory = realloc(old, size);
    if (!memory)
        vf_oom(size);
    return memory;
}

char *vf_strdup(struct vf_str text)
{
    char *copy = vf_alloc(text.len + 1, 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return copy;
}

void vf_large_pages(void *memory, size_t size)
{
    const size_t page = 2u << 20;
    uintptr_t from = ((uintptr_t)memory + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)memory + size) / page * page;
    if (size >= 4 * page && to > from)
        madvise((void *)from, to - from, MADV_HUGEPAGE);
}

void *vf_reserve_items(void *items, size_t *cap, size_t wanted, size_t size_each)
{
    if (wanted <= *cap)
        return items;
    items = vf_realloc(items, wanted, size_each);
    vf_large_pages(items, wanted * size_each);
    *cap = wanted;
    return items;
}

void *vf_grow_items(void *items, size_t *cap, size_t size_each)
{
    size_t now = *cap ? *cap : 8;
    if (now > SIZE_MAX / 2)
        vf_oom(SIZE_MAX);
    return vf_reserve_items(items, cap, now * 2, size_each);
}

struct vf_arena_chunk {
    struct vf_arena_chunk *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char bytes[];
};

/* Small at first: there are thousands of arenas that hold a line or two. */
enum { ARENA_FIRST_BYTES = 1024, ARENA_CHUNK_BYTES = 64 * 1024, ARENA_GROWTH = 4 };

void *vf_arena_alloc(struct vf_arena *arena, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    if (size > PTRDIFF_MAX - align)
        vf_oom(size);
    size = (size + align - 1) & ~(align - 1);
    struct vf_arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = chunk ? chunk->size : ARENA_FIRST_BYTES / ARENA_GROWTH;
        room = room < ARENA_CHUNK_BYTES / ARENA_GROWTH ? room * ARENA_GROWTH : ARENA_CHUNK_BYTES;
        room = size > room ? size : room;
        chunk = vf_alloc_zeroed(1, sizeof *chunk + room);
        chunk->size = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return memory;
}

struct vf_str vf_arena_str(struct vf_arena *arena, struct vf_str text)
{
    char *copy = vf_arena_alloc(arena, text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    return (struct vf_str){copy, text.len};
}

struct vf_str vf_arena_printf(struct vf_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size = length > 0 ? (size_t)length : 0;
    char *text = vf_arena_alloc(arena, size + 1);
    vsnprintf(text, size + 1, format, again);
    va_end(again);
    return (struct vf_str){text, size};
}

void vf_arena_release(struct vf_arena *arena)
{
    while (arena->chunks) {
        struct vf_arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}

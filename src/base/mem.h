/* Memory: checked allocation, growing arrays, and an arena for what lives as long as one result.
 *
 * Running out of memory is not an error value: vf_oom() is called and does not come back.  The
 * program (or whoever uses the library) sets what happens then with vf_set_oom_handler(). */
#ifndef VF_BASE_MEM_H
#define VF_BASE_MEM_H

#include "base/str.h"

#include <stdlib.h>

/* Called with the number of bytes that could not be had; must not return (exit or longjmp). */
typedef void (*vf_oom_handler)(size_t bytes);
void vf_set_oom_handler(vf_oom_handler handler);
_Noreturn void vf_oom(size_t bytes);

/* As malloc/calloc/realloc with overflow-checked sizes, but never NULL. */
void *vf_alloc(size_t count, size_t size_each);
void *vf_alloc_zeroed(size_t count, size_t size_each);
void *vf_realloc(void *old, size_t count, size_t size_each);
/* Asks for pages of 2 MiB for large memory that will be filled from its start, where the kernel
 * gives such to those who ask: a fault for every 4 KiB costs more than what is written there. */
void vf_large_pages(void *memory, size_t size);
/* A NUL-terminated copy, to be freed with free(). */
char *vf_strdup(struct vf_str text);

/* A growing array: struct { T *items; size_t len, cap; }, zero-initialised, freed with
 * free(v.items).  VF_PUSH(&v) gives a pointer to a new, zeroed last item, good until the next
 * push. */
#define VF_VEC(T)                                                                                  \
    struct {                                                                                       \
        T *items;                                                                                  \
        size_t len, cap;                                                                           \
    }
#define VF_PUSH(v)                                                                                 \
    ((v)->len == (v)->cap                                                                          \
         ? (void)((v)->items = vf_grow_items((v)->items, &(v)->cap, sizeof *(v)->items))           \
         : (void)0,                                                                                \
     memset(&(v)->items[(v)->len], 0, sizeof *(v)->items), &(v)->items[(v)->len++])
#define VF_APPEND(v, value)                                                                        \
    ((v)->len == (v)->cap                                                                          \
         ? (void)((v)->items = vf_grow_items((v)->items, &(v)->cap, sizeof *(v)->items))           \
         : (void)0,                                                                                \
     (void)((v)->items[(v)->len++] = (value)))
/* Makes room for `count` items at once, where it is known how many there will be. */
#define VF_RESERVE(v, count)                                                                       \
    ((v)->items = vf_reserve_items((v)->items, &(v)->cap, (count), sizeof *(v)->items))
/* For the macros above; the second doubles *cap (from 16). */
void *vf_reserve_items(void *items, size_t *cap, size_t wanted, size_t size_each);
void *vf_grow_items(void *items, size_t *cap, size_t size_each);

/* An arena: allocations that are freed all at once. */
struct vf_arena_chunk;
struct vf_arena {
    struct vf_arena_chunk *chunks;
};
/* Zeroed memory of `size` bytes, aligned for any type, that lives until vf_arena_release(). */
void *vf_arena_alloc(struct vf_arena *arena, size_t size);
/* A copy of the slice in the arena, followed by a NUL that is not part of it. */
struct vf_str vf_arena_str(struct vf_arena *arena, struct vf_str text);
/* A formatted string in the arena, likewise. */
struct vf_str vf_arena_printf(struct vf_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void vf_arena_release(struct vf_arena *arena);

#endif

/* JSON Slabs, made slab by slab. */
#ifndef VF_TEST_SLABS_BUILDER_H
#define VF_TEST_SLABS_BUILDER_H

#include "finished/slabs.h"

struct slabs_part {
    enum vf_slabs_type type;
    const void *bytes;
    size_t len;
};
/* For lists of parts: of an array, of a string literal. */
#define SLABS_ARRAY(type, array)                                                                   \
    {                                                                                              \
        VF_SLABS_##type, (array), sizeof(array)                                                    \
    }
#define SLABS_JSON(text)                                                                           \
    {                                                                                              \
        VF_SLABS_JSON, (text), sizeof(text) - 1                                                    \
    }

/* The file; the last part is the root.  To be released. */
struct vf_buf slabs_build(const struct slabs_part *parts, size_t count);

/* A number of the file, which is 4 bytes at `at`. */
void slabs_set(struct vf_buf *file, size_t at, uint32_t value);
enum { SLABS_VERSION = 8, SLABS_COUNT = 12, SLABS_ROOT = 16 };
/* Where the table has slab k's. */
static inline size_t slabs_type_at(size_t k)
{
    return 20 + 12 * k;
}
static inline size_t slabs_start_at(size_t k)
{
    return slabs_type_at(k) + 4;
}
static inline size_t slabs_len_at(size_t k)
{
    return slabs_type_at(k) + 8;
}

/* A small profile with slabs of every type, one of them in another. */
struct vf_buf slabs_story(void);
/* What it comes to. */
extern const char slabs_story_json[];

#endif

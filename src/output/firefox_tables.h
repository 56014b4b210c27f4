/* What the writers of the Firefox Profiler's tables share: small columns, which are always JSON. */
#ifndef VF_OUTPUT_FIREFOX_TABLES_H
#define VF_OUTPUT_FIREFOX_TABLES_H

#include "output/columns.h"
#include "profile/profile.h"

/* One loop a column over one table. */
#define COLUMN(json, name, count, ...)                                                             \
    do {                                                                                           \
        vf_json_key((json), (name));                                                               \
        vf_json_begin((json), '[');                                                                \
        for (size_t i = 0; i < (count); i++) {                                                     \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
        vf_json_end((json), ']');                                                                  \
    } while (0)

static inline void vf_json_empty_column(struct vf_json *json, const char *name)
{
    vf_json_key(json, name);
    vf_json_begin(json, '[');
    vf_json_end(json, ']');
}

static inline void vf_json_id_or_null(struct vf_json *json, uint32_t row)
{
    if (row == VF_NONE)
        vf_json_null(json);
    else
        vf_json_uint(json, row);
}

static inline void vf_json_id_or_minus(struct vf_json *json, uint32_t row)
{
    if (row == VF_NONE)
        vf_json_int(json, -1);
    else
        vf_json_uint(json, row);
}

static inline void vf_json_uint_or_null(struct vf_json *json, uint32_t value)
{
    if (value == 0)
        vf_json_null(json);
    else
        vf_json_uint(json, value);
}

static inline void vf_json_begin_table(struct vf_json *json, const char *name, size_t length)
{
    vf_json_key(json, name);
    vf_json_begin(json, '{');
    vf_json_key(json, "length");
    vf_json_uint(json, length);
}

/* A time as the columns have it; damaged readings can be any number. */
static inline int64_t vf_ns_of_ms(double ms)
{
    const double most_ms = 9e12;
    if (!(ms < most_ms))
        ms = most_ms;
    if (ms >= 0)
        return (int64_t)(ms * 1e6 + 0.5);
    return ms > -most_ms ? -(int64_t)(-ms * 1e6 + 0.5) : -(int64_t)(most_ms * 1e6);
}

/* The `threads` and `counters` (firefox_threads.c). */
void vf_firefox_write_threads(struct vf_writer *w, const struct vf_profile *p);
void vf_firefox_write_counters(struct vf_writer *w, const struct vf_profile *p);

#endif

/* Handles into the profile's tables: one type a table, so that a func can't be taken for a frame.
 * Row numbers count from 0; VF_NONE means no row. */
#ifndef VF_PROFILE_IDS_H
#define VF_PROFILE_IDS_H

#include <stdint.h>

#define VF_NONE UINT32_MAX

typedef struct {
    uint32_t i;
} vf_string_id;
typedef struct {
    uint32_t i;
} vf_source_id;
typedef struct {
    uint32_t i;
} vf_lib_id;
typedef struct {
    uint32_t i;
} vf_native_id;
typedef struct {
    uint32_t i;
} vf_func_id;
typedef struct {
    uint32_t i;
} vf_frame_id;
typedef struct {
    uint32_t i;
} vf_stack_id;

#endif

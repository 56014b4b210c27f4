/* The server's answers about native code: symbols and assembly of the libraries that the profile
 * names, and of no others. */
#ifndef VF_CMD_NATIVE_CODE_H
#define VF_CMD_NATIVE_CODE_H

#include "cmd/common.h"
#include "output/firefox_meta.h"
#include "serve/api.h"

struct vf_served_lib {
    struct vf_str debug_name, path, build_id;
    char debug_id[VF_BREAKPAD_ID_SIZE];
};

struct vf_native_code {
    struct vf_name_source *names;
    struct vf_buf *made; /* the last name that was made of a place */
    VF_VEC(struct vf_served_lib) libs;
    bool has_addresses; /* the profile has a thread of instruction addresses */
    struct vf_arena arena;
};

/* Takes the libraries of the input's profile; those of a finished Firefox Profiler file are read
 * out of it.  The input must outlive it. */
void vf_native_code_init(struct vf_native_code *native, struct vf_input *input);
void vf_native_code_release(struct vf_native_code *native);

/* For serve/api.h; `context` is a struct vf_native_code. */
bool vf_native_code_assembly(const void *context, const struct vf_serve_function *function,
                             struct vf_buf *out);
const void *vf_native_code_library(const void *context, struct vf_str debug_name,
                                   struct vf_str debug_id);
bool vf_native_code_find(const void *context, const void *library, uint64_t address,
                         struct vf_serve_symbol *out);
bool vf_native_code_source(const void *context, const void *library, uint64_t address,
                           struct vf_str file, struct vf_buf *text);

#endif

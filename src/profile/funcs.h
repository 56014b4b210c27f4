/* What frames are made of: sources, libraries, native symbols, functions. */
#ifndef VF_PROFILE_FUNCS_H
#define VF_PROFILE_FUNCS_H

#include "profile/strings.h"

/* A source file. */
struct vf_source {
    vf_string_id path;
    struct vf_str text; /* its content, borrowed from the capture; ptr NULL: not known */
};

/* A library or program, and at the same time the front-end's "resource" of its functions. */
struct vf_lib {
    vf_string_id path, name;
    struct vf_str build_id; /* hex digits, borrowed; may be empty */
    struct vf_str arch;
};

/* A function of a library. */
struct vf_native {
    vf_lib_id lib;
    uint64_t address; /* relative to the library */
    uint64_t size;    /* 0: not known */
    vf_string_id name;
};

struct vf_func {
    vf_string_id name;
    vf_source_id source; /* VF_NONE: none */
    vf_lib_id lib;       /* VF_NONE: not native */
    uint32_t line;       /* its first line; 0: not known */
    bool is_python;
};

struct vf_funcs {
    VF_VEC(struct vf_source) sources;
    VF_VEC(struct vf_lib) libs;
    VF_VEC(struct vf_native) natives;
    VF_VEC(struct vf_func) funcs;
    struct vf_table source_index, lib_index, native_index, func_index;
};

/* Each gives the row for its arguments and makes it when it is new. */
vf_source_id vf_funcs_source(struct vf_funcs *f, vf_string_id path);
vf_lib_id vf_funcs_lib(struct vf_funcs *f, vf_string_id path, vf_string_id name);
vf_native_id vf_funcs_native(struct vf_funcs *f, vf_lib_id lib, uint64_t address,
                             vf_string_id name);
vf_func_id vf_funcs_func(struct vf_funcs *f, struct vf_func func);
void vf_funcs_release(struct vf_funcs *f);

#endif

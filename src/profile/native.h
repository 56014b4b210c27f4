/* Native functions in the profile: libraries, frames in them, and where in a function a thread was.
 *
 * VMProf records of a native frame only the function's first address (unw_get_proc_info()'s
 * start_ip).  So a frame has that address and no line of its own, unless it is a sample's leaf and
 * the instruction is known: it came with the sample (profile/instructions.h), or an instruction
 * address was taken in the same function at the same time (profile/pcs.h).  Then it has that
 * address, and with it the line and what was inlined there.
 *
 * A function is named by its symbol (profile/symbolizer.h), else by what VMProf wrote; where
 * neither knows it is its library and its first byte's place in it: "libpypy3.9-c.so+0x1ff30e0",
 * the same in every run of the same build. */
#ifndef VF_PROFILE_NATIVE_H
#define VF_PROFILE_NATIVE_H

#include "capture/capture.h"
#include "capture/maps.h"
#include "capture/vmprof.h"
#include "profile/pcs.h"
#include "profile/profile.h"
#include "profile/scan.h"
#include "profile/symbolizer.h"

/* What a raw native frame stands for. */
struct vf_native_frame {
    struct vf_frame_row row;
    uint64_t start, end; /* of the function, in the program's memory; end 0: not known */
    bool is_sampler;     /* it is left out */
};

/* The frames of an instruction address. */
struct vf_native_stack {
    uint64_t ip;
    uint32_t first, count; /* of `frames`; none for memory of no library */
    vf_lib_id lib;
    bool is_known;   /* something is known of its function */
    bool is_named;   /* it has a symbol */
    bool is_sampler; /* it is there for the recording */
    bool is_eval;    /* CPython's loop over bytecodes: Python code itself is at work */
};

struct vf_natives {
    struct vf_profile *profile;
    const struct vf_capture *capture;
    const struct vf_symbolizer *symbolizer; /* NULL: nobody is asked */
    const struct vf_pcs *pcs;
    struct vf_maps maps;
    bool has_jit; /* code of no library is that of PyPy's JIT */
    VF_VEC(struct vf_native_stack) stacks;
    VF_VEC(vf_frame_id) frames;
    struct vf_table stack_index; /* by ip */
    uint64_t unnamed;            /* different functions without a name */
    uint64_t leaves, placed;     /* samples that end in native code; that got an instruction */
};

/* The maps are the capture's, else those in the VMProf file. */
void vf_natives_init(struct vf_natives *natives, struct vf_profile *profile,
                     const struct vf_capture *capture, const struct vf_scan *scan,
                     const struct vf_symbolizer *symbolizer, const struct vf_pcs *pcs);
void vf_natives_release(struct vf_natives *natives);

/* The library of a map; VF_NONE for memory that is no file's. */
vf_lib_id vf_natives_lib(struct vf_natives *natives, const struct vf_map *map);

/* The frame for a function's first address as VMProf has it, marked in the lowest bit; `name` is
 * what VMProf wrote of it, name.name empty: nothing. */
struct vf_native_frame vf_natives_frame(struct vf_natives *natives, uint64_t address,
                                        const struct vf_code_name *name);

/* The frame for memory of no library. */
struct vf_frame_row vf_natives_outside(struct vf_natives *natives, const struct vf_map *map);

/* The stack with the function at work at an instruction below `parent`, and what is inlined there;
 * `parent` itself for memory of no library. */
vf_stack_id vf_natives_push(struct vf_natives *natives, vf_stack_id parent, uint64_t ip);

/* The stack with the instruction seen in the thread at that time, where its leaf is the function
 * from `start` to `end`; the same stack when none was. */
vf_stack_id vf_natives_place(struct vf_natives *natives, vf_stack_id stack, uint64_t start,
                             uint64_t end, uint64_t tid, int64_t mono_ns);

/* The frames of an instruction address, found once. */
struct vf_native_stack vf_natives_at(struct vf_natives *natives, uint64_t ip);

/* What an instruction is to a stack that ends in the function from `start` to `end`. */
enum vf_native_fit {
    VF_NATIVE_LEAF,    /* it is in that function */
    VF_NATIVE_UNNAMED, /* likewise, as VMProf's walk began there; no symbol knows the place */
    VF_NATIVE_CALLEE,  /* it is in another one, which is missing from the stack */
    VF_NATIVE_UNSURE,  /* the two can't be told apart */
};
enum vf_native_fit vf_natives_fit(struct vf_natives *natives, vf_stack_id stack, uint64_t start,
                                  uint64_t end, const struct vf_native_stack *at);
/* The stack with the instruction in its leaf, as that function is known: VF_NATIVE_UNNAMED. */
vf_stack_id vf_natives_push_same(struct vf_natives *natives, vf_stack_id stack, uint64_t ip);

#endif

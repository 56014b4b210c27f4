/* From a sample's raw frames to a stack of the profile.
 *
 * Rules, root to leaf:
 * - What starts the program (PyPy's app_main, site, runpy and what they import, VMProf's own main,
 *   vmfox's bootstrap) is left out, so that the root is the program's `<module>`.  A sample with
 * nothing else in it gets one frame that says so.
 * - A code frame followed by its own jitted frame is one frame, in category JIT: PyPy writes both
 *   when the function itself has run into compiled code.  Every other jitted frame is a function
 *   inlined into the trace and is kept, in order.
 * - An assembler frame says that the frame above it runs compiled code.  With the JIT's log at hand
 *   it is a frame of its own, that of its trace, unless traces are hidden; without, it is none.
 * - With the log, frames that VMProf has made up are left out (vf_jit_build_is_left_over()).
 * Without native frames it is the innermost group that is made up, and the sample's instruction
 * decides (profile/instructions.h).
 * - With the log, a jitted frame behind an assembler frame that is the same activation of its
 * function as the one above (vf_jit_build_continues()) is left out: Python has called it once.
 * - What is in a stack only because it was sampled (a signal's return, VMProf itself) is left out.
 * - A thread started under the recorder has a root frame whose name carries its number; that frame
 *   goes and the number becomes the sample's thread. */
#ifndef VF_PROFILE_WALK_H
#define VF_PROFILE_WALK_H

#include "capture/capture.h"
#include "profile/jit_build.h"
#include "profile/native.h"
#include "profile/profile.h"
#include "profile/roles.h"
#include "profile/scan.h"

/* The state of a walk after some frames from the root. */
struct vf_walk_step {
    vf_stack_id stack;
    uint64_t value;      /* of the raw frame taken last */
    uint64_t start, end; /* where its function ends, if it is native; 0: not known */
    uint64_t thread;     /* from the thread's root frame; 0: none */
    uint64_t inner;      /* of the last code or jitted frame */
    uint32_t trace;      /* of the last assembler frame that has one; VF_NONE: none so far */
    vf_stack_id base;    /* what the innermost group of compiled frames stands on */
    uint32_t base_trace; /* the trace that the group stands on; VF_NONE: on none */
    uint32_t ahead;      /* so many raw frames have been looked at for it, some may lie ahead */
    uint32_t asm_frames, unowned, continued; /* as in struct vf_jit */
    int kind;                                /* of the raw frame taken last, 0: none */
    bool started;                            /* a frame of the program has been seen */
    bool launched;                           /* a launcher has been left out */
    bool outside;  /* inside the recorder's own work: frames below do not count */
    bool in_trace; /* between VF_ROLE_TRACE_BEGINS and _ENDS */
};

/* Raw frames of a sample, counted from the root: [from, to). */
struct vf_walk_range {
    uint32_t from, to;
};

/* A raw frame as it came, and the profile's frame for it. */
struct vf_walk_frame {
    uint64_t value;
    int64_t line;
    int key_kind;   /* as it came */
    int kind;       /* as it is meant */
    uint32_t name;  /* row of its name, VF_NONE: none */
    uint32_t trace; /* of an assembler frame; VF_NONE: none */
    enum vf_role role;
    vf_frame_id frame;   /* VF_NONE until it is needed */
    uint64_t thread;     /* VF_ROLE_THREAD */
    uint64_t start, end; /* of a native function, in memory; 0: not known */
};

struct vf_walk {
    struct vf_profile *profile;
    const struct vf_scan *scan;
    const struct vf_capture *capture;
    struct vf_jit_build *jit;
    struct vf_natives *natives;
    VF_VEC(struct vf_walk_frame) frames;
    struct vf_table frame_index;
    /* The path of the sample before: most samples share most of it. */
    VF_VEC(struct vf_walk_step) path;
    struct vf_sample before;
    bool has_before;
    uint32_t left_out_from;    /* where in it frames were left out; UINT32_MAX: nowhere */
    vf_frame_id outside_frame; /* "(interpreter start and exit)" */
    /* A damaged or hostile file can hold a different frame in every eight bytes.  So that it costs
     * no more memory than a few times its size, only so many are told apart; real recordings stay
     * far below. */
    size_t frames_max;
    struct vf_walk_frame folded; /* stands for all others */
    uint64_t frames_folded;
    uint64_t unnamed_code;
    bool has_thread_roots; /* some name is that of a thread's root frame */
    bool keeps_left_over;  /* see vf_walk_init() */
};

/* In recordings without native frames whose samples have their instruction nothing is left out as
 * made up: there the leaf is not taken from the program counter. */
void vf_walk_init(struct vf_walk *walk, struct vf_profile *profile, const struct vf_scan *scan,
                  const struct vf_capture *capture, struct vf_jit_build *jit,
                  struct vf_natives *natives);

/* What a walk over a sample gives. */
struct vf_walked {
    vf_stack_id stack;
    vf_stack_id base;    /* with ends_compiled: the stack without the compiled code at its end, */
    uint32_t base_trace; /* and the trace that has called that; VF_NONE: none has */
    uint64_t thread;     /* the id from its thread's root frame; 0: none */
    uint32_t trace;      /* the innermost trace; VF_NONE: none */
    uint64_t native, native_end; /* the leaf's function, where it is native; end 0: not known */
    uint32_t asm_frames, unowned, continued; /* what it adds to those of struct vf_jit */
    bool in_program;                         /* some frame is the program's */
    bool ends_in_native;
    bool ends_in_trace; /* the leaf is that trace's code */
    bool ends_compiled; /* the leaf is compiled code, of whichever trace */
    bool left_over;     /* frames that VMProf has made up are left out */
};
/* The same frames give the same always: it is enough to ask once for each list of them. */
struct vf_walked vf_walk_sample(struct vf_walk *walk, const struct vf_sample *sample);

/* The number of the thread whose stack it is (vf_walked.thread), without looking at the rest. */
uint64_t vf_walk_thread(struct vf_walk *walk, const struct vf_sample *sample);

/* The function of a name record. */
vf_func_id vf_walk_func(struct vf_walk *walk, const struct vf_code_name *name);
void vf_walk_release(struct vf_walk *walk);

#endif

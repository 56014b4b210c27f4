/* Who knows the names of native functions: asked while the profile is built.
 *
 * The profile knows addresses in libraries; what they are called is found by whoever calls
 * vf_profile_build(), in the capture, in the files on this machine or elsewhere. */
#ifndef VF_PROFILE_SYMBOLIZER_H
#define VF_PROFILE_SYMBOLIZER_H

#include "base/str.h"

enum { VF_SYMBOLIZED_MAX = 32 };

/* A function at work at an address. */
struct vf_symbolized_frame {
    struct vf_str name;        /* as people read it; empty: not known */
    struct vf_str raw;         /* as the symbol table has it */
    struct vf_str file;        /* of its source; empty: not known */
    uint32_t first_line, line; /* of the function, of the place in it; 0: not known */
};

struct vf_symbolized {
    uint64_t start, size; /* the function's, in the library; size 0: not known */
    bool is_sampler;      /* in a stack only because it was sampled: a signal's return, VMProf */
    size_t count;         /* the function, and what is inlined into it there; at least 1 */
    struct vf_symbolized_frame frames[VF_SYMBOLIZED_MAX];
};

/* An address in a library. */
struct vf_native_place {
    struct vf_str path, build_id; /* hex digits; may be empty */
    uint64_t address;             /* from where the file's first byte lies in memory */
    bool is_instruction; /* else it only tells the function, and nothing is said of lines in it */
};

/* How much an answer says of a place: 0 nothing, 1 the function's bounds, 2 its name, 3 its file
 * and first line, 4 the line of the instruction. */
static inline int vf_symbolized_worth(const struct vf_symbolized *symbol)
{
    if (symbol->count == 0)
        return 0;
    const struct vf_symbolized_frame *outer = &symbol->frames[0];
    return outer->name.len == 0                     ? 1
           : symbol->frames[symbol->count - 1].line ? 4
           : outer->first_line                      ? 3
                                                    : 2;
}
/* All that can be known of it. */
static inline int vf_native_place_worth(const struct vf_native_place *place)
{
    return place->is_instruction ? 4 : 3;
}

struct vf_symbolizer {
    /* Fills `out`, whose slices live as long as the profile; false: nothing is known there. */
    bool (*find)(void *context, const struct vf_native_place *place, struct vf_symbolized *out);
    void *context;
};

#endif

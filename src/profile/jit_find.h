/* How findings are found; for jit_findings.c and jit_find_*.c. */
#ifndef VF_PROFILE_JIT_FIND_H
#define VF_PROFILE_JIT_FIND_H

#include "profile/jit_findings.h"

enum { VF_JIT_CANDIDATES_MAX = 20 }; /* of one kind that are looked into */

struct vf_jit_find {
    struct vf_jit_build *b;
    struct vf_jit *jit;
    double whole; /* addresses, or samples where there are none, in all traces and outside */
    VF_VEC(struct vf_jit_finding) all;
};

void vf_jit_find_add(struct vf_jit_find *f, double score, double count, struct vf_str text);

/* The share of the run, in percent, that was spent in a trace, and what it is a share of. */
double vf_jit_find_share(const struct vf_jit_find *f, uint32_t trace);
const char *vf_jit_find_measure(const struct vf_jit_find *f);

/* Texts live as long as the profile.  Names out of the log are cut where they are long. */
#define VF_JIT_TEXT(f, ...) vf_arena_printf(&(f)->b->profile->arena, __VA_ARGS__)
/* "19,800". */
struct vf_str vf_jit_find_count(struct vf_jit_find *f, uint64_t count);
/* "once", "19,800 times". */
struct vf_str vf_jit_find_times(struct vf_jit_find *f, uint64_t count);
/* "loop 12 simple.py:4". */
struct vf_str vf_jit_find_name(struct vf_jit_find *f, uint32_t trace);
/* "`parse` line 40"; `place` may be NULL. */
struct vf_str vf_jit_find_where(struct vf_jit_find *f, const struct vf_jit_place *place);
struct vf_str vf_jit_find_where_text(struct vf_jit_find *f, struct vf_str function, uint64_t line);

/* ---- guards and bridges (jit_find_guards.c) -------------------------------------------------- */

/* Bridges that are entered often. */
void vf_jit_find_bridges(struct vf_jit_find *f);
/* Loops whose bridges take more time than they do. */
void vf_jit_find_families(struct vf_jit_find *f);
/* Guards whose exits were seen at work, and that have no bridge. */
void vf_jit_find_exits(struct vf_jit_find *f);

/* ---- whole traces (jit_find_traces.c) -------------------------------------------------------- */

/* Traces that were given up while they were optimised. */
void vf_jit_find_given_up(struct vf_jit_find *f);
/* Tracing that was given up, of which only the runtime's log tells. */
void vf_jit_find_aborts(struct vf_jit_find *f);
/* Places that were traced again and again. */
void vf_jit_find_again(struct vf_jit_find *f);
void vf_jit_find_never_entered(struct vf_jit_find *f);
void vf_jit_find_long(struct vf_jit_find *f);

#endif

/* The threads that the program has told of: number, name, and since when.
 *
 * A program may start a thread for each request, a million in some hours.  Neither this list nor
 * capture.json, whose readers take so many values and no more, grows with them.  Each time that the
 * list has got longer by some thousands, those that have ended without a sample are dropped and
 * counted: nothing in the profile is theirs.  When it is full even so, the threads that begin from
 * then on are left out and counted, and the one that had the number before is said to have ended,
 * so that it does not get the other's samples. */
#ifndef VF_RECORD_TOLD_H
#define VF_RECORD_TOLD_H

#include "base/mem.h"
#include "base/table.h"

#include <stdbool.h>

/* capture.json may have 16 MB and a million values: these are a half of it. */
enum { VF_TOLD_MAX = 60000, VF_TOLD_TEXT_MAX = 3 << 20, VF_TOLD_STEP = 10000 };

struct vf_told_thread {
    uint64_t tid;
    int64_t from_ns;  /* when it was told of: a number may be used again */
    int64_t until_ns; /* when one that is left out got the same number; 0: none did */
    char *name;       /* NULL: empty */
    bool sampled, lives;
};

struct vf_told {
    VF_VEC(struct vf_told_thread) threads;
    struct vf_table index; /* by tid; the last one of it is the living one */
    size_t text;           /* what the names take in capture.json */
    size_t kept;           /* threads that there were behind the last sweep */
    size_t marked;         /* threads that the sweep which has begun is about */
    bool full;             /* for good: a number has no thread in between that is not told of */
    uint64_t idle;         /* dropped: they had no samples */
    uint64_t left_out;     /* there was no room for them */
};

/* A thread begins.  No name holds a NUL. */
void vf_told_begin(struct vf_told *told, uint64_t tid, struct vf_str name, int64_t now_ns);
/* Another name for a thread, or the first one for one that was not told of. */
void vf_told_name(struct vf_told *told, uint64_t tid, struct vf_str name, int64_t now_ns);
/* The thread has a sample. */
void vf_told_sample(struct vf_told *told, uint64_t tid);

/* True where threads should be dropped.  Then vf_told_mark(), vf_told_lives() for each thread that
 * lives, and when all that the others may have left in the ring was taken, vf_told_sweep(). */
bool vf_told_is_due(const struct vf_told *told);
void vf_told_mark(struct vf_told *told);
void vf_told_lives(struct vf_told *told, uint64_t tid);
void vf_told_sweep(struct vf_told *told);

void vf_told_release(struct vf_told *told);

#endif

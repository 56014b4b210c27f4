/* The processor's time stamp counter and CLOCK_MONOTONIC, read together.
 *
 * PyPy stamps its log with the counter (docs/formats/pypylog.md).  With pairs of readings from the
 * start of the recording to its end each stamp has a time.  Only x86 has the counter; elsewhere
 * PyPy takes the thread's CPU clock, for which record/cpu.h has the readings.
 *
 * A row is three 8-byte little-endian numbers: CLOCK_MONOTONIC in ns, the counter, and how far the
 * two may be apart, in ns. */
#ifndef VF_RECORD_COUNTER_H
#define VF_RECORD_COUNTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vf_counter_pair {
    int64_t mono_ns;
    uint64_t counter;
    int64_t error_ns;
};

/* Every second pair is dropped when there are this many, and from then on they are taken half as
 * often: so a recording of any length has no more. */
enum { VF_COUNTER_PAIRS_MAX = 128 };

struct vf_counter_pairs {
    struct vf_counter_pair items[VF_COUNTER_PAIRS_MAX];
    size_t len;
    int64_t every_ns;
};

/* False on processors without the counter. */
bool vf_counter_has(void);
/* Reads a pair: the closest of a few tries. */
struct vf_counter_pair vf_counter_read(void);
/* Adds a pair now, at the start and at the end (`must`); else when the last one is long ago.
 * `now_ns` is CLOCK_MONOTONIC, as near as the caller knows it. */
void vf_counter_pairs_add(struct vf_counter_pairs *pairs, int64_t now_ns, bool must);

#endif

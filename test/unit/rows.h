/* Rows of a recording's profile, and numbers that are the same but for rounding. */
#ifndef VF_TEST_ROWS_H
#define VF_TEST_ROWS_H

#include "recording.h"

#include <math.h>

static inline const struct vf_thread *thread(const struct recording *r, size_t i)
{
    assert_true(i < r->profile.threads.len);
    return &r->profile.threads.items[i];
}

static inline void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-6 * (1 + fabs(expected))))
        fail_msg("%.9g is not %.9g", value, expected);
}

#endif

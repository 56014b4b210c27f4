/* The system's clocks. */
#ifndef VF_BASE_CLOCK_H
#define VF_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of a clock (CLOCK_MONOTONIC, CLOCK_REALTIME). */
static inline int64_t vf_clock_now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif

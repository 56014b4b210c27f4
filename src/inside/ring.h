/* The memory that a recorded program and the recorder share: a ring of entries, and a page of
 * numbers in front of it.
 *
 * It is a file that has no name any more.  The program maps it and closes it before its own first
 * line, so it has no descriptor of ours that it could close, copy or write to.  What is sampled,
 * logged or told goes into the ring; nobody in the program ever waits for room: what finds none is
 * left out and counted.
 *
 * Layout: VF_RING_HEAD bytes that hold a struct vf_ring, then `data_bytes` (a power of two) of
 * entries.  Positions count bytes since the beginning and never go back; the place in the data is
 * the position modulo `data_bytes`.  An entry is a word of 8 bytes, its payload, and what fills it
 * up to a multiple of 8:
 *
 *     bits 0 to 31    bytes of the payload
 *     bits 32 to 39   kind (enum vf_ring_kind)
 *     bits 40 to 63   the entry's position / 8, its low 24 bits
 *
 * A writer takes room by moving `head` with compare-and-swap, fills in the payload, and stores the
 * word last (release).  The reader sets what it has read to 0 before it moves `tail`, so a place
 * whose word is 0 was taken and is not filled yet.  The reader trusts nothing in here: a program
 * can scribble in its own memory.
 *
 * Only the C library's headers are used: this is built into the recorder and into the library
 * that is loaded into programs. */
#ifndef VF_INSIDE_RING_H
#define VF_INSIDE_RING_H

#include <stdint.h>

#define VF_RING_MAGIC 0x31676e6972786f66ull /* "foxring1" */

enum {
    VF_RING_HEAD = 65536,
    VF_RING_DATA = 16 << 20,
    VF_RING_PAYLOAD_MAX = 1 << 20,
    VF_RING_THREADS = 2048, /* a power of two */
    VF_RING_THREAD_TRIES = 32,
};

enum vf_ring_kind {
    VF_RING_SAMPLE = 1,  /* struct vf_ring_note, then a record of VMProf */
    VF_RING_RECORDS = 2, /* other records of VMProf, perhaps a part of one */
    VF_RING_JITLOG = 3,  /* bytes of the JIT's log */
    VF_RING_PYPYLOG = 4, /* words of the runtime's log (log_words.h) */
    VF_RING_MESSAGE = 5, /* words separated by NUL (record/messages.c) */
    VF_RING_KINDS,
};

/* What is known of a sample beside VMProf's record. */
struct vf_ring_note {
    int64_t stamp_ns; /* CLOCK_MONOTONIC, at the handler's beginning */
    uint64_t pc;      /* the interrupted instruction; 0: not known */
    uint32_t tid;     /* the kernel's; 0: not known */
    uint32_t unused;
};

/* What a thread's timers are for. */
enum vf_ring_timer {
    VF_TIMER_NONE,
    VF_TIMER_CPU,  /* CPU time: a timer of the thread in the program, in ticks of the kernel */
    VF_TIMER_PERF, /* CPU time: signals of perf events, which the recorder opens */
    VF_TIMER_WALL, /* wall clock: a timer of the thread in the program */
};

enum { VF_RING_TIMER_COMES = -2 };

/* A thread of the program that is sampled.  The recorder writes perf, the program the rest. */
struct vf_ring_thread {
    uint32_t tid;  /* 0: free */
    uint32_t perf; /* 1: a perf event of the recorder's gives it its user time */
    int32_t timer; /* the kernel's number of its timer in the program; -1: none, -2: it is made */
    uint32_t period_ns;   /* of that timer, as it is set */
    int64_t accounted_ns; /* up to where its clock has samples (inside/timers.c) */
};

struct vf_ring {
    /* Written once, by the recorder, before the program starts. */
    uint64_t magic;
    uint64_t data_bytes;
    int32_t recorder_pid;
    int32_t signal;         /* that samples are taken at */
    uint32_t with_pc;       /* samples have the interrupted instruction */
    uint32_t jitlog_share;  /* of the CPU time, in 1/10000, that the JIT's log may have; 0: any */
    double jitlog_grace_ns; /* which it may have in any case */

    /* Written by the recorder at any time. */
    uint32_t timer;     /* enum vf_ring_timer */
    uint32_t period_ns; /* between two samples of a thread */
    uint32_t arm[16];   /* threads that were seen and have no timer yet; 0: none; with the highest
                         * bit set one that has ended */
    uint64_t beat;      /* counted up as it looks at the ring */
    _Alignas(64) uint64_t tail;

    /* Written by the program. */
    _Alignas(64) uint64_t head;
    uint64_t left_out[VF_RING_KINDS]; /* entries that found no room */
    uint64_t samples;                 /* how often the handler called VMProf */
    uint64_t skipped;                 /* and did not, as another thread was in it */
    uint64_t faults;                  /* stacks that could not be read */
    uint64_t timed, timed_ns;         /* signals that were timed, taken or skipped, and the time */
    uint64_t jitlog_ns, pypylog_ns;   /* estimates */
    uint64_t jitlog_traces, jitlog_brief; /* traces, and those without operations */
    int64_t jitlog_brief_ns;              /* when the first of these began */
    uint32_t refused; /* timers that the kernel did not make, but for threads that are gone */
    uint32_t program_pid;
    uint32_t ended;   /* 1: no more samples are taken */
    uint32_t gave_up; /* 1: the recorder stood still for so long that it was taken for gone */
    _Alignas(64) struct vf_ring_thread threads[VF_RING_THREADS];
};

_Static_assert(sizeof(struct vf_ring) <= VF_RING_HEAD, "a ring's head is larger than its room");

static inline uint64_t vf_ring_word(uint64_t position, uint32_t kind, uint32_t bytes)
{
    return (uint64_t)bytes | (uint64_t)kind << 32 | (position >> 3 & 0xffffff) << 40;
}

static inline uint64_t vf_ring_entry_bytes(uint64_t payload)
{
    return 8 + ((payload + 7) & ~(uint64_t)7);
}

/* The places that a thread's row may have, from 0 to VF_RING_THREAD_TRIES - 1. */
static inline struct vf_ring_thread *vf_ring_thread_place(struct vf_ring *ring, uint32_t tid,
                                                          uint32_t attempt)
{
    return &ring->threads[(tid * 7 + attempt) & (VF_RING_THREADS - 1)];
}

/* The row of a thread; NULL: it has none. */
static inline struct vf_ring_thread *vf_ring_thread_find(struct vf_ring *ring, uint32_t tid)
{
    for (uint32_t i = 0; i < VF_RING_THREAD_TRIES; i++) {
        struct vf_ring_thread *thread = vf_ring_thread_place(ring, tid, i);
        if (__atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE) == tid)
            return thread;
    }
    return 0;
}

#endif

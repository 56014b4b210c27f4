#include "unwind_from.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* A thread's place is one of TRIES rows from the one that its address gives.  Where all are taken
 * its walks begin as if nothing had been given. */
enum { ROWS = 256, TRIES = 8 };
/* A handler's frames; those of the kernel and of a handler in front of VMProf's are a few kB. */
#define FARTHEST (UINT64_C(128) << 10)

/* Threads are told apart by the thread pointer, which takes no system call to get. */
struct place {
    _Atomic uint64_t thread, context;
};

static struct place places[ROWS];

static uint64_t this_thread(void)
{
    uint64_t pointer;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

static struct place *place_of(uint64_t thread, unsigned attempt)
{
    uint64_t first = thread * UINT64_C(0x9e3779b97f4a7c15) >> 56;
    return &places[(first + attempt) % ROWS];
}

static struct place *find_place(uint64_t thread)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct place *place = place_of(thread, i);
        if (atomic_load_explicit(&place->thread, memory_order_relaxed) == thread)
            return place;
    }
    return NULL;
}

static struct place *take_place(uint64_t thread)
{
    struct place *place = find_place(thread);
    for (unsigned i = 0; !place && i < TRIES; i++) {
        struct place *candidate = place_of(thread, i);
        uint64_t none = 0;
        if (atomic_compare_exchange_strong_explicit(&candidate->thread, &none, thread,
                                                    memory_order_relaxed, memory_order_relaxed))
            place = candidate;
    }
    return place;
}

__attribute__((visibility("default"))) void vmfox_unwind_from(const void *context)
{
    uint64_t thread = this_thread();
    struct place *place = context ? take_place(thread) : find_place(thread);
    if (!place)
        return;
    atomic_store_explicit(&place->context, (uint64_t)context, memory_order_relaxed);
    if (!context)
        atomic_store_explicit(&place->thread, 0, memory_order_relaxed);
}

const unw_context_t *vf_unwind_from(void)
{
    struct place *place = find_place(this_thread());
    if (!place)
        return NULL;
    uint64_t context = atomic_load_explicit(&place->context, memory_order_relaxed);
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    return context > here && context - here < FARTHEST ? (const unw_context_t *)context : NULL;
}

/* Of the other threads, which a child does not have. */
static void forget(void)
{
    memset(places, 0, sizeof places);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget);
}

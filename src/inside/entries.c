#include "inside/inside.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct inside inside;

int64_t inside_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void inside_meter_begin(struct inside_meter *meter)
{
    meter->first_tick = inside_ticks();
    meter->first_ns = inside_now_ns();
}

void inside_meter_add(struct inside_meter *meter, uint64_t ticks)
{
#if defined(__x86_64__)
    enum { LONGEST = 60000 };
#else
    enum { LONGEST = 20000 };
#endif
    meter->spent += ticks < LONGEST ? ticks : LONGEST;
}

double inside_meter_ns(const struct inside_meter *meter)
{
    uint64_t passed = inside_ticks() - meter->first_tick;
    double ns = (double)(inside_now_ns() - meter->first_ns);
    return passed ? (double)meter->spent * ns / (double)passed : 0;
}

/* It has no memory any more, also where nobody has waited for it yet.  A sandbox may refuse the
 * first of these. */
static bool has_ended(pid_t pid)
{
    char byte;
    struct iovec ours = {&byte, 1}, theirs = {NULL, 1};
    return (process_vm_readv(pid, &ours, 1, &theirs, 1, 0) < 0 && errno == ESRCH) ||
           (kill(pid, 0) != 0 && errno == ESRCH);
}

/* The recorder counts a number up as it looks at the ring.  Where that stands still it may be gone,
 * which the kernel is asked; but a number may have been given anew, or be of another pid namespace:
 * so what stands still too long is gone. */
bool inside_recorder_gone(void)
{
    static const int64_t ASK_NS = INT64_C(3000000000), GONE_NS = INT64_C(300000000000);
    static uint64_t seen;
    static int64_t since_ns;
    struct vf_ring *ring = inside.ring;
    int64_t now_ns = inside_now_ns();
    int saved = errno;
    if (!ring)
        return inside.off;
    uint64_t beat = __atomic_load_n(&ring->beat, __ATOMIC_RELAXED);
    if (beat != __atomic_exchange_n(&seen, beat, __ATOMIC_RELAXED) || since_ns == 0)
        __atomic_store_n(&since_ns, now_ns, __ATOMIC_RELAXED);
    int64_t still_ns = now_ns - __atomic_load_n(&since_ns, __ATOMIC_RELAXED);
    bool gone = still_ns > ASK_NS && inside.knows_recorder && has_ended(ring->recorder_pid);
    if (!gone && still_ns > GONE_NS) /* it may come back, and tell */
        __atomic_store_n(&ring->gave_up, 1, __ATOMIC_RELAXED);
    if (gone || still_ns > GONE_NS)
        inside.off = true;
    errno = saved;
    return inside.off;
}

static void copy_in(uint64_t position, const void *bytes, size_t len)
{
    size_t at = (size_t)(position & inside.mask), room = (size_t)(inside.mask + 1 - at);
    size_t first = len < room ? len : room;
    if (len == 0)
        return;
    memcpy(inside.data + at, bytes, first);
    memcpy(inside.data, (const char *)bytes + first, len - first);
}

/* Takes `bytes` of room; false where there is none.  While this thread was put aside others may
 * have filled the ring and the recorder emptied it, beyond the place that was read. */
static bool take_room(struct vf_ring *ring, uint64_t bytes, uint64_t *position)
{
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    for (;;) {
        uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (head & 7) /* the program has written there: an entry could lie across the end */
            return false;
        if (head - tail > inside.mask + 1 || head + bytes - tail > inside.mask + 1) {
            uint64_t now = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
            if (now == head)
                return false;
            head = now;
        } else if (__atomic_compare_exchange_n(&ring->head, &head, head + bytes, true,
                                               __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
            *position = head;
            return true;
        }
    }
}

bool inside_put(enum vf_ring_kind kind, const void *first, size_t first_bytes, const void *second,
                size_t second_bytes)
{
    struct vf_ring *ring = inside.ring;
    size_t payload = first_bytes + second_bytes;
    uint64_t position;
    if (!ring || inside.off)
        return false;
    if (payload > VF_RING_PAYLOAD_MAX ||
        !take_room(ring, vf_ring_entry_bytes(payload), &position)) {
        /* Asked once in 256 times: a ring stays full when nobody empties it. */
        if ((__atomic_fetch_add(&ring->left_out[kind], 1, __ATOMIC_RELAXED) & 255) == 0)
            inside_recorder_gone();
        return false;
    }
    copy_in(position + 8, first, first_bytes);
    copy_in(position + 8 + first_bytes, second, second_bytes);
    __atomic_store_n((uint64_t *)(void *)(inside.data + (position & inside.mask)),
                     vf_ring_word(position, kind, (uint32_t)payload), __ATOMIC_RELEASE);
    return true;
}

void inside_tell(const char *word, const char *text)
{
    char words[1100];
    size_t first = strlen(word), second = strnlen(text, 1000);
    memcpy(words, word, first + 1);
    memcpy(words + first + 1, text, second);
    inside_put(VF_RING_MESSAGE, words, first + 1 + second, NULL, 0);
}

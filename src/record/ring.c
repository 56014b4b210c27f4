#include "record/ring.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <unistd.h>

enum { RING_BYTES = VF_RING_HEAD + VF_RING_DATA };

int vf_ring_move_up(int fd)
{
    struct rlimit limit;
    int floor = 700;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 768)
        floor = limit.rlim_cur > 32 ? (int)limit.rlim_cur - 16 : 3;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, floor);
    if (moved < 0)
        return fd;
    close(fd);
    return moved;
}

/* Beyond that limit there would be a signal. */
static bool may_be_so_large(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= RING_BYTES;
}

static void *map_file(int fd)
{
    if (fd < 0 || !may_be_so_large() || ftruncate(fd, RING_BYTES) != 0)
        return MAP_FAILED;
    return mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void *map_folder_file(struct vf_ring_reader *ring, int folder_fd)
{
    ring->fd = openat(folder_fd, "ring", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (ring->fd >= 0)
        unlinkat(folder_fd, "ring", 0);
    /* A page that finds no room when it is written to would end the program. */
    if (ring->fd < 0 || !may_be_so_large() || posix_fallocate(ring->fd, 0, RING_BYTES) != 0)
        return MAP_FAILED;
    return map_file(ring->fd);
}

static void *map_segment(struct vf_ring_reader *ring)
{
    if (ring->fd >= 0)
        close(ring->fd);
    ring->fd = -1;
    ring->shm = shmget(IPC_PRIVATE, RING_BYTES, 0600);
    void *map = ring->shm < 0 ? MAP_FAILED : shmat(ring->shm, NULL, 0);
    if (ring->shm >= 0)
        shmctl(ring->shm, IPC_RMID, NULL); /* it can still be mapped by its number */
    return map;
}

enum vf_status vf_ring_open(struct vf_ring_reader *ring, int folder_fd, struct vf_error *error)
{
    *ring = (struct vf_ring_reader){.bytes = VF_RING_DATA, .shm = -1};
    ring->fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *map = map_file(ring->fd);
    if (map != MAP_FAILED) /* whoever made it shorter would end both processes */
        fcntl(ring->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (map == MAP_FAILED && ring->fd < 0)
        map = map_folder_file(ring, folder_fd);
    if (map == MAP_FAILED)
        map = map_segment(ring);
    if (map == MAP_FAILED)
        return vf_fail_errno(error, errno, "can't make memory to share with the program");
    if (ring->fd >= 0)
        ring->fd = vf_ring_move_up(ring->fd);
    ring->shared = map;
    ring->data = (char *)map + VF_RING_HEAD;
    ring->payload = vf_alloc(VF_RING_PAYLOAD_MAX, 1);
    ring->shared->magic = VF_RING_MAGIC;
    ring->shared->data_bytes = VF_RING_DATA;
    ring->shared->recorder_pid = (int32_t)getpid();
    ring->shared->signal = SIGSTKFLT;
    return VF_OK;
}

/* The word of an entry at the reader's place; 0: none. */
static uint64_t load_word(const struct vf_ring_reader *ring, uint64_t position)
{
    const void *at = ring->data + (position & (ring->bytes - 1));
    return __atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE);
}

/* True when the word is that of an entry at `position` which ends at `head` or before. */
static bool is_entry(const struct vf_ring_reader *ring, uint64_t word, uint64_t position,
                     uint64_t head)
{
    uint32_t bytes = (uint32_t)word, kind = (uint32_t)(word >> 32 & 0xff);
    (void)ring;
    return bytes <= VF_RING_PAYLOAD_MAX && kind > 0 && kind < VF_RING_KINDS &&
           word == vf_ring_word(position, kind, bytes) &&
           vf_ring_entry_bytes(bytes) <= head - position;
}

/* Sets `bytes` to 0 from the reader's place on and passes over them. */
static void pass(struct vf_ring_reader *ring, uint64_t bytes)
{
    uint64_t at = ring->tail & (ring->bytes - 1), room = ring->bytes - at;
    uint64_t first = bytes < room ? bytes : room;
    memset(ring->data + at, 0, (size_t)first);
    memset(ring->data, 0, (size_t)(bytes - first));
    ring->tail += bytes;
    __atomic_store_n(&ring->shared->tail, ring->tail, __ATOMIC_RELEASE);
}

static void copy_out(const struct vf_ring_reader *ring, uint64_t position, size_t bytes)
{
    size_t at = (size_t)(position & (ring->bytes - 1)), room = (size_t)ring->bytes - at;
    size_t first = bytes < room ? bytes : room;
    memcpy(ring->payload, ring->data + at, first);
    memcpy(ring->payload + first, ring->data, bytes - first);
}

bool vf_ring_next(struct vf_ring_reader *ring, bool last, struct vf_ring_entry *out)
{
    if (!ring->shared || ring->broken)
        return false;
    uint64_t head = __atomic_load_n(&ring->shared->head, __ATOMIC_ACQUIRE);
    if (head - ring->tail > ring->bytes || head % 8) {
        ring->broken = true;
        return false;
    }
    while (ring->tail < head) {
        uint64_t word = load_word(ring, ring->tail);
        if (is_entry(ring, word, ring->tail, head)) {
            uint32_t bytes = (uint32_t)word;
            copy_out(ring, ring->tail + 8, bytes);
            pass(ring, vf_ring_entry_bytes(bytes));
            *out = (struct vf_ring_entry){(enum vf_ring_kind)(word >> 32 & 0xff),
                                          {ring->payload, bytes}};
            return true;
        }
        if (word == 0 && !last)
            return false;
        ring->damaged_bytes += word ? 8 : 0;
        pass(ring, 8);
    }
    return false;
}

uint64_t vf_ring_left_out(const struct vf_ring_reader *ring, enum vf_ring_kind kind)
{
    uint64_t sum = 0;
    for (size_t i = 0; ring->shared && i < VF_RING_KINDS; i++)
        if (kind == VF_RING_KINDS || kind == i)
            sum += __atomic_load_n(&ring->shared->left_out[i], __ATOMIC_RELAXED);
    return sum;
}

void vf_ring_close(struct vf_ring_reader *ring)
{
    if (ring->shared && ring->shm >= 0)
        shmdt(ring->shared);
    else if (ring->shared)
        munmap(ring->shared, RING_BYTES);
    if (ring->fd >= 0)
        close(ring->fd);
    free(ring->payload);
    *ring = (struct vf_ring_reader){.fd = -1, .shm = -1};
}

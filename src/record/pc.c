#include "record/pc.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Room for two seconds of a CPU's rows; far below what a user may have locked (516 kB a CPU). */
enum { RING_BYTES = 1 << 16, CPUS_MAX = 1 << 14, RECORD_MAX = 64 };

static const char PARANOID[] = "/proc/sys/kernel/perf_event_paranoid";

int vf_pc_paranoid(void)
{
    int value = -1;
    FILE *file = fopen(PARANOID, "re");
    if (!file)
        return value;
    if (fscanf(file, "%d", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

void vf_pc_reason(char *out, size_t size, int error, int paranoid)
{
    if ((error == EACCES || error == EPERM) && paranoid > 2)
        snprintf(out, size, "%s is %d; 2 or less is needed", PARANOID, paranoid);
    else if (error == EACCES || error == EPERM)
        snprintf(out, size, "perf_event_open is forbidden here, by a container's filter perhaps");
    else if (error == ENOBUFS)
        snprintf(out, size,
                 "no more memory may be locked for them (perf_event_mlock_kb, ulimit -l)");
    else if (error == ENOSYS)
        snprintf(out, size, "the kernel has no perf_event_open");
    else
        snprintf(out, size, "perf_event_open failed: %s", strerror(error));
}

/* ---- events ---------------------------------------------------------------------------------- */

void vf_pc_init(struct vf_pc *pc, double sample_period_s)
{
    double period_ns = sample_period_s * 1e9 * (double)VF_PC_SAMPLE_PERIODS;
    *pc = (struct vf_pc){.period_ns = VF_PC_PERIOD_MIN_NS};
    if (period_ns > (double)VF_PC_PERIOD_MIN_NS)
        pc->period_ns = (uint64_t)(period_ns + 0.5);
}

static int open_event(const struct vf_pc *pc, pid_t pid, int cpu, bool on_exec, bool threads_only)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = pc->period_ns,
        .sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
        .disabled = on_exec,
        .enable_on_exec = on_exec,
        .inherit = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
    };
#ifdef PERF_ATTR_SIZE_VER7
    attr.inherit_thread = threads_only;
#else
    (void)threads_only;
#endif
    return (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Both are powers of two. */
static size_t ring_bytes(void)
{
    return page_bytes() > RING_BYTES ? page_bytes() : RING_BYTES;
}

/* Kernels before 5.13 know no inherit_thread: there child processes are followed too, and their
 * rows are left out when they come. */
static bool open_ring(struct vf_pc *pc, pid_t pid, int cpu, bool on_exec)
{
    struct vf_pc_ring ring = {.fd = open_event(pc, pid, cpu, on_exec, true)};
    if (ring.fd < 0 && (errno == EINVAL || errno == E2BIG))
        ring.fd = open_event(pc, pid, cpu, on_exec, false);
    if (ring.fd < 0)
        return false;
    ring.pages =
        mmap(NULL, page_bytes() + ring_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
    if (ring.pages == MAP_FAILED) {
        int why = errno;
        close(ring.fd);
        errno = why == EPERM ? ENOBUFS : why; /* not the event is forbidden, but its memory */
        return false;
    }
    VF_APPEND(&pc->rings, ring);
    return true;
}

void vf_pc_open(struct vf_pc *pc, pid_t pid, bool on_exec)
{
    pc->missing[0] = 0;
    /* The kernel is asked for each CPU: where /sys is not there or not the whole truth, the C
     * library's count is that of the CPUs that we may run on. */
    for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
        if (open_ring(pc, pid, cpu, on_exec) || errno == ENODEV) /* a CPU that is switched off */
            continue;
        int why = errno;
        if (why == EINVAL && vf_pc_is_open(pc)) /* there is no CPU of that number */
            return;
        vf_pc_close(pc);
        vf_pc_reason(pc->missing, sizeof pc->missing, why, vf_pc_paranoid());
        return;
    }
}

void vf_pc_switch(struct vf_pc *pc, bool on)
{
    for (size_t i = 0; i < pc->rings.len; i++)
        ioctl(pc->rings.items[i].fd, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}

void vf_pc_close(struct vf_pc *pc)
{
    for (size_t i = 0; i < pc->rings.len; i++) {
        munmap(pc->rings.items[i].pages, page_bytes() + ring_bytes());
        close(pc->rings.items[i].fd);
    }
    free(pc->rings.items);
    pc->rings.items = NULL;
    pc->rings.len = pc->rings.cap = 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Bytes of the ring from `at` on, which may go over its end. */
static void copy_out(const char *data, size_t size, uint64_t at, void *out, size_t count)
{
    size_t begin = (size_t)(at % size), first = size - begin < count ? size - begin : count;
    memcpy(out, data + begin, first);
    memcpy((char *)out + first, data, count - first);
}

static void take_record(struct vf_pc *pc, pid_t pid, const struct perf_event_header *header,
                        const char *body, struct vf_buf *rows)
{
    if (header->type == PERF_RECORD_LOST) {
        struct {
            uint64_t id, lost;
        } lost;
        memcpy(&lost, body, sizeof lost);
        pc->lost += lost.lost;
    } else if (header->type == PERF_RECORD_SAMPLE) {
        struct {
            uint64_t ip;
            uint32_t pid, tid;
            uint64_t time_ns;
        } sample;
        memcpy(&sample, body, sizeof sample);
        uint64_t row[3] = {sample.time_ns, sample.tid, sample.ip};
        if (sample.pid == (uint32_t)pid)
            vf_buf_add(rows, row, sizeof row);
    }
}

static void drain_ring(struct vf_pc *pc, const struct vf_pc_ring *ring, pid_t pid,
                       struct vf_buf *rows)
{
    struct perf_event_mmap_page *page = ring->pages;
    size_t size = ring_bytes();
    const char *data = (const char *)ring->pages + page_bytes();
    uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE), tail = page->data_tail;
    while (tail < head) {
        struct perf_event_header header;
        char body[RECORD_MAX] = {0};
        copy_out(data, size, tail, &header, sizeof header);
        if (header.size < sizeof header || header.size > head - tail)
            break;
        size_t length = header.size - sizeof header;
        copy_out(data, size, tail + sizeof header, body,
                 length < sizeof body ? length : sizeof body);
        take_record(pc, pid, &header, body, rows);
        tail += header.size;
    }
    __atomic_store_n(&page->data_tail, head, __ATOMIC_RELEASE);
}

void vf_pc_drain(struct vf_pc *pc, pid_t pid, struct vf_buf *rows)
{
    for (size_t i = 0; i < pc->rings.len; i++)
        drain_ring(pc, &pc->rings.items[i], pid, rows);
}

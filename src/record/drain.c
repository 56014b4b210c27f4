#include "record/log_text.h"
#include "record/session.h"

#include <unistd.h>

static const int64_t MEMORY_EVERY_NS = 10000000;

static void take_sample_entry(struct vf_session *s, struct vf_str bytes)
{
    struct vf_ring_note note;
    if (bytes.len <= sizeof note)
        return;
    memcpy(&note, bytes.ptr, sizeof note);
    bytes.ptr += sizeof note;
    bytes.len -= sizeof note;
    vf_session_sample(s, &note, bytes);
}

static void take_log_entry(struct vf_session *s, struct vf_str bytes)
{
    s->log_text.len = 0;
    s->damaged_log_bytes += bytes.len - vf_log_text(bytes, &s->log_text);
    vf_spool_add(&s->spool, VF_SPOOL_PYPYLOG, s->log_text.ptr, s->log_text.len);
}

static void take_entry(struct vf_session *s, const struct vf_ring_entry *entry)
{
    switch (entry->kind) {
    case VF_RING_SAMPLE:
        take_sample_entry(s, entry->bytes);
        break;
    case VF_RING_RECORDS:
        vf_session_records(s, entry->bytes);
        break;
    case VF_RING_JITLOG:
        vf_spool_add(&s->spool, VF_SPOOL_JITLOG, entry->bytes.ptr, entry->bytes.len);
        break;
    case VF_RING_PYPYLOG:
        take_log_entry(s, entry->bytes);
        break;
    case VF_RING_MESSAGE:
        vf_session_message(s, entry->bytes);
        break;
    case VF_RING_KINDS:
        break;
    }
}

/* The memory that the program has resident, from outside: /proc/PID/statm, see proc(5). */
static void read_memory(struct vf_session *s)
{
    char text[128];
    uint64_t pages;
    int64_t now_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    if (!s->options->memory || !s->sampling || now_ns - s->memory_ns < MEMORY_EVERY_NS)
        return;
    s->memory_ns = now_ns;
    int fd = vf_proc_file(&s->python, "statm");
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return;
    struct vf_str rest = {text, (size_t)got};
    vf_str_cut(&rest, ' ');
    if (!vf_str_to_u64(vf_str_cut(&rest, ' '), 10, &pages) || pages == 0)
        return;
    int64_t row[2] = {now_ns, (int64_t)pages * sysconf(_SC_PAGESIZE)};
    vf_spool_add(&s->spool, VF_SPOOL_MEMORY, row, sizeof row);
}

void vf_session_add_rows(struct vf_session *s, enum vf_spool_file file, struct vf_buf *rows)
{
    vf_spool_add(&s->spool, file, rows->ptr, rows->len);
    rows->len = 0;
}

/* Where there are many threads, looks which of them live.  What the others have left in the ring
 * lies before the place that is given. */
static uint64_t mark_threads(struct vf_session *s)
{
    pid_t tid;
    if (!vf_told_is_due(&s->threads) || !s->ring.shared || !vf_proc_list(&s->python))
        return 0;
    vf_told_mark(&s->threads);
    while ((tid = vf_proc_next(&s->python)))
        vf_told_lives(&s->threads, (uint64_t)tid);
    /* The folder may pass one over while another ends. */
    for (size_t i = 0; i < s->threads.marked; i++)
        if (!s->threads.threads.items[i].lives &&
            vf_proc_has_thread(&s->python, (pid_t)s->threads.threads.items[i].tid))
            vf_told_lives(&s->threads, s->threads.threads.items[i].tid);
    return __atomic_load_n(&s->ring.shared->head, __ATOMIC_ACQUIRE);
}

/* It is written as a whole: the larger it is the less often, one megabyte a second at most. */
static bool is_info_due(const struct vf_session *s, int64_t now_ns)
{
    enum { NS_A_BYTE = 1000 };
    return !s->info_ns || now_ns - s->info_ns >= (int64_t)s->info_bytes * NS_A_BYTE;
}

static void write_told(struct vf_session *s)
{
    struct vf_buf info = {0};
    int64_t now_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    if (!s->told || !is_info_due(s, now_ns))
        return;
    vf_session_write_info(&info, s, NULL);
    s->told = !vf_spool_put(&s->spool, "session.json", vf_buf_view(&info));
    if (s->maps.len)
        vf_spool_put(&s->spool, "maps.txt", vf_buf_view(&s->maps));
    s->info_ns = now_ns;
    s->info_bytes = info.len + s->maps.len;
    vf_buf_release(&info);
}

/* Whoever finds samples knows of which run they are.  Once that is written they don't wait for a
 * disk that makes files slowly. */
static void flush_records(struct vf_session *s)
{
    bool told = s->info_ns != 0;
    if (!told)
        write_told(s);
    vf_spool_flush(&s->spool);
    if (told)
        write_told(s);
}

void vf_session_drain(struct vf_session *s, bool last)
{
    enum { FLUSH_BYTES = 1 << 20 };
    struct vf_ring_entry entry;
    if (vf_proc_is_held(&s->python) && !vf_proc_is_there(&s->python))
        vf_session_stop_looking(s);
    uint64_t samples = s->samples, end = s->ring.tail + s->ring.bytes, marked_at = mark_threads(s);
    if (s->ring.shared)
        __atomic_fetch_add(&s->ring.shared->beat, 1, __ATOMIC_RELAXED);
    /* What comes meanwhile has its turn the next time: a program that writes as fast as we read
     * does not keep us here. */
    while (s->ring.tail < end && vf_ring_next(&s->ring, last, &entry)) {
        take_entry(s, &entry);
        if (s->spool.waiting_bytes > FLUSH_BYTES) {
            flush_records(s);
        }
    }
    if (marked_at && s->ring.tail >= marked_at)
        vf_told_sweep(&s->threads);
    /* The kernel's figures are as of its last tick, and the timer of a sample runs off on a tick:
     * so they belong to the time of the last sample and not to now. */
    if (s->samples > samples) {
        vf_cpu_read(&s->cpu, &s->python, s->last_ns, &s->cpu_rows);
        read_memory(s);
    }
    vf_counter_pairs_add(&s->pairs, vf_clock_now_ns(CLOCK_MONOTONIC), false);
    vf_pc_drain(&s->pc, s->python_pid, &s->pc_rows);
    vf_session_add_rows(s, VF_SPOOL_CPU, &s->cpu_rows);
    vf_session_add_rows(s, VF_SPOOL_PC, &s->pc_rows);
}

void vf_session_flush(struct vf_session *s)
{
    vf_session_early_names(s);
    flush_records(s);
    if (s->spool.waiting_bytes == 0)
        s->waiting_ns = 0;
    if (s->pairs.len)
        vf_spool_put(
            &s->spool, "clock.i64",
            (struct vf_str){(const char *)s->pairs.items, s->pairs.len * sizeof *s->pairs.items});
}

#include "record/cpu.h"

#include "base/descriptors.h"

#include <stdio.h>
#include <unistd.h>

/* The folder of threads is read again after this long. */
static const int64_t LIST_EVERY_NS = 20000000;
/* Of a thread that stands still there is a row this often. */
static const int64_t STILL_NS = 1000000000;
/* A thread's own figure is as old as the last tick: 10 ms where the kernel ticks slowest. */
static const int64_t TICK_NS = 10000000;

static int open_schedstat(const struct vf_proc *proc, pid_t tid)
{
    char name[80];
    snprintf(name, sizeof name, "task/%d/schedstat", (int)tid);
    return vf_proc_file(proc, name);
}

static bool read_schedstat(const struct vf_proc *proc, const struct vf_cpu_thread *thread,
                           int64_t *out_ns)
{
    char text[96];
    uint64_t value;
    int fd = thread->fd >= 0 ? thread->fd : open_schedstat(proc, thread->tid);
    ssize_t got = fd >= 0 ? pread(fd, text, sizeof text, 0) : -1;
    if (fd >= 0 && fd != thread->fd)
        close(fd);
    if (got <= 0)
        return false;
    struct vf_str rest = {text, (size_t)got};
    if (!vf_str_to_u64(vf_str_cut(&rest, ' '), 10, &value) || value > INT64_MAX)
        return false;
    *out_ns = (int64_t)value;
    return true;
}

static void add_thread(struct vf_cpu *cpu, const struct vf_proc *proc, pid_t tid)
{
    for (size_t i = 0; i < cpu->threads.len; i++)
        if (cpu->threads.items[i].tid == tid) {
            cpu->threads.items[i].seen = true;
            return;
        }
    if (cpu->threads.len >= VF_CPU_THREADS_MAX)
        return;
    int64_t ran_ns;
    struct vf_cpu_thread thread = {.tid = tid, .seen = true};
    thread.fd = vf_descriptors_spare(open_schedstat(proc, tid));
    if (!read_schedstat(proc, &thread, &ran_ns)) {
        if (thread.fd >= 0)
            close(thread.fd);
        return;
    }
    if (!cpu->started)
        thread.first_ns = ran_ns;
    thread.seen_ns = thread.first_ns;
    VF_APPEND(&cpu->threads, thread);
}

static void add_row(struct vf_buf *rows, int64_t now_ns, struct vf_cpu_thread *thread,
                    int64_t given_ns)
{
    int64_t row[3] = {now_ns, thread->tid, given_ns};
    vf_buf_add(rows, row, sizeof row);
    thread->row_ns = now_ns;
    thread->row_given_ns = given_ns;
}

/* Of a thread that stands still, but for what signals take of it, there is a row a second, and one
 * where it goes on.  `before_ns` is what it had been given at the last reading. */
static void tell(struct vf_cpu *cpu, struct vf_cpu_thread *thread, int64_t before_ns,
                 int64_t now_ns, struct vf_buf *rows)
{
    enum { STILL_PART = 100 };
    int64_t passed_ns = now_ns - thread->row_ns;
    bool known = thread->row_ns != 0;
    bool stands = (thread->given_ns - thread->row_given_ns) * STILL_PART <= passed_ns;
    if (known && stands && passed_ns < STILL_NS)
        return;
    if (known && !stands && thread->row_ns < cpu->read_ns)
        add_row(rows, cpu->read_ns, thread, before_ns);
    add_row(rows, now_ns, thread, thread->given_ns);
}

static void end_thread(const struct vf_cpu *cpu, struct vf_cpu_thread *thread, struct vf_buf *rows)
{
    if (thread->row_ns && thread->row_ns < cpu->read_ns)
        add_row(rows, cpu->read_ns, thread, thread->given_ns);
}

void vf_cpu_end(struct vf_cpu *cpu, struct vf_buf *rows)
{
    for (size_t i = 0; i < cpu->threads.len; i++)
        end_thread(cpu, &cpu->threads.items[i], rows);
}

/* The folder of threads may pass one over while another ends. */
static void drop_ended(struct vf_cpu *cpu, const struct vf_proc *proc, struct vf_buf *rows)
{
    size_t kept = 0;
    for (size_t i = 0; i < cpu->threads.len; i++) {
        struct vf_cpu_thread *thread = &cpu->threads.items[i];
        if (thread->seen || vf_proc_has_thread(proc, thread->tid)) {
            cpu->threads.items[kept++] = *thread;
            continue;
        }
        end_thread(cpu, thread, rows);
        if (thread->fd >= 0)
            close(thread->fd);
    }
    cpu->threads.len = kept;
}

static void list_threads(struct vf_cpu *cpu, struct vf_proc *proc, struct vf_buf *rows)
{
    pid_t tid;
    if (!vf_proc_list(proc))
        return;
    for (size_t i = 0; i < cpu->threads.len; i++)
        cpu->threads.items[i].seen = false;
    while ((tid = vf_proc_next(proc)))
        add_thread(cpu, proc, tid);
    drop_ended(cpu, proc, rows);
}

/* Gives `process_delta` to the threads in the shares `deltas`, whose sum is `sum`. */
static void share_out(struct vf_cpu *cpu, const int64_t *deltas, int64_t sum, int64_t process_delta,
                      int64_t now_ns, struct vf_buf *rows)
{
    for (size_t i = 0; i < cpu->threads.len; i++) {
        struct vf_cpu_thread *thread = &cpu->threads.items[i];
        int64_t before_ns = thread->given_ns;
        thread->seen_ns += deltas[i];
        thread->given_ns += (int64_t)((double)process_delta * (double)deltas[i] / (double)sum);
        int64_t most = thread->seen_ns - thread->first_ns + TICK_NS;
        if (thread->given_ns > most)
            thread->given_ns = most;
        tell(cpu, thread, before_ns, now_ns, rows);
    }
}

void vf_cpu_read(struct vf_cpu *cpu, struct vf_proc *proc, int64_t now_ns, struct vf_buf *rows)
{
    int64_t process_ns, sum = 0, value;
    if (cpu->failed || !vf_proc_cpu_ns(proc, &process_ns))
        return;
    if (!cpu->started || now_ns - cpu->listed_ns > LIST_EVERY_NS) {
        list_threads(cpu, proc, rows);
        cpu->listed_ns = now_ns;
    }
    if (!cpu->started) {
        cpu->started = true;
        cpu->process_ns = process_ns;
        cpu->read_ns = now_ns;
        cpu->failed = cpu->threads.len == 0; /* a kernel without schedstat */
        for (size_t i = 0; i < cpu->threads.len; i++) {
            add_row(rows, now_ns, &cpu->threads.items[i], 0);
            if (cpu->threads.items[i].tid == proc->pid)
                cpu->main_first_ns = cpu->threads.items[i].first_ns;
        }
        return;
    }
    int64_t *deltas = vf_alloc_zeroed(cpu->threads.len, sizeof *deltas);
    for (size_t i = 0; i < cpu->threads.len; i++) {
        struct vf_cpu_thread *thread = &cpu->threads.items[i];
        if (read_schedstat(proc, thread, &value) && value > thread->seen_ns)
            deltas[i] = value - thread->seen_ns;
        sum += deltas[i];
    }
    if (sum > 0) {
        share_out(cpu, deltas, sum, process_ns - cpu->process_ns, now_ns, rows);
        cpu->read_ns = now_ns;
        cpu->process_ns = process_ns;
    }
    free(deltas);
}

void vf_cpu_close(struct vf_cpu *cpu)
{
    for (size_t i = 0; i < cpu->threads.len; i++)
        if (cpu->threads.items[i].fd >= 0)
            close(cpu->threads.items[i].fd);
    cpu->threads.len = 0;
}

void vf_cpu_release(struct vf_cpu *cpu)
{
    vf_cpu_close(cpu);
    free(cpu->threads.items);
    *cpu = (struct vf_cpu){0};
}

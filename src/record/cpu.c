#include "record/cpu.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* The folder of threads is read again after this long. */
static const int64_t LIST_EVERY_NS = 20000000;
/* A thread's own figure is as old as the last tick: 10 ms where the kernel ticks slowest. */
static const int64_t TICK_NS = 10000000;

static bool read_schedstat(struct vf_cpu_thread *thread, int64_t *out_ns)
{
    char text[96];
    uint64_t value;
    ssize_t got = pread(thread->fd, text, sizeof text, 0);
    if (got <= 0)
        return false;
    struct vf_str rest = {text, (size_t)got};
    if (!vf_str_to_u64(vf_str_cut(&rest, ' '), 10, &value) || value > INT64_MAX)
        return false;
    *out_ns = (int64_t)value;
    return true;
}

static void add_thread(struct vf_cpu *cpu, pid_t tid)
{
    char path[80];
    for (size_t i = 0; i < cpu->threads.len; i++)
        if (cpu->threads.items[i].tid == tid) {
            cpu->threads.items[i].seen = true;
            return;
        }
    if (cpu->threads.len >= VF_CPU_THREADS_MAX)
        return;
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)cpu->pid, (int)tid);
    struct vf_cpu_thread thread = {.tid = tid, .seen = true};
    thread.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (thread.fd >= 0 && !cpu->started)
        read_schedstat(&thread, &thread.first_ns);
    thread.seen_ns = thread.first_ns;
    if (thread.fd >= 0)
        VF_APPEND(&cpu->threads, thread);
}

static void drop_ended(struct vf_cpu *cpu)
{
    size_t kept = 0;
    for (size_t i = 0; i < cpu->threads.len; i++) {
        struct vf_cpu_thread *thread = &cpu->threads.items[i];
        if (thread->seen)
            cpu->threads.items[kept++] = *thread;
        else
            close(thread->fd);
    }
    cpu->threads.len = kept;
}

static void list_threads(struct vf_cpu *cpu)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)cpu->pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    if (!folder)
        return;
    for (size_t i = 0; i < cpu->threads.len; i++)
        cpu->threads.items[i].seen = false;
    while ((entry = readdir(folder))) {
        uint64_t tid;
        if (vf_str_to_u64(vf_str_from(entry->d_name), 10, &tid) && tid <= INT32_MAX)
            add_thread(cpu, (pid_t)tid);
    }
    closedir(folder);
    drop_ended(cpu);
}

static bool read_process(pid_t pid, int64_t *out_ns)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return false;
    *out_ns = (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
    return true;
}

static void add_row(struct vf_buf *rows, int64_t now_ns, const struct vf_cpu_thread *thread)
{
    int64_t row[3] = {now_ns, thread->tid, thread->given_ns};
    vf_buf_add(rows, row, sizeof row);
}

/* Gives `process_delta` to the threads in the shares `deltas`, whose sum is `sum`. */
static void share_out(struct vf_cpu *cpu, const int64_t *deltas, int64_t sum, int64_t process_delta,
                      int64_t now_ns, struct vf_buf *rows)
{
    for (size_t i = 0; i < cpu->threads.len; i++) {
        struct vf_cpu_thread *thread = &cpu->threads.items[i];
        thread->seen_ns += deltas[i];
        thread->given_ns += (int64_t)((double)process_delta * (double)deltas[i] / (double)sum);
        int64_t most = thread->seen_ns - thread->first_ns + TICK_NS;
        if (thread->given_ns > most)
            thread->given_ns = most;
        add_row(rows, now_ns, thread);
    }
}

void vf_cpu_read(struct vf_cpu *cpu, pid_t pid, int64_t now_ns, struct vf_buf *rows)
{
    int64_t process_ns, sum = 0, value;
    cpu->pid = pid;
    if (cpu->failed || !read_process(pid, &process_ns))
        return;
    if (!cpu->started || now_ns - cpu->listed_ns > LIST_EVERY_NS) {
        list_threads(cpu);
        cpu->listed_ns = now_ns;
    }
    if (!cpu->started) {
        cpu->started = true;
        cpu->process_ns = process_ns;
        cpu->failed = cpu->threads.len == 0; /* a kernel without schedstat */
        for (size_t i = 0; i < cpu->threads.len; i++) {
            add_row(rows, now_ns, &cpu->threads.items[i]);
            if (cpu->threads.items[i].tid == pid)
                cpu->main_first_ns = cpu->threads.items[i].first_ns;
        }
        return;
    }
    int64_t *deltas = vf_alloc_zeroed(cpu->threads.len, sizeof *deltas);
    for (size_t i = 0; i < cpu->threads.len; i++) {
        struct vf_cpu_thread *thread = &cpu->threads.items[i];
        if (read_schedstat(thread, &value) && value > thread->seen_ns)
            deltas[i] = value - thread->seen_ns;
        sum += deltas[i];
    }
    if (sum > 0) {
        share_out(cpu, deltas, sum, process_ns - cpu->process_ns, now_ns, rows);
        cpu->process_ns = process_ns;
    }
    free(deltas);
}

void vf_cpu_release(struct vf_cpu *cpu)
{
    for (size_t i = 0; i < cpu->threads.len; i++)
        close(cpu->threads.items[i].fd);
    free(cpu->threads.items);
    *cpu = (struct vf_cpu){0};
}

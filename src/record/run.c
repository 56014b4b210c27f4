#include "record/bootstrap_files.h"
#include "record/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between two looks at the ring: what is in it has its time, so nothing is lost by waiting.  While
 * nothing comes the recorder looks less often. */
enum { NAP_MIN_MS = 5, NAP_MAX_MS = 40 };
static const int64_t FLUSH_EVERY_NS = 300000000;

/* ---- set-up -----------------------------------------------------------------------------------
 */

/* All that must be there before the program runs. */
static enum vf_status begin_in(struct vf_session *s, const char *folder, struct vf_error *error)
{
    /* Its name goes into PYTHONPATH and PYPYLOG, where these have a meaning. */
    s->temp = strpbrk(folder, ":%") ? "/tmp" : folder;
    if (vf_spool_open(&s->spool, s->temp, error) == VF_OK &&
        vf_ring_open(&s->ring, s->spool.folder_fd, error) == VF_OK &&
        vf_session_prepare(s, error) == VF_OK)
        return VF_OK;
    vf_session_close_libraries(s);
    vf_ring_close(&s->ring);
    vf_spool_close(&s->spool);
    return VF_FATAL;
}

/* In the temporary folder, or where that has no room (which may be room for one file more, or the
 * user's share of the disk) in the first spare one that has.  One that is not there is said. */
static enum vf_status find_begin(struct vf_session *s, struct vf_error *error)
{
    struct vf_error other;
    const char *temp = vf_temp_folder();
    if (begin_in(s, temp, error) == VF_OK)
        return VF_OK;
    bool exists = access(temp, F_OK) == 0;
    for (const char *const *spare = s->place->spare; exists && spare && *spare; spare++) {
        if (strcmp(*spare, temp) == 0 || begin_in(s, *spare, &other) == VF_FATAL)
            continue;
        struct vf_str text =
            vf_arena_printf(&s->arena, "the recording can't begin in %s (%s); it begins in %s",
                            temp, error->number ? strerror(error->number) : error->text, *spare);
        if (s->options->tell)
            s->options->tell(text.ptr);
        vf_set_temp_folder(*spare);
        return VF_OK;
    }
    return VF_FATAL;
}

static enum vf_status begin(struct vf_session *s, struct vf_error *error)
{
    if (find_begin(s, error) == VF_FATAL)
        return VF_FATAL;
    s->ring.shared->with_pc = s->options->pc;
    vf_timers_init(&s->timers, &s->ring, s->options->period_s, s->options->real_time);
    vf_rate_init(&s->rate, &s->ring, s->options->budget, s->options->jitlog == VF_JITLOG_AUTO,
                 s->timers.period_ns);
    return VF_OK;
}

void vf_session_release(struct vf_session *s)
{
    vf_spool_close(&s->spool);
    vf_ring_close(&s->ring);
    vf_timers_close(&s->timers);
    vf_pc_close(&s->pc);
    vf_buf_release(&s->pc_rows);
    free(s->modules.items);
    vf_layout_release(&s->layout);
    vf_cpu_release(&s->cpu);
    vf_buf_release(&s->cpu_rows);
    vf_buf_release(&s->partial);
    vf_buf_release(&s->log_text);
    vf_buf_release(&s->maps);
    vf_maps_release(&s->known_maps);
    vf_buf_release(&s->bytecode);
    vf_told_release(&s->threads);
    vf_proc_close(&s->python);
    free(s->long_files.items);
    free(s->addresses.items);
    free(s->names.items);
    free(s->files.items);
    vf_table_release(&s->address_index);
    vf_table_release(&s->file_index);
    vf_table_release(&s->name_index);
    vf_arena_release(&s->arena);
}

/* ---- while the program runs -------------------------------------------------------------------
 */

/* A key pressed at the terminal reaches the program by itself (it is in the same group), and so
 * does what is sent to the group; what another process sends to us alone is passed on. */
static void pass_signals(struct vf_session *s, const sigset_t *passed)
{
    const struct timespec now = {0};
    siginfo_t info;
    while (sigtimedwait(passed, &info, &now) > 0)
        if (info.si_code != SI_KERNEL && !vf_group_has(&s->group, info.si_signo, s->pid))
            kill(s->pid, info.si_signo);
}

/* Nobody is left to get them, and its number may be another's: they must not kill us now. */
static void drop_signals(const sigset_t *passed)
{
    const struct timespec now = {0};
    while (sigtimedwait(passed, NULL, &now) > 0)
        continue;
}

static bool has_ended(const struct vf_session *s)
{
    siginfo_t info = {0};
    int got = waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOWAIT | WNOHANG);
    return got != 0 || info.si_pid == s->pid;
}

static void watch_space(struct vf_session *s, int64_t now_ns)
{
    char text[480];
    uint64_t bytes = 0;
    if (!s->options->tell || !vf_space_is_due(&s->space, now_ns))
        return;
    struct vf_space_folder temp = {.fd = s->spool.folder_fd, .path = s->temp};
    struct vf_space_folder output = {.fd = s->place->folder, .path = s->place->folder_path};
    for (int file = 0; file < VF_SPOOL_FILES; file++)
        bytes += vf_spool_size(&s->spool, (enum vf_spool_file)file);
    s->space.start_ns = s->start_monotonic_ns;
    if (vf_space_look(&s->space, &temp, &output, bytes, now_ns, text, sizeof text))
        s->options->tell(text);
}

/* Takes what has come; how long to wait until the next time. */
static int look(struct vf_session *s, int nap_ms, int64_t *flushed_ns)
{
    uint64_t before = s->ring.tail;
    int64_t now_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    vf_session_drain(s, false);
    watch_space(s, now_ns);
    if (s->sampling) {
        vf_timers_look(&s->timers, &s->ring, &s->python, now_ns);
        vf_timers_drive(&s->timers, &s->ring, &s->python, now_ns);
        vf_rate_look(&s->rate, &s->timers, &s->ring, s->python.pid, now_ns);
        vf_session_see_cpu(s);
    }
    /* What is known of the interpreter at once, for a recorder that is soon killed. */
    bool first = s->connected && s->samples && !s->flushed;
    if (first || now_ns - *flushed_ns > FLUSH_EVERY_NS) {
        s->flushed |= s->samples > 0;
        if (s->sampling && !s->children)
            vf_session_see_children(s);
        vf_session_flush(s);
        *flushed_ns = now_ns;
    }
    if (s->ring.tail != before || nap_ms < NAP_MIN_MS)
        return NAP_MIN_MS;
    return nap_ms * 2 > NAP_MAX_MS ? NAP_MAX_MS : nap_ms * 2;
}

/* Until the program has ended; it stays a zombie.  `process` and `signals` are -1 where the kernel
 * has no pidfd, a container forbids it, or there are no descriptors: then it is asked each time. */
static void watch(struct vf_session *s, const sigset_t *passed, int signals, int process)
{
    int nap_ms = NAP_MIN_MS;
    int64_t flushed_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    struct pollfd fds[2] = {{.fd = process, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, nap_ms) < 0 && errno != EINTR)
            break;
        if (fds[1].revents || signals < 0)
            pass_signals(s, passed);
        if (process < 0 ? has_ended(s) : fds[0].revents != 0)
            break;
        nap_ms = look(s, nap_ms, &flushed_ns);
    }
}

/* The end is now, and not when all that was recorded has been taken in. */
static void note_end(struct vf_session *s, const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        s->exit_code = info->si_status;
    else
        s->exit_signal = info->si_status;
    s->end_realtime_ns = vf_clock_now_ns(CLOCK_REALTIME);
    s->end_monotonic_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    vf_counter_pairs_add(&s->pairs, s->end_monotonic_ns, true);
}

/* Behind it nothing is open any more that was for the program alone: the recording that is written
 * now needs descriptors, too. */
static void reap(struct vf_session *s)
{
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    note_end(s, &info);
    vf_session_drain(s, true);
    if (s->became.len == 0)
        vf_session_see_cpu(s); /* a zombie still has it */
    vf_session_see_children(s);
    vf_session_stop_looking(s);
    vf_pc_close(&s->pc);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static enum vf_status run_program(struct vf_session *s, struct vf_error *error)
{
    sigset_t passed;
    if (!s->plain)
        vf_descriptors_raise();
    sigemptyset(&passed);
    sigaddset(&passed, SIGINT);
    sigaddset(&passed, SIGTERM);
    sigaddset(&passed, SIGHUP);
    sigaddset(&passed, SIGQUIT);
    sigaddset(&passed, SIGUSR1);
    sigaddset(&passed, SIGUSR2);
    if (!s->masked)
        s->masked = sigprocmask(SIG_BLOCK, &passed, &s->mask_before) == 0;
    /* Ignored, as a parent may leave it, it would make the kernel forget the exit code. */
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &s->child_before);
    int process = -1, signals = signalfd(-1, &passed, SFD_NONBLOCK | SFD_CLOEXEC);
    vf_group_open(&s->group);
    enum vf_status status = vf_session_spawn(s, &s->mask_before, error);
    if (status == VF_OK) {
        process = (int)syscall(SYS_pidfd_open, s->pid, 0);
        watch(s, &passed, signals, process);
        reap(s);
        drop_signals(&passed);
        if (process >= 0)
            close(process);
    }
    vf_group_close(&s->group);
    if (signals >= 0)
        close(signals);
    sigaction(SIGCHLD, &s->child_before, NULL);
    return status;
}

void vf_record_let_signals_in(struct vf_record_result *result)
{
    sigset_t interrupt;
    if (!result->masked)
        return;
    result->masked = false;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    while (sigtimedwait(&interrupt, NULL, &(struct timespec){0}) == SIGINT)
        continue;
    sigprocmask(SIG_SETMASK, &result->mask_before, NULL);
}

/* ---- no memory --------------------------------------------------------------------------------
 */

/* The one that is being recorded. */
static struct vf_session *at_work;

const char *vf_record_folder(void)
{
    return at_work && at_work->pid > 0 ? at_work->spool.folder : NULL;
}

int vf_record_wait(void)
{
    const struct vf_session *s = at_work;
    int code = s->exit_signal ? 128 + s->exit_signal : s->exit_code, status = 0;
    while (!s->end_monotonic_ns && waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!s->end_monotonic_ns)
        code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return code ? code : 1;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

/* Limits of the shell are no reason not to run the program, which may well live within them. */
static bool is_by_limits(const struct vf_error *why)
{
    struct rlimit limit;
    bool known = why->number == EFBIG || why->number == ENOMEM || why->number == EMFILE;
    return known &&
           getrlimit(why->number == EFBIG    ? RLIMIT_FSIZE
                     : why->number == ENOMEM ? RLIMIT_AS
                                             : RLIMIT_NOFILE,
                     &limit) == 0 &&
           limit.rlim_cur != RLIM_INFINITY;
}

/* Runs the program as it is; `error`, why it can't be recorded, then says so.  What was opened to
 * record it is closed: it may be what there is too little of. */
static enum vf_status run_plain(struct vf_session *s, struct vf_record_result *result,
                                struct vf_error *error)
{
    struct vf_error why = *error;
    vf_spool_close(&s->spool);
    vf_ring_close(&s->ring);
    vf_timers_close(&s->timers);
    vf_session_close_libraries(s);
    vf_descriptors_give_back();
    s->plain = true;
    if (run_program(s, error) == VF_FATAL)
        return VF_FATAL;
    result->started = true;
    result->exit_code = s->exit_signal ? 128 + s->exit_signal : s->exit_code;
    result->exit_signal = s->exit_signal;
    return vf_fail(error, "nothing was recorded, within the limits of this shell (ulimit -a): %s",
                   why.text);
}

enum vf_status vf_record_run(const struct vf_target *target,
                             const struct vf_record_options *options, const struct vf_place *place,
                             struct vf_record_result *result, struct vf_warnings *warnings,
                             struct vf_error *error)
{
    struct vf_session s = {.options = options,
                           .place = place,
                           .target = target,
                           .warnings = warnings,
                           .ring = {.fd = -1, .shm = -1},
                           .libraries = {-1, -1},
                           .spool = {.folder_fd = -1, .lock_fd = -1}};
    at_work = &s;
    *result = (struct vf_record_result){.held = -1};
    vf_pc_init(&s.pc, options->period_s);
    if (options->native)
        s.native = vf_libunwind_so_size != 0;
    enum vf_status status = begin(&s, error);
    if (status != VF_FATAL)
        status = run_program(&s, error);
    if (status == VF_FATAL && s.pid <= 0 && is_by_limits(error))
        status = run_plain(&s, result, error);
    if (status != VF_FATAL)
        status = vf_session_finish(&s, result, error);
    at_work = NULL;
    vf_session_release(&s);
    vf_descriptors_give_back();
    result->masked = s.masked;
    result->mask_before = s.mask_before;
    return status;
}

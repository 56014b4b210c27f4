#include "record/bootstrap_files.h"
#include "record/bytecode.h"

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

static enum vf_status open_files(struct vf_session *s, struct vf_error *error)
{
    /* Its name goes into PYTHONPATH and PYPYLOG, where these have a meaning. */
    const char *place = strpbrk(vf_temp_folder(), ":%") ? "/tmp" : vf_temp_folder();
    if (vf_spool_open(&s->spool, place, error) == VF_FATAL ||
        vf_ring_open(&s->ring, s->spool.folder_fd, error) == VF_FATAL)
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
static void pass_signal(struct vf_session *s, int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_code != SI_KERNEL && !vf_group_has(&s->group, (int)info.ssi_signo, s->pid))
            kill(s->pid, (int)info.ssi_signo);
}

/* Nobody is left to get them, and its number may be another's: they must not kill us now. */
static void drop_signals(int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
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
    struct vf_space_folder temp = {.fd = s->spool.folder_fd, .path = vf_temp_folder()};
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

/* Until the program has ended; it stays a zombie.  `process` is -1 where the kernel has no pidfd or
 * a container forbids it: then it is asked for each time. */
static void watch(struct vf_session *s, int signals, int process)
{
    int nap_ms = NAP_MIN_MS;
    int64_t flushed_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    struct pollfd fds[2] = {{.fd = process, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, nap_ms) < 0 && errno != EINTR)
            break;
        if (fds[1].revents)
            pass_signal(s, signals);
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
        vf_descriptors_raise(&s->descriptors);
    sigemptyset(&passed);
    sigaddset(&passed, SIGINT);
    sigaddset(&passed, SIGTERM);
    sigaddset(&passed, SIGHUP);
    sigaddset(&passed, SIGQUIT);
    sigaddset(&passed, SIGUSR1);
    sigaddset(&passed, SIGUSR2);
    s->masked = sigprocmask(SIG_BLOCK, &passed, &s->mask_before) == 0;
    /* Ignored, as a parent may leave it, it would make the kernel forget the exit code. */
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &s->child_before);
    int process = -1, signals = signalfd(-1, &passed, SFD_NONBLOCK | SFD_CLOEXEC);
    vf_group_open(&s->group);
    enum vf_status status = vf_session_spawn(s, &s->mask_before, error);
    if (status == VF_OK) {
        process = (int)syscall(SYS_pidfd_open, s->pid, 0);
        watch(s, signals, process);
        reap(s);
        drop_signals(signals);
        if (process >= 0)
            close(process);
    }
    vf_group_close(&s->group);
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

static bool is_failure(const struct vf_session *s, const char *word)
{
    return vf_str_eq(s->failure, vf_str_from(word));
}

/* Why the interpreter can't be recorded, in words that say what to do. */
static struct vf_str failure_words(struct vf_session *s, const char *python)
{
    bool shut_off = s->target->no_site || s->target->ignores_environment;
    if (is_failure(s, "no-vmprof") && shut_off)
        return vf_arena_printf(&s->arena,
                               "%s finds no vmprof with -S, -E or -I; try without, or install it: "
                               "%s -m pip install vmprof",
                               python, python);
    if (is_failure(s, "no-vmprof"))
        return vf_arena_printf(&s->arena,
                               "%s has no vmprof; install it: %s -m pip install vmprof (or use "
                               "PyPy, which needs nothing)",
                               python, python);
    if (is_failure(s, "broken-vmprof"))
        return vf_arena_printf(&s->arena,
                               "%s can't load its vmprof (%.*s); install it anew: %s -m pip "
                               "install --force-reinstall vmprof",
                               python, VF_STR_ARG(s->failure_text), python);
    if (is_failure(s, "pypy-without"))
        return vf_arena_printf(&s->arena, "%s was built without VMProf (%.*s); try another PyPy",
                               python, VF_STR_ARG(s->failure_text));
    if (is_failure(s, "old-python"))
        return vf_arena_printf(&s->arena, "%s is Python %.*s; Python 3.6 or later is needed",
                               python, VF_STR_ARG(s->failure_text));
    return vf_arena_printf(&s->arena,
                           "%s can't be led to vmfox without touching what is the program's "
                           "(%.*s)",
                           python, VF_STR_ARG(s->failure_text));
}

/* Why there is no recording. */
static enum vf_status explain_failure(struct vf_session *s, struct vf_error *error)
{
    if (s->failure_python.len == 0)
        return vf_fail(error, "%s", failure_words(s, s->target->interpreter).ptr);
    struct vf_str words = failure_words(s, s->failure_python.ptr);
    return vf_fail(error, "the program ran as ever, but nothing was recorded: %s", words.ptr);
}

/* What the program has done that leaves something out. */
static void say_of_program(struct vf_session *s)
{
    if (s->children)
        vf_warn(s->warnings,
                "the program started other processes; only the first one is in the profile");
    if (s->became.len)
        vf_warn(s->warnings,
                "the program was replaced by another one (exec %.*s); from there on nothing is in "
                "the profile",
                VF_STR_ARG(s->became));
    if (s->ring.broken)
        vf_warn(s->warnings, "the program has written over the memory that it shares with vmfox; "
                             "from there on nothing is in the profile");
    if (s->ring.shared && s->ring.shared->faults)
        vf_warn(s->warnings, "%llu stacks could not be read and were left out",
                (unsigned long long)s->ring.shared->faults);
    uint64_t left_out = vf_ring_left_out(&s->ring, VF_RING_KINDS);
    if (left_out)
        vf_warn(s->warnings,
                "vmfox came too late for %llu records, which were left out (the machine was too "
                "busy)",
                (unsigned long long)left_out);
}

static void say_what_is_missing(struct vf_session *s)
{
    bool pypy = vf_str_eq(s->implementation, VF_STR("pypy"));
    if (s->options->native && !s->native)
        vf_warn(s->warnings, "no native frames: VMProf has them on x86-64 alone");
    else if (s->native && s->connected && !s->innermost)
        vf_warn(s->warnings, "no native frames: vmfox's libunwind.so could not be loaded into the "
                             "program, or can't work there (C libraries before glibc 2.35)");
    if (pypy && s->options->pypylog && !s->pypylog)
        vf_warn(s->warnings, "PYPYLOG is set in the environment and was left alone; the capture "
                             "has no log");
    if (s->options->pc_thread && s->pc.missing[0])
        vf_warn(s->warnings, "no thread of instruction addresses: %s", s->pc.missing);
    say_of_program(s);
}

/* Of a program that had no time to begin with anything. */
static enum vf_status explain_nothing(const struct vf_session *s, struct vf_error *error)
{
    const char *python = s->target->interpreter;
    if (s->exit_signal)
        return vf_fail(error, "%s was ended by SIG%s before %s; nothing was recorded", python,
                       sigabbrev_np(s->exit_signal) ? sigabbrev_np(s->exit_signal) : "?",
                       s->connected ? "sampling had begun" : "Python had started");
    if (!s->connected)
        return vf_fail(error,
                       "%s did not load vmfox's bootstrap, so nothing was recorded; is it a "
                       "Python 3 interpreter?",
                       python);
    return vf_fail(error, "VMProf wrote nothing");
}

/* What had no room in the temporary folder. */
static void say_what_had_no_room(struct vf_session *s)
{
    const struct vf_spool *spool = &s->spool;
    if (spool->logs_given_up && vf_str_eq(s->implementation, VF_STR("pypy")))
        vf_warn(s->warnings,
                "PyPy's logs are left out: files in %s %s; name another folder with TMPDIR, or "
                "record with --no-pypylog --no-jitlog",
                vf_temp_folder(), spool->error.text);
    if (s->left_out_ns)
        vf_warn(s->warnings, "samples from second %.1f on are not in the recording: files in %s %s",
                (double)(s->left_out_ns - s->start_monotonic_ns) / 1e9, vf_temp_folder(),
                spool->error.text);
}

/* Where nothing takes the recording, what it was to be made of stays. */
static enum vf_status save(struct vf_session *s, struct vf_record_result *result,
                           struct vf_error *error)
{
    struct vf_error why;
    if (vf_session_save(s, s->place, result, &why) != VF_FATAL)
        return VF_OK;
    s->told = true;
    s->info_ns = 0;
    vf_session_flush(s);
    if (s->spool.written[VF_SPOOL_PROF] == 0)
        return vf_fail(error, "%s %s, and no other folder takes the recording", s->place->path,
                       why.text);
    s->spool.keeps_folder = true;
    return vf_fail(
        error,
        "%s %s, and no other folder takes the recording; it is kept in %s; make room and "
        "go on with: vmfox recover %s",
        s->place->path, why.text, s->spool.folder, s->spool.folder);
}

static enum vf_status finish(struct vf_session *s, struct vf_record_result *result,
                             struct vf_error *error)
{
    result->exit_code = s->exit_signal ? 128 + s->exit_signal : s->exit_code;
    result->exit_signal = s->exit_signal;
    if (!s->has_stream) /* else it is of one that ran before */
        vf_session_read_failure(s);
    result->started = s->failure.len == 0 || s->failure_python.len > 0;
    if (s->failure.len)
        return explain_failure(s, error);
    say_what_is_missing(s);
    if (!s->connected || !s->has_stream)
        return explain_nothing(s, error);
    vf_session_finish_stream(s);
    s->info_ns = 0;
    vf_session_flush(s);
    say_what_had_no_room(s);
    vf_session_bytecode(s);
    return save(s, result, error);
}

/* Limits of the shell are no reason not to run the program, which may well live within them. */
static bool has_limits(void)
{
    enum { FEW = 64 };
    struct rlimit size, memory, files;
    return getrlimit(RLIMIT_FSIZE, &size) == 0 && getrlimit(RLIMIT_AS, &memory) == 0 &&
           getrlimit(RLIMIT_NOFILE, &files) == 0 &&
           (size.rlim_cur != RLIM_INFINITY || memory.rlim_cur != RLIM_INFINITY ||
            files.rlim_cur < FEW);
}

/* Runs the program as it is; `error`, why it can't be recorded, then says so. */
static enum vf_status run_plain(struct vf_session *s, struct vf_record_result *result,
                                struct vf_error *error)
{
    struct vf_error why = *error;
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
    enum vf_status status = open_files(&s, error);
    if (status != VF_FATAL)
        status = vf_session_prepare(&s, error);
    if (status == VF_FATAL && has_limits())
        status = run_plain(&s, result, error);
    else if (status != VF_FATAL)
        status = run_program(&s, error);
    if (status != VF_FATAL)
        status = finish(&s, result, error);
    at_work = NULL;
    vf_session_release(&s);
    vf_descriptors_give_back(&s.descriptors);
    result->masked = s.masked;
    result->mask_before = s.mask_before;
    return status;
}

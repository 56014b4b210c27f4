#include "record/bootstrap_files.h"
#include "record/bytecode.h"

#include <dlfcn.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between two looks at the channel.  The kernel has stamped the packets, so nothing is lost by
 * waiting, and the recorder wakes up 200 times a second at most. */
enum { NAP_US = 5000 };

/* ---- set-up -----------------------------------------------------------------------------------
 */

static bool has_library(const char *name)
{
    void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (!library)
        return false;
    dlclose(library);
    return true;
}

/* VMProf loads libunwind.so by this very name, and prints a line into the program's standard error
 * when it is not there: so it is asked for native frames only when it will find it. */
static enum vf_native_way find_libunwind(void)
{
    if (has_library("libunwind.so"))
        return VF_NATIVE_ANY;
    return vf_libunwind_so_size && has_library("libunwind.so.8") ? VF_NATIVE_OURS : VF_NATIVE_NONE;
}

static enum vf_status open_files(struct vf_session *s, struct vf_error *error)
{
    /* Its name goes into PYTHONPATH and PYPYLOG, where these have a meaning. */
    const char *place = strpbrk(vf_temp_folder(), ":%") ? "/tmp" : vf_temp_folder();
    struct vf_str name = vf_arena_printf(&s->arena, "%s/vmfox-XXXXXX", place);
    char *folder = vf_strdup(name);
    if (!mkdtemp(folder)) {
        free(folder);
        return vf_fail_errno(error, errno, "can't make a folder in %s", place);
    }
    s->folder = folder;
    s->prof_fd = vf_temp_file();
    s->stamps_fd = vf_temp_file();
    s->cpu_fd = vf_temp_file();
    s->pc_fd = vf_temp_file();
    if (s->options->jitlog && (s->jitlog_fd = vf_temp_file()) >= 0)
        s->jitlog_fd = vf_fd_move_up(s->jitlog_fd);
    if (s->prof_fd < 0 || s->stamps_fd < 0 || s->cpu_fd < 0 || s->pc_fd < 0 ||
        (s->options->jitlog && s->jitlog_fd < 0))
        return vf_fail_errno(error, errno, "can't make a temporary file in %s", vf_temp_folder());
    return vf_channel_open(&s->channel, error);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void close_session(struct vf_session *s)
{
    if (s->folder)
        nftw(s->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(s->folder);
    vf_session_release(s);
}

void vf_session_release(struct vf_session *s)
{
    if (s->prof_fd >= 0)
        close(s->prof_fd);
    if (s->stamps_fd >= 0)
        close(s->stamps_fd);
    if (s->cpu_fd >= 0)
        close(s->cpu_fd);
    if (s->pc_fd >= 0)
        close(s->pc_fd);
    if (s->jitlog_fd >= 0)
        close(s->jitlog_fd);
    vf_pc_close(&s->pc);
    vf_buf_release(&s->pc_rows);
    free(s->modules.items);
    free(s->parts.items);
    vf_channel_close(&s->channel);
    vf_layout_release(&s->layout);
    vf_cpu_release(&s->cpu);
    vf_buf_release(&s->cpu_rows);
    vf_buf_release(&s->partial);
    vf_buf_release(&s->prof_tail);
    vf_buf_release(&s->stamps_tail);
    vf_buf_release(&s->cpu_tail);
    vf_buf_release(&s->prof);
    vf_buf_release(&s->stamps);
    vf_buf_release(&s->maps);
    vf_maps_release(&s->known_maps);
    vf_buf_release(&s->bytecode);
    free(s->threads.items);
    free(s->long_files.items);
    free(s->addresses.items);
    free(s->names.items);
    free(s->files.items);
    vf_table_release(&s->address_index);
    vf_table_release(&s->file_index);
    vf_table_release(&s->name_index);
    vf_table_release(&s->thread_index);
    vf_arena_release(&s->arena);
}

/* ---- while the program runs -------------------------------------------------------------------
 */

/* A key pressed at the terminal reaches the program by itself (it is in the same group); what
 * another process sends to us alone is passed on. */
static void pass_signal(struct vf_session *s, int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_code != SI_KERNEL)
            kill(s->pid, (int)info.ssi_signo);
}

static void drain(struct vf_session *s)
{
    int got;
    uint64_t samples = s->samples;
    while ((got = vf_channel_receive(&s->channel)) > 0)
        for (int i = 0; i < got; i++)
            vf_session_packet(s, &s->channel.packets[i]);
    /* The kernel's figures are as of its last tick, and the timer of a sample runs off on a tick:
     * so they belong to the time of the last sample and not to now. */
    if (s->samples > samples)
        vf_cpu_read(&s->cpu, s->python_pid, s->channel.last_ns, &s->cpu_rows);
    vf_counter_pairs_add(&s->pairs, s->channel.last_ns, false);
}

/* The rings of instruction addresses have room for some seconds, and nothing wakes us for them. */
enum { RINGS_EVERY_MS = 200 };

static void drain_rings(struct vf_session *s)
{
    vf_pc_drain(&s->pc, s->python_pid, &s->pc_rows);
    if (s->pc_rows.len > 1 << 18)
        vf_session_flush(s);
}

static uint64_t bytes_of(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void watch_space(struct vf_session *s)
{
    char text[480];
    struct stat st;
    int64_t now_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    if (!s->options->tell || !vf_space_is_due(&s->space, now_ns))
        return;
    struct vf_space_folder temp = {.fd = s->prof_fd, .path = vf_temp_folder()};
    struct vf_space_folder output = {.fd = s->place->folder, .path = s->place->folder_path};
    uint64_t bytes = bytes_of(s->prof_fd) + bytes_of(s->stamps_fd) + bytes_of(s->cpu_fd) +
                     bytes_of(s->pc_fd) + bytes_of(s->jitlog_fd);
    if (s->pypylog && stat(vf_session_pypylog(s), &st) == 0)
        bytes += (uint64_t)st.st_size;
    s->space.start_ns = s->start_monotonic_ns;
    if (vf_space_look(&s->space, &temp, &output, bytes, now_ns, text, sizeof text))
        s->options->tell(text);
}

static bool has_ended(const struct vf_session *s)
{
    siginfo_t info = {0};
    int got = waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOWAIT | WNOHANG);
    return got != 0 || info.si_pid == s->pid;
}

/* Until the program has ended; it stays a zombie.  `process` is -1 where the kernel has no pidfd or
 * a container forbids it: then it is asked for twenty times a second. */
static void watch(struct vf_session *s, int signals, int process)
{
    int wait_ms = process < 0 ? 50 : -1;
    struct pollfd fds[3] = {{.fd = process, .events = POLLIN},
                            {.fd = signals, .events = POLLIN},
                            {.fd = s->channel.ours, .events = POLLIN}};
    for (;;) {
        bool rings = vf_pc_is_open(&s->pc) && (wait_ms < 0 || wait_ms > RINGS_EVERY_MS);
        if (poll(fds, 3, rings ? RINGS_EVERY_MS : wait_ms) < 0 && errno != EINTR)
            break;
        drain_rings(s);
        watch_space(s);
        if (fds[1].revents)
            pass_signal(s, signals);
        if (fds[2].revents & POLLIN)
            drain(s);
        else if (fds[2].revents)
            fds[2].fd = -1; /* the program has closed its end and goes on without us */
        if (process < 0 ? has_ended(s) : fds[0].revents != 0)
            break;
        if (fds[2].revents & POLLIN)
            poll(fds, 2, NAP_US / 1000);
    }
    drain(s);
    drain_rings(s);
}

static void reap(struct vf_session *s)
{
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    s->end_realtime_ns = vf_clock_now_ns(CLOCK_REALTIME);
    s->end_monotonic_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    vf_counter_pairs_add(&s->pairs, s->end_monotonic_ns, true);
    vf_session_see_children(s);
    if (info.si_code == CLD_EXITED)
        s->exit_code = info.si_status;
    else
        s->exit_signal = info.si_status;
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static enum vf_status run_program(struct vf_session *s, struct vf_error *error)
{
    sigset_t passed;
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
    enum vf_status status = vf_session_spawn(s, &s->mask_before, error);
    if (status == VF_OK) {
        process = (int)syscall(SYS_pidfd_open, s->pid, 0);
        watch(s, signals, process);
        reap(s);
        pass_signal(s, signals); /* nobody is left to get them: they must not kill us now */
        if (process >= 0)
            close(process);
    }
    close(signals);
    sigaction(SIGCHLD, &s->child_before, NULL);
    return status;
}

/* Signals waited until the recording was written.  A Ctrl-C has only ended the search for debug
 * info; the others do now what they do. */
static void let_signals_in(struct vf_session *s)
{
    sigset_t interrupt;
    if (!s->masked)
        return;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    while (sigtimedwait(&interrupt, NULL, &(struct timespec){0}) == SIGINT)
        continue;
    sigprocmask(SIG_SETMASK, &s->mask_before, NULL);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

/* Why there is no recording, in words that say what to do. */
static enum vf_status explain_failure(const struct vf_session *s, struct vf_error *error)
{
    const char *python = s->target->interpreter;
    if (vf_str_eq(s->failure, VF_STR("no-vmprof")) &&
        (s->target->no_site || s->target->ignores_environment))
        return vf_fail(error,
                       "%s finds no vmprof with -S, -E or -I; try without, or install it: "
                       "%s -m pip install vmprof",
                       python, python);
    if (vf_str_eq(s->failure, VF_STR("no-vmprof")) && vf_str_eq(s->implementation, VF_STR("pypy")))
        return vf_fail(error, "%s was built without VMProf (%.*s); try another PyPy", python,
                       VF_STR_ARG(s->failure_text));
    if (vf_str_eq(s->failure, VF_STR("no-vmprof")))
        return vf_fail(error,
                       "%s has no vmprof; install it: %s -m pip install vmprof (or use "
                       "PyPy, which needs nothing)",
                       python, python);
    if (vf_str_eq(s->failure, VF_STR("old-python")))
        return vf_fail(error, "%s is Python %.*s; Python 3.6 or later is needed", python,
                       VF_STR_ARG(s->failure_text));
    return vf_fail(error, "VMProf can't be started in %s: %.*s", python,
                   VF_STR_ARG(s->failure_text));
}

static void say_what_is_missing(struct vf_session *s)
{
    bool pypy = vf_str_eq(s->implementation, VF_STR("pypy"));
    if (s->options->native && !s->native)
        vf_warn(s->warnings, "no native frames: libunwind is not installed (Debian, Ubuntu: apt "
                             "install libunwind8)");
    else if (s->native && s->connected && !s->innermost)
        vf_warn(s->warnings, "the innermost native function is missing from every sample: vmfox's "
                             "libunwind.so could not be loaded into the program");
    if (s->children)
        vf_warn(s->warnings,
                "the program started other processes; only the first one is in the profile");
    if (pypy && s->options->pypylog && !s->pypylog)
        vf_warn(s->warnings, "PYPYLOG is set in the environment and was left alone; the capture "
                             "has no log");
    if (vf_session_wants_pcs(s) && s->pc.missing[0])
        vf_warn(s->warnings, "no instruction addresses, so no times for lines of %s code: %s",
                pypy ? "compiled" : "native", s->pc.missing);
    if (pypy && s->options->real_time && s->threads.len > 1)
        vf_warn(s->warnings, "PyPy samples only the main thread with --real-time");
    if (s->exit_signal == SIGSEGV && !pypy &&
        (vf_str_starts(s->version, VF_STR("3.11.")) || vf_str_starts(s->version, VF_STR("3.12."))))
        vf_warn(s->warnings, "the program crashed; the vmprof package is known to crash CPython "
                             "3.11 and 3.12 now and then (it reads a frame that is being made): "
                             "try again, or another version");
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

static enum vf_status finish(struct vf_session *s, struct vf_record_result *result,
                             struct vf_error *error)
{
    result->exit_code = s->exit_signal ? 128 + s->exit_signal : s->exit_code;
    result->exit_signal = s->exit_signal;
    if (s->failure.len)
        return explain_failure(s, error);
    result->started = true;
    say_what_is_missing(s);
    if (!s->connected || !s->has_stream)
        return explain_nothing(s, error);
    vf_session_finish_stream(s);
    if (s->logs_given_up && vf_str_eq(s->implementation, VF_STR("pypy")))
        vf_warn(s->warnings,
                "PyPy's logs are left out: files in %s %s; name another folder with TMPDIR, or "
                "record with --no-pypylog --no-jitlog",
                vf_temp_folder(), s->full_error.text);
    else if (s->logs_given_up)
        vf_warn(s->warnings, "instruction addresses are left out: files in %s %s", vf_temp_folder(),
                s->full_error.text);
    vf_session_bytecode(s);
    return vf_session_save(s, s->place, result, error);
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
                           .channel = {.ours = -1, .theirs = -1},
                           .prof_fd = -1,
                           .stamps_fd = -1,
                           .cpu_fd = -1,
                           .pc_fd = -1,
                           .jitlog_fd = -1};
    *result = (struct vf_record_result){.held = -1};
    vf_pc_init(&s.pc, options->period_s);
    if (options->native)
        s.native = find_libunwind();
    enum vf_status status = open_files(&s, error);
    if (status != VF_FATAL)
        status = run_program(&s, error);
    if (status != VF_FATAL)
        status = finish(&s, result, error);
    close_session(&s);
    let_signals_in(&s);
    return status;
}

#include "record/session.h"

#include "record/bootstrap_files.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The sections of PyPy's log whose texts are used (docs/recording.md has what they cost).  Prefixes
 * can be asked for and none excluded: so not jit-backend, which brings every byte of machine code
 * as text, nor jit-log and jit-abort, which bring every operation. */
static const char LOG_SECTIONS[] =
    "gc,jit-summary,jit-tracing,jit-optimize,jit-mem,jit-backend-addr,jit-invalidate";
/* How often each trace ran.  The JIT's log counts the same, and sets these counters back; but
 * traces that were made while it was off have counters only with this section. */
static const char COUNT_SECTIONS[] = ",jit-backend-counts";

/* What PYPYLOG is set to in place of them: the library turns it into the sections where PyPy keeps
 * them (inside/log.c), so it is of their length.  No section has such a name, and the file can't be
 * opened; so until then, and if it never happens, PyPy has no descriptor for its log and writes
 * none. */
static const char LOG_NOWHERE[] = ":/dev/null/vmfox";

/* ---- the environment and command line -------------------------------------------------------- */

static bool is_variable(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static const char *find_variable(char *const *environment, const char *name)
{
    for (; *environment; environment++)
        if (is_variable(*environment, name))
            return *environment + strlen(name) + 1;
    return NULL;
}

/* A NUL-terminated copy that lives as long as the session. */
static char *keep(struct vf_session *s, struct vf_str text)
{
    char *copy = vf_arena_alloc(&s->arena, text.len + 1);
    memcpy(copy, text.ptr, text.len);
    return copy;
}

/* ---- the libraries --------------------------------------------------------------------------- */

struct library {
    const char *setting, *name;
    const unsigned char *bytes;
    const size_t *size;
};
static const struct library libraries[] = {
    {"inside", "vmfox_inside.so", vf_vmfox_inside_so, &vf_vmfox_inside_so_size},
    {"unwind", "libunwind.so", vf_libunwind_so, &vf_libunwind_so_size},
};
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

/* A temporary folder may be one that nothing can be run from; then they are files in memory, which
 * the program inherits and closes when it has loaded them. */
static enum vf_status make_libraries(struct vf_session *s, struct vf_error *error)
{
    struct statvfs where;
    bool in_memory = fstatvfs(s->spool.folder_fd, &where) == 0 && where.f_flag & ST_NOEXEC;
    for (size_t i = 0; i < LIBRARIES; i++) {
        struct vf_str bytes = {(const char *)libraries[i].bytes, *libraries[i].size};
        s->libraries[i] = in_memory ? memfd_create(libraries[i].name, MFD_CLOEXEC) : -1;
        if (s->libraries[i] >= 0 && vf_write_fd(s->libraries[i], bytes, error) == VF_FATAL)
            return VF_FATAL;
        s->libraries[i] = s->libraries[i] >= 0 ? vf_ring_move_up(s->libraries[i]) : -1;
    }
    return VF_OK;
}

static const char *log_sections(struct vf_session *s)
{
    bool full = s->options->jitlog == VF_JITLOG_FULL;
    return keep(s, vf_arena_printf(&s->arena, "%s%s", LOG_SECTIONS, full ? "" : COUNT_SECTIONS));
}

static char *log_setting(struct vf_session *s)
{
    static const char begin[] = "PYPYLOG=vmfox";
    size_t len = strlen("PYPYLOG=") + strlen(log_sections(s));
    char *setting = vf_arena_alloc(&s->arena, len + sizeof LOG_NOWHERE);
    memset(setting, '-', len);
    memcpy(setting, begin, strlen(begin));
    memcpy(setting + len, LOG_NOWHERE, sizeof LOG_NOWHERE);
    return setting;
}

/* With the number by which the bootstrap knows that it is still ours. */
static void add_descriptor(struct vf_buf *text, const char *setting, int fd)
{
    struct stat st = {0};
    fstat(fd, &st);
    vf_buf_printf(text, "\x1f%s=%d\x1f%s_inode=%llu", setting, fd, setting,
                  (unsigned long long)st.st_ino);
}

void vf_session_close_libraries(struct vf_session *s)
{
    for (size_t i = 0; i < LIBRARIES; i++) {
        if (s->libraries[i] >= 0)
            close(s->libraries[i]);
        s->libraries[i] = -1;
    }
}

static void add_libraries(const struct vf_session *s, struct vf_buf *text)
{
    for (size_t i = 0; i < LIBRARIES; i++)
        if (s->libraries[i] >= 0)
            add_descriptor(text, libraries[i].setting, s->libraries[i]);
}

/* ---- settings -------------------------------------------------------------------------------- */

/* The settings for the bootstrap, `name=value` parts separated by 0x1f. */
static char *make_settings(struct vf_session *s)
{
    const struct vf_record_options *o = s->options;
    struct vf_buf text = {0};
    const char *had;
    vf_buf_printf(&text, "VMFOX_BOOTSTRAP=folder=%s", s->spool.folder);
    if (s->ring.fd >= 0)
        add_descriptor(&text, "ring", s->ring.fd);
    else
        vf_buf_printf(&text, "\x1fring=shm%d", s->ring.shm);
    vf_buf_printf(&text, "\x1fperiod=%.6f\x1fnative=%d\x1flines=%d\x1fjitlog=%d", o->period_s,
                  s->native, o->lines, o->jitlog != VF_JITLOG_NONE);
    vf_buf_printf(&text, "\x1fsafe_path=%d\x1fparent=%d", s->target->safe_path, (int)getpid());
    add_libraries(s, &text);
    if ((had = find_variable(o->environment, "PYTHONPATH")))
        vf_buf_printf(&text, "\x1fhad_PYTHONPATH=%s", had);
    else
        vf_buf_printf(&text, "\x1fset_PYTHONPATH=1");
    if (s->pypylog)
        vf_buf_printf(&text, "\x1fset_PYPYLOG=%s", log_sections(s));
    char *settings = keep(s, vf_buf_view(&text));
    vf_buf_release(&text);
    return settings;
}

/* Our environment with the bootstrap's variables in it. */
static char **make_environment(struct vf_session *s)
{
    VF_VEC(char *) list = {0};
    const char *path = find_variable(s->options->environment, "PYTHONPATH");
    for (char *const *e = s->options->environment; *e && s->plain; e++)
        VF_APPEND(&list, *e);
    if (s->plain) {
        VF_APPEND(&list, NULL);
        return list.items;
    }
    for (char *const *e = s->options->environment; *e; e++)
        if (!is_variable(*e, "PYTHONPATH") && !is_variable(*e, "VMFOX_BOOTSTRAP"))
            VF_APPEND(&list, *e);
    VF_APPEND(&list, make_settings(s));
    VF_APPEND(&list, keep(s, vf_arena_printf(&s->arena, "PYTHONPATH=%s%s%s", s->spool.folder,
                                             path && *path ? ":" : "", path ? path : "")));
    if (s->pypylog)
        VF_APPEND(&list, log_setting(s));
    VF_APPEND(&list, NULL);
    return list.items;
}

/* A Python literal for any bytes the command line can hold: UTF-8 with surrogate escapes. */
static void add_literal(struct vf_buf *out, const char *text)
{
    vf_buf_printf(out, "b'");
    for (const char *p = text; *p; p++)
        vf_buf_printf(out, "\\x%02x", (unsigned char)*p);
    vf_buf_printf(out, "'.decode('utf-8','surrogateescape')");
}

/* The command line for an interpreter that would not find sitecustomize: `-c` with a call of
 * vmfox_main() in place of the script. */
static char **make_direct_argv(struct vf_session *s)
{
    const struct vf_target *t = s->target;
    struct vf_buf code = {0};
    VF_VEC(char *) list = {0};
    const char *word = t->argv[t->script_at];
    if (t->kind == VF_TARGET_MODULE || t->kind == VF_TARGET_CODE) {
        char letter = t->kind == VF_TARGET_MODULE ? 'm' : 'c';
        if (t->script_at == t->options_end)
            word = strchr(word, letter) + 1;
    }
    for (int i = 0; i < t->options_end; i++)
        if (strcmp(t->argv[i], "--") != 0)
            VF_APPEND(&list, t->argv[i]);
    /* A cluster such as `-Im` holds options too. */
    if (t->kind == VF_TARGET_MODULE || t->kind == VF_TARGET_CODE) {
        const char *cluster = t->argv[t->options_end];
        size_t letters = strcspn(cluster, t->kind == VF_TARGET_MODULE ? "m" : "c");
        if (letters > 1)
            VF_APPEND(&list, keep(s, (struct vf_str){cluster, letters}));
    }
    vf_buf_printf(&code, "s={'__name__':'vmfox_bootstrap'};f=open(");
    add_literal(&code, vf_arena_printf(&s->arena, "%s/vmfox_bootstrap.py", s->spool.folder).ptr);
    vf_buf_printf(&code, ",'rb');c=f.read();f.close();f=open(");
    add_literal(&code, vf_arena_printf(&s->arena, "%s/vmfox_direct.py", s->spool.folder).ptr);
    vf_buf_printf(&code,
                  ",'rb');c+=f.read();f.close();exec(compile(c,'<sitecustomize>','exec'),s);"
                  "s['vmfox_main']('%s',",
                  t->kind == VF_TARGET_MODULE ? "m"
                  : t->kind == VF_TARGET_CODE ? "c"
                                              : "f");
    add_literal(&code, word);
    vf_buf_printf(&code, ",__import__('sys').argv[1:])");
    VF_APPEND(&list, keep(s, VF_STR("-c")));
    VF_APPEND(&list, keep(s, vf_buf_view(&code)));
    vf_buf_release(&code);
    for (int i = t->arguments_at; i < t->argc; i++)
        VF_APPEND(&list, t->argv[i]);
    VF_APPEND(&list, NULL);
    return list.items;
}

/* ---- start ------------------------------------------------------------------------------------
 */

static enum vf_status write_bootstrap(struct vf_session *s, struct vf_error *error)
{
    static const struct {
        const char *name;
        const unsigned char *bytes;
        const size_t *size;
    } files[] = {
        {"sitecustomize.py", vf_sitecustomize_py, &vf_sitecustomize_py_size},
        {"vmfox_bootstrap.py", vf_vmfox_bootstrap_py, &vf_vmfox_bootstrap_py_size},
        {"vmfox_in_pypy.py", vf_vmfox_in_pypy_py, &vf_vmfox_in_pypy_py_size},
        {"vmfox_direct.py", vf_vmfox_direct_py, &vf_vmfox_direct_py_size},
        {"libunwind.so", vf_libunwind_so, &vf_libunwind_so_size},
        {"vmfox_inside.so", vf_vmfox_inside_so, &vf_vmfox_inside_so_size},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct vf_str path = vf_arena_printf(&s->arena, "%s/%s", s->spool.folder, files[i].name);
        struct vf_str bytes = {(const char *)files[i].bytes, *files[i].size};
        struct vf_error why;
        if (vf_write_file(path.ptr, bytes, &why) == VF_OK)
            continue;
        vf_fail(error, "%s %s; name another folder with TMPDIR", path.ptr, why.text);
        if (error)
            error->number = why.number;
        return VF_FATAL;
    }
    return VF_OK;
}

/* In the child, between fork and exec: only async-signal-safe calls. */
_Noreturn static void run_child(struct vf_session *s, char **argv, char **environment,
                                const sigset_t *signals, int report, int go)
{
    char byte;
    while (read(go, &byte, 1) < 0 && errno == EINTR)
        continue; /* until the events on us are open, and the other end is closed */
    if (s->ring.fd >= 0)
        fcntl(s->ring.fd, F_SETFD, 0);
    for (size_t i = 0; i < LIBRARIES; i++)
        if (s->libraries[i] >= 0)
            fcntl(s->libraries[i], F_SETFD, 0);
    vf_descriptors_give_back();
    sigaction(SIGCHLD, &s->child_before, NULL);
    sigprocmask(SIG_SETMASK, signals, NULL);
    execve(s->target->interpreter, argv, environment);
    int why = errno;
    if (write(report, &why, sizeof why) < 0)
        _exit(126);
    _exit(127);
}

/* Without a descriptor of ours: there may be none left. */
static enum vf_status spawn_plain(struct vf_session *s, char **environment, const sigset_t *signals,
                                  struct vf_error *error)
{
    posix_spawnattr_t how;
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&how, signals);
    sigaction(SIGCHLD, &s->child_before, NULL);
    int why =
        posix_spawn(&s->pid, s->target->interpreter, NULL, &how, s->target->argv, environment);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    posix_spawnattr_destroy(&how);
    s->python_pid = s->pid;
    if (why != 0)
        return vf_fail_errno(error, why, "can't run %s", s->target->interpreter);
    return VF_OK;
}

enum vf_status vf_session_prepare(struct vf_session *s, struct vf_error *error)
{
    return write_bootstrap(s, error) == VF_FATAL ? VF_FATAL : make_libraries(s, error);
}

enum vf_status vf_session_spawn(struct vf_session *s, const sigset_t *signals,
                                struct vf_error *error)
{
    int report[2], go[2], why = 0;
    const struct vf_target *t = s->target;
    s->pypylog =
        !s->plain && s->options->pypylog && !find_variable(s->options->environment, "PYPYLOG");
    char **environment = make_environment(s);
    if (s->plain) {
        enum vf_status status = spawn_plain(s, environment, signals, error);
        free(environment);
        return status;
    }
    bool direct = t->ignores_environment || t->no_site;
    char **argv = direct ? make_direct_argv(s) : t->argv;
    if (pipe2(report, O_CLOEXEC) != 0)
        return vf_fail_errno(error, errno, "can't make a pipe");
    if (pipe2(go, O_CLOEXEC) != 0) {
        close(report[0]);
        close(report[1]);
        return vf_fail_errno(error, errno, "can't make a pipe");
    }
    s->start_realtime_ns = vf_clock_now_ns(CLOCK_REALTIME);
    s->start_monotonic_ns = vf_clock_now_ns(CLOCK_MONOTONIC);
    vf_counter_pairs_add(&s->pairs, s->start_monotonic_ns, true);
    s->pid = s->python_pid = fork();
    if (s->pid == 0) {
        close(go[1]);
        run_child(s, argv, environment, signals, report[1], go[0]);
    }
    int fork_errno = errno;
    if (s->pid > 0 && s->options->pc_thread)
        vf_pc_open(&s->pc, s->pid, true);
    close(go[0]);
    close(go[1]);
    close(report[1]);
    if (s->ring.fd >= 0)
        close(s->ring.fd);
    s->ring.fd = -1;
    vf_session_close_libraries(s);
    if (direct)
        free(argv);
    free(environment);
    if (s->pid < 0) {
        close(report[0]);
        return vf_fail_errno(error, fork_errno, "can't start a process");
    }
    ssize_t got = read(report[0], &why, sizeof why);
    close(report[0]);
    if (got == (ssize_t)sizeof why)
        return vf_fail_errno(error, why, "can't run %s", t->interpreter);
    return VF_OK;
}

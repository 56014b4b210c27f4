#include "record/bytecode.h"

#include "capture/jitlog.h"
#include "record/apart.h"
#include "record/bootstrap_files.h"
#include "record/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIME_MAX_MS = 10000, BYTES_MAX = 16 << 20, FUNCTIONS_MAX = 20000 };

/* ---- what is wanted -------------------------------------------------------------------------- */

struct wanted {
    uint32_t file; /* row of `files` */
    struct vf_str name;
};

struct gather {
    struct vf_session *session;
    VF_VEC(struct vf_str) files;
    VF_VEC(struct wanted) functions;
    struct vf_table file_index, function_index;
    struct vf_buf file, function; /* of the merge point at hand */
    int code;                     /* what was given with -c, in a file without a name; -1: none */
};

static void whole_text(struct vf_buf *out, struct vf_jitlog_text text)
{
    out->len = 0;
    vf_buf_str(out, text.prefix);
    vf_buf_str(out, text.rest);
}

static uint32_t add_file(struct gather *g, struct vf_str file)
{
    uint64_t hash = vf_hash_bytes(file.ptr, file.len);
    struct vf_probe probe = vf_table_probe(&g->file_index, hash);
    uint32_t row;
    while (vf_table_next(&g->file_index, &probe, &row))
        if (vf_str_eq(g->files.items[row], file))
            return row;
    row = (uint32_t)g->files.len;
    vf_table_insert(&g->file_index, hash, row);
    VF_APPEND(&g->files, vf_arena_str(&g->session->arena, file));
    return row;
}

static void add_point(struct gather *g, const struct vf_jitlog_merge_point *point)
{
    whole_text(&g->file, point->file);
    whole_text(&g->function, point->function);
    struct vf_str name = vf_buf_view(&g->function);
    uint32_t file = add_file(g, vf_buf_view(&g->file)), row;
    uint64_t hash = vf_hash_u64(vf_hash_bytes(name.ptr, name.len), file);
    struct vf_probe probe = vf_table_probe(&g->function_index, hash);
    while (vf_table_next(&g->function_index, &probe, &row))
        if (g->functions.items[row].file == file && vf_str_eq(g->functions.items[row].name, name))
            return;
    if (g->functions.len == FUNCTIONS_MAX)
        return;
    vf_table_insert(&g->function_index, hash, (uint32_t)g->functions.len);
    VF_APPEND(&g->functions, ((struct wanted){file, vf_arena_str(&g->session->arena, name)}));
}

static void read_log(struct gather *g)
{
    struct vf_bytes bytes;
    struct vf_jitlog log;
    struct vf_jitlog_record record;
    if (!vf_spool_map(&g->session->spool, VF_SPOOL_JITLOG, &bytes))
        return;
    if (bytes.len && vf_jitlog_open(&log, vf_bytes_view(&bytes), NULL) == VF_OK)
        while (vf_jitlog_next(&log, &record))
            if (record.type == VF_JITLOG_MERGE_POINT)
                add_point(g, &record.merge_point);
    vf_bytes_release(&bytes);
}

/* ---- the list for the interpreter ------------------------------------------------------------ */

static void add_escaped(struct vf_buf *out, struct vf_str text)
{
    static const char from[] = "\\\t\n\r", to[] = "\\tnr";
    for (size_t i = 0; i < text.len; i++) {
        const char *found = text.ptr[i] ? strchr(from, text.ptr[i]) : NULL;
        char pair[2] = {'\\', found ? to[found - from] : 0};
        vf_buf_add(out, found ? pair : &text.ptr[i], found ? 2 : 1);
    }
}

/* What was given with -c, for the interpreter to read.  The recorder's folder is not the place for
 * it: by now its path may lead to another one. */
static struct vf_str place_of_code(struct gather *g, const char *code)
{
    if (g->code < 0)
        g->code = memfd_create("code", MFD_CLOEXEC);
    if (g->code >= 0)
        g->code = vf_ring_move_up(g->code);
    if (g->code < 0 || vf_write_fd(g->code, vf_str_from(code), NULL) == VF_FATAL)
        return VF_STR("");
    return vf_arena_printf(&g->session->arena, "/proc/self/fd/%d", g->code);
}

/* Where the text of a file of the log lies; empty: nowhere that may be read. */
static struct vf_str place_of(struct gather *g, struct vf_str file)
{
    struct vf_session *s = g->session;
    const struct vf_target *t = s->target;
    struct stat st;
    if (vf_str_eq(file, VF_STR("<string>")) && t->kind == VF_TARGET_CODE &&
        t->script_at != t->options_end)
        return place_of_code(g, t->argv[t->script_at]);
    struct vf_str path = vf_arena_str(&s->arena, file); /* with a NUL behind it */
    bool good = file.len && file.ptr[0] != '<' && !memchr(file.ptr, 0, file.len) &&
                vf_sources_is_python(s, file) && stat(path.ptr, &st) == 0 && S_ISREG(st.st_mode);
    return good ? path : VF_STR("");
}

static void make_list(struct gather *g, struct vf_buf *out)
{
    for (uint32_t i = 0; i < g->files.len; i++) {
        struct vf_str place = place_of(g, g->files.items[i]);
        if (place.len == 0)
            continue;
        vf_buf_printf(out, "file\t");
        add_escaped(out, g->files.items[i]);
        vf_buf_printf(out, "\t");
        add_escaped(out, place);
        vf_buf_printf(out, "\n");
        for (size_t k = 0; k < g->functions.len; k++) {
            if (g->functions.items[k].file != i)
                continue;
            vf_buf_printf(out, "function\t");
            add_escaped(out, g->functions.items[k].name);
            vf_buf_printf(out, "\n");
        }
    }
}

/* ---- the interpreter ------------------------------------------------------------------------- */

/* How far the program's own bytecode was optimised: 0, 1 (-O) or 2 (-OO). */
static int optimisation(const struct vf_session *s)
{
    const struct vf_target *t = s->target;
    int level = 0;
    for (int i = 1; i < t->options_end; i++)
        if (t->argv[i][0] == '-' && t->argv[i][1] != '-' && !strpbrk(t->argv[i], "XW"))
            for (const char *p = t->argv[i] + 1; *p; p++)
                level += *p == 'O';
    for (char *const *e = s->options->environment; *e && !t->ignores_environment; e++)
        if (strncmp(*e, "PYTHONOPTIMIZE=", 15) == 0 && (*e)[15]) {
            int set = atoi(*e + 15);
            level = set > level ? set : level > 0 ? level : 1;
        }
    return level > 2 ? 2 : level;
}

_Noreturn static void run_child(char *const *argv, int in, int out, int code, pid_t parent)
{
    char path[] = "PATH=/usr/bin:/bin", *const environment[] = {path, NULL};
    struct rlimit bytes = {BYTES_MAX, BYTES_MAX};
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigset_t none;
    vf_apart_end_with(parent);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_FSIZE, &bytes);
    vf_descriptors_give_back();
    if (code >= 0)
        fcntl(code, F_SETFD, 0);
    if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && nowhere >= 0 && dup2(nowhere, 2) >= 0)
        execve(argv[0], argv, environment);
    _exit(127);
}

/* True when it has ended by itself and in good order. */
static bool wait_for(pid_t pid)
{
    int status = 1;
    for (int waited_ms = 0;; waited_ms += 5) {
        pid_t got = waitpid(pid, &status, waited_ms < TIME_MAX_MS ? WNOHANG : 0);
        if (got == pid)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (got < 0 && errno != EINTR)
            return errno == ECHILD; /* SIGCHLD is ignored here: nobody tells */
        if (waited_ms >= TIME_MAX_MS)
            kill(-pid, SIGKILL);
        poll(NULL, 0, 5);
    }
}

/* What it runs is on its command line, so that no path is trusted, and isolated, so that it imports
 * nothing from the folder that it is started in. */
static bool run_interpreter(const struct gather *g, int in, int out)
{
    struct vf_session *s = g->session;
    char options[] = "-ISB", levels[][4] = {"-S", "-O", "-OO"}, letter[] = "-c";
    struct vf_str text = {(const char *)vf_vmfox_bytecode_py, vf_vmfox_bytecode_py_size};
    const char *interpreter =
        s->exe.len ? vf_arena_str(&s->arena, s->exe).ptr : s->target->interpreter;
    char *name = vf_strdup(vf_str_from(interpreter)), *code = vf_strdup(text);
    char *const argv[] = {name, options, levels[optimisation(s)], letter, code, NULL};
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        run_child(argv, in, out, g->code, parent);
    bool good = pid > 0 && wait_for(pid);
    free(name);
    free(code);
    return good;
}

static void disassemble(const struct gather *g, const struct vf_buf *list)
{
    struct vf_session *s = g->session;
    struct vf_bytes bytes;
    int in = vf_temp_file(), out = vf_temp_file();
    if (in >= 0 && out >= 0 && vf_write_fd(in, vf_buf_view(list), NULL) == VF_OK &&
        lseek(in, 0, SEEK_SET) == 0 && run_interpreter(g, in, out) &&
        vf_bytes_map_fd(out, &bytes, NULL) != VF_FATAL) {
        if (bytes.len < BYTES_MAX)
            vf_buf_str(&s->bytecode, vf_bytes_view(&bytes));
        vf_bytes_release(&bytes);
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
}

void vf_session_bytecode(struct vf_session *s)
{
    struct gather g = {.session = s, .code = -1};
    struct vf_buf list = {0};
    if (vf_spool_size(&s->spool, VF_SPOOL_JITLOG) == 0 ||
        !vf_str_eq(s->implementation, VF_STR("pypy")))
        return;
    read_log(&g);
    make_list(&g, &list);
    if (list.len)
        disassemble(&g, &list);
    if (g.code >= 0)
        close(g.code);
    vf_buf_release(&list);
    vf_buf_release(&g.file);
    vf_buf_release(&g.function);
    free(g.files.items);
    free(g.functions.items);
    vf_table_release(&g.file_index);
    vf_table_release(&g.function_index);
}

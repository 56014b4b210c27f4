#include "record/session.h"

#include "base/file.h"
#include "capture/capture.h"
#include "record/machine.h"
#include "record/sources.h"
#include "record/symbols.h"
#include "symbols/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

enum { CAPTURE_VERSION = 1 };

/* ---- capture.json -----------------------------------------------------------------------------
 */

static void text(struct vf_json *json, const char *key, struct vf_str value)
{
    if (value.len == 0)
        return;
    vf_json_key(json, key);
    vf_json_str(json, value);
}

static void number(struct vf_json *json, const char *key, int64_t value)
{
    vf_json_key(json, key);
    vf_json_int(json, value);
}

static struct vf_str interpreter_line(struct vf_session *s)
{
    if (vf_str_eq(s->implementation, VF_STR("pypy")))
        return vf_arena_printf(&s->arena, "PyPy %.*s (Python %.*s)", VF_STR_ARG(s->version),
                               VF_STR_ARG(s->python_version));
    return vf_arena_printf(&s->arena, "CPython %.*s", VF_STR_ARG(s->version));
}

static void write_machine(struct vf_json *json, struct vf_session *s)
{
    struct vf_machine machine;
    vf_machine_read(&machine, &s->arena);
    text(json, "host", machine.host);
    text(json, "cpu", machine.cpu);
    text(json, "os", machine.os);
    text(json, "arch", machine.arch);
    number(json, "cpu_count", (int64_t)machine.cpu_count);
    number(json, "memory_bytes", (int64_t)machine.memory_bytes);
    if (s->pairs.len)
        number(json, "counter_unsteady", !machine.steady_counter);
}

static void write_threads(struct vf_json *json, struct vf_session *s)
{
    vf_json_key(json, "threads");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < s->threads.len; i++) {
        vf_json_begin(json, '{');
        number(json, "number", (int64_t)s->threads.items[i].number);
        number(json, "tid", (int64_t)s->threads.items[i].tid);
        text(json, "name", s->threads.items[i].name);
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

static struct vf_session_module *get_module(struct vf_session *s, struct vf_str path)
{
    for (size_t i = s->modules.len; i > 0; i--) /* the last one mostly */
        if (vf_str_eq(s->modules.items[i - 1].path, path))
            return &s->modules.items[i - 1];
    struct vf_session_module *module = VF_PUSH(&s->modules);
    module->path = vf_arena_str(&s->arena, path);
    module->build_id = vf_elf_build_id(module->path.ptr, &s->arena);
    return module;
}

/* The file whose code was in memory must still be the one of that name: else nothing is known of
 * it, for another build has other functions at the same addresses. */
static void find_modules(struct vf_session *s)
{
    const struct vf_maps *maps = &s->known_maps;
    for (size_t i = 0; i < maps->v.len; i++) {
        const struct vf_map *map = &maps->v.items[i];
        if (!map->executable || !vf_str_starts(map->path, VF_STR("/")))
            continue;
        struct vf_session_module *module = get_module(s, map->path);
        if (map->deleted)
            module->build_id = VF_STR("");
    }
}

static void write_modules(struct vf_json *json, const struct vf_session *s)
{
    vf_json_key(json, "modules");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < s->modules.len; i++) {
        vf_json_begin(json, '{');
        text(json, "path", s->modules.items[i].path);
        text(json, "build_id", s->modules.items[i].build_id);
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

static void name_member(char name[64], const struct vf_found_sources *sources, size_t i)
{
    snprintf(name, 64, "sources/%05zu.%s", i, sources->v.items[i].is_native ? "c" : "py");
}

static void write_source_list(struct vf_json *json, const struct vf_found_sources *sources)
{
    char member[64];
    vf_json_key(json, "sources");
    vf_json_begin(json, '[');
    for (size_t i = 0; i < sources->v.len; i++) {
        vf_json_begin(json, '{');
        text(json, "path", sources->v.items[i].path);
        text(json, "real_path", sources->v.items[i].real_path);
        name_member(member, sources, i);
        text(json, "member", vf_str_from(member));
        vf_json_end(json, '}');
    }
    vf_json_end(json, ']');
}

static void write_info(struct vf_buf *out, struct vf_session *s,
                       const struct vf_found_sources *sources)
{
    struct vf_json writer = {.out = out}, *json = &writer;
    struct vf_str command;
    char folder[4096];
    vf_target_command(s->target, &s->arena, &command);
    vf_json_begin(json, '{');
    number(json, "version", CAPTURE_VERSION);
    text(json, "recorder", VF_STR("vmfox " VF_VERSION));
    text(json, "command", command);
    text(json, "program", vf_target_name(s->target));
    text(json, "interpreter", interpreter_line(s));
    text(json, "interpreter_path", s->exe);
    if (getcwd(folder, sizeof folder))
        text(json, "working_dir", vf_str_from(folder));
    write_machine(json, s);
    number(json, "pid", s->python_pid);
    number(json, "children", s->children);
    number(json, "start_realtime_ns", s->start_realtime_ns);
    number(json, "start_monotonic_ns", s->start_monotonic_ns);
    number(json, "end_realtime_ns", s->end_realtime_ns);
    number(json, "end_monotonic_ns", s->end_monotonic_ns);
    number(json, "main_cpu_first_ns", s->cpu.main_first_ns);
    number(json, "exit_code", s->exit_code);
    number(json, "exit_signal", s->exit_signal);
    number(json, "sources_left_out", (int64_t)sources->left_out);
    if (s->native)
        number(json, "native_innermost", s->innermost);
    if (vf_session_wants_pcs(s)) {
        number(json, "pc_period_ns", s->pc.missing[0] ? 0 : (int64_t)s->pc.period_ns);
        number(json, "pc_lost", (int64_t)s->pc.lost);
        text(json, "pc_missing", vf_str_from(s->pc.missing));
    }
    write_threads(json, s);
    write_modules(json, s);
    write_source_list(json, sources);
    vf_json_end(json, '}');
    vf_buf_add(out, "\n", 1);
}

/* ---- the zip ----------------------------------------------------------------------------------
 */

static bool add_member(zip_t *zip, const char *name, zip_source_t *source, zip_int32_t method)
{
    enum { LIGHTEST = 1 }; /* VMProf's records shrink to a tenth even so */
    if (!source)
        return false;
    zip_int64_t index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_set_file_compression(zip, (zip_uint64_t)index, method, LIGHTEST) == 0;
}

static bool add_bytes(zip_t *zip, const char *name, struct vf_str bytes)
{
    return add_member(zip, name, zip_source_buffer(zip, bytes.ptr, bytes.len, 0), ZIP_CM_DEFLATE);
}

/* A temporary file, from its start; an empty one makes no member.  A big one is stored as it is:
 * it is soon written, and a reader maps it where it lies. */
static bool add_descriptor(zip_t *zip, const char *name, int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
        return true;
    if (lseek(fd, 0, SEEK_SET) != 0)
        return false;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *file = copy >= 0 ? fdopen(copy, "rb") : NULL;
    if (!file) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    zip_source_t *source = zip_source_filep(zip, file, 0, -1);
    if (!source)
        fclose(file);
    return add_member(zip, name, source,
                      st.st_size < VF_STORED_FROM ? ZIP_CM_DEFLATE : ZIP_CM_STORE);
}

const char *vf_session_pypylog(struct vf_session *s)
{
    return vf_arena_printf(&s->arena, "%s/pypylog", s->folder).ptr;
}

static bool add_pypylog(zip_t *zip, struct vf_session *s)
{
    int fd = open(vf_session_pypylog(s), O_RDONLY | O_CLOEXEC);
    bool good = add_descriptor(zip, "profile.pypylog", fd);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool add_members(zip_t *zip, struct vf_session *s, const struct vf_found_sources *sources,
                        const struct vf_found_symbols *symbols, struct vf_str info)
{
    char name[64];
    if (!add_bytes(zip, "capture.json", info) || !add_descriptor(zip, "profile.prof", s->prof_fd) ||
        !add_descriptor(zip, "stamps.i64", s->stamps_fd) ||
        !add_descriptor(zip, "cpu.i64", s->cpu_fd) ||
        (!s->logs_given_up &&
         (!add_descriptor(zip, "pc.i64", s->pc_fd) ||
          !add_descriptor(zip, "profile.jitlog", s->jitlog_fd) || !add_pypylog(zip, s))))
        return false;
    if (s->pairs.len && !add_bytes(zip, "clock.i64",
                                   (struct vf_str){(const char *)s->pairs.items,
                                                   s->pairs.len * sizeof *s->pairs.items}))
        return false;
    if (s->bytecode.len && !add_bytes(zip, "bytecode.txt", vf_buf_view(&s->bytecode)))
        return false;
    if (symbols->json.len && !add_bytes(zip, "symbols.json", vf_buf_view(&symbols->json)))
        return false;
    if (symbols->code.len && !add_bytes(zip, "code.bin", vf_buf_view(&symbols->code)))
        return false;
    if (s->maps.len && !add_bytes(zip, "maps.txt", vf_buf_view(&s->maps)))
        return false;
    for (size_t i = 0; i < sources->v.len; i++) {
        name_member(name, sources, i);
        if (!add_bytes(zip, name, vf_bytes_view(&sources->v.items[i].bytes)))
            return false;
    }
    return true;
}

enum vf_status vf_session_save(struct vf_session *s, const char *path, struct vf_error *error)
{
    struct vf_found_sources sources;
    struct vf_found_symbols symbols;
    struct vf_buf info = {0};
    int code = 0;
    enum vf_status status = VF_OK;
    if (s->written == VF_FATAL) {
        *error = s->write_error;
        return VF_FATAL;
    }
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!zip) {
        zip_error_t why;
        zip_error_init_with_code(&why, code);
        status = vf_fail(error, "%s can't be written: %s", path, zip_error_strerror(&why));
        zip_error_fini(&why);
        return status;
    }
    find_modules(s);
    vf_symbols_find(&symbols, s);
    vf_sources_find(&sources, s, &symbols.pack);
    write_info(&info, s, &sources);
    if (!add_members(zip, s, &sources, &symbols, vf_buf_view(&info))) {
        status = vf_fail(error, "%s can't be written: %s", path, zip_strerror(zip));
        zip_discard(zip);
    } else if (zip_close(zip) != 0) {
        status = vf_fail(error, "%s can't be written: %s", path, zip_strerror(zip));
        zip_discard(zip);
    }
    vf_sources_release(&sources);
    vf_symbols_found_release(&symbols);
    vf_buf_release(&info);
    return status;
}

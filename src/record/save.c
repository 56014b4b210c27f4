#include "record/session.h"

#include "base/file.h"
#include "capture/capture.h"
#include "record/machine.h"
#include "record/shorten.h"
#include "record/sources.h"
#include "record/symbols.h"
#include "record/zip_ends.h"
#include "symbols/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* All that is known when the program has ended. */
static void write_run(struct vf_json *json, struct vf_session *s)
{
    struct vf_str command;
    char folder[4096];
    vf_target_command(s->target, &s->arena, &command);
    number(json, "version", VF_CAPTURE_VERSION);
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
    if (s->native)
        number(json, "native_innermost", s->innermost);
    if (vf_session_wants_pcs(s)) {
        number(json, "pc_period_ns", s->pc.missing[0] ? 0 : (int64_t)s->pc.period_ns);
        number(json, "pc_lost", (int64_t)s->pc.lost);
        text(json, "pc_missing", vf_str_from(s->pc.missing));
    }
    write_threads(json, s);
}

static void write_info(struct vf_buf *out, struct vf_session *s,
                       const struct vf_found_sources *sources)
{
    struct vf_json writer = {.out = out}, *json = &writer;
    if (s->known_info.len) {
        vf_buf_add(out, s->known_info.ptr, s->known_info.len - 1); /* all but the last bracket */
        json->comma = true;
    } else {
        vf_json_begin(json, '{');
        write_run(json, s);
    }
    number(json, "sources_left_out", (int64_t)sources->left_out);
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

/* How much of a recording is written.  Less only where there is no room for more. */
enum detail { ALL, ALL_PACKED, NO_LOGS, NO_SOURCES, SHORT, DETAILS = SHORT + 12 };

/* A larger profile is not shortened. */
enum { SHORTENED_MAX = 64 << 20 };

struct content {
    struct vf_session *session;
    struct vf_found_sources sources;
    struct vf_found_symbols symbols;
    struct vf_buf info; /* capture.json */
    enum detail detail; /* with each behind SHORT half as many samples as with the one before */
    struct vf_buf shortened; /* profile.prof then */
};

/* A temporary file, from its start, and what is to follow it; an empty one makes no member.  A big
 * one is stored as it is: it is soon written, and a reader maps it where it lies. */
static bool add_file(zip_t *zip, const char *name, int fd, uint64_t bytes, struct vf_str tail,
                     enum detail detail)
{
    if (bytes + tail.len == 0)
        return true;
    bool stored = detail == ALL && bytes + tail.len >= VF_STORED_FROM;
    return add_member(zip, name, vf_zip_in(zip, fd, bytes, tail),
                      stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE);
}

/* The same for a whole file; -1: there is none. */
static bool add_descriptor(zip_t *zip, const char *name, int fd, struct vf_str tail,
                           enum detail detail)
{
    struct stat st = {0};
    if (fd >= 0 && fstat(fd, &st) != 0)
        return false;
    return add_file(zip, name, fd, (uint64_t)st.st_size, tail, detail);
}

/* What remains hold beside the samples. */
static bool add_parts(zip_t *zip, const struct vf_session *s, enum detail detail)
{
    for (size_t i = 0; i < s->parts.len; i++) {
        const struct vf_session_part *part = &s->parts.items[i];
        bool is_log = vf_str_starts(vf_str_from(part->name), VF_STR("profile.")) ||
                      vf_str_eq(vf_str_from(part->name), VF_STR("pc.i64"));
        if ((!is_log || detail < NO_LOGS) &&
            !add_file(zip, part->name, part->fd, part->bytes, VF_STR(""), detail))
            return false;
    }
    return true;
}

const char *vf_session_pypylog(struct vf_session *s)
{
    return vf_arena_printf(&s->arena, "%s/pypylog", s->folder).ptr;
}

static bool add_logs(zip_t *zip, const struct vf_session *s, int pypylog, enum detail detail)
{
    return add_descriptor(zip, "pc.i64", s->pc_fd, VF_STR(""), detail) &&
           add_descriptor(zip, "profile.jitlog", s->jitlog_fd, VF_STR(""), detail) &&
           add_descriptor(zip, "profile.pypylog", pypylog, VF_STR(""), detail);
}

static bool add_prof(zip_t *zip, const struct content *c)
{
    const struct vf_session *s = c->session;
    struct stat st = {0};
    if (c->detail >= SHORT)
        return add_bytes(zip, "profile.prof", vf_buf_view(&c->shortened));
    if (s->prof_fd >= 0 && fstat(s->prof_fd, &st) != 0)
        return false;
    return add_file(zip, "profile.prof", s->prof_fd, (uint64_t)st.st_size - s->prof_left_out,
                    vf_buf_view(&s->prof_tail), c->detail);
}

static bool add_samples(zip_t *zip, const struct content *c)
{
    const struct vf_session *s = c->session;
    enum detail detail = c->detail;
    struct vf_str pairs = {(const char *)s->pairs.items, s->pairs.len * sizeof *s->pairs.items};
    return add_prof(zip, c) &&
           add_descriptor(zip, "stamps.i64", s->stamps_fd, vf_buf_view(&s->stamps_tail), detail) &&
           add_descriptor(zip, "cpu.i64", s->cpu_fd, vf_buf_view(&s->cpu_tail), detail) &&
           (pairs.len == 0 || add_bytes(zip, "clock.i64", pairs));
}

static bool add_texts(zip_t *zip, const struct content *c)
{
    char name[64];
    const struct vf_session *s = c->session;
    const struct {
        const char *name;
        const struct vf_buf *bytes;
    } texts[] = {{"bytecode.txt", &s->bytecode},
                 {"symbols.json", &c->symbols.json},
                 {"code.bin", &c->symbols.code},
                 {"maps.txt", &s->maps}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].bytes->len && !add_bytes(zip, texts[i].name, vf_buf_view(texts[i].bytes)))
            return false;
    for (size_t i = 0; i < c->sources.v.len; i++) {
        name_member(name, &c->sources, i);
        if (!add_bytes(zip, name, vf_bytes_view(&c->sources.v.items[i].bytes)))
            return false;
    }
    return true;
}

static bool add_members(zip_t *zip, const struct content *c, int pypylog)
{
    const struct vf_session *s = c->session;
    return add_bytes(zip, "capture.json", vf_buf_view(&c->info)) && add_samples(zip, c) &&
           (s->parts.len ? add_parts(zip, s, c->detail)
                         : s->logs_given_up || c->detail >= NO_LOGS ||
                               add_logs(zip, s, pypylog, c->detail)) &&
           (c->detail >= NO_SOURCES || add_texts(zip, c));
}

/* Writes the zip to a descriptor.  *why is the errno of a write that failed. */
static enum vf_status write_zip(const struct content *c, int fd, int *why, struct vf_error *error)
{
    struct vf_zip_out out;
    zip_t *zip = vf_zip_out_open(&out, fd);
    if (!zip)
        return vf_fail(error, "there is no memory to write it");
    int pypylog =
        c->session->pypylog ? open(vf_session_pypylog(c->session), O_RDONLY | O_CLOEXEC) : -1;
    enum vf_status status = VF_OK;
    if (!add_members(zip, c, pypylog) || zip_close(zip) != 0) {
        status = out.why ? vf_fail_errno(error, out.why, "can't be written")
                         : vf_fail(error, "can't be written: %s", zip_strerror(zip));
        zip_discard(zip);
    }
    *why = out.why;
    if (pypylog >= 0)
        close(pypylog);
    vf_zip_out_release(&out);
    return status;
}

static bool is_full(int why)
{
    return why == ENOSPC || why == EDQUOT || why == EFBIG;
}

/* Tries one name.  *full: there was no room for it. */
static enum vf_status try_place(const struct content *c, const struct vf_place *place, size_t which,
                                struct vf_record_result *result, bool *full, struct vf_error *error)
{
    struct vf_draft draft;
    int why = 0;
    enum vf_status status = vf_place_begin(place, which, &draft, error);
    if (status == VF_FATAL) {
        *full |= is_full(errno);
        return status;
    }
    status = write_zip(c, draft.fd, &why, error);
    if (status == VF_OK) {
        status = vf_place_finish(place, which, &draft, &result->path, error);
        why = status == VF_OK ? 0 : errno;
    }
    *full |= is_full(why);
    if (status == VF_OK) {
        result->elsewhere = !vf_place_is_wanted(which);
        result->held = draft.fd;
        draft.fd = -1;
    }
    vf_place_drop(&draft);
    return status;
}

/* All samples and only their names, half of them, a quarter, and so on.  False: that does not help.
 */
static bool shorten(struct content *c)
{
    struct vf_bytes prof = {0};
    const struct vf_session *s = c->session;
    uint64_t samples = s->samples >> (c->detail - SHORT);
    c->shortened.len = 0;
    if (samples == 0 || vf_bytes_map_fd(s->prof_fd, &prof, NULL) == VF_FATAL)
        return false;
    if (prof.len + s->prof_tail.len <= SHORTENED_MAX)
        vf_shorten(&c->shortened,
                   (struct vf_str){(const char *)prof.ptr, prof.len - s->prof_left_out},
                   vf_buf_view(&s->prof_tail), samples);
    vf_bytes_release(&prof);
    return c->shortened.len > 0;
}

/* Whole where anything takes it so; else with less in it.  `result->why` is why the place that was
 * asked for did not. */
static enum vf_status save_somewhere(struct content *c, const struct vf_place *place,
                                     struct vf_record_result *result)
{
    struct vf_error error;
    bool full = true, first = true;
    for (c->detail = ALL; c->detail < DETAILS && full; c->detail++) {
        if (c->detail >= SHORT && !shorten(c))
            return VF_FATAL;
        full = false;
        for (size_t which = 0; which < vf_place_count(place); which++) {
            if (try_place(c, place, which, result, &full, &error) == VF_OK)
                return VF_OK;
            if (first)
                result->why = error;
            first = false;
        }
    }
    return VF_FATAL;
}

static void say_what_was_left_out(const struct content *c)
{
    char samples[64] = "";
    if (c->detail < NO_LOGS)
        return;
    if (c->detail > SHORT)
        snprintf(samples, sizeof samples, ", all but the first %llu of %llu samples",
                 (unsigned long long)(c->session->samples >> (c->detail - SHORT)),
                 (unsigned long long)c->session->samples);
    vf_warn(c->session->warnings,
            "there was no room for a whole recording anywhere: PyPy's logs and instruction "
            "addresses%s%s are left out",
            c->detail >= NO_SOURCES ? ", sources, native names" : "", samples);
}

enum vf_status vf_session_save(struct vf_session *s, const struct vf_place *place,
                               struct vf_record_result *result, struct vf_error *error)
{
    struct content content = {.session = s};
    find_modules(s);
    vf_symbols_find(&content.symbols, s);
    vf_sources_find(&content.sources, s, &content.symbols.pack);
    write_info(&content.info, s, &content.sources);
    enum vf_status status = save_somewhere(&content, place, result);
    if (status == VF_OK)
        say_what_was_left_out(&content);
    else
        *error = result->why;
    vf_sources_release(&content.sources);
    vf_symbols_found_release(&content.symbols);
    vf_buf_release(&content.info);
    vf_buf_release(&content.shortened);
    return status;
}

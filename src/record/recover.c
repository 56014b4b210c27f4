#include "record/recover.h"

#include "capture/capture.h"
#include "record/session.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

/* Rows that are cut at the end are left out; those of one byte are logs, whose readers know what to
 * do with half a record. */
static const unsigned row_bytes[VF_SPOOL_FILES] = {
    [VF_SPOOL_PROF] = 1,   [VF_SPOOL_STAMPS] = 8,  [VF_SPOOL_INTERRUPTED] = 16,
    [VF_SPOOL_CPU] = 24,   [VF_SPOOL_MEMORY] = 16, [VF_SPOOL_PC] = 24,
    [VF_SPOOL_JITLOG] = 1, [VF_SPOOL_PYPYLOG] = 1,
};

/* A remains folder, opened; the session is what the recorder had, as far as it is needed. */
struct loaded {
    struct vf_session session;
    struct vf_record_options options;
    struct vf_target target;
    char *environment[1], *argv[2];
    json_t *info; /* session.json; an empty object where that can't be read */
    struct vf_bytes prof;
};

/* ---- files ----------------------------------------------------------------------------------- */

/* A regular file of the user's own in the folder, or -1. */
static int open_part(const struct vf_remains *remains, const char *name)
{
    struct stat st;
    int fd = openat(remains->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
        return fd;
    close(fd);
    return -1;
}

static bool map_part(const struct vf_remains *remains, const char *name, struct vf_bytes *out)
{
    int fd = open_part(remains, name);
    *out = (struct vf_bytes){0};
    bool good = fd >= 0 && vf_bytes_map_fd(fd, out, NULL) != VF_FATAL;
    if (fd >= 0)
        close(fd);
    return good;
}

/* ---- session.json ---------------------------------------------------------------------------- */

static struct vf_str get_text(struct loaded *l, const char *key)
{
    json_t *value = json_object_get(l->info, key);
    if (!json_is_string(value))
        return VF_STR("");
    return vf_arena_str(&l->session.arena,
                        (struct vf_str){json_string_value(value), json_string_length(value)});
}

static int64_t get_int(const struct loaded *l, const char *key)
{
    json_t *value = json_object_get(l->info, key);
    return json_is_integer(value) ? json_integer_value(value) : 0;
}

static bool load_info(struct loaded *l, const struct vf_remains *remains)
{
    struct vf_bytes bytes;
    bool good = map_part(remains, "session.json", &bytes) && bytes.len <= VF_ZIP_JSON_MAX &&
                vf_json_values(vf_bytes_view(&bytes)) <= VF_ZIP_JSON_VALUES_MAX;
    if (good)
        l->info = json_loadb((const char *)bytes.ptr, bytes.len, JSON_ALLOW_NUL, NULL);
    vf_bytes_release(&bytes);
    if (json_is_object(l->info))
        return true;
    json_decref(l->info);
    l->info = json_object();
    return false;
}

static void take_info(struct loaded *l)
{
    struct vf_session *s = &l->session;
    struct vf_str interpreter = get_text(l, "interpreter");
    s->implementation =
        vf_str_starts(interpreter, VF_STR("PyPy")) ? VF_STR("pypy") : VF_STR("cpython");
    s->start_realtime_ns = get_int(l, "start_realtime_ns");
    s->start_monotonic_ns = get_int(l, "start_monotonic_ns");
    s->end_realtime_ns = get_int(l, "end_realtime_ns");
    s->end_monotonic_ns = get_int(l, "end_monotonic_ns");
    s->native = json_object_get(l->info, "native_innermost") != NULL;
    struct vf_str program = get_text(l, "program");
    l->argv[0] = vf_strdup(program.len ? program : VF_STR("program"));
    l->target = (struct vf_target){.interpreter = l->argv[0],
                                   .argv = l->argv,
                                   .argc = 1,
                                   .kind = VF_TARGET_STDIN, /* no file is a source by its name */
                                   .arguments_at = 1};
}

/* Numbers of the run that are the end's are those of the last sign of life, where they are not
 * known. */
static void take_end(struct loaded *l, const struct vf_remains *remains)
{
    struct vf_session *s = &l->session;
    struct vf_bytes stamps;
    int64_t last_ns = 0;
    if (map_part(remains, "stamps.i64", &stamps) && stamps.len >= 8)
        memcpy(&last_ns, stamps.ptr + (stamps.len / 8 - 1) * 8, 8);
    vf_bytes_release(&stamps);
    bool sound = last_ns > s->start_monotonic_ns && s->start_monotonic_ns > 0 &&
                 last_ns - s->start_monotonic_ns < INT64_C(1000000000) * 1000000000;
    if (s->end_monotonic_ns <= s->start_monotonic_ns)
        s->end_monotonic_ns = sound ? last_ns : s->start_monotonic_ns;
    if (s->end_realtime_ns <= 0 && s->start_realtime_ns >= 0 &&
        s->start_realtime_ns < INT64_MAX / 2)
        s->end_realtime_ns =
            s->start_realtime_ns + (s->end_monotonic_ns - s->start_monotonic_ns) % (INT64_MAX / 4);
    if (s->end_realtime_ns < 0)
        s->end_realtime_ns = 0;
}

/* The text of capture.json but for what the end of a recording adds. */
static void write_known(struct loaded *l)
{
    static const char *const anew[] = {"sources", "modules", "sources_left_out", "recovered"};
    static const char *const of_the_end[] = {"exit_code", "exit_signal", "end_realtime_ns",
                                             "end_monotonic_ns"};
    struct vf_session *s = &l->session;
    for (size_t i = 0; i < sizeof anew / sizeof *anew; i++)
        json_object_del(l->info, anew[i]);
    if (get_int(l, "end_monotonic_ns") == 0)
        for (size_t i = 0; i < sizeof of_the_end / sizeof *of_the_end; i++)
            json_object_del(l->info, of_the_end[i]);
    json_object_set_new(l->info, "version", json_integer(VF_CAPTURE_VERSION));
    json_object_set_new(l->info, "recovered", json_integer(1));
    if (!get_int(l, "end_monotonic_ns") && s->end_monotonic_ns) {
        json_object_set_new(l->info, "end_monotonic_ns", json_integer(s->end_monotonic_ns));
        json_object_set_new(l->info, "end_realtime_ns", json_integer(s->end_realtime_ns));
    }
    char *text = json_dumps(l->info, JSON_COMPACT);
    s->known_info = vf_arena_str(&s->arena, vf_str_from(text ? text : "{\"version\":1}"));
    free(text);
}

/* ---- the members ----------------------------------------------------------------------------- */

static void take_maps(struct loaded *l, const struct vf_remains *remains)
{
    struct vf_session *s = &l->session;
    struct vf_bytes maps;
    if (map_part(remains, "maps.txt", &maps) && maps.len <= VF_ZIP_JSON_MAX)
        vf_buf_str(&s->maps, vf_bytes_view(&maps));
    vf_bytes_release(&maps);
    vf_maps_parse(&s->known_maps, vf_buf_view(&s->maps));
}

/* A recorder that found no room at the end has left it. */
static void take_bytecode(struct loaded *l, const struct vf_remains *remains)
{
    struct vf_bytes text;
    if (map_part(remains, "bytecode.txt", &text) && text.len <= VF_ZIP_JSON_MAX)
        vf_buf_str(&l->session.bytecode, vf_bytes_view(&text));
    vf_bytes_release(&text);
}

/* Half of the counter's pairs is of no use, so there are none where they don't fit. */
static void take_pairs(struct loaded *l, const struct vf_remains *remains)
{
    struct vf_bytes rows;
    struct vf_counter_pairs *pairs = &l->session.pairs;
    size_t count = map_part(remains, "clock.i64", &rows) ? rows.len / sizeof *pairs->items : 0;
    if (count > 0 && count <= VF_COUNTER_PAIRS_MAX) {
        memcpy(pairs->items, rows.ptr, count * sizeof *pairs->items);
        pairs->len = count;
    }
    vf_bytes_release(&rows);
}

/* The remains become the spool of a recording to whose files nothing more is written. */
static void take_spool(struct loaded *l, const struct vf_remains *remains)
{
    struct vf_spool *spool = &l->session.spool;
    struct stat st;
    spool->folder_fd = fcntl(remains->folder, F_DUPFD_CLOEXEC, 0);
    spool->status = VF_FATAL;
    for (size_t i = 0; i < VF_SPOOL_FILES; i++) {
        int fd = open_part(remains, vf_spool_name((enum vf_spool_file)i));
        if (fd >= 0 && fstat(fd, &st) == 0)
            spool->written[i] = (uint64_t)st.st_size - (uint64_t)st.st_size % row_bytes[i];
        if (fd >= 0)
            close(fd);
    }
}

/* VF_FATAL: there is nothing to make a recording of. */
static enum vf_status take_prof(struct loaded *l, const struct vf_remains *remains,
                                struct vf_error *error)
{
    struct vf_session *s = &l->session;
    struct vf_error why = {.text = "there is none, or no file of yours"};
    int fd = open_part(remains, "profile.prof");
    enum vf_status mapped = fd >= 0 ? vf_bytes_map_fd(fd, &l->prof, &why) : VF_FATAL;
    if (fd >= 0)
        close(fd);
    if (mapped == VF_FATAL)
        return vf_fail(error, "profile.prof: %s; no samples can be recovered", why.text);
    if (l->prof.len == 0)
        return vf_fail(error, "profile.prof is empty: no samples had come");
    uint64_t good = vf_session_scan(s, vf_bytes_view(&l->prof), &why);
    if (!s->has_stream)
        return vf_fail(error, "profile.prof: %s; no samples can be recovered", why.text);
    s->spool.written[VF_SPOOL_PROF] = good;
    if (good < l->prof.len && !s->has_trailer)
        vf_warn(s->warnings, "the last %llu bytes of profile.prof are no whole record",
                (unsigned long long)(l->prof.len - good));
    return VF_OK;
}

static enum vf_status load(struct loaded *l, const struct vf_remains *remains,
                           const struct vf_debug_files *debug, struct vf_warnings *warnings,
                           struct vf_error *error)
{
    *l = (struct loaded){.options = {.debug = debug, .environment = l->environment}};
    l->session = (struct vf_session){.options = &l->options,
                                     .target = &l->target,
                                     .warnings = warnings,
                                     .ring = {.fd = -1, .shm = -1},
                                     .libraries = {-1, -1},
                                     .spool = {.folder_fd = -1, .lock_fd = -1}};
    take_spool(l, remains);
    if (!load_info(l, remains))
        vf_warn(warnings,
                "session.json can't be read: of the run nothing is known but its samples");
    if (get_int(l, "version") > VF_CAPTURE_VERSION)
        return vf_fail(error, "session.json says version %lld; this vmfox reads versions 1 to %d",
                       (long long)get_int(l, "version"), VF_CAPTURE_VERSION);
    take_info(l);
    return take_prof(l, remains, error);
}

static void unload(struct loaded *l)
{
    vf_session_release(&l->session);
    vf_bytes_release(&l->prof);
    free(l->argv[0]);
    json_decref(l->info);
}

/* What the folder calls the program may have been made up: it becomes the name of a file. */
static void plain_name(char out[128], struct vf_str name)
{
    size_t len = name.len < 100 ? name.len : 100;
    if (len == 0)
        return;
    memcpy(out, name.ptr, len);
    out[len] = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)out[i];
        if (c < ' ' || c == 0x7f || c == '/' || (i == 0 && (c == '.' || c == '-')))
            out[i] = '_';
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

enum vf_status vf_recover_look(const struct vf_remains *remains, struct vf_recover_facts *facts,
                               struct vf_error *error)
{
    struct loaded l;
    *facts = (struct vf_recover_facts){.program = "program"};
    enum vf_status status = load(&l, remains, NULL, NULL, error);
    if (status == VF_OK) {
        plain_name(facts->program, vf_str_basename(vf_str_from(l.argv[0])));
        facts->start_realtime_ns = l.session.start_realtime_ns;
        facts->samples = l.session.samples;
    }
    unload(&l);
    return status;
}

enum vf_status vf_recover(const struct vf_remains *remains, const struct vf_place *place,
                          const struct vf_debug_files *debug, struct vf_record_result *result,
                          struct vf_warnings *warnings, struct vf_error *error)
{
    struct loaded l;
    *result = (struct vf_record_result){.held = -1};
    enum vf_status status = load(&l, remains, debug, warnings, error);
    if (status == VF_OK) {
        take_pairs(&l, remains);
        take_maps(&l, remains);
        take_bytecode(&l, remains);
        take_end(&l, remains);
        write_known(&l);
        vf_session_finish_stream(&l.session);
        status = vf_session_save(&l.session, place, result, error);
    }
    unload(&l);
    return status;
}

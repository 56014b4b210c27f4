#include "record/session.h"

#include "base/file.h"
#include "capture/capture.h"
#include "record/info.h"
#include "record/shorten.h"
#include "record/sources.h"
#include "record/symbols.h"
#include "record/zip_ends.h"
#include "symbols/elf.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* ---- modules ------------------------------------------------------------------------------- */

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

/* A file of the spool, and what waits for it and has no room there; an empty one makes no member. A
 * big one is stored as it is: it is soon written, and a reader maps it where it lies. */
static bool add_file(zip_t *zip, const struct vf_spool *spool, enum vf_spool_file file,
                     enum detail detail)
{
    struct vf_str tail = vf_buf_view(&spool->waiting[file]);
    uint64_t bytes = spool->written[file] + tail.len;
    const char *name = vf_spool_name(file);
    if (bytes == 0)
        return true;
    bool stored = detail == ALL && bytes >= VF_STORED_FROM;
    return add_member(
        zip, name,
        vf_zip_in(zip, spool->folder_fd, name, spool->held[file] - 1, spool->written[file], tail),
        stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE);
}

/* What may be left out for the samples' sake. */
static bool is_log(enum vf_spool_file file)
{
    return file == VF_SPOOL_PC || file == VF_SPOOL_JITLOG || file == VF_SPOOL_PYPYLOG;
}

static bool add_spool(zip_t *zip, const struct content *c)
{
    const struct vf_session *s = c->session;
    struct vf_str pairs = {(const char *)s->pairs.items, s->pairs.len * sizeof *s->pairs.items};
    for (int i = 0; i < VF_SPOOL_FILES; i++) {
        enum vf_spool_file file = (enum vf_spool_file)i;
        bool good = true;
        if (file == VF_SPOOL_PROF && c->detail >= SHORT)
            good = add_bytes(zip, vf_spool_name(file), vf_buf_view(&c->shortened));
        else if (!is_log(file) || c->detail < NO_LOGS)
            good = add_file(zip, &s->spool, file, c->detail);
        if (!good)
            return false;
    }
    return pairs.len == 0 || add_bytes(zip, "clock.i64", pairs);
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
        vf_source_member(name, &c->sources, i);
        if (!add_bytes(zip, name, vf_bytes_view(&c->sources.v.items[i].bytes)))
            return false;
    }
    return true;
}

static bool add_members(zip_t *zip, const struct content *c)
{
    return add_bytes(zip, "capture.json", vf_buf_view(&c->info)) && add_spool(zip, c) &&
           (c->detail >= NO_SOURCES || add_texts(zip, c));
}

/* Writes the zip to a descriptor.  *why is the errno of a write that failed. */
static enum vf_status write_zip(const struct content *c, int fd, int *why, struct vf_error *error)
{
    struct vf_zip_out out;
    zip_t *zip = vf_zip_out_open(&out, fd);
    if (!zip)
        return vf_fail(error, "there is no memory to write it");
    enum vf_status status = VF_OK;
    if (!add_members(zip, c) || zip_close(zip) != 0) {
        status = out.why ? vf_fail_errno(error, out.why, "can't be written")
                         : vf_fail(error, "can't be written: %s", zip_strerror(zip));
        zip_discard(zip);
    }
    *why = out.why;
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
    struct vf_session *s = c->session;
    struct vf_str tail = vf_buf_view(&s->spool.waiting[VF_SPOOL_PROF]);
    uint64_t samples = s->samples >> (c->detail - SHORT), written = s->spool.written[VF_SPOOL_PROF];
    c->shortened.len = 0;
    if (samples == 0 || written + tail.len > SHORTENED_MAX)
        return false;
    if (written && !vf_spool_map(&s->spool, VF_SPOOL_PROF, &prof))
        return false;
    vf_shorten(&c->shortened,
               (struct vf_str){(const char *)prof.ptr, written < prof.len ? written : prof.len},
               tail, samples);
    vf_bytes_release(&prof);
    return c->shortened.len > 0;
}

const char *vf_session_logs_text(bool logs, bool addresses)
{
    return !addresses ? "PyPy's logs"
           : !logs    ? "instruction addresses"
                      : "PyPy's logs and instruction addresses";
}

static bool has_logs(const struct vf_spool *spool)
{
    return vf_spool_size(spool, VF_SPOOL_JITLOG) + vf_spool_size(spool, VF_SPOOL_PYPYLOG) > 0;
}

static bool has_addresses(const struct vf_spool *spool)
{
    return vf_spool_size(spool, VF_SPOOL_PC) > 0;
}

/* Whole where anything takes it so; else with less in it.  `result->why` is why the place that was
 * asked for did not. */
static enum vf_status save_somewhere(struct content *c, const struct vf_place *place,
                                     struct vf_record_result *result)
{
    struct vf_error error;
    bool full = true, first = true;
    const struct vf_spool *spool = &c->session->spool;
    for (c->detail = ALL; c->detail < DETAILS && full; c->detail++) {
        if (c->detail == NO_LOGS && !has_logs(spool) && !has_addresses(spool))
            continue;
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
    const struct vf_spool *spool = &c->session->spool;
    bool logs = has_logs(spool), addresses = has_addresses(spool), any = logs || addresses;
    bool bare = c->detail >= NO_SOURCES;
    if (c->detail < NO_LOGS)
        return;
    if (c->detail > SHORT)
        snprintf(samples, sizeof samples, ", all but the first %llu of %llu samples",
                 (unsigned long long)(c->session->samples >> (c->detail - SHORT)),
                 (unsigned long long)c->session->samples);
    vf_warn(c->session->warnings,
            "there was no room for a whole recording anywhere: %s%s%s%s are left out",
            any ? vf_session_logs_text(logs, addresses) : "", any && bare ? ", " : "",
            bare ? "sources, native names" : "", samples);
}

enum vf_status vf_session_save(struct vf_session *s, const struct vf_place *place,
                               struct vf_record_result *result, struct vf_error *error)
{
    struct content content = {.session = s};
    find_modules(s);
    vf_symbols_find(&content.symbols, s);
    vf_sources_find(&content.sources, s, &content.symbols.pack);
    vf_session_write_info(&content.info, s, &content.sources);
    enum vf_status status = save_somewhere(&content, place, result);
    if (status == VF_OK) {
        result->detail = content.detail < NO_LOGS ? VF_DETAIL_ALL
                         : content.detail > SHORT ? VF_DETAIL_SHORT
                                                  : VF_DETAIL_PARTS;
        say_what_was_left_out(&content);
    } else {
        *error = result->why;
    }
    vf_sources_release(&content.sources);
    vf_symbols_found_release(&content.symbols);
    vf_buf_release(&content.info);
    vf_buf_release(&content.shortened);
    return status;
}

#include "record/session.h"

#include "base/file.h"
#include "capture/capture.h"
#include "record/info.h"
#include "record/sources.h"
#include "record/symbols.h"
#include "symbols/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

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

static bool add_files(zip_t *zip, struct vf_session *s)
{
    for (int file = 0; file < VF_SPOOL_FILES; file++) {
        int fd = vf_spool_read(&s->spool, (enum vf_spool_file)file);
        bool good = add_descriptor(zip, vf_spool_name((enum vf_spool_file)file), fd);
        if (fd >= 0)
            close(fd);
        if (!good)
            return false;
    }
    return true;
}

static bool add_members(zip_t *zip, struct vf_session *s, const struct vf_found_sources *sources,
                        const struct vf_found_symbols *symbols, struct vf_str info)
{
    char name[64];
    if (!add_bytes(zip, "capture.json", info) || !add_files(zip, s))
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
        vf_source_member(name, sources, i);
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
    vf_session_write_info(&info, s, &sources);
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

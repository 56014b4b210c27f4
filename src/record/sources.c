#include "record/sources.h"

#include "capture/source_name.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_cut(struct vf_str path)
{
    return path.len == VF_PYPY_NAME_MAX && vf_str_ends(path, VF_STR("..."));
}

static bool could_be(struct vf_str recorded, struct vf_str whole)
{
    if (whole.len <= VF_PYPY_NAME_MAX)
        return false;
    for (size_t i = 0; i < VF_PYPY_NAME_KEPT; i++)
        if (recorded.ptr[i] != (whole.ptr[i] == ':' ? ';' : whole.ptr[i]))
            return false;
    return true;
}

/* The whole path for a cut one, from what the bootstrap has told; empty where none or several
 * fit. */
static struct vf_str find_whole(const struct vf_session *s, struct vf_str path)
{
    struct vf_str found = VF_STR("");
    for (size_t i = 0; i < s->long_files.len; i++) {
        struct vf_str whole = s->long_files.items[i];
        if (!could_be(path, whole) || vf_str_eq(found, whole))
            continue;
        if (found.len)
            return VF_STR("");
        found = whole;
    }
    return found;
}

bool vf_sources_is_python(const struct vf_session *s, struct vf_str path)
{
    if (vf_source_is_python(path))
        return true;
    return s->target->kind == VF_TARGET_FILE &&
           vf_str_eq(vf_str_basename(path),
                     vf_str_basename(vf_str_from(s->target->argv[s->target->script_at])));
}

/* Takes over found.bytes, of which `status` tells. */
static void put_file(struct vf_found_sources *sources, struct vf_found_source found,
                     enum vf_status status)
{
    sources->left_out += status == VF_WARN;
    sources->left -= found.bytes.len;
    if (status == VF_OK)
        VF_APPEND(&sources->v, found);
}

static void add_file(struct vf_found_sources *sources, struct vf_session *s, struct vf_str path)
{
    struct vf_found_source found = {.path = path};
    struct vf_str place = path;
    if (is_cut(path)) {
        found.real_path = find_whole(s, path);
        place = found.real_path;
    }
    if (place.len == 0 || place.ptr[0] == '<' || !vf_sources_is_python(s, place))
        return;
    place = vf_arena_str(&s->arena, place); /* with a NUL behind it */
    enum vf_status status = vf_source_text(place.ptr, sources->left, &found.bytes);
    put_file(sources, found, status);
}

static void add_native_file(struct vf_found_sources *sources, struct vf_str path)
{
    struct vf_found_source found = {.path = path, .is_native = true};
    enum vf_status status = vf_source_text_native(path, sources->left, &found.bytes);
    put_file(sources, found, status);
}

void vf_sources_find(struct vf_found_sources *sources, struct vf_session *s,
                     const struct vf_pack *symbols)
{
    *sources = (struct vf_found_sources){.left = VF_SOURCES_LIMIT};
    bool *wanted = vf_alloc_zeroed(s->files.len, sizeof *wanted);
    for (size_t i = 0; i < s->names.len; i++) {
        uint64_t id = s->names.items[i].id;
        struct vf_probe probe = vf_table_probe(&s->address_index, vf_hash_u64(id, 0));
        uint32_t row;
        while (vf_table_next(&s->address_index, &probe, &row))
            if (s->addresses.items[row] == id)
                wanted[s->names.items[i].file] = true;
    }
    for (size_t i = 0; i < s->files.len; i++)
        if (wanted[i])
            add_file(sources, s, s->files.items[i]);
    free(wanted);
    for (size_t i = 0; i < symbols->files.len; i++)
        add_native_file(sources, symbols->files.items[i]);
    if (sources->left_out)
        vf_warn(s->warnings, "%llu source files were left out: over the limit of 64 MB",
                (unsigned long long)sources->left_out);
}

void vf_sources_release(struct vf_found_sources *sources)
{
    for (size_t i = 0; i < sources->v.len; i++)
        vf_bytes_release(&sources->v.items[i].bytes);
    free(sources->v.items);
    *sources = (struct vf_found_sources){0};
}

#include "profile/clean_paths.h"

/* ---- components ------------------------------------------------------------------------------ */

static bool is_drive(struct vf_str path)
{
    return path.len >= 3 && path.ptr[1] == ':' && (path.ptr[2] == '\\' || path.ptr[2] == '/') &&
           ((path.ptr[0] | 32) >= 'a' && (path.ptr[0] | 32) <= 'z');
}

bool vf_path_is_absolute(struct vf_str path)
{
    return (path.len >= 2 && path.ptr[0] == '/') || is_drive(path);
}

/* Where component `i` from the end begins; false: there are not so many. */
static bool find_from_end(struct vf_str path, uint32_t i, size_t *begins, size_t *ends)
{
    bool drive = is_drive(path);
    size_t at = path.len, end;
    for (uint32_t n = 0;; n++) {
        while (at && (path.ptr[at - 1] == '/' || (drive && path.ptr[at - 1] == '\\')))
            at--;
        end = at;
        while (at && path.ptr[at - 1] != '/' && !(drive && path.ptr[at - 1] == '\\'))
            at--;
        if (at == end)
            return false;
        if (n == i)
            break;
    }
    *begins = at;
    *ends = end;
    return true;
}

static struct vf_str component(struct vf_str path, uint32_t from_end)
{
    size_t begins, ends;
    if (!find_from_end(path, from_end, &begins, &ends))
        return VF_STR("");
    return (struct vf_str){path.ptr + begins, ends - begins};
}

static struct vf_str last_components(struct vf_str path, uint32_t count)
{
    size_t begins, ends, end;
    if (count == 0 || !find_from_end(path, 0, &begins, &end) ||
        !find_from_end(path, count - 1, &begins, &ends))
        return path;
    return (struct vf_str){path.ptr + begins, end - begins};
}

static uint32_t count_components(struct vf_str path)
{
    size_t begins, ends;
    uint32_t count = 0;
    /* No file lies deeper; a text that looks like a path may. */
    while (count < 256 && find_from_end(path, count, &begins, &ends))
        count++;
    return count;
}

/* ---- what may be shown ----------------------------------------------------------------------- */

/* "python3.11", "pypy3.9" */
static bool is_versioned(struct vf_str folder)
{
    size_t at = vf_str_starts(folder, VF_STR("python")) ? 6
                : vf_str_starts(folder, VF_STR("pypy")) ? 4
                                                        : folder.len;
    return at < folder.len && folder.ptr[at] >= '2' && folder.ptr[at] <= '9';
}

/* How many components the name has that nobody else asks for; 1: it is in no library. */
static uint32_t library_part(struct vf_str path, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct vf_str folder = component(path, i);
        if (vf_str_eq(folder, VF_STR("site-packages")) ||
            vf_str_eq(folder, VF_STR("dist-packages")))
            return i + 1;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct vf_str folder = component(path, i), above = component(path, i + 1);
        bool lib = vf_str_eq(above, VF_STR("lib")) || vf_str_eq(above, VF_STR("lib64"));
        if ((lib && is_versioned(folder)) || vf_str_eq(folder, VF_STR("lib-python")) ||
            vf_str_eq(folder, VF_STR("lib_pypy")))
            return i + 1;
    }
    return 1;
}

static bool is_homes(struct vf_str folder)
{
    return vf_str_eq(folder, VF_STR("home")) || vf_str_eq(folder, VF_STR("Users"));
}

/* Components behind the last one that tells of a person; 0: all do. */
static uint32_t telling_nothing(const struct vf_paths *paths, struct vf_str path, uint32_t count)
{
    struct vf_str ends = path;
    while (ends.len > 1 && ends.ptr[ends.len - 1] == '/')
        ends.len--;
    size_t home = vf_private_home_at(paths->hidden, path);
    if (home && home == ends.len)
        return 0;
    if (count == 2 && is_homes(component(path, 1)) && !memchr(ends.ptr, '.', ends.len))
        return 0;
    size_t begins, end;
    for (uint32_t i = 1; i < count; i++) {
        struct vf_str folder = component(path, i), above = component(path, i + 1);
        if (is_homes(above) || vf_private_is_in(paths->hidden, folder) ||
            vf_str_eq(folder, VF_STR("..")) ||
            (find_from_end(path, i, &begins, &end) && begins < home))
            return i;
    }
    return count - is_drive(path);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_taken(const struct vf_paths *paths, struct vf_str name, uint32_t *by)
{
    struct vf_probe probe = vf_table_probe(&paths->names, vf_hash_bytes(name.ptr, name.len));
    while (vf_table_next(&paths->names, &probe, by))
        if (vf_str_eq(paths->rows.items[*by].name, name))
            return true;
    return false;
}

static void take(struct vf_paths *paths, uint32_t row)
{
    struct vf_str name = paths->rows.items[row].name;
    vf_table_insert(&paths->names, vf_hash_bytes(name.ptr, name.len), row);
}

static struct vf_str replace_words(struct vf_paths *paths, struct vf_str name)
{
    struct vf_buf text = {0};
    vf_private_replace(&text, paths->hidden, name);
    name = vf_arena_str(&paths->arena, vf_buf_view(&text));
    vf_buf_release(&text);
    return name;
}

static void show(struct vf_paths *paths, struct vf_path_row *row)
{
    if (row->most == 0) {
        row->name = VF_STR("~");
        return;
    }
    row->name = last_components(row->path, row->shown);
    if (row->shown && is_drive(row->path)) {
        char *turned = vf_arena_alloc(&paths->arena, row->name.len + 1);
        for (size_t i = 0; i < row->name.len; i++)
            turned[i] = row->name.ptr[i] == '\\' ? '/' : row->name.ptr[i];
        row->name.ptr = turned;
    }
    if (paths->words)
        row->name = replace_words(paths, row->name);
}

static void number(struct vf_paths *paths, struct vf_path_row *row)
{
    struct vf_str plain = row->name;
    uint32_t first, by;
    if (!is_taken(paths, plain, &first))
        return;
    do
        row->name = vf_arena_printf(&paths->arena, "%.*s (%u)", VF_STR_ARG(plain),
                                    2 + paths->rows.items[first].numbered++);
    while (is_taken(paths, row->name, &by));
}

static uint32_t add(struct vf_paths *paths, struct vf_str path)
{
    uint64_t hash = vf_hash_bytes(path.ptr, path.len);
    struct vf_probe probe = vf_table_probe(&paths->index, hash);
    uint32_t at;
    while (vf_table_next(&paths->index, &probe, &at))
        if (vf_str_eq(paths->rows.items[at].path, path))
            return at;
    at = (uint32_t)paths->rows.len;
    struct vf_path_row *row = VF_PUSH(&paths->rows);
    row->path = vf_arena_str(&paths->arena, path);
    vf_table_insert(&paths->index, hash, at);
    if (memchr(path.ptr, ' ', path.len))
        VF_APPEND(&paths->with_blank, at);
    uint32_t count = count_components(path);
    uint32_t most = telling_nothing(paths, row->path, count);
    /* "jit/loop-1.iongraph.json" is no file's but of our own making. */
    bool is_name = count <= 1 || vf_str_starts(path, VF_STR("jit/"));
    bool kept = !paths->shorten || (is_name && !vf_path_is_absolute(path) && most == count);
    row->most = kept ? 1 : most;
    if (!kept) {
        row->shown = library_part(path, count);
        row->shown = row->shown < most ? row->shown : most;
    }
    show(paths, row);
    return at;
}

void vf_paths_init(struct vf_paths *paths, const struct vf_private *hidden, bool shorten,
                   bool words)
{
    *paths = (struct vf_paths){.hidden = hidden, .shorten = shorten, .words = words};
}

void vf_paths_add(struct vf_paths *paths, struct vf_str path)
{
    add(paths, path);
}

/* One round: true where a name has become longer. */
static bool lengthen(struct vf_paths *paths)
{
    bool any = false;
    vf_table_release(&paths->names);
    for (uint32_t i = 0; i < paths->rows.len; i++) {
        uint32_t by;
        if (is_taken(paths, paths->rows.items[i].name, &by))
            paths->rows.items[i].alike = paths->rows.items[by].alike = true;
        else
            take(paths, i);
    }
    for (size_t i = 0; i < paths->rows.len; i++) {
        struct vf_path_row *row = &paths->rows.items[i];
        if (row->alike && row->shown && row->shown < row->most) {
            row->shown++;
            show(paths, row);
            any = true;
        }
        row->alike = false;
    }
    return any;
}

void vf_paths_settle(struct vf_paths *paths)
{
    while (lengthen(paths))
        continue;
    vf_table_release(&paths->names);
    for (uint32_t i = 0; i < paths->rows.len; i++) {
        number(paths, &paths->rows.items[i]);
        take(paths, i);
    }
}

struct vf_str vf_paths_name(struct vf_paths *paths, struct vf_str path)
{
    size_t before = paths->rows.len;
    uint32_t at = add(paths, path), by;
    struct vf_path_row *row = &paths->rows.items[at];
    if (at < before)
        return row->name;
    while (is_taken(paths, row->name, &by) && row->shown && row->shown < row->most) {
        row->shown++;
        show(paths, row);
    }
    /* What nobody else looks for has no need of a number. */
    if (row->most)
        number(paths, row);
    take(paths, at);
    return row->name;
}

size_t vf_paths_with_blank(const struct vf_paths *paths, struct vf_str text)
{
    size_t longest = 0;
    for (size_t i = 0; i < paths->with_blank.len; i++) {
        struct vf_str path = paths->rows.items[paths->with_blank.items[i]].path;
        if (path.len > longest && vf_str_starts(text, path))
            longest = path.len;
    }
    return longest;
}

void vf_paths_release(struct vf_paths *paths)
{
    free(paths->rows.items);
    free(paths->with_blank.items);
    vf_table_release(&paths->index);
    vf_table_release(&paths->names);
    vf_arena_release(&paths->arena);
    *paths = (struct vf_paths){0};
}

#include "capture/maps.h"

#include "base/sorted.h"

static void skip_spaces(struct vf_str *s)
{
    while (s->len && s->ptr[0] == ' ') {
        s->ptr++;
        s->len--;
    }
}

/* `7f00-7f10 r-xp 00001000 fe:00 1234   /usr/lib/libc.so.6`
 * `base` is that of the line alone.  False: it is no map. */
static bool parse_map(struct vf_str line, struct vf_map *map)
{
    const struct vf_str deleted = VF_STR(" (deleted)");
    struct vf_str start = vf_str_cut(&line, '-');
    struct vf_str end = vf_str_cut(&line, ' ');
    struct vf_str permissions = vf_str_cut(&line, ' ');
    struct vf_str offset_text = vf_str_cut(&line, ' ');
    vf_str_cut(&line, ' '); /* device */
    vf_str_cut(&line, ' '); /* inode */
    skip_spaces(&line);
    if (!vf_str_to_u64(start, 16, &map->start) || !vf_str_to_u64(end, 16, &map->end) ||
        !vf_str_to_u64(offset_text, 16, &map->offset) || map->end <= map->start ||
        permissions.len < 4)
        return false;
    map->deleted = vf_str_ends(line, deleted);
    if (map->deleted)
        line.len -= deleted.len;
    /* The kernel's own library has no file and the same functions in every process. */
    bool named = line.len && (line.ptr[0] == '/' || vf_str_eq(line, VF_STR("[vdso]")));
    map->path = named ? line : VF_STR("");
    map->executable = permissions.ptr[2] == 'x';
    map->base = map->start >= map->offset ? map->start - map->offset : map->start;
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct vf_map *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

void vf_maps_parse(struct vf_maps *maps, struct vf_str text)
{
    *maps = (struct vf_maps){0};
    while (text.len) {
        struct vf_map map;
        if (parse_map(vf_str_cut(&text, '\n'), &map))
            VF_APPEND(&maps->v, map);
    }
    if (maps->v.len)
        qsort(maps->v.items, maps->v.len, sizeof *maps->v.items, by_start);
    /* A module's segments need not lie as far apart in memory as in the file, so all of them take
     * the base of the first one, which has the file's beginning. */
    for (size_t i = 1; i < maps->v.len; i++) {
        struct vf_map *map = &maps->v.items[i], *before = map - 1;
        if (map->offset && map->path.len && vf_str_eq(map->path, before->path))
            map->base = before->base;
    }
}

void vf_maps_keep_old(struct vf_buf *fresh, struct vf_str old)
{
    enum { KEPT_MAX = 4 << 20 }; /* of a program that loads and unloads all the time */
    struct vf_maps maps;
    struct vf_buf kept = {0};
    vf_maps_parse(&maps, vf_buf_view(fresh));
    while (old.len && kept.len < KEPT_MAX) {
        struct vf_map map;
        struct vf_str line = vf_str_cut(&old, '\n');
        if (!parse_map(line, &map) || map.path.len == 0)
            continue;
        size_t count = VF_UP_TO(maps.v.items, maps.v.len, start, map.end - 1);
        if (count && maps.v.items[count - 1].end > map.start)
            continue;
        vf_buf_str(&kept, line);
        vf_buf_add(&kept, "\n", 1);
    }
    vf_maps_release(&maps);
    vf_buf_str(fresh, vf_buf_view(&kept));
    vf_buf_release(&kept);
}

const struct vf_map *vf_maps_find(const struct vf_maps *maps, uint64_t address)
{
    size_t count = VF_UP_TO(maps->v.items, maps->v.len, start, address);
    if (count == 0 || address >= maps->v.items[count - 1].end)
        return NULL;
    return &maps->v.items[count - 1];
}

void vf_maps_release(struct vf_maps *maps)
{
    free(maps->v.items);
    *maps = (struct vf_maps){0};
}

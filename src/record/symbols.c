#include "record/symbols.h"

#include "capture/rows.h"
#include "record/apart.h"

static struct vf_str module_id(const struct vf_session *s, struct vf_str path)
{
    for (size_t i = 0; i < s->modules.len; i++)
        if (vf_str_eq(s->modules.items[i].path, path))
            return s->modules.items[i].build_id;
    return VF_STR("");
}

/* Notes the address where it lies in a library that is known. */
static void want(struct vf_pack *pack, const struct vf_session *s, uint64_t address,
                 bool is_instruction)
{
    const struct vf_map *map = vf_maps_find(&s->known_maps, address);
    struct vf_str id = map && map->executable ? module_id(s, map->path) : VF_STR("");
    if (id.len && !map->deleted)
        vf_pack_add(pack, map->path, id, address - map->base, is_instruction);
}

/* Code of Python lies in no library, so it need not be told from native functions.  VMProf sets the
 * lowest bit of theirs: which it is without the bit is found when both are known. */
static void want_functions(struct vf_pack *pack, const struct vf_session *s)
{
    for (size_t i = 0; i < s->addresses.len; i++) {
        uint64_t address = s->addresses.items[i];
        want(pack, s, address & ~(uint64_t)1, false);
        if (address & 1)
            want(pack, s, address, false);
    }
}

static void want_pairs(struct vf_pack *pack, const struct vf_session *s, struct vf_str rows)
{
    int64_t row[2];
    for (size_t at = 0; at + sizeof row <= rows.len; at += sizeof row) {
        memcpy(row, rows.ptr + at, sizeof row);
        want(pack, s, (uint64_t)row[1], true);
    }
}

/* The instructions that were interrupted, and those of --pc-thread. */
static void want_instructions(struct vf_pack *pack, struct vf_session *s)
{
    struct vf_bytes rows;
    if (vf_spool_map(&s->spool, VF_SPOOL_INTERRUPTED, &rows)) {
        want_pairs(pack, s, vf_bytes_view(&rows));
        vf_bytes_release(&rows);
    }
    want_pairs(pack, s, vf_buf_view(&s->spool.waiting[VF_SPOOL_INTERRUPTED]));
    if (vf_spool_map(&s->spool, VF_SPOOL_PC, &rows)) {
        struct vf_str view = vf_bytes_view(&rows);
        for (size_t i = 0; i < vf_rows_count(view); i++)
            want(pack, s, (uint64_t)vf_rows_get(view, i).third, true);
        vf_bytes_release(&rows);
    }
}

/* ---- in a process of its own ----------------------------------------------------------------- */

/* What comes back from there: these numbers, then the two members, then the files, each behind its
 * length. */
struct result_head {
    uint64_t json_bytes, code_bytes, files, cut;
};

struct job {
    struct vf_session *session;
    struct vf_pack *pack;
};

static void look_up(void *context, struct vf_buf *result)
{
    struct job *job = context;
    struct vf_session *s = job->session;
    struct vf_symbols symbols = {0};
    struct vf_buf json = {0}, code = {0};
    if (s->options->debug)
        symbols.debug = *s->options->debug;
    struct vf_pack_source source = vf_pack_files(&symbols);
    vf_pack_write(job->pack, &source, s->options->targets, &json, s->options->code ? &code : NULL);
    struct result_head head = {json.len, code.len, job->pack->files.len, job->pack->cut};
    vf_buf_add(result, &head, sizeof head);
    vf_buf_str(result, vf_buf_view(&json));
    vf_buf_str(result, vf_buf_view(&code));
    for (size_t i = 0; i < job->pack->files.len; i++) {
        uint64_t length = job->pack->files.items[i].len;
        vf_buf_add(result, &length, sizeof length);
        vf_buf_str(result, job->pack->files.items[i]);
    }
}

static struct vf_str take(struct vf_str *rest, uint64_t length)
{
    struct vf_str taken = {rest->ptr, length < rest->len ? length : rest->len};
    rest->ptr += taken.len;
    rest->len -= taken.len;
    return taken;
}

static void take_result(struct vf_found_symbols *found, struct vf_str rest)
{
    struct result_head head = {0};
    struct vf_str words = take(&rest, sizeof head);
    if (words.len < sizeof head)
        return;
    memcpy(&head, words.ptr, sizeof head);
    vf_buf_str(&found->json, take(&rest, head.json_bytes));
    vf_buf_str(&found->code, take(&rest, head.code_bytes));
    found->pack.cut = head.cut != 0;
    for (uint64_t i = 0, length; i < head.files && rest.len >= sizeof length; i++) {
        memcpy(&length, take(&rest, sizeof length).ptr, sizeof length);
        VF_APPEND(&found->pack.files, vf_arena_str(&found->pack.arena, take(&rest, length)));
    }
}

void vf_symbols_find(struct vf_found_symbols *found, struct vf_session *s)
{
    static const struct vf_apart_limits limits = {
        .cpu_s = 120, .wall_s = 600, .bytes = (uint64_t)1 << 29};
    struct job job = {s, &found->pack};
    struct vf_buf result = {0};
    struct vf_error error;
    *found = (struct vf_found_symbols){0};
    if (s->native)
        want_functions(&found->pack, s);
    want_instructions(&found->pack, s);
    if (found->pack.libraries.len == 0)
        return;
    if (vf_apart(look_up, &job, &limits, &result, &error) == VF_OK)
        take_result(found, vf_buf_view(&result));
    else
        vf_warn(s->warnings,
                "native functions are without names (%s); vmfox symbolicate looks them up again",
                error.text);
    vf_buf_release(&result);
    if (found->pack.left_out)
        vf_warn(s->warnings, "symbols of %zu addresses were left out: over the limit of %d",
                found->pack.left_out, VF_PACK_MAX);
    if (found->pack.cut)
        vf_warn(s->warnings,
                "lines or machine code of native functions were left out: there are too "
                "many");
}

void vf_symbols_found_release(struct vf_found_symbols *found)
{
    vf_buf_release(&found->json);
    vf_buf_release(&found->code);
    vf_pack_release(&found->pack);
}

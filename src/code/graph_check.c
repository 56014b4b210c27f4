/* What the viewer (iongraph-web, src/Graph.ts) asserts of a graph or would not end without, and
 * what the front-end's IonGraphView takes for granted. */
#include "code/graph.h"

#include "base/table.h"

#include <jansson.h>

/* The viewer follows the blocks by recursion. */
enum { BLOCKS_MAX = 5000, BLOCK_PREDECESSORS_MAX = 5000 };

struct block {
    json_t *mir;
    json_int_t id, depth;
    bool header, backedge;
    VF_VEC(uint32_t) successors, predecessors; /* rows of blocks */
    uint32_t waiting; /* predecessors that are not laid out yet, backedges left out */
};

struct check {
    VF_VEC(struct block) blocks;
    struct vf_table by_id;
    struct vf_error *error;
};

#define BREAKS(c, ...) (vf_fail((c)->error, __VA_ARGS__), false)

/* ---- shapes ---------------------------------------------------------------------------------- */

static json_t *list(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_array(value) ? value : NULL;
}

static bool number(const json_t *object, const char *key, json_int_t least, json_int_t *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= least && *out < (json_int_t)1 << 53;
}

static bool has_attribute(const json_t *object, const char *what)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(object, "attributes"), i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), what) == 0)
            return true;
    }
    return false;
}

/* Numbers that were there already. */
struct seen {
    VF_VEC(json_int_t) values;
    struct vf_table index;
};

static bool is_new(struct seen *seen, json_int_t value)
{
    uint64_t hash = vf_hash_u64((uint64_t)value, 0);
    struct vf_probe probe = vf_table_probe(&seen->index, hash);
    uint32_t row;
    while (vf_table_next(&seen->index, &probe, &row))
        if (seen->values.items[row] == value)
            return false;
    vf_table_insert(&seen->index, hash, (uint32_t)seen->values.len);
    VF_APPEND(&seen->values, value);
    return true;
}

static void release_seen(struct seen *seen)
{
    free(seen->values.items);
    vf_table_release(&seen->index);
}

static bool check_instruction(struct check *c, const json_t *ins, bool lir, struct seen *ids,
                              struct seen *ptrs)
{
    json_int_t id, ptr;
    if (!number(ins, "id", 1, &id) || !number(ins, "ptr", 1, &ptr))
        return BREAKS(c, "an instruction has no id or ptr above 0");
    if (!is_new(ids, id) || !is_new(ptrs, ptr))
        return BREAKS(c, "instruction %lld stands twice", (long long)id);
    if (!json_is_string(json_object_get(ins, "opcode")))
        return BREAKS(c, "instruction %lld has no opcode", (long long)id);
    if (lir && !list(ins, "defs"))
        return BREAKS(c, "instruction %lld has no defs", (long long)id);
    if (!lir && (!list(ins, "attributes") || !list(ins, "inputs") || !list(ins, "uses") ||
                 !list(ins, "memInputs") || !json_is_string(json_object_get(ins, "type"))))
        return BREAKS(c, "instruction %lld lacks attributes, inputs, uses, memInputs or type",
                      (long long)id);
    return true;
}

static bool check_instructions(struct check *c, const json_t *blocks, bool lir)
{
    struct seen ids = {0}, ptrs = {0};
    bool good = true;
    size_t i, k;
    json_t *block, *ins;
    json_array_foreach(blocks, i, block)
    {
        if (!list(block, "instructions"))
            good = BREAKS(c, "a block has no instructions");
        json_array_foreach(list(block, "instructions"), k, ins)
        {
            if (good)
                good = check_instruction(c, ins, lir, &ids, &ptrs);
        }
    }
    release_seen(&ids);
    release_seen(&ptrs);
    return good;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static uint32_t find_block(const struct check *c, json_int_t id)
{
    struct vf_probe probe = vf_table_probe(&c->by_id, vf_hash_u64((uint64_t)id, 0));
    uint32_t row;
    while (vf_table_next(&c->by_id, &probe, &row))
        if (c->blocks.items[row].id == id)
            return row;
    return UINT32_MAX;
}

static bool read_blocks(struct check *c, const json_t *blocks)
{
    struct seen ptrs = {0};
    bool good = true;
    size_t i;
    json_t *item;
    json_array_foreach(blocks, i, item)
    {
        json_int_t ptr;
        struct block block = {.mir = item};
        if (!number(item, "id", 0, &block.id) || !number(item, "ptr", 1, &ptr) ||
            !number(item, "loopDepth", 0, &block.depth) || !list(item, "attributes"))
            good = BREAKS(c, "a block lacks id, ptr, loopDepth or attributes");
        else if (!is_new(&ptrs, ptr) || find_block(c, block.id) != UINT32_MAX)
            good = BREAKS(c, "block %lld stands twice", (long long)block.id);
        if (!good)
            break;
        block.header = has_attribute(item, "loopheader");
        block.backedge = has_attribute(item, "backedge");
        vf_table_insert(&c->by_id, vf_hash_u64((uint64_t)block.id, 0), (uint32_t)i);
        VF_APPEND(&c->blocks, block);
    }
    release_seen(&ptrs);
    return good;
}

static bool read_ends(struct check *c, struct block *block, const char *key, bool forward)
{
    size_t i;
    json_t *item, *ends = list(block->mir, key);
    if (!ends)
        return BREAKS(c, "block %lld has no %s", (long long)block->id, key);
    json_array_foreach(ends, i, item)
    {
        uint32_t row = json_is_integer(item) ? find_block(c, json_integer_value(item)) : UINT32_MAX;
        if (row == UINT32_MAX)
            return BREAKS(c, "block %lld names among its %s one that is not there",
                          (long long)block->id, key);
        if (forward)
            VF_APPEND(&block->successors, row);
        else
            VF_APPEND(&block->predecessors, row);
    }
    return block->predecessors.len <= BLOCK_PREDECESSORS_MAX ||
           BREAKS(c, "block %lld has too many predecessors", (long long)block->id);
}

static size_t count_of(const uint32_t *rows, size_t count, uint32_t row)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += rows[i] == row;
    return found;
}

static bool check_ends(struct check *c)
{
    size_t edges[2] = {0, 0};
    for (size_t i = 0; i < c->blocks.len; i++)
        if (!read_ends(c, &c->blocks.items[i], "successors", true) ||
            !read_ends(c, &c->blocks.items[i], "predecessors", false))
            return false;
    for (uint32_t i = 0; i < c->blocks.len; i++) {
        const struct block *a = &c->blocks.items[i];
        edges[0] += a->successors.len;
        edges[1] += a->predecessors.len;
        for (size_t k = 0; k < a->successors.len; k++) {
            const struct block *b = &c->blocks.items[a->successors.items[k]];
            if (count_of(a->successors.items, a->successors.len, a->successors.items[k]) != 1 ||
                count_of(b->predecessors.items, b->predecessors.len, i) != 1)
                return BREAKS(c, "blocks %lld and %lld do not agree that one follows the other",
                              (long long)a->id, (long long)b->id);
        }
    }
    return edges[0] == edges[1] || BREAKS(c, "a block has a predecessor that does not lead to it");
}

/* ---- loops ----------------------------------------------------------------------------------- */

static bool check_header(struct check *c, uint32_t row)
{
    const struct block *block = &c->blocks.items[row];
    uint32_t backedge = UINT32_MAX;
    size_t count = 0;
    for (size_t i = 0; i < block->predecessors.len; i++)
        if (c->blocks.items[block->predecessors.items[i]].backedge) {
            backedge = block->predecessors.items[i];
            count++;
        }
    if (count != 1)
        return BREAKS(c, "loop header %lld has %zu backedges, not one", (long long)block->id,
                      count);
    if (block->predecessors.len == 1)
        return BREAKS(c, "nothing leads to loop header %lld", (long long)block->id);
    if (backedge <= row)
        return BREAKS(c, "the backedge of loop header %lld stands before it", (long long)block->id);
    if (c->blocks.items[backedge].depth != block->depth || block->depth == 0)
        return BREAKS(c, "loop header %lld and its backedge are not at the same depth above 0",
                      (long long)block->id);
    return true;
}

static bool check_loops(struct check *c)
{
    for (uint32_t i = 0; i < c->blocks.len; i++) {
        const struct block *a = &c->blocks.items[i];
        if (a->header && !check_header(c, i))
            return false;
        if (a->backedge && (a->header || a->successors.len != 1 ||
                            !c->blocks.items[a->successors.items[0]].header))
            return BREAKS(c, "backedge %lld leads not to a loop header alone", (long long)a->id);
        for (size_t k = 0; !a->backedge && k < a->successors.len; k++) {
            const struct block *b = &c->blocks.items[a->successors.items[k]];
            if (b->depth > a->depth + (b->header ? 1 : 0))
                return BREAKS(c, "block %lld is deeper than block %lld before it allows",
                              (long long)b->id, (long long)a->id);
        }
    }
    return true;
}

/* Without the backedges no circle may be left, and everything must be reached. */
static bool check_order(struct check *c)
{
    VF_VEC(uint32_t) ready = {0};
    size_t done = 0;
    for (uint32_t i = 0; i < c->blocks.len; i++) {
        struct block *block = &c->blocks.items[i];
        for (size_t k = 0; k < block->predecessors.len; k++)
            block->waiting += !c->blocks.items[block->predecessors.items[k]].backedge;
        if (block->waiting == 0)
            VF_APPEND(&ready, i);
    }
    while (done < ready.len) {
        const struct block *block = &c->blocks.items[ready.items[done++]];
        for (size_t k = 0; !block->backedge && k < block->successors.len; k++)
            if (--c->blocks.items[block->successors.items[k]].waiting == 0)
                VF_APPEND(&ready, block->successors.items[k]);
    }
    free(ready.items);
    return done == c->blocks.len || BREAKS(c, "blocks go in a circle that no backedge closes");
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool check_lir(struct check *c, const json_t *lir)
{
    size_t i;
    json_t *item;
    struct seen ids = {0};
    bool good = json_array_size(lir) == c->blocks.len ||
                BREAKS(c, "mir and lir have not the same number of blocks");
    json_array_foreach(lir, i, item)
    {
        json_int_t id;
        if (good &&
            (!number(item, "id", 0, &id) || find_block(c, id) == UINT32_MAX || !is_new(&ids, id)))
            good = BREAKS(c, "a block of lir is none of mir, or stands twice");
    }
    release_seen(&ids);
    return good;
}

static bool check_pass(struct check *c, const json_t *pass)
{
    json_t *mir = list(json_object_get(pass, "mir"), "blocks");
    json_t *lir = list(json_object_get(pass, "lir"), "blocks");
    if (!json_is_string(json_object_get(pass, "name")) || !mir || !lir)
        return BREAKS(c, "a pass lacks its name, mir.blocks or lir.blocks");
    if (json_array_size(mir) == 0 || json_array_size(mir) > BLOCKS_MAX)
        return BREAKS(c, "a pass has %zu blocks; 1 to %d can be drawn", json_array_size(mir),
                      BLOCKS_MAX);
    return check_instructions(c, mir, false) && check_instructions(c, lir, true) &&
           read_blocks(c, mir) && check_ends(c) && check_loops(c) && check_order(c) &&
           check_lir(c, lir);
}

static void release(struct check *c)
{
    for (size_t i = 0; i < c->blocks.len; i++) {
        free(c->blocks.items[i].successors.items);
        free(c->blocks.items[i].predecessors.items);
    }
    free(c->blocks.items);
    vf_table_release(&c->by_id);
}

static enum vf_status check_root(const json_t *root, struct vf_error *error)
{
    json_t *functions = list(root, "functions"), *function = json_array_get(functions, 0);
    json_t *passes = list(function, "passes"), *pass;
    size_t i;
    if (json_integer_value(json_object_get(root, "version")) != 1)
        return vf_fail(error, "it is not of version 1");
    if (!json_is_string(json_object_get(function, "name")) || json_array_size(passes) == 0)
        return vf_fail(error, "it has no function with a name and passes");
    json_array_foreach(passes, i, pass)
    {
        struct check c = {.error = error};
        bool good = check_pass(&c, pass);
        release(&c);
        if (!good)
            return VF_FATAL;
    }
    return VF_OK;
}

enum vf_status vf_graph_check(struct vf_str text, struct vf_error *error)
{
    json_error_t why;
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_ALLOW_NUL, &why);
    if (!root)
        return vf_fail(error, "it is not JSON: line %d: %s", why.line, why.text);
    enum vf_status status = check_root(root, error);
    json_decref(root);
    return status;
}

#include "capture/jit_match.h"

#include "base/table.h"

/* How many optimised operations are looked at for one assembled one. */
enum { LOOK_AHEAD = 64, ARGS_MAX = 16 };

/* What the rewriter makes of an operation. */
enum kind {
    KIND_SAME, /* it stays what it is */
    KIND_LOAD,
    KIND_STORE,
    KIND_ALLOCATION,
    KIND_ADDED, /* there is none like it before the rewriter: it serves what follows */
};

struct op {
    const struct vf_jit_op *row;
    struct vf_jit_op_text text;
    enum kind kind;
};

/* A value's name among the optimised operations and among the assembled ones. */
struct value {
    struct vf_str optimised, assembled;
};

struct match {
    struct vf_jit_code *code;
    struct vf_jit_stage_code *from, *to; /* optimised, assembled */
    VF_VEC(struct value) values;
    struct vf_table value_index; /* by the optimised name; the last row is meant */
    uint32_t pending1;           /* the first of the added ones that wait for what follows, + 1 */
};

/* ---- kinds ----------------------------------------------------------------------------------- */

static bool starts_with_any(struct vf_str name, const char *const *list)
{
    for (; *list; list++)
        if (vf_str_starts(name, vf_str_from(*list)))
            return true;
    return false;
}

static enum kind kind_of(struct vf_str name)
{
    static const char *const loads[] = {
        "gc_load",   "getfield_",   "getarrayitem_", "getinteriorfield_",
        "raw_load_", "arraylen_gc", "strlen",        "unicodelen",
        "strhash",   "unicodehash", "strgetitem",    "unicodegetitem",
        NULL};
    static const char *const stores[] = {"gc_store",          "setfield_", "setarrayitem_",
                                         "setinteriorfield_", "raw_store", "strsetitem",
                                         "unicodesetitem",    NULL};
    static const char *const allocations[] = {"new", "call_malloc_nursery", "nursery_ptr_increment",
                                              NULL};
    static const char *const added[] = {"load_from_gc_table",
                                        "load_effective_address",
                                        "cond_call_gc_wb",
                                        "increment_debug_counter",
                                        "call_malloc_nursery_varsize_frame",
                                        NULL};
    if (starts_with_any(name, added))
        return KIND_ADDED;
    if (starts_with_any(name, loads))
        return KIND_LOAD;
    if (starts_with_any(name, stores))
        return KIND_STORE;
    return starts_with_any(name, allocations) ? KIND_ALLOCATION : KIND_SAME;
}

static struct op get_op(const struct match *m, const struct vf_jit_op *row)
{
    struct op op = {.row = row, .text = vf_jit_code_op(m->code, row)};
    op.kind = kind_of(op.text.name);
    return op;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool is_value(struct vf_str arg)
{
    if (arg.len < 2 || !strchr("ipfv", arg.ptr[0]))
        return false;
    for (size_t i = 1; i < arg.len; i++)
        if (arg.ptr[i] < '0' || arg.ptr[i] > '9')
            return false;
    return true;
}

static struct value *find_value(struct match *m, struct vf_str optimised)
{
    struct vf_probe probe =
        vf_table_probe(&m->value_index, vf_hash_bytes(optimised.ptr, optimised.len));
    uint32_t row;
    while (vf_table_next(&m->value_index, &probe, &row))
        if (vf_str_eq(m->values.items[row].optimised, optimised))
            return &m->values.items[row];
    return NULL;
}

static void bind(struct match *m, struct vf_str optimised, struct vf_str assembled)
{
    if (!is_value(optimised) || !is_value(assembled))
        return;
    struct value *value = find_value(m, optimised);
    if (value) {
        value->assembled = assembled;
        return;
    }
    vf_table_insert(&m->value_index, vf_hash_bytes(optimised.ptr, optimised.len),
                    (uint32_t)m->values.len);
    VF_APPEND(&m->values, ((struct value){optimised, assembled}));
}

/* A constant object is loaded from a table first, and becomes a value. */
static bool agrees(struct match *m, struct vf_str optimised, struct vf_str assembled)
{
    if (is_value(optimised)) {
        const struct value *value = find_value(m, optimised);
        return is_value(assembled) && (!value || vf_str_eq(value->assembled, assembled));
    }
    return is_value(assembled) || vf_str_starts(optimised, VF_STR("ConstPtr(")) ||
           vf_str_eq(optimised, assembled);
}

/* The offset in a descr such as <FieldS pypy.x.W_IntObject.inst_intval 8 pure>. */
static bool field_offset(struct vf_str descr, struct vf_str *offset)
{
    if (!vf_str_starts(descr, VF_STR("<Field")))
        return false;
    vf_str_cut(&descr, ' ');
    vf_str_cut(&descr, ' ');
    while (descr.len && (descr.ptr[descr.len - 1] == '>'))
        descr.len--;
    *offset = vf_str_cut(&descr, ' ');
    return offset->len > 0;
}

/* ---- does this one come from that one? ------------------------------------------------------- */

static bool same_args(struct match *m, const struct op *optimised, const struct op *assembled)
{
    struct vf_str a = optimised->text.texts.args, b = assembled->text.texts.args;
    for (int i = 0; i < ARGS_MAX && a.len && b.len; i++)
        if (!agrees(m, vf_jit_arg_next(&a), vf_jit_arg_next(&b)))
            return false;
    return true;
}

/* The value written stands last, among the assembled ones third: address, offset or index, value.
 */
static bool same_value(struct match *m, struct vf_str a, struct vf_str b)
{
    struct vf_str optimised = VF_STR(""), assembled = VF_STR("");
    while (a.len)
        optimised = vf_jit_arg_next(&a);
    for (int i = 0; i < 3 && b.len; i++)
        assembled = vf_jit_arg_next(&b);
    return agrees(m, optimised, assembled);
}

static bool same_place(struct match *m, const struct op *optimised, const struct op *assembled)
{
    struct vf_str a = optimised->text.texts.args, b = assembled->text.texts.args, offset;
    if (optimised->kind == KIND_STORE && !same_value(m, a, b))
        return false;
    if (!agrees(m, vf_jit_arg_next(&a), vf_jit_arg_next(&b)))
        return false;
    return !field_offset(optimised->text.texts.descr, &offset) ||
           vf_str_eq(vf_jit_arg_next(&b), offset);
}

static bool comes_from(struct match *m, const struct op *optimised, const struct op *assembled)
{
    if (optimised->row->opnum == assembled->row->opnum)
        return same_args(m, optimised, assembled);
    if (optimised->kind != assembled->kind)
        return false;
    if (optimised->kind == KIND_LOAD || optimised->kind == KIND_STORE)
        return same_place(m, optimised, assembled);
    return optimised->kind == KIND_ALLOCATION;
}

static void take(struct match *m, const struct op *optimised, const struct op *assembled)
{
    struct vf_jit_op *row = &m->to->ops.items[assembled->row - m->to->ops.items];
    row->twin1 = (uint32_t)(optimised->row - m->from->ops.items) + 1;
    row->point1 = optimised->row->point1;
    bind(m, optimised->text.texts.result, assembled->text.texts.result);
    if (optimised->row->opnum == assembled->row->opnum) {
        struct vf_str a = optimised->text.texts.args, b = assembled->text.texts.args;
        while (a.len && b.len)
            bind(m, vf_jit_arg_next(&a), vf_jit_arg_next(&b));
    }
}

/* ---- by descr -------------------------------------------------------------------------------- */

/* Guards, labels, jumps and the like; their descr is what they are told by. */
static bool is_anchor(const struct op *op)
{
    static const char *const names[] = {"label", "jump", "finish", "call_assembler_", NULL};
    return op->text.texts.has_descr && (op->row->guard || starts_with_any(op->text.name, names));
}

/* Optimised anchors of one kind with one descr: the first that may still be matched, and each one's
 * next are rows + 1. */
struct anchor {
    uint64_t descr_id;
    uint32_t kind, head1;
};

struct anchors {
    VF_VEC(struct anchor) v;
    struct vf_table index;
    uint32_t *next1; /* by row of the optimised operations */
};

/* guard_always_fails becomes a guard_value. */
static uint32_t anchor_kind(const struct op *op)
{
    return op->row->guard ? 0x10000u : op->row->opnum;
}

static struct anchor *find_anchor(const struct anchors *a, const struct op *op)
{
    uint64_t hash = vf_hash_u64(op->text.texts.descr_id, anchor_kind(op));
    struct vf_probe probe = vf_table_probe(&a->index, hash);
    uint32_t row;
    while (vf_table_next(&a->index, &probe, &row)) {
        struct anchor *anchor = &a->v.items[row];
        if (anchor->descr_id == op->text.texts.descr_id && anchor->kind == anchor_kind(op))
            return anchor;
    }
    return NULL;
}

static void list_anchors(const struct match *m, struct anchors *a)
{
    a->next1 = vf_alloc_zeroed(m->from->ops.len, sizeof *a->next1);
    for (size_t i = m->from->ops.len; i > 0; i--) {
        struct op op = get_op(m, &m->from->ops.items[i - 1]);
        if (!is_anchor(&op))
            continue;
        struct anchor *anchor = find_anchor(a, &op);
        if (!anchor) {
            vf_table_insert(&a->index, vf_hash_u64(op.text.texts.descr_id, anchor_kind(&op)),
                            (uint32_t)a->v.len);
            VF_APPEND(&a->v, ((struct anchor){op.text.texts.descr_id, anchor_kind(&op), 0}));
            anchor = &a->v.items[a->v.len - 1];
        }
        a->next1[i - 1] = anchor->head1;
        anchor->head1 = (uint32_t)i;
    }
}

/* For each assembled operation the anchor it is, as a row of the optimised ones + 1. */
static uint32_t *match_anchors(struct match *m)
{
    struct anchors a = {0};
    size_t count = m->to->ops.len;
    uint32_t *found = vf_alloc_zeroed(count, sizeof *found), after = 0;
    list_anchors(m, &a);
    for (size_t i = 0; i < count; i++) {
        struct op op = get_op(m, &m->to->ops.items[i]);
        struct anchor *anchor = is_anchor(&op) ? find_anchor(&a, &op) : NULL;
        while (anchor && anchor->head1 && anchor->head1 <= after)
            anchor->head1 = a.next1[anchor->head1 - 1];
        if (anchor && anchor->head1)
            found[i] = after = anchor->head1;
    }
    free(a.v.items);
    free(a.next1);
    vf_table_release(&a.index);
    return found;
}

/* ---- between them ---------------------------------------------------------------------------- */

/* The added ones that have waited go with what follows them. */
static void settle(struct match *m, size_t now)
{
    uint32_t point1 = m->to->ops.items[now].point1;
    for (size_t i = m->pending1 ? m->pending1 - 1 : now; i < now; i++)
        m->to->ops.items[i].point1 = point1;
    m->pending1 = 0;
}

/* The stretch [begin, end) of assembled operations against [*next, limit) of the optimised ones. */
static void match_stretch(struct match *m, size_t begin, size_t end, size_t *next, size_t limit)
{
    for (size_t i = begin; i < end; i++) {
        struct op assembled = get_op(m, &m->to->ops.items[i]);
        size_t most = limit - *next < LOOK_AHEAD ? limit : *next + LOOK_AHEAD;
        size_t found = most;
        for (size_t k = *next; k < most && found == most && assembled.kind != KIND_ADDED; k++) {
            struct op optimised = get_op(m, &m->from->ops.items[k]);
            if (comes_from(m, &optimised, &assembled)) {
                take(m, &optimised, &assembled);
                found = k;
            }
        }
        if (found < most) {
            settle(m, i);
            *next = found + 1;
        } else if (assembled.kind == KIND_ADDED || m->pending1) {
            if (!m->pending1)
                m->pending1 = (uint32_t)i + 1;
        } else if (i > 0) {
            m->to->ops.items[i].point1 = m->to->ops.items[i - 1].point1;
        }
    }
}

static void match_all(struct match *m, const uint32_t *anchors)
{
    size_t begin = 0, next = 0, count = m->to->ops.len;
    for (size_t i = 0; i <= count; i++) {
        if (i < count && !anchors[i])
            continue;
        size_t limit = i < count ? anchors[i] - 1 : m->from->ops.len;
        match_stretch(m, begin, i, &next, limit);
        if (i == count)
            break;
        struct op optimised = get_op(m, &m->from->ops.items[limit]);
        struct op assembled = get_op(m, &m->to->ops.items[i]);
        take(m, &optimised, &assembled);
        settle(m, i);
        next = limit + 1;
        begin = i + 1;
    }
}

void vf_jit_match(struct vf_jit_code *code)
{
    struct match m = {.code = code,
                      .from = &code->stages[VF_JITLOG_OPTIMISED],
                      .to = &code->stages[VF_JITLOG_ASSEMBLED]};
    struct vf_str a = m.from->inputs, b = m.to->inputs;
    if (m.from->ops.len == 0 || m.to->ops.len == 0)
        return;
    while (a.len && b.len)
        bind(&m, vf_jit_arg_next(&a), vf_jit_arg_next(&b));
    uint32_t *anchors = match_anchors(&m);
    match_all(&m, anchors);
    free(anchors);
    free(m.values.items);
    vf_table_release(&m.value_index);
}

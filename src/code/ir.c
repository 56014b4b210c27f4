#include "code/ir.h"

enum { DESCR_MAX = 60, FLOAT_DIGITS_MAX = 21, REDIRECTS_MAX = 4096 };

/* ---- descrs ---------------------------------------------------------------------------------- */

/* pypy.objspace.std.intobject.W_IntObject.inst_intval: the class and the field alone. */
static void add_field_name(struct vf_buf *out, struct vf_str path)
{
    size_t dots = 0, begin = path.len;
    while (begin > 0 && (path.ptr[begin - 1] != '.' || ++dots < 2))
        begin--;
    struct vf_str kept = {path.ptr + begin, path.len - begin};
    struct vf_str first = vf_str_cut(&kept, '.');
    vf_buf_str(out, first);
    if (kept.len == 0)
        return;
    if (vf_str_starts(kept, VF_STR("inst_")))
        kept = (struct vf_str){kept.ptr + 5, kept.len - 5};
    vf_buf_add(out, ".", 1);
    vf_buf_str(out, kept);
}

/* The words between < and >. */
static bool inside(struct vf_str descr, const char *prefix, struct vf_str *rest)
{
    struct vf_str start = vf_str_from(prefix);
    if (!vf_str_starts(descr, start))
        return false;
    *rest = (struct vf_str){descr.ptr + start.len, descr.len - start.len};
    while (rest->len && rest->ptr[rest->len - 1] == '>')
        rest->len--;
    return true;
}

void vf_ir_descr(struct vf_buf *out, struct vf_str descr)
{
    struct vf_str rest;
    if (inside(descr, "<Field", &rest)) {
        vf_str_cut(&rest, ' ');
        add_field_name(out, vf_str_cut(&rest, ' '));
    } else if (inside(descr, "<InteriorFieldDescr <Field", &rest)) {
        vf_str_cut(&rest, ' ');
        add_field_name(out, vf_str_cut(&rest, ' '));
    } else if (inside(descr, "<Array", &rest)) {
        struct vf_str kind = vf_str_cut(&rest, ' ');
        char of = kind.len == 1 ? kind.ptr[0] : ' ';
        vf_buf_printf(out, "array of %s",
                      of == 'P'   ? "pointers"
                      : of == 'F' ? "floats"
                      : of == 'X' ? "structs"
                                  : "ints");
    } else if (inside(descr, "<SizeDescr ", &rest)) {
        vf_buf_printf(out, "%.*s bytes", VF_STR_ARG(rest));
    } else if (inside(descr, "<Loop", &rest)) {
        vf_buf_printf(out, "loop %.*s", VF_STR_ARG(rest));
    } else {
        if (descr.len > DESCR_MAX)
            descr.len = DESCR_MAX;
        vf_buf_str(out, descr);
    }
}

/* Of a jump as it is optimised; a recorded one only has the number of a loop to come. */
static bool is_target(struct vf_str descr)
{
    return vf_str_starts(descr, VF_STR("TargetToken"));
}

/* Those that say nothing to a reader: an object's address, the types of a call's arguments. */
static bool is_noise(struct vf_str descr)
{
    return memmem(descr.ptr, descr.len, "Descr object at", 15) != NULL ||
           memmem(descr.ptr, descr.len, "DescrRef object", 15) != NULL ||
           vf_str_starts(descr, VF_STR("<Call")) || is_target(descr);
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* A big float is logged with all of its digits, up to 309: 1.12355e+308. */
static bool add_long_float(struct vf_buf *out, struct vf_str arg)
{
    bool negative = arg.len && arg.ptr[0] == '-';
    struct vf_str digits = {arg.ptr + negative, arg.len - negative};
    size_t whole = 0, dots = 0;
    for (size_t i = 0; i < digits.len; i++) {
        bool digit = digits.ptr[i] >= '0' && digits.ptr[i] <= '9';
        dots += digits.ptr[i] == '.';
        whole += digit && dots == 0;
        if (!digit && digits.ptr[i] != '.')
            return false;
    }
    if (dots != 1 || whole <= FLOAT_DIGITS_MAX)
        return false;
    vf_buf_printf(out, "%s%c.%.5se+%zu", negative ? "-" : "", digits.ptr[0], digits.ptr + 1,
                  whole - 1);
    return true;
}

static void add_arg(struct vf_buf *out, struct vf_str arg)
{
    struct vf_str rest = arg;
    if (add_long_float(out, arg))
        return;
    if (vf_str_ends(arg, VF_STR(")")) &&
        (vf_str_starts(arg, VF_STR("ConstClass(")) || vf_str_starts(arg, VF_STR("ConstPtr(")))) {
        vf_str_cut(&rest, '(');
        rest.len--;
    }
    vf_buf_str(out, rest);
}

static size_t add_args(struct vf_buf *out, struct vf_str args)
{
    size_t count = 0;
    while (args.len) {
        if (count++)
            vf_buf_add(out, ", ", 2);
        add_arg(out, vf_jit_arg_next(&args));
    }
    return count;
}

/* ---- what it leads to ------------------------------------------------------------------------ */

static void add_bridge(struct vf_buf *out, const struct vf_jit_code *code, uint64_t descr_id)
{
    const struct vf_jit_traces *traces = code->traces;
    const struct vf_jit_trace *bridge = vf_jit_traces_bridge(traces, code->trace, descr_id);
    if (!bridge)
        return;
    vf_buf_printf(out, " -> bridge %llu", (unsigned long long)bridge->id);
    if (!traces->has_counters)
        return;
    vf_buf_printf(out, ", taken ");
    vf_buf_count(out, bridge->run_count);
    vf_buf_printf(out, bridge->run_count == 1 ? " time" : " times");
}

static void add_passes(struct vf_buf *out, const struct vf_jit_code *code, uint64_t descr_id)
{
    uint64_t count;
    if (!vf_jit_traces_label(code->traces, descr_id, &count))
        return;
    vf_buf_printf(out, "  passed ");
    vf_buf_count(out, count);
    vf_buf_printf(out, count == 1 ? " time" : " times");
}

static bool has_label(const struct vf_jit_code *code, uint64_t descr_id)
{
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_ASSEMBLED];
    for (size_t i = 0; i < stage->ops.len; i++) {
        const struct vf_jit_name *name =
            vf_jit_traces_name(code->traces, stage->ops.items[i].opnum);
        if (name && vf_str_eq(name->name, VF_STR("label")) &&
            vf_jit_code_op(code, &stage->ops.items[i]).texts.descr_id == descr_id)
            return true;
    }
    return false;
}

/* A trace has one jump, as its last operation; a log with thousands is damaged, and to look for the
 * label of each would take all day. */
static bool is_last(const struct vf_jit_code *code, const struct vf_jit_op *op)
{
    for (size_t i = 0; i < 3; i++)
        if (code->stages[i].ops.len &&
            op == &code->stages[i].ops.items[code->stages[i].ops.len - 1])
            return true;
    return false;
}

/* To a label of its own, or of the loop it belongs to; any other is not looked for. */
static void add_target(struct vf_buf *out, const struct vf_jit_code *code, uint64_t descr_id)
{
    const struct vf_jit_traces *traces = code->traces;
    uint32_t root = traces->traces.items[code->trace].root;
    struct vf_jit_code loop;
    if (has_label(code, descr_id)) {
        vf_buf_printf(out, " -> its own label");
        return;
    }
    if (root == code->trace) {
        vf_buf_printf(out, " -> another trace");
        return;
    }
    vf_jit_code_read(&loop, traces, root);
    if (has_label(&loop, descr_id)) {
        vf_buf_printf(out, " -> ");
        vf_jit_trace_name(out, traces, &traces->traces.items[root]);
    } else {
        vf_buf_printf(out, " -> another trace");
    }
    vf_jit_code_release(&loop);
}

/* By its id, which grows in a log; in several logs one behind the other it can come again. */
static const struct vf_jit_trace *find_trace(const struct vf_jit_traces *traces, uint64_t id)
{
    size_t low = 0, high = traces->headers.len ? 0 : traces->traces.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (traces->traces.items[middle].id == id)
            return &traces->traces.items[middle];
        if (traces->traces.items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* What calls of a loop that was not compiled yet go to since it is; a few hundred at most are in a
 * log. */
static const struct vf_jit_trace *find_redirected(const struct vf_jit_traces *traces,
                                                  uint64_t token)
{
    size_t count = traces->redirects.len;
    for (size_t i = count; i > 0 && count - i < REDIRECTS_MAX; i--)
        if (traces->redirects.items[i - 1].from == token)
            return vf_jit_traces_find(traces, traces->redirects.items[i - 1].address);
    return NULL;
}

/* <Loop47> is the trace 47, <Loop-1> one that was not there when this was compiled. */
static void add_called(struct vf_buf *out, const struct vf_jit_code *code,
                       const struct vf_jitlog_operation *op)
{
    struct vf_str number;
    uint64_t id;
    bool known = inside(op->descr, "<Loop", &number) && vf_str_to_u64(number, 10, &id);
    const struct vf_jit_trace *trace =
        known ? find_trace(code->traces, id) : find_redirected(code->traces, op->descr_id);
    vf_buf_printf(out, " -> ");
    if (trace)
        vf_jit_trace_name(out, code->traces, trace);
    else if (known)
        vf_buf_printf(out, "loop %llu", (unsigned long long)id);
    else
        vf_buf_printf(out, "a loop that was not compiled yet");
}

/* A load or store says only an offset; the operation it was made from has the field's name. */
static void add_field(struct vf_buf *out, const struct vf_jit_code *code,
                      const struct vf_jit_op *op)
{
    const struct vf_jit_stage_code *stage = &code->stages[VF_JITLOG_OPTIMISED];
    struct vf_jit_op_text twin = vf_jit_code_op(code, &stage->ops.items[op->twin1 - 1]);
    struct vf_str descr = twin.texts.descr;
    /* Several allocations become one: the size of the first says nothing. */
    if (descr.len == 0 || is_noise(descr) || vf_str_starts(descr, VF_STR("<SizeDescr")))
        return;
    vf_buf_printf(out, "  ");
    vf_ir_descr(out, descr);
}

void vf_ir_op(struct vf_buf *out, const struct vf_jit_code *code, const struct vf_jit_op *op)
{
    struct vf_jit_op_text text = vf_jit_code_op(code, op);
    const struct vf_jitlog_operation *o = &text.texts;
    bool label = vf_str_eq(text.name, VF_STR("label")), jump = vf_str_eq(text.name, VF_STR("jump"));
    bool call = o->has_descr && vf_str_starts(text.name, VF_STR("call_assembler_"));
    if (o->result.len && !vf_str_eq(o->result, VF_STR("?")))
        vf_buf_printf(out, "%.*s = ", VF_STR_ARG(o->result));
    if (text.name.len)
        vf_buf_str(out, text.name);
    else
        vf_buf_printf(out, "op %u", op->opnum);
    vf_buf_add(out, "(", 1);
    size_t count = add_args(out, o->args);
    if (o->has_descr && !op->guard && !jump && !call && o->descr.len && !is_noise(o->descr)) {
        if (count)
            vf_buf_add(out, ", ", 2);
        vf_ir_descr(out, o->descr);
    }
    vf_buf_add(out, ")", 1);
    if (op->twin1 && !o->has_descr)
        add_field(out, code, op);
    if (op->guard && o->has_descr)
        add_bridge(out, code, o->descr_id);
    else if (label && o->has_descr)
        add_passes(out, code, o->descr_id);
    else if (jump && is_target(o->descr) && is_last(code, op))
        add_target(out, code, o->descr_id);
    else if (call)
        add_called(out, code, o);
    else if (vf_str_eq(text.name, VF_STR("increment_debug_counter")))
        vf_buf_printf(out, "  counts how often it comes here, for the log");
}

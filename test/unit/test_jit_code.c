/* The operations of a trace: which bytes are whose, where in the program they come from, and that a
 * cut log gives no wrong ones. */
#include "test.h"

#include "base/file.h"
#include "capture/jit_code.h"
#include "jitlog_builder.h"

#include <stdio.h>
#include <stdlib.h>

enum { OP_ENTER = 0x30, OP_LEAVE = 0x31, OP_FINISH = 0x32, OP_LOAD = 0x33, OP_GETFIELD = 0x34 };

/* Names for the numbers above, beside those of the builder. */
static void more_names(struct jitlog_builder *b)
{
    static const struct {
        unsigned number;
        const char *name;
    } names[] = {{OP_ENTER, "enter_portal_frame"},
                 {OP_LEAVE, "leave_portal_frame"},
                 {OP_FINISH, "finish"},
                 {OP_LOAD, "gc_load_i"},
                 {OP_GETFIELD, "getfield_gc_i"}};
    jitlog_le(b, 0x12, 1);
    jitlog_le(b, sizeof names / sizeof *names, 2);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        jitlog_le(b, names[i].number, 2);
        jitlog_text(b, names[i].name);
    }
}

static struct jitlog_builder begin(void)
{
    struct jitlog_builder b = {.version = 4, .addr_bytes = 8};
    jitlog_header(&b, "x86_64");
    jitlog_names(&b);
    more_names(&b);
    return b;
}

static struct vf_jit_traces traces_of(struct vf_str log)
{
    struct vf_jit_traces traces;
    struct vf_error error = {0};
    if (vf_jit_traces_read(&traces, log, &error) == VF_FATAL)
        fail_msg("%s", error.text);
    return traces;
}

static void point(struct jitlog_builder *b, const char *function, uint64_t line)
{
    jitlog_merge_point(b, "/app/main.py", line, function, line * 2, "LOAD_FAST");
}

/* ---- inlined functions ----------------------------------------------------------------------- */

/* outer:10 calls inner:20; the loop's guard in it has a bridge that leaves inner, and then outer.
 */
static struct jitlog_builder inlined(void)
{
    struct jitlog_builder b = begin();
    jitlog_start(&b, 1, "loop", 0, "");
    for (int stage = 0; stage < 2; stage++) {
        jitlog_stage(&b, stage ? JITLOG_ASSEMBLED : JITLOG_OPTIMISED, 1);
        if (stage)
            jitlog_bounds(&b, 0x1000, 0x1100);
        else
            jitlog_layout(&b);
        if (!stage)
            point(&b, "outer", 10);
        jitlog_operation(&b, OP_ENTER, "?,1,77", 0, "");
        if (!stage)
            point(&b, "inner", 20);
        jitlog_operation(&b, OP_GUARD_TRUE, "?,i1", 0xa0, "i1");
        if (stage)
            jitlog_code(&b, 0x10, "\x90\x90\x0f\x85\x01\x02\x03\x04");
        jitlog_operation(&b, OP_LEAVE, "?,1", 0, "");
        if (!stage)
            point(&b, "outer", 11);
        jitlog_operation(&b, OP_JUMP, "?,i1", 0xb0, "");
        if (stage)
            jitlog_code(&b, 0x18, "\xeb\xfe");
    }
    jitlog_start(&b, 2, "bridge", 0xa0, "");
    jitlog_stage(&b, JITLOG_OPTIMISED, 2);
    jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_layout(&b);
    point(&b, "inner", 21);
    jitlog_operation(&b, OP_INT_ADD, "i3,i1,1", 0, "");
    jitlog_operation(&b, OP_LEAVE, "?,1", 0, "");
    point(&b, "outer", 12);
    jitlog_operation(&b, OP_INT_ADD, "i4,i1,1", 0, "");
    jitlog_operation(&b, OP_LEAVE, "?,1", 0, "");
    jitlog_operation(&b, OP_FINISH, "?,i4", 0xc0, "");
    jitlog_stage(&b, JITLOG_ASSEMBLED, 2);
    jitlog_bounds(&b, 0x2000, 0x2100);
    jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
    jitlog_stitch(&b, 0xa0, 0x2000);
    return b;
}

static void inlined_functions_know_their_callers(void **state)
{
    (void)state;
    struct jitlog_builder b = inlined();
    struct vf_jit_traces traces = traces_of(vf_buf_view(&b.out));
    struct vf_jit_code code;
    vf_jit_code_read(&code, &traces, 0);
    const struct vf_jit_point *points = code.stages[VF_JITLOG_OPTIMISED].points.items;
    assert_int_equal(code.stages[VF_JITLOG_OPTIMISED].points.len, 3);
    assert_int_equal(points[0].caller1, 0);
    assert_int_equal(points[1].caller1, 1); /* inner was called from outer:10 */
    assert_int_equal(points[2].caller1, 0);
    const struct vf_jit_op *guard = vf_jit_code_guard(&code, 0xa0);
    assert_non_null(guard);
    assert_int_equal(vf_jit_code_point(&code, guard)->place.line, 20);
    vf_jit_code_release(&code);

    assert_int_equal(traces.traces.items[1].parent1, 1);
    assert_int_equal(traces.traces.items[0].bridges, 1);
    assert_ptr_equal(vf_jit_traces_bridge(&traces, 0, 0xa0), &traces.traces.items[1]);
    assert_null(vf_jit_traces_bridge(&traces, 0, 0xa1));
    vf_jit_code_read(&code, &traces, 1);
    points = code.stages[VF_JITLOG_OPTIMISED].points.items;
    assert_int_equal(code.stages[VF_JITLOG_OPTIMISED].points.len, 2);
    assert_int_equal(points[0].inherit, 1); /* in the guard's inner; its caller is the guard's */
    assert_int_equal(points[1].inherit, 2); /* in outer, which nobody has called */
    assert_null(vf_jit_code_point(&code, code.stages[VF_JITLOG_OPTIMISED].ops.items));
    vf_jit_code_release(&code);
    vf_jit_traces_release(&traces);
    vf_buf_release(&b.out);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void code_beyond_64_kib_is_placed(void **state)
{
    (void)state;
    struct jitlog_builder b = begin();
    jitlog_start(&b, 1, "loop", 0, "");
    jitlog_stage(&b, JITLOG_ASSEMBLED, 1);
    jitlog_bounds(&b, 0x10000, 0x40000);
    for (unsigned i = 0; i < 12; i++) {
        jitlog_operation(&b, OP_INT_ADD, "i1,i0,1", 0, "");
        jitlog_code(&b, i * 0x4000 & 0xffff, "\x90");
    }
    struct vf_jit_traces traces = traces_of(vf_buf_view(&b.out));
    struct vf_jit_code code;
    vf_jit_code_read(&code, &traces, 0);
    for (uint32_t i = 0; i < 12; i++) {
        assert_int_equal(code.stages[VF_JITLOG_ASSEMBLED].ops.items[i].code_start, i * 0x4000);
        assert_int_equal(vf_jit_code_find(&code, i * 0x4000), i);
    }
    vf_jit_code_release(&code);
    vf_jit_traces_release(&traces);
    vf_buf_release(&b.out);
}

static void a_read_becomes_a_load_of_the_same_line(void **state)
{
    (void)state;
    struct jitlog_builder b = begin();
    jitlog_start(&b, 1, "loop", 0, "");
    jitlog_stage(&b, JITLOG_OPTIMISED, 1);
    jitlog_input_args(&b, "p0,p1");
    jitlog_layout(&b);
    point(&b, "f", 3);
    jitlog_operation(&b, OP_GETFIELD, "i2,p0,<FieldS a.B.inst_c 8 pure>", 0xd0, "");
    point(&b, "f", 4);
    jitlog_operation(&b, OP_GETFIELD, "i3,p1,<FieldS a.B.inst_d 16>", 0xd1, "");
    jitlog_operation(&b, OP_INT_ADD, "i4,i2,i3", 0, "");
    jitlog_stage(&b, JITLOG_ASSEMBLED, 1);
    jitlog_input_args(&b, "p0,p1");
    jitlog_bounds(&b, 0x1000, 0x1100);
    jitlog_operation(&b, OP_LOAD, "i7,p0,8,-8", 0, "");
    jitlog_operation(&b, OP_LOAD, "i9,p1,24,-8", 0, ""); /* no such field: of what went before */
    jitlog_operation(&b, OP_LOAD, "i11,p1,16,-8", 0, "");
    jitlog_operation(&b, OP_INT_ADD, "i12,i7,i11", 0, "");
    struct vf_jit_traces traces = traces_of(vf_buf_view(&b.out));
    struct vf_jit_code code;
    static const uint32_t lines[] = {3, 3, 4, 4}, twins[] = {1, 0, 2, 3};
    vf_jit_code_read(&code, &traces, 0);
    for (size_t i = 0; i < 4; i++) {
        const struct vf_jit_op *op = &code.stages[VF_JITLOG_ASSEMBLED].ops.items[i];
        assert_int_equal(vf_jit_code_point(&code, op)->place.line, lines[i]);
        assert_int_equal(op->twin1, twins[i]);
    }
    vf_jit_code_release(&code);
    vf_jit_traces_release(&traces);
    vf_buf_release(&b.out);
}

/* ---- a real log ------------------------------------------------------------------------------ */

static const char SMALL[] = VF_SOURCE_ROOT "/test/data/jitlog/small.jitlog";

static void check_trace(const struct vf_jit_traces *traces, uint32_t row)
{
    struct vf_jit_code code;
    vf_jit_code_read(&code, traces, row);
    const struct vf_jit_stage_code *stage = &code.stages[VF_JITLOG_ASSEMBLED];
    assert_int_equal(stage->ops.len, traces->traces.items[row].assembled);
    uint32_t end = 0, last_point = 0;
    size_t matched = 0;
    for (uint32_t i = 0; i < stage->ops.len; i++) {
        const struct vf_jit_op *op = &stage->ops.items[i];
        assert_true(op->has_code);
        assert_true(i == 0 || op->code_start == end); /* one behind the other, nothing between */
        end = op->code_start + op->code_len;
        for (uint32_t at = op->code_start; at < end && at < code.exits_start; at++)
            assert_int_equal(vf_jit_code_find(&code, at), i);
        assert_true(op->point1 >= last_point);
        last_point = op->point1;
        matched += op->twin1 != 0;
        assert_true(!op->guard || op->twin1);
        if (op->point1) {
            const struct vf_jit_place *place = &vf_jit_code_point(&code, op)->place;
            assert_true(place->line >= 9 && place->line <= 21);
        }
    }
    if (stage->ops.len) {
        assert_int_equal(end, code.code_size);
        assert_true(code.exits_start < code.code_size);
        assert_int_equal(vf_jit_code_find(&code, code.exits_start), VF_JIT_EXITS);
        assert_int_equal(vf_jit_code_find(&code, 0), VF_JIT_ENTRY);
        assert_true(matched * 10 >= stage->ops.len * 7);
    }
    vf_jit_code_release(&code);
}

static void every_byte_has_its_operation(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    assert_int_equal(vf_bytes_map(SMALL, &bytes, NULL), VF_OK);
    struct vf_jit_traces traces = traces_of(vf_bytes_view(&bytes));
    for (uint32_t i = 0; i < traces.traces.len; i++)
        check_trace(&traces, i);
    vf_jit_traces_release(&traces);
    vf_bytes_release(&bytes);
}

static bool same_text(struct vf_str a, struct vf_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Whatever is left of an operation is what it was in the whole log. */
static void compare(const struct vf_jit_code *cut, const struct vf_jit_code *whole)
{
    for (size_t stage = 0; stage < 3; stage++) {
        assert_true(cut->stages[stage].ops.len <= whole->stages[stage].ops.len);
        for (size_t i = 0; i < cut->stages[stage].ops.len; i++) {
            struct vf_jit_op_text a = vf_jit_code_op(cut, &cut->stages[stage].ops.items[i]);
            struct vf_jit_op_text b = vf_jit_code_op(whole, &whole->stages[stage].ops.items[i]);
            assert_true(same_text(a.name, b.name));
            assert_true(same_text(a.texts.args, b.texts.args));
            assert_true(same_text(a.texts.result, b.texts.result));
            assert_true(a.code.len == 0 || same_text(a.code, b.code));
        }
        for (size_t i = 0; i < cut->stages[stage].points.len; i++)
            assert_int_equal(cut->stages[stage].points.items[i].place.line,
                             whole->stages[stage].points.items[i].place.line);
    }
}

static void a_cut_log_gives_no_wrong_operation(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    assert_int_equal(vf_bytes_map(SMALL, &bytes, NULL), VF_OK);
    struct vf_jit_traces traces = traces_of(vf_bytes_view(&bytes));
    struct vf_jit_code *whole = vf_alloc(traces.traces.len, sizeof *whole);
    for (uint32_t i = 0; i < traces.traces.len; i++)
        vf_jit_code_read(&whole[i], &traces, i);
    for (size_t length = 0; length < bytes.len; length++) {
        struct vf_jit_traces part;
        struct vf_jit_code code;
        struct vf_str cut = {(const char *)bytes.ptr, length};
        /* Only the trace that is cut differs from what it was a moment ago. */
        if (vf_jit_traces_read(&part, cut, NULL) != VF_FATAL && part.traces.len) {
            uint32_t last = (uint32_t)part.traces.len - 1;
            assert_true(part.traces.len <= traces.traces.len);
            vf_jit_code_read(&code, &part, last);
            compare(&code, &whole[last]);
            vf_jit_code_release(&code);
        }
        vf_jit_traces_release(&part);
    }
    for (uint32_t i = 0; i < traces.traces.len; i++)
        vf_jit_code_release(&whole[i]);
    free(whole);
    vf_jit_traces_release(&traces);
    vf_bytes_release(&bytes);
}

static void source_lines_of_the_log_are_found(void **state)
{
    (void)state;
    struct jitlog_builder b = begin();
    jitlog_source(&b, "/app/other.py", "x = 1", "y = 2");
    jitlog_source(&b, "/app/main.py", "def f():", "return 3");
    struct vf_jit_traces traces = traces_of(vf_buf_view(&b.out));
    struct vf_jitlog_line first = {0};
    struct vf_jitlog_record record;
    struct vf_jitlog log;
    assert_int_equal(vf_jitlog_open(&log, vf_buf_view(&b.out), NULL), VF_OK);
    while (vf_jitlog_next(&log, &record) && record.type != VF_JITLOG_SOURCE_LINES)
        continue;
    assert_true(vf_jitlog_line_next(&record, &first));
    assert_true(vf_str_eq(vf_jit_traces_source_line(&traces, VF_STR("/app/main.py"), first.line),
                          VF_STR("def f():")));
    assert_true(vf_str_eq(vf_jit_traces_source_line(&traces, VF_STR("/app/other.py"), first.line),
                          VF_STR("x = 1")));
    assert_int_equal(vf_jit_traces_source_line(&traces, VF_STR("/app/x.py"), first.line).len, 0);
    assert_int_equal(vf_jit_traces_source_line(&traces, VF_STR("/app/main.py"), 60000).len, 0);
    vf_jit_traces_release(&traces);
    vf_buf_release(&b.out);
}

/* What the format's description says of a published log, where that is at hand. */
static void the_example_has_its_third_merge_point(void **state)
{
    (void)state;
    char path[4096];
    struct vf_bytes bytes;
    const char *dir = getenv("VMFOX_SHARED_DATA");
    snprintf(path, sizeof path, "%s/example.jitlog",
             dir && *dir ? dir : VF_SOURCE_ROOT "/../shared/data");
    if (vf_bytes_map(path, &bytes, NULL) == VF_FATAL)
        skip();
    struct vf_jit_traces traces = traces_of(vf_bytes_view(&bytes));
    const struct vf_jit_trace *trace = vf_jit_traces_find(&traces, 140249103068976);
    struct vf_jit_code code;
    assert_non_null(trace);
    vf_jit_code_read(&code, &traces, vf_jit_traces_row(&traces, trace));
    const struct vf_jit_stage_code *stage = &code.stages[VF_JITLOG_OPTIMISED];
    assert_int_equal(stage->points.len, 8);
    assert_true(stage->points.items[0].op > 0); /* so there are nine groups */
    const struct vf_jit_point *third = &stage->points.items[2];
    assert_true(vf_str_eq(third->place.file, VF_STR("example.py")));
    assert_true(vf_str_eq(third->place.function, VF_STR("function_a")));
    assert_int_equal(third->place.line, 3);
    assert_int_equal(third->place.offset, 12);
    vf_jit_code_release(&code);
    vf_jit_traces_release(&traces);
    vf_bytes_release(&bytes);
}

static void arguments_are_cut_at_commas_of_their_own(void **state)
{
    (void)state;
    struct vf_str args = VF_STR("p0,ConstClass(f(a,b)),<Loop 1,2>,,i3");
    static const char *const parts[] = {"p0", "ConstClass(f(a,b))", "<Loop 1,2>", "", "i3"};
    for (size_t i = 0; i < 5; i++) {
        struct vf_str part = vf_jit_arg_next(&args);
        assert_true(vf_str_eq(part, vf_str_from(parts[i])));
    }
    assert_int_equal(args.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inlined_functions_know_their_callers),
        cmocka_unit_test(code_beyond_64_kib_is_placed),
        cmocka_unit_test(a_read_becomes_a_load_of_the_same_line),
        cmocka_unit_test(every_byte_has_its_operation),
        cmocka_unit_test(a_cut_log_gives_no_wrong_operation),
        cmocka_unit_test(source_lines_of_the_log_are_found),
        cmocka_unit_test(the_example_has_its_third_merge_point),
        cmocka_unit_test(arguments_are_cut_at_commas_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

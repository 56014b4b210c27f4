/* Operations in words: each kind of descr and argument, and what guards, calls and jumps lead to.
 */
#include "test.h"

#include "code/ir.h"
#include "jitlog_builder.h"

#include <stdlib.h>

enum { FIRST = 0x40, PARENT = 5, CALLED = 9 };

static const char *const names[] = {"getfield_gc_i", "guard_class",      "call_i",
                                    "gc_load_i",     "call_assembler_r", "increment_debug_counter",
                                    "finish",        "new_with_vtable",  "setarrayitem_gc",
                                    "ptr_ne",        "float_add",        "call_malloc_nursery"};

static unsigned number_of(const char *name)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return FIRST + i;
    fail_msg("%s has no number", name);
    return 0;
}

static struct jitlog_builder begin(void)
{
    struct jitlog_builder b = {.version = 4, .addr_bytes = 8};
    jitlog_header(&b, "x86_64");
    jitlog_names(&b);
    jitlog_le(&b, 0x12, 1);
    jitlog_le(&b, sizeof names / sizeof *names, 2);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        jitlog_le(&b, FIRST + i, 2);
        jitlog_text(&b, names[i]);
    }
    return b;
}

static void loop(struct jitlog_builder *b, uint64_t id, uint64_t start)
{
    jitlog_start(b, id, "loop", 0, "pypyjit");
    jitlog_stage(b, JITLOG_OPTIMISED, id);
    jitlog_layout(b);
    jitlog_merge_point(b, "/app/main.py", id, "work", 0, "LOAD_FAST");
    jitlog_operation(b, OP_GUARD_TRUE, "?,i1,<ResumeGuardDescr object at 0x7f>", 0xa2, "i1");
    jitlog_stage(b, JITLOG_ASSEMBLED, id);
    jitlog_bounds(b, start, start + 0x100);
}

/* The text of an operation of the assembled stage of the trace in the row. */
static void check(struct jitlog_builder *b, uint32_t row, size_t op, const char *expected)
{
    struct vf_jit_traces traces;
    struct vf_jit_code code;
    struct vf_buf out = {0};
    assert_int_not_equal(vf_jit_traces_read(&traces, vf_buf_view(&b->out), NULL), VF_FATAL);
    assert_true(row < traces.traces.len);
    vf_jit_code_read(&code, &traces, row);
    assert_true(op < code.stages[VF_JITLOG_ASSEMBLED].ops.len);
    vf_ir_op(&out, &code, &code.stages[VF_JITLOG_ASSEMBLED].ops.items[op]);
    if (!vf_str_eq(vf_buf_view(&out), vf_str_from(expected)))
        fail_msg("%.*s, not %s", VF_STR_ARG(vf_buf_view(&out)), expected);
    vf_buf_release(&out);
    vf_jit_code_release(&code);
    vf_jit_traces_release(&traces);
}

static void each_kind_reads_well(void **state)
{
    (void)state;
    static const struct {
        const char *name, *logged;
        bool descr;
        const char *expected;
    } cases[] = {
        {"getfield_gc_i", "i3,p1,<FieldS pypy.objspace.std.intobject.W_IntObject.inst_intval 8>",
         true, "i3 = getfield_gc_i(p1, W_IntObject.intval)"},
        {"setarrayitem_gc", "?,p1,i2,ConstPtr(null),<ArrayP 8>", true,
         "setarrayitem_gc(p1, i2, null, array of pointers)"},
        {"setarrayitem_gc", "?,p1,i2,p3,<ArrayX 24>", true,
         "setarrayitem_gc(p1, i2, p3, array of structs)"},
        {"setarrayitem_gc", "?,p1,i2,i3,<ArrayU 1>", true,
         "setarrayitem_gc(p1, i2, i3, array of ints)"},
        {"call_i", "i4,ConstClass(W_List.append),p1,ConstPtr(ptr7),<Calli 8 rr EF=5>", true,
         "i4 = call_i(W_List.append, p1, ptr7)"},
        {"new_with_vtable", "p5,<SizeDescr 16>", true, "p5 = new_with_vtable(16 bytes)"},
        {"ptr_ne", "i6,p1,ConstPtr(null)", false, "i6 = ptr_ne(p1, null)"},
        {"float_add", "f7,f1,1.500000", false, "f7 = float_add(f1, 1.500000)"},
        {"float_add", "f7,f1,-1797693134862315708145.0000", false,
         "f7 = float_add(f1, -1.79769e+21)"},
        {"float_add", "f7,f1,123456789012345678901.5", false,
         "f7 = float_add(f1, 123456789012345678901.5)"},
        {"guard_class", "?,p1,ConstClass(W_Int),<ResumeGuardDescr object at 0x7f>", true,
         "guard_class(p1, W_Int)"},
        {"finish", "?,p1,<DoneWithThisFrameDescrRef object at 0x7f>", true, "finish(p1)"},
        {"increment_debug_counter", "?,5", false,
         "increment_debug_counter(5)  counts how often it comes here, for the log"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jitlog_builder b = begin();
        loop(&b, PARENT, 0x1000);
        jitlog_operation(&b, number_of(cases[i].name), cases[i].logged, cases[i].descr ? 0xd0 : 0,
                         "");
        check(&b, 0, 0, cases[i].expected);
        vf_buf_release(&b.out);
    }
}

static void an_unknown_number_stands_alone(void **state)
{
    (void)state;
    struct jitlog_builder b = begin();
    loop(&b, PARENT, 0x1000);
    jitlog_operation(&b, 0x123, "i3,i1,2", 0, "");
    check(&b, 0, 0, "i3 = op 291(i1, 2)");
    vf_buf_release(&b.out);
}

static void guards_lead_to_bridges(void **state)
{
    (void)state;
    for (uint64_t runs = 0; runs <= 19800; runs = runs ? runs * 19800 : 1) {
        struct jitlog_builder b = begin();
        loop(&b, PARENT, 0x1000);
        jitlog_operation(&b, OP_GUARD_TRUE, "?,i2,<ResumeGuardDescr object at 0x7f>", 0xa2, "i1");
        jitlog_start(&b, 31, "bridge", 0xa2, "pypyjit");
        jitlog_stage(&b, JITLOG_ASSEMBLED, 31);
        jitlog_bounds(&b, 0x2000, 0x2040);
        jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
        jitlog_stitch(&b, 0xa2, 0x2000);
        if (runs)
            jitlog_counter(&b, 0xa2, 'b', runs);
        check(&b, 0, 0,
              runs == 0   ? "guard_true(i2) -> bridge 31"
              : runs == 1 ? "guard_true(i2) -> bridge 31, taken 1 time"
                          : "guard_true(i2) -> bridge 31, taken 19,800 times");
        vf_buf_release(&b.out);
    }
}

/* A loop that is compiled later is called by a token that is redirected then. */
static void calls_name_the_loop(void **state)
{
    (void)state;
    static const struct {
        const char *logged;
        uint64_t token;
        const char *expected;
    } cases[] = {
        {"p4,p1,<Loop9>", 0xe0, "p4 = call_assembler_r(p1) -> loop 9 main.py:9"},
        {"p4,p1,<Loop77>", 0xe0, "p4 = call_assembler_r(p1) -> loop 77"},
        {"p4,p1,<Loop-1>", 0xe1, "p4 = call_assembler_r(p1) -> loop 9 main.py:9"},
        {"p4,p1,<Loop-1>", 0xe2, "p4 = call_assembler_r(p1) -> a loop that was not compiled yet"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jitlog_builder b = begin();
        loop(&b, PARENT, 0x1000);
        jitlog_operation(&b, number_of("call_assembler_r"), cases[i].logged, cases[i].token, "");
        loop(&b, CALLED, 0x2000);
        jitlog_operation(&b, OP_INT_ADD, "i2,i1,1", 0, "");
        jitlog_redirect(&b, 0xe1, 0xe5, 0x2010);
        check(&b, 0, 0, cases[i].expected);
        /* In a log behind another one numbers come again. */
        if (cases[i].token == 0xe0 && i == 0) {
            jitlog_header(&b, "x86_64");
            check(&b, 0, 0, "p4 = call_assembler_r(p1) -> loop 9");
        }
        vf_buf_release(&b.out);
    }
}

static void jumps_lead_to_labels(void **state)
{
    (void)state;
    struct jitlog_builder b = begin();
    loop(&b, PARENT, 0x1000);
    jitlog_operation(&b, OP_LABEL, "?,i1,TargetToken(161)", 0xa1, "");
    jitlog_operation(&b, OP_GUARD_TRUE, "?,i2,<ResumeGuardDescr object at 0x7f>", 0xa2, "i1");
    jitlog_operation(&b, OP_JUMP, "?,i1,TargetToken(161)", 0xa1, "");
    jitlog_start(&b, 6, "bridge", 0xa2, "pypyjit");
    jitlog_stage(&b, JITLOG_ASSEMBLED, 6);
    jitlog_bounds(&b, 0x2000, 0x2040);
    jitlog_operation(&b, OP_JUMP, "?,i1,TargetToken(161)", 0xa1, "");
    jitlog_stitch(&b, 0xa2, 0x2000);
    jitlog_start(&b, 7, "loop", 0, "pypyjit");
    jitlog_stage(&b, JITLOG_ASSEMBLED, 7);
    jitlog_operation(&b, OP_JUMP, "?,i1,TargetToken(161)", 0xa1, "");
    jitlog_counter(&b, 0xa1, 'l', 1757);
    check(&b, 0, 0, "label(i1)  passed 1,757 times");
    check(&b, 0, 2, "jump(i1) -> its own label");
    check(&b, 1, 0, "jump(i1) -> loop 5 main.py:5");
    check(&b, 2, 0, "jump(i1) -> another trace");
    vf_buf_release(&b.out);
}

/* Only a trace's last operation is a jump: labels are not looked for thousands of times. */
static void other_jumps_are_not_followed(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct jitlog_builder b = begin();
    loop(&b, PARENT, 0x1000);
    for (int i = 0; i < MANY; i++)
        jitlog_operation(&b, OP_JUMP, "?,i1,TargetToken(161)", 0xa1, "");
    check(&b, 0, 0, "jump(i1)");
    check(&b, 0, MANY - 1, "jump(i1) -> another trace");
    vf_buf_release(&b.out);
}

/* What the assembler made of a read says the offset; the read has the name. */
static void loads_say_the_field(void **state)
{
    (void)state;
    struct jitlog_builder b = begin();
    jitlog_start(&b, PARENT, "loop", 0, "pypyjit");
    jitlog_stage(&b, JITLOG_OPTIMISED, PARENT);
    jitlog_operation(&b, number_of("getfield_gc_i"), "i3,p1,<FieldS pypy.W_Int.inst_value 24>",
                     0xd0, "");
    jitlog_operation(&b, number_of("new_with_vtable"), "p4,<SizeDescr 16>", 0xd1, "");
    jitlog_stage(&b, JITLOG_ASSEMBLED, PARENT);
    jitlog_operation(&b, number_of("gc_load_i"), "i5,p1,24,8", 0, "");
    jitlog_operation(&b, number_of("call_malloc_nursery"), "p6,64", 0, "");
    check(&b, 0, 0, "i5 = gc_load_i(p1, 24, 8)  W_Int.value");
    check(&b, 0, 1, "p6 = call_malloc_nursery(64)"); /* four objects at once, not one of 16 */
    vf_buf_release(&b.out);
}

static void descrs_are_shortened(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"<FieldS pypy.objspace.std.intobject.W_IntObject.inst_intval 8 pure>",
         "W_IntObject.intval"},
        {"<FieldP pypy.interpreter.pyframe.PyFrame.inst_pycode 64>", "PyFrame.pycode"},
        {"<FieldS pypysig_long_struct.c_value 0>", "pypysig_long_struct.c_value"},
        {"<InteriorFieldDescr <FieldP odictentry.key 0>>", "odictentry.key"},
        {"<ArrayP 8>", "array of pointers"},
        {"<ArrayF 8>", "array of floats"},
        {"<SizeDescr 16>", "16 bytes"},
        {"<Loop47>", "loop 47"},
        {"<FieldS >", ""},
        {"<", "<"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct vf_buf out = {0};
        vf_ir_descr(&out, vf_str_from(pairs[i][0]));
        assert_true(vf_str_eq(vf_buf_view(&out), vf_str_from(pairs[i][1])));
        vf_buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_reads_well),   cmocka_unit_test(an_unknown_number_stands_alone),
        cmocka_unit_test(guards_lead_to_bridges), cmocka_unit_test(calls_name_the_loop),
        cmocka_unit_test(jumps_lead_to_labels),   cmocka_unit_test(other_jumps_are_not_followed),
        cmocka_unit_test(loads_say_the_field),    cmocka_unit_test(descrs_are_shortened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

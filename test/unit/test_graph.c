/* Graphs of loops with their bridges: every operation has its row, and what would break the
 * front-end's view is refused. */
#include "test.h"

#include "base/file.h"
#include "code/graph.h"
#include "jitlog_builder.h"

#include <jansson.h>
#include <stdlib.h>

static const char SMALL[] = VF_SOURCE_ROOT "/test/data/jitlog/small.jitlog";

static enum vf_status write_graph(const struct vf_jit_traces *traces, uint32_t root,
                                  struct vf_buf *out, struct vf_error *error)
{
    struct vf_graph_source source = {.traces = traces, .root = root};
    return vf_graph_write(out, &source, error);
}

static json_t *blocks_of(json_t *graph, const char *side)
{
    json_t *function = json_array_get(json_object_get(graph, "functions"), 0);
    json_t *pass = json_array_get(json_object_get(function, "passes"), 0);
    return json_object_get(json_object_get(pass, side), "blocks");
}

/* How often a number stands as an instruction's. */
static size_t count_id(json_t *blocks, json_int_t id)
{
    size_t i, k, count = 0;
    json_t *block, *ins;
    json_array_foreach(blocks, i, block)
    {
        json_array_foreach(json_object_get(block, "instructions"), k, ins)
        {
            count += json_integer_value(json_object_get(ins, "id")) == id;
        }
    }
    return count;
}

static void each_operation_has_one_row(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    struct vf_jit_traces traces;
    assert_int_equal(vf_bytes_map(SMALL, &bytes, NULL), VF_OK);
    assert_int_equal(vf_jit_traces_read(&traces, vf_bytes_view(&bytes), NULL), VF_OK);
    size_t graphs = 0;
    for (uint32_t i = 0; i < traces.traces.len; i++) {
        struct vf_buf out = {0};
        struct vf_error error = {0};
        const struct vf_jit_trace *trace = &traces.traces.items[i];
        if (trace->root != i || !trace->assembled)
            continue;
        if (write_graph(&traces, i, &out, &error) != VF_OK)
            fail_msg("trace %u: %s", i, error.text);
        json_t *graph = json_loadb(out.ptr, out.len, 0, NULL);
        assert_non_null(graph);
        for (uint32_t k = 0; k < traces.traces.len; k++) {
            const struct vf_jit_trace *member = &traces.traces.items[k];
            for (uint32_t op = 0; member->root == i && op < member->assembled; op++) {
                assert_int_equal(count_id(blocks_of(graph, "lir"), vf_jit_line(member, op)), 1);
                assert_int_equal(count_id(blocks_of(graph, "mir"), vf_jit_line(member, op)), 1);
            }
        }
        graphs++;
        json_decref(graph);
        vf_buf_release(&out);
    }
    assert_true(graphs >= 1);
    vf_jit_traces_release(&traces);
    vf_bytes_release(&bytes);
}

static void cut_logs_give_whole_graphs_or_none(void **state)
{
    (void)state;
    struct vf_bytes bytes;
    assert_int_equal(vf_bytes_map(SMALL, &bytes, NULL), VF_OK);
    for (size_t length = 0; length < bytes.len; length += 13) {
        struct vf_jit_traces traces;
        struct vf_str cut = {(const char *)bytes.ptr, length};
        if (vf_jit_traces_read(&traces, cut, NULL) != VF_FATAL)
            for (uint32_t i = 0; i < traces.traces.len; i++) {
                struct vf_buf out = {0};
                struct vf_error error = {0};
                if (traces.traces.items[i].root == i)
                    assert_true(write_graph(&traces, i, &out, &error) == VF_OK || out.len == 0);
                vf_buf_release(&out);
            }
        vf_jit_traces_release(&traces);
    }
    vf_bytes_release(&bytes);
}

/* ---- large ones ------------------------------------------------------------------------------ */

static void large_families_are_shortened(void **state)
{
    (void)state;
    struct jitlog_builder b = {.version = 4, .addr_bytes = 8};
    struct vf_jit_traces traces;
    struct vf_buf out = {0};
    struct vf_error error = {0};
    jitlog_header(&b, "x86_64");
    jitlog_names(&b);
    jitlog_start(&b, 1, "loop", 0, "");
    jitlog_stage(&b, JITLOG_ASSEMBLED, 1);
    jitlog_bounds(&b, 0x1000, 0x9000);
    jitlog_operation(&b, OP_LABEL, "?,i0", 0xb0, "");
    for (int i = 0; i < 6000; i++)
        jitlog_operation(&b, OP_INT_ADD, "i1,i0,1", 0, "");
    jitlog_operation(&b, OP_JUMP, "?,i0", 0xb0, "");
    assert_int_equal(vf_jit_traces_read(&traces, vf_buf_view(&b.out), NULL), VF_OK);
    if (write_graph(&traces, 0, &out, &error) != VF_OK)
        fail_msg("%s", error.text);
    assert_true(out.len < 20000);
    assert_non_null(memmem(out.ptr, out.len, "shortened", 9));
    assert_non_null(memmem(out.ptr, out.len, "6000 operations without hits", 28));
    vf_buf_release(&out);
    vf_jit_traces_release(&traces);
    vf_buf_release(&b.out);
}

static void many_bridges_are_not_all_drawn(void **state)
{
    (void)state;
    struct jitlog_builder b = {.version = 4, .addr_bytes = 8};
    struct vf_jit_traces traces;
    struct vf_buf out = {0};
    struct vf_error error = {0};
    jitlog_header(&b, "x86_64");
    jitlog_names(&b);
    jitlog_start(&b, 1, "loop", 0, "");
    jitlog_stage(&b, JITLOG_ASSEMBLED, 1);
    jitlog_bounds(&b, 0x1000, 0x9000);
    jitlog_operation(&b, OP_LABEL, "?,i0", 0xb0, "");
    for (unsigned i = 0; i < 200; i++)
        jitlog_operation(&b, OP_GUARD_TRUE, "?,i0", 0x1000 + i, "");
    jitlog_operation(&b, OP_JUMP, "?,i0", 0xb0, "");
    for (unsigned i = 0; i < 200; i++) {
        jitlog_start(&b, 2 + i, "bridge", 0x1000 + i, "");
        jitlog_stage(&b, JITLOG_ASSEMBLED, 2 + i);
        jitlog_bounds(&b, 0x10000 + i * 16, 0x10010 + i * 16);
        jitlog_operation(&b, OP_JUMP, "?,i0", i % 2 ? 0xb0 : 0xffff, "");
        jitlog_stitch(&b, 0x1000 + i, 0x10000 + i * 16);
    }
    assert_int_equal(vf_jit_traces_read(&traces, vf_buf_view(&b.out), NULL), VF_OK);
    if (write_graph(&traces, 0, &out, &error) != VF_OK)
        fail_msg("%s", error.text);
    assert_non_null(memmem(out.ptr, out.len, "bridges not drawn", 17));
    vf_buf_release(&out);
    vf_jit_traces_release(&traces);
    vf_buf_release(&b.out);
}

/* ---- what is refused ------------------------------------------------------------------------- */

/* entry -> head -> body -> back -> head, and body -> exit. */
static const char GOOD[] =
    "{\"version\":1,\"functions\":[{\"name\":\"f\",\"passes\":[{\"name\":\"p\",\"mir\":{\"blocks\":"
    "["
    "{\"ptr\":1,\"id\":0,\"loopDepth\":0,\"attributes\":[],\"predecessors\":[],\"successors\":[1],"
    "\"instructions\":[{\"ptr\":1,\"id\":1,\"opcode\":\"a\",\"attributes\":[],\"inputs\":[],"
    "\"uses\":[],\"memInputs\":[],\"type\":\"\"}]},"
    "{\"ptr\":2,\"id\":1,\"loopDepth\":1,\"attributes\":[\"loopheader\"],\"predecessors\":[0,3],"
    "\"successors\":[2],\"instructions\":[]},"
    "{\"ptr\":3,\"id\":2,\"loopDepth\":1,\"attributes\":[],\"predecessors\":[1],"
    "\"successors\":[3,4],\"instructions\":[]},"
    "{\"ptr\":4,\"id\":3,\"loopDepth\":1,\"attributes\":[\"backedge\"],\"predecessors\":[2],"
    "\"successors\":[1],\"instructions\":[]},"
    "{\"ptr\":5,\"id\":4,\"loopDepth\":0,\"attributes\":[],\"predecessors\":[2],\"successors\":[],"
    "\"instructions\":[]}]},"
    "\"lir\":{\"blocks\":["
    "{\"ptr\":1,\"id\":0,\"instructions\":[{\"ptr\":1,\"id\":1,\"opcode\":\"a\",\"mirPtr\":1,"
    "\"defs\":[]}]},"
    "{\"ptr\":2,\"id\":1,\"instructions\":[]},{\"ptr\":3,\"id\":2,\"instructions\":[]},"
    "{\"ptr\":4,\"id\":3,\"instructions\":[]},{\"ptr\":5,\"id\":4,\"instructions\":[]}]}}]}]}";

/* Each breaks the graph at one place: the first `from` becomes `to`. */
static const struct {
    const char *from, *to, *said;
} broken[] = {
    {"{\"version\"", "\"version\"", "not JSON"},
    {"\"version\":1", "\"version\":2", "version 1"},
    {"\"functions\"", "\"function\"", "no function"},
    {"\"functions\":[", "\"functions\":[],\"x\":[", "no function"},
    {"\"name\":\"f\",", "", "no function"},
    {"\"passes\":[", "\"passes\":[],\"x\":[", "no function"},
    {"\"name\":\"p\",", "", "a pass lacks"},
    {"\"mir\"", "\"mire\"", "a pass lacks"},
    {"\"lir\"", "\"lire\"", "a pass lacks"},
    {"\"ptr\":1,\"id\":0,\"loopDepth\"", "\"ptr\":0,\"id\":0,\"loopDepth\"", "lacks id, ptr"},
    {"\"ptr\":2,\"id\":1,\"loopDepth\"", "\"ptr\":1,\"id\":1,\"loopDepth\"", "stands twice"},
    {"\"id\":4,\"loopDepth\"", "\"id\":2,\"loopDepth\"", "stands twice"},
    {"\"loopDepth\":0,", "", "lacks id, ptr, loopDepth"},
    {"\"successors\":[1]", "\"successors\":[9]", "not there"},
    {"\"successors\":[1]", "\"successors\":[2]", "do not agree"},
    {"\"successors\":[1]", "\"successors\":[1,1]", "do not agree"},
    {"\"predecessors\":[0,3]", "\"predecessors\":[0,3,4]", "does not lead to it"},
    {"[\"backedge\"]", "[]", "backedges, not one"},
    {"[\"loopheader\"]", "[]", "deeper"},
    {"\"predecessors\":[0,3]", "\"predecessors\":[3]", "do not agree"},
    {"\"loopDepth\":1,\"attributes\":[\"backedge\"]",
     "\"loopDepth\":0,\"attributes\":[\"backedge\"]", "same depth"},
    {"\"loopDepth\":0,\"attributes\":[],\"predecessors\":[2]",
     "\"loopDepth\":3,\"attributes\":[],\"predecessors\":[2]", "deeper"},
    {"\"opcode\":\"a\",\"attributes\"", "\"attributes\"", "no opcode"},
    {"\"ptr\":1,\"id\":1,\"opcode\"", "\"ptr\":1,\"id\":0,\"opcode\"", "no id or ptr"},
    {"\"memInputs\":[],", "", "memInputs"},
    {"\"mirPtr\":1,\"defs\":[]", "\"mirPtr\":1", "no defs"},
    {"{\"ptr\":5,\"id\":4,\"instructions\"", "{\"ptr\":5,\"id\":3,\"instructions\"", "of lir"},
    {",{\"ptr\":5,\"id\":4,\"instructions\":[]}", "", "same number"},
};

static void replace(struct vf_buf *out, const char *from, const char *to)
{
    const char *at = strstr(GOOD, from);
    assert_non_null(at);
    vf_buf_add(out, GOOD, (size_t)(at - GOOD));
    vf_buf_str(out, vf_str_from(to));
    vf_buf_str(out, vf_str_from(at + strlen(from)));
}

static void broken_graphs_are_refused(void **state)
{
    (void)state;
    struct vf_error error = {0};
    if (vf_graph_check(VF_STR(GOOD), &error) != VF_OK)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct vf_buf text = {0};
        replace(&text, broken[i].from, broken[i].to);
        if (vf_graph_check(vf_buf_view(&text), &error) != VF_FATAL)
            fail_msg("%zu is taken for good", i);
        if (!strstr(error.text, broken[i].said))
            fail_msg("%zu: \"%s\" does not say \"%s\"", i, error.text, broken[i].said);
        vf_buf_release(&text);
    }
}

/* Two blocks that lead to each other, and a header that only its own loop leads to. */
static void circles_are_refused(void **state)
{
    (void)state;
    struct vf_error error = {0};
    struct vf_buf text = {0};
    replace(&text, "\"predecessors\":[],\"successors\":[1]",
            "\"predecessors\":[4],\"successors\":[1]");
    struct vf_str all = vf_buf_view(&text);
    char *copy = vf_strdup(all), *at = strstr(copy, "\"predecessors\":[2],\"successors\":[],");
    assert_non_null(at);
    struct vf_buf circle = {0};
    vf_buf_add(&circle, copy, (size_t)(at - copy));
    vf_buf_str(&circle, VF_STR("\"predecessors\":[2],\"successors\":[0],"));
    vf_buf_str(&circle, vf_str_from(at + strlen("\"predecessors\":[2],\"successors\":[],")));
    assert_int_equal(vf_graph_check(vf_buf_view(&circle), &error), VF_FATAL);
    assert_non_null(strstr(error.text, "circle"));
    free(copy);
    vf_buf_release(&text);
    vf_buf_release(&circle);
    assert_int_equal(vf_graph_check(VF_STR(""), &error), VF_FATAL);
    assert_int_equal(vf_graph_check((struct vf_str){NULL, 0}, &error), VF_FATAL);
    assert_int_equal(vf_graph_check(VF_STR("[]"), &error), VF_FATAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_has_one_row),
        cmocka_unit_test(cut_logs_give_whole_graphs_or_none),
        cmocka_unit_test(large_families_are_shortened),
        cmocka_unit_test(many_bridges_are_not_all_drawn),
        cmocka_unit_test(broken_graphs_are_refused),
        cmocka_unit_test(circles_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The numbers and names in the texts of PyPy's log.  The lines are PyPy's own, of version 7.3.11
 * unless said. */
#include "test.h"

#include "base/buf.h"
#include "capture/runtime_log.h"

static struct vf_runtime_log log_;

static int release(void **state)
{
    (void)state;
    vf_runtime_log_release(&log_);
    return 0;
}

static void read_log(struct vf_str bytes)
{
    vf_runtime_log_release(&log_);
    vf_runtime_log_read(&log_, bytes);
}

#define READ(log) read_log(VF_STR(log))

static void assert_str(struct vf_str found, const char *expected)
{
    if (!vf_str_eq(found, vf_str_from(expected)))
        fail_msg("found \"%.*s\", expected \"%s\"", VF_STR_ARG(found), expected);
}

/* The only trace of the log. */
static const struct vf_log_trace *only_trace(void)
{
    assert_int_equal(log_.traces.len, 1);
    return &log_.traces.items[0];
}

static void assert_seconds(double found, double expected)
{
    assert_int_equal((int64_t)(found * 1e6 + 0.5), (int64_t)(expected * 1e6 + 0.5));
}

/* ---- the collector --------------------------------------------------------------------------- */

static void minor_collections_tell_memory(void **state)
{
    (void)state;
    READ("[1] {gc-set-nursery-size\nnursery size: 270336\n[2] gc-set-nursery-size}\n"
         "[3] {gc-minor\n[4] {gc-minor-walkroots\n[5] gc-minor-walkroots}\n"
         "minor collect, total memory used: 430384\nnumber of pinned objects: 3\n"
         "total size of surviving objects: 427744\n[6] gc-minor}\n"
         "[7] {gc-set-nursery-size\nnursery size: 1048576\n[8] gc-set-nursery-size}\n"
         "[9] {gc-minor\n[a] gc-minor}\n"
         "[b] {gc-minor\nminor collect, total memory used: much\n[c] gc-minor}\n");
    assert_int_equal(log_.minors.len, 3);
    const struct vf_log_minor *minor = log_.minors.items;
    assert_int_equal(minor->section, 1);
    assert_int_equal(log_.sections.items[1].record, 0);
    assert_true(minor->has_text);
    assert_int_equal(minor->memory_bytes, 430384);
    assert_int_equal(minor->pinned, 3);
    assert_int_equal(minor->surviving_bytes, 427744);
    assert_int_equal(minor->nursery_bytes, 270336);
    assert_false(minor[1].has_text);
    assert_int_equal(minor[1].nursery_bytes, 1048576);
    assert_int_equal(minor[1].memory_bytes, 0);
    assert_false(minor[2].has_text);
    assert_int_equal(log_.nursery_bytes, 1048576);
}

static void steps_of_a_major_collection_tell_states(void **state)
{
    (void)state;
    READ("[1] {gc-collect-step\nstarting gc state:  SCANNING\nstopping, now in gc state:  MARKING\n"
         "[2] gc-collect-step}\n"
         "[3] {gc-collect-step\nstarting gc state:  SWEEPING\n"
         "freeing GC objects, up to 768 pages. No more pages left.\n"
         "[4] {gc-collect-done\narenas:                8  =>  7\nbytes used in arenas:  2372344\n"
         "bytes raw-malloced:    829160  =>  648032\n"
         "next major collection threshold:  5343543.296000\n[5] gc-collect-done}\n"
         "stopping, now in gc state:  FINALIZING\n[6] gc-collect-step}\n"
         "[7] {gc-collect-step\n[8] gc-collect-step}\n");
    assert_int_equal(log_.steps.len, 3);
    const struct vf_log_step *step = log_.steps.items;
    assert_str(step->from, "SCANNING");
    assert_str(step->to, "MARKING");
    assert_false(step->done);
    step++;
    assert_int_equal(step->section, 1);
    assert_str(step->from, "SWEEPING");
    assert_str(step->to, "FINALIZING");
    assert_true(step->done);
    assert_int_equal(step->arena_bytes, 2372344);
    assert_int_equal(step->raw_before_bytes, 829160);
    assert_int_equal(step->raw_after_bytes, 648032);
    assert_int_equal(step->threshold_bytes, 5343543);
    assert_int_equal(log_.sections.items[2].record, log_.sections.items[1].record);
    assert_str(step[1].from, "");
    /* Older: gc-collect around it all; and what stands alone belongs to nothing. */
    READ("[1] {gc-collect\n[2] {gc-collect-done\nbytes used in arenas: 7\n[3] gc-collect-done}\n"
         "[4] gc-collect}\n[5] {gc-collect-done\nbytes used in arenas: 8\n[6] gc-collect-done}\n");
    assert_int_equal(log_.steps.len, 1);
    assert_true(log_.steps.items[0].done);
    assert_int_equal(log_.steps.items[0].arena_bytes, 7);
    assert_int_equal(log_.sections.items[2].record, VF_LOG_NONE);
}

/* ---- traces ---------------------------------------------------------------------------------- */

#define WALK "walk;/tmp/a b.py:13-15~#4 LOAD_FAST"

static void a_loop_is_told_whole(void **state)
{
    (void)state;
    READ("[1] {jit-tracing\nJIT starting (x86)\n"
         "[2] {jit-mem-collect\nCurrent generation: 2\nLoop tokens before: 5\n"
         "Loop tokens freed:  2\nLoop tokens left:   3\n[3] jit-mem-collect}\n" WALK "\n"
         "[4] {gc-minor\n[5] gc-minor}\nwalk;/tmp/a b.py:13-15~#6 LOAD_CONST\n"
         "[6] {jit-log-noopt\n# Traced loop or bridge with 166 ops\n[p0, p1]\n"
         "guard_true(i1)\n[7] jit-log-noopt}\n[8] {jit-optimize\n[9] jit-optimize}\n"
         "[a] {jit-mem-looptoken-alloc\nallocating Loop # 2\n[b] jit-mem-looptoken-alloc}\n"
         "[c] {jit-backend-addr\nLoop 2 (" WALK ") has address 0x7f8386fc80cb to 0x7f8386fc8340 "
         "(bootstrap 0x7f8386fc8040)\n       gc table: 0x7f8386fc7f70\n"
         "       function: 0x7f8386fc8040\n         resops: 0x7f8386fc80cb\n"
         "       failures: 0x7f8386fc8340\n            end: 0x7f8386fc85bb\n[d] jit-backend-addr}\n"
         "[e] {jit-regalloc-stats\nassembler size:  976\nnumber ops:  91\n[f] jit-regalloc-stats}\n"
         "compiled new loop\n[10] {jit-log-opt-loop\n# Loop 2 (" WALK ") : loop with 96 ops\n"
         "[p0, p1]\n+280: p2 = getfield_gc_r(p0, descr=<FieldP x.guard_ 64>)\n"
         "+291: guard_value(i2, 4, descr=<Guard0x7f>) [p0]\n"
         "p4 = guard_exception(5, descr=<Guard0x8f>) []\nguard_true(i5) []\n"
         "[11] jit-log-opt-loop}\n[12] jit-tracing}\n");
    const struct vf_log_trace *trace = only_trace();
    assert_int_equal(trace->section, 0);
    assert_int_equal(trace->kind, VF_LOG_TRACE_LOOP);
    assert_str(trace->where, WALK);
    assert_str(trace->result, "compiled new loop");
    assert_str(trace->aborted, "");
    assert_int_equal(trace->loop, 2);
    assert_int_equal(trace->bridge, 0);
    assert_int_equal(trace->guard, 0);
    assert_int_equal(trace->code_start, 0x7f8386fc7f70);
    assert_int_equal(trace->code_end, 0x7f8386fc85bb);
    assert_int_equal(trace->recorded, 166);
    assert_int_equal(trace->optimized, 96);
    assert_int_equal(trace->guards, 3);
    assert_int_equal(trace->compiled, 91);
    assert_false(trace->has_runs);
    assert_int_equal(log_.loops.len, 1);
    assert_int_equal(log_.loops.items[0].freed, 2);
    assert_int_equal(log_.loops.items[0].left, 3);
    assert_int_equal(log_.parts.items[0].summary.from, 2);
}

static void a_bridge_knows_its_loop_and_guard(void **state)
{
    (void)state;
    READ("[1] {jit-tracing\nf;a.py:1-2~#8 LOAD_FAST\n"
         "[2] {jit-mem-looptoken-alloc\nallocating Bridge # 3 of Loop # 1\n"
         "[3] jit-mem-looptoken-alloc}\n[4] {jit-backend-addr\n"
         "bridge out of Guard 0x7fe7ce22aad0 has address 0x7fe7ce0db740 to 0x7fe7ce0db8f0\n"
         "       gc table: 0x7fe7ce0db730\n    jump target: 0x7fe7ce0db738\n"
         "            end: 0x7fe7ce0db9aa\n[5] jit-backend-addr}\ncompiled new bridge\n"
         "[6] {jit-log-opt-bridge\n# bridge out of Guard 0x7fe7ce22aad0 with 31 ops\n[]\n"
         "[7] jit-log-opt-bridge}\n[8] jit-tracing}\n");
    const struct vf_log_trace *trace = only_trace();
    assert_int_equal(trace->kind, VF_LOG_TRACE_BRIDGE);
    assert_str(trace->where, "f;a.py:1-2~#8 LOAD_FAST");
    assert_int_equal(trace->loop, 1);
    assert_int_equal(trace->bridge, 3);
    assert_int_equal(trace->guard, 0x7fe7ce22aad0);
    assert_int_equal(trace->code_start, 0x7fe7ce0db730);
    assert_int_equal(trace->code_end, 0x7fe7ce0db9aa);
    assert_int_equal(trace->optimized, 31);
    assert_int_equal(trace->guards, 0);
}

static void older_addresses_are_one_line(void **state)
{
    (void)state;
    READ("[1] {jit-tracing\n[2] {jit-mem-looptoken-alloc\nallocating Loop # 7\n"
         "[3] jit-mem-looptoken-alloc}\n[4] {jit-backend-addr\n"
         "Loop 7 (f (x) has address 0x1;a.py:1-2~#8 X) has address 0x1010 to 0x1ff0 "
         "(bootstrap 0x1000)\n[5] jit-backend-addr}\n[6] jit-tracing}\n");
    assert_int_equal(only_trace()->code_start, 0x1000);
    assert_int_equal(only_trace()->code_end, 0x1ff0);
    assert_str(only_trace()->where, "f (x) has address 0x1;a.py:1-2~#8 X");
    READ("[1] {jit-tracing\n[4] {jit-backend-addr\nbridge out of Guard 0xabc has address 0x2010 to "
         "0x2ff0\n[5] jit-backend-addr}\n[6] jit-tracing}\n");
    assert_int_equal(only_trace()->code_start, 0x2010);
    assert_int_equal(only_trace()->code_end, 0x2ff0);
    assert_int_equal(only_trace()->guard, 0xabc);
    READ("[1] {jit-tracing\n[4] {jit-backend-addr\nLoop 1 (f) has address 0x2010 to\n"
         "[5] jit-backend-addr}\n[6] jit-tracing}\n");
    assert_int_equal(only_trace()->code_start, 0);
}

static void the_result_tells_what_came_of_it(void **state)
{
    (void)state;
    READ("[1] {jit-tracing\nf\ncompiled new entry bridge\n[2] jit-tracing}\n"
         "[3] {jit-tracing\nf\n~~~ ABORTING TRACING ABORT_TOO_LONG\n[4] jit-tracing}\n"
         "[5] {jit-tracing\nf\n[6] {jit-abort\nint bounds\n[7] jit-abort}\ncompiled new loop\n"
         "[8] jit-tracing}\n[9] {jit-tracing\n[a] jit-tracing}\n");
    assert_int_equal(log_.traces.len, 4);
    const struct vf_log_trace *trace = log_.traces.items;
    assert_int_equal(trace[0].kind, VF_LOG_TRACE_BRIDGE);
    assert_str(trace[0].result, "compiled new entry bridge");
    assert_int_equal(trace[1].kind, VF_LOG_TRACE_UNKNOWN);
    assert_str(trace[1].aborted, "ABORT_TOO_LONG");
    assert_str(trace[1].result, "");
    assert_str(trace[2].never_works, "int bounds");
    assert_str(trace[2].result, "compiled new loop");
    assert_int_equal(trace[3].kind, VF_LOG_TRACE_UNKNOWN);
    assert_str(trace[3].where, "");
    /* The number says it better than the result: an entry bridge has a loop's. */
    READ("[1] {jit-tracing\nf\n[2] {jit-mem-looptoken-alloc\nallocating Loop # 1\n"
         "[3] jit-mem-looptoken-alloc}\ncompiled new entry bridge\n[4] jit-tracing}\n");
    assert_int_equal(only_trace()->kind, VF_LOG_TRACE_LOOP);
}

/* `Loop -1` is a call to what is not compiled yet, in the middle of another trace. */
static void a_loop_without_a_number_is_none_of_the_traces(void **state)
{
    (void)state;
#define CALL                                                                                       \
    "[1] {jit-tracing\nf\n[2] {jit-mem-looptoken-alloc\nallocating Loop # -1\n"                    \
    "[3] jit-mem-looptoken-alloc}\n[4] {jit-backend-addr\n"                                        \
    "Loop -1 () has address 0x10 to 0x20 (bootstrap 0x8)\n       gc table: 0x4\n"                  \
    "            end: 0x30\n[5] jit-backend-addr}\n[6] {jit-regalloc-stats\nnumber ops:  4\n"      \
    "[7] jit-regalloc-stats}\n"
    READ(CALL "[8] {jit-mem-looptoken-alloc\nallocating Bridge # 3 of Loop # 9\n"
              "[9] jit-mem-looptoken-alloc}\n[a] {jit-backend-addr\n"
              "bridge out of Guard 0xabc has address 0x110 to 0x120\n[b] jit-backend-addr}\n"
              "compiled new bridge\n[c] jit-tracing}\n[d] {jit-backend-counts\nentry -1:7\n"
              "bridge 2748:8\n[e] jit-backend-counts}\n");
    assert_int_equal(only_trace()->kind, VF_LOG_TRACE_BRIDGE);
    assert_int_equal(only_trace()->loop, 9);
    assert_int_equal(only_trace()->code_start, 0x110);
    assert_int_equal(only_trace()->code_end, 0x120);
    assert_int_equal(only_trace()->runs, 8);
    READ(CALL "~~~ ABORTING TRACING ABORT_TOO_LONG\n[c] jit-tracing}\n");
    assert_int_equal(only_trace()->kind, VF_LOG_TRACE_UNKNOWN);
    assert_int_equal(only_trace()->loop, 0);
    assert_int_equal(only_trace()->code_start, 0);
    assert_int_equal(only_trace()->code_end, 0);
    assert_int_equal(only_trace()->compiled, 0);
}

static void messages_are_no_place(void **state)
{
    (void)state;
    READ("[1] {jit-tracing\nJIT starting (x86)\n\nRetracing (1/5)\n"
         "Retrace count reached, jumping to preamble\nrecursive function (not inlined): g\n"
         "InvalidLoop in compile_new_bridge\nvable escaped during a call in a to b\n"
         "record_exact_class with non-constant second argument, ignored\njit_debug: x\n"
         "BROKEN PROFILER DATA!\nunpackiterable [list]\nlater\n[2] jit-tracing}\n");
    assert_str(only_trace()->where, "unpackiterable [list]");
}

static void without_tracing_a_trace_is_the_backends_part(void **state)
{
    (void)state;
    READ("[1] {jit-mem-looptoken-alloc\nallocating Loop # 1\n[2] jit-mem-looptoken-alloc}\n"
         "[3] {jit-backend-addr\nLoop 1 (f) has address 0x10 to 0x20 (bootstrap 0x8)\n"
         "[4] jit-backend-addr}\n[7] {jit-mem-looptoken-alloc\n"
         "allocating Bridge # 1 of Loop # 1\n[8] jit-mem-looptoken-alloc}\n"
         "[9] {jit-backend-addr\nbridge out of Guard 0xabc has address 0x30 to 0x40\n"
         "[a] jit-backend-addr}\n[b] {gc-minor\n[c] gc-minor}\n");
    assert_int_equal(log_.traces.len, 2);
    const struct vf_log_trace *trace = log_.traces.items;
    const struct vf_log_section *sections = log_.sections.items;
    assert_int_equal(trace[0].section, 0);
    assert_int_equal(trace[0].loop, 1);
    assert_str(trace[0].where, "f");
    assert_int_equal(trace[0].code_end, 0x20);
    assert_int_equal(trace[1].kind, VF_LOG_TRACE_BRIDGE);
    assert_int_equal(trace[1].guard, 0xabc);
    assert_int_equal(sections[trace[1].section].start, 7);
    assert_int_equal(sections[log_.minors.items[0].section].parent, VF_LOG_NONE);
}

static void a_trace_goes_on_behind_one_within_it(void **state)
{
    (void)state;
    READ("[1] {jit-tracing\nouter\n[2] {jit-tracing\ninner\n[3] {jit-mem-looptoken-alloc\n"
         "allocating Loop # 1\n[4] jit-mem-looptoken-alloc}\ncompiled new loop\n"
         "[5] jit-tracing}\n[6] {jit-mem-looptoken-alloc\nallocating Bridge # 2 of Loop # 9\n"
         "[7] jit-mem-looptoken-alloc}\ncompiled new bridge\n[8] jit-tracing}\n");
    assert_int_equal(log_.traces.len, 2);
    const struct vf_log_trace *trace = log_.traces.items;
    assert_str(trace[0].where, "outer");
    assert_str(trace[0].result, "compiled new bridge");
    assert_int_equal(trace[0].loop, 9);
    assert_int_equal(trace[0].bridge, 2);
    assert_str(trace[1].where, "inner");
    assert_str(trace[1].result, "compiled new loop");
    assert_int_equal(trace[1].loop, 1);
    /* A number in the middle of a collection: damage, but its own. */
    READ("[1] {gc-minor\n[2] {jit-mem-looptoken-alloc\n[3] jit-mem-looptoken-alloc}\n"
         "number of pinned objects: 3\n[4] gc-minor}\n[5] {jit-backend\n[6] jit-backend}\n");
    assert_int_equal(only_trace()->section, 1);
    assert_int_equal(log_.minors.items[0].pinned, 3);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void invalidations_tell_the_field(void **state)
{
    (void)state;
    READ("[1] {jit-invalidate-quasi-immutable\nfieldname FieldDescr(GcStruct a.b { super, x }, "
         "'mutate_version') invalidated 4\n[2] jit-invalidate-quasi-immutable}\n"
         "[3] {jit-invalidate-quasi-immutable\nfieldname x invalidated 1 invalidated 12\n"
         "[4] jit-invalidate-quasi-immutable}\n"
         "[5] {jit-invalidate-quasi-immutable\nfieldname <unknown>\n"
         "[6] jit-invalidate-quasi-immutable}\n"
         "[7] {jit-invalidate-quasi-immutable\n[8] jit-invalidate-quasi-immutable}\n");
    assert_int_equal(log_.invalidations.len, 4);
    const struct vf_log_invalidation *row = log_.invalidations.items;
    assert_str(row[0].field, "FieldDescr(GcStruct a.b { super, x }, 'mutate_version')");
    assert_int_equal(row[0].loops, 4);
    assert_str(row[1].field, "x invalidated 1");
    assert_int_equal(row[1].loops, 12);
    assert_str(row[2].field, "<unknown>");
    assert_int_equal(row[2].loops, 0);
    assert_str(row[3].field, "");
}

static void the_summary_tells_counts_and_seconds(void **state)
{
    (void)state;
    READ("[5] {jit-summary\nTracing:      \t8\t0.007014\nBackend:      \t7\t0.001808\n"
         "TOTAL:      \t\t0.027656\nops:             \t2419\nTotal # of loops:\t4\n"
         "Total # of bridges:\t3\nFreed # of loops:\t1\nFreed # of bridges:\t2\n"
         "[6] jit-summary}\n");
    assert_int_equal(log_.parts.items[0].summary.section, 0);
    assert_true(log_.parts.items[0].summary.has_text);
    assert_seconds(log_.parts.items[0].summary.tracing_s, 0.007014);
    assert_seconds(log_.parts.items[0].summary.backend_s, 0.001808);
    assert_seconds(log_.parts.items[0].summary.total_s, 0.027656);
    assert_int_equal(log_.parts.items[0].summary.tracings, 8);
    assert_int_equal(log_.parts.items[0].summary.backends, 7);
    assert_int_equal(log_.parts.items[0].summary.loops, 4);
    assert_int_equal(log_.parts.items[0].summary.bridges, 3);
    assert_int_equal(log_.parts.items[0].summary.freed_loops, 1);
    assert_int_equal(log_.parts.items[0].summary.freed_bridges, 2);
    READ("[5] {jit-summary\n[6] jit-summary}\n");
    assert_int_equal(log_.parts.items[0].summary.section, 0);
    assert_false(log_.parts.items[0].summary.has_text);
    READ("[5] {gc-minor\n[6] gc-minor}\n");
    assert_int_equal(log_.parts.items[0].summary.section, VF_LOG_NONE);
}

#define TRACE(start, name, addr)                                                                   \
    "[" start "] {jit-tracing\n[" start "] {jit-mem-looptoken-alloc\nallocating " name "\n[" start \
    "] jit-mem-looptoken-alloc}\n[" start "] {jit-backend-addr\n" addr "\n[" start                 \
    "] jit-backend-addr}\n[" start "] jit-tracing}\n"

static void counts_tell_runs(void **state)
{
    (void)state;
    READ(TRACE("1", "Loop # 1", "")
             TRACE("2", "Bridge # 1 of Loop # 1", "bridge out of Guard 0x20 has address 0x1 to 0x2")
                 TRACE("3", "Loop # 2", "")
         /* The guard's address was freed and used again. */
         TRACE("4", "Bridge # 2 of Loop # 1", "bridge out of Guard 0x20 has address 0x1 to 0x2")
             TRACE("5", "Loop # 3", "") "[6] {jit-backend-counts\nentry 1:7\nTargetToken(1):58958\n"
                                        "bridge 32:9858\nentry 2:0\nbridge 32:5\nbridge 32:4\n"
                                        "entry 9:1\nentry x:1\nentry 3\nentry 3:\nbridge -1:4\n"
                                        "[7] jit-backend-counts}\n");
    assert_int_equal(log_.traces.len, 5);
    static const uint64_t runs[] = {7, 9858, 0, 5, 0};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(log_.traces.items[i].runs, runs[i]);
        assert_int_equal(log_.traces.items[i].has_runs, i < 4);
    }
}

/* Loops are counted from 1 in each process. */
static void counts_and_summary_are_of_their_own_part(void **state)
{
    (void)state;
#define COUNTS(start, lines)                                                                       \
    "[" start "] {jit-backend-counts\n" lines "[" start "] jit-backend-counts}\n"
#define SUMMARY(start, total)                                                                      \
    "[" start "] {jit-summary\nTOTAL: " total "\n[" start "] jit-summary}\n"
    READ(TRACE("4000000", "Loop # 1", "") COUNTS("4000010", "entry 1:7\n")
             TRACE("4000012", "Loop # 2", "") TRACE("1", "Loop # 1", "") TRACE("2", "Loop # 2", "")
                 COUNTS("3", "entry 1:8\nentry 2:9\n") SUMMARY("4", "1.5"));
    assert_int_equal(log_.parts.len, 2);
    assert_int_equal(log_.traces.items[0].runs, 7);
    assert_false(log_.traces.items[1].has_runs);
    assert_int_equal(log_.traces.items[2].runs, 8);
    assert_int_equal(log_.traces.items[3].runs, 9);
    assert_int_equal(log_.parts.items[1].summary.from, 1);
    READ(TRACE("4000000", "Loop # 1", "") SUMMARY("4000001", "1.5") TRACE("1", "Loop # 1", "")
             SUMMARY("5", "2.5"));
    assert_int_equal(log_.parts.items[0].summary.from, 0x4000000);
    assert_int_equal(log_.sections.items[log_.parts.items[0].summary.section].start, 0x4000001);
    assert_seconds(log_.parts.items[0].summary.total_s, 1.5);
    assert_int_equal(log_.parts.items[1].summary.from, 1);
    assert_seconds(log_.parts.items[1].summary.total_s, 2.5);
}

/* Appended in order of time, so that no stamp falls. */
static void a_new_setup_behind_a_summary_is_another_log(void **state)
{
    (void)state;
#define SETUP(start)                                                                               \
    "[" start "] {gc-set-nursery-size\nnursery size: 5\n[" start "] gc-set-nursery-size}\n"
    READ(SETUP("1") SETUP("2") SUMMARY("3", "1.5") COUNTS("4", "") SETUP("5") SETUP("6")
             SUMMARY("7", "2.5"));
    assert_int_equal(log_.parts.len, 2);
    assert_int_equal(log_.parts.items[0].last_stamp, 4);
    assert_int_equal(log_.parts.items[1].first_stamp, 5);
    assert_int_equal(log_.parts.items[1].first_line, 12);
    assert_seconds(log_.parts.items[0].summary.total_s, 1.5);
    assert_seconds(log_.parts.items[1].summary.total_s, 2.5);
    READ(SETUP("1") "[2] {gc-minor\n" SETUP("3") "[4] gc-minor}\n");
    assert_int_equal(log_.parts.len, 1);
}

/* ---- where a trace begins -------------------------------------------------------------------- */

static void assert_where(const char *text, const char *function, const char *file,
                         uint64_t first_line, uint64_t line, uint64_t offset)
{
    struct vf_log_where where;
    if (!vf_log_where_parse(vf_str_from(text), &where))
        fail_msg("not read: %s", text);
    assert_str(where.function, function);
    assert_str(where.file, file);
    assert_int_equal(where.first_line, first_line);
    assert_int_equal(where.line, line);
    assert_int_equal(where.offset, offset);
}

static void places_are_read_in_both_forms(void **state)
{
    (void)state;
    assert_where("make;/tmp/prog.py:6-8~#12 FOR_ITER", "make", "/tmp/prog.py", 6, 8, 12);
    assert_where("f;c:\\my dir\\x.py:10-200~#0 LOAD_FAST", "f", "c:\\my dir\\x.py", 10, 200, 0);
    assert_where("<listcomp>;<frozen importlib._bootstrap>:1-1~#4 X", "<listcomp>",
                 "<frozen importlib._bootstrap>", 1, 1, 4);
    assert_where("<lambda>;a-b:c-d.py:3-4~#5 X", "<lambda>", "a-b:c-d.py", 3, 4, 5);
    assert_where("\xc3\xa9t\xc3\xa9;x;y.py:3-4~#5 X", "\xc3\xa9t\xc3\xa9", "x;y.py", 3, 4, 5);
    assert_where("f;x~#1.py:3-4~#5 X", "f", "x~#1.py", 3, 4, 5);
    assert_where("<code object Proc0. file 'py stone.py'. line 111> #384 LOAD_FAST", "Proc0",
                 "py stone.py", 111, 111, 384);
    assert_where("<code object <lambda>. file 'it's. file 'x'. line 4> #0 X", "<lambda>",
                 "it's. file 'x", 4, 4, 0);
}

static void other_texts_are_no_places(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ";",
        "unpackiterable [list]",
        "no get_printable_location",
        "f;",
        "f;~#",
        "f;:~#",
        "f;x.py~#3 X",
        "f;x.py:6-8",
        "f;x.py:6~#3 X",
        "f;x.py:a-b~#3 X",
        "f;x.py:6-~#3 X",
        "f;:6-8~#3 X",
        ";x.py:6-8~#3 X",
        "f;x.py:99999999999999999999-8~#3 X",
        "<code object",
        "<code object f. file 'x",
        "<code object f. file 'x'. line ",
        "<code object f",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct vf_log_where where;
        if (vf_log_where_parse(vf_str_from(texts[i]), &where))
            fail_msg("taken for a place: %s", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minor_collections_tell_memory),
        cmocka_unit_test(steps_of_a_major_collection_tell_states),
        cmocka_unit_test(a_loop_is_told_whole),
        cmocka_unit_test(a_bridge_knows_its_loop_and_guard),
        cmocka_unit_test(older_addresses_are_one_line),
        cmocka_unit_test(the_result_tells_what_came_of_it),
        cmocka_unit_test(a_loop_without_a_number_is_none_of_the_traces),
        cmocka_unit_test(messages_are_no_place),
        cmocka_unit_test(without_tracing_a_trace_is_the_backends_part),
        cmocka_unit_test(a_trace_goes_on_behind_one_within_it),
        cmocka_unit_test(invalidations_tell_the_field),
        cmocka_unit_test(the_summary_tells_counts_and_seconds),
        cmocka_unit_test(counts_tell_runs),
        cmocka_unit_test(counts_and_summary_are_of_their_own_part),
        cmocka_unit_test(a_new_setup_behind_a_summary_is_another_log),
        cmocka_unit_test(places_are_read_in_both_forms),
        cmocka_unit_test(other_texts_are_no_places),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

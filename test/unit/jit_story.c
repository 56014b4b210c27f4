#include "test.h"

#include "jit_story.h"

void begin(struct story *s)
{
    *s = (struct story){.log = {.version = 4, .addr_bytes = 8}};
    recording_begin(&s->r, 6, 12, "pypy");
    recording_name(&s->r, MAIN, "py:main:1:/a.py");
    recording_measured(&s->r, 200);
    jitlog_header(&s->log, "x86_64");
    jitlog_names(&s->log);
}

uint64_t code_of(uint64_t id)
{
    return CODE_AT + id * CODE_SIZE;
}

/* ---- traces ---------------------------------------------------------------------------------- */

void merge_point(struct story *s, const char *function, unsigned line)
{
    jitlog_layout(&s->log);
    jitlog_merge_point(&s->log, "/a.py", line, function, 4, "LOAD_FAST");
}

void code(struct story *s, unsigned offset, const void *bytes, unsigned len)
{
    jitlog_le(&s->log, 0x16, 1);
    jitlog_le(&s->log, offset, 2);
    jitlog_le(&s->log, len, 4);
    vf_buf_add(&s->log.out, bytes, len);
}

void assembled(struct story *s, uint64_t id, unsigned size, unsigned more)
{
    static const unsigned char jump[] = {0x0f, 0x85, EXIT_AT - OP_AT - 6, 0, 0, 0};
    char rest[CODE_SIZE] = {0};
    jitlog_stage(&s->log, JITLOG_ASSEMBLED, id);
    jitlog_bounds(&s->log, code_of(id), code_of(id) + size);
    jitlog_operation(&s->log, OP_GUARD_TRUE, "?,i1,<Guard>", GUARD + id, "i1");
    code(s, OP_AT, jump, sizeof jump);
    for (unsigned i = 0; i < more; i++)
        jitlog_operation(&s->log, OP_INT_ADD, "i3,i1,i2", 0, "");
    jitlog_operation(&s->log, OP_JUMP, "?", 0, "");
    if (size <= CODE_SIZE)
        code(s, OP_AT + 6, rest, size - OP_AT - 6);
}

void trace_of(struct story *s, uint64_t id, const char *type, uint64_t number, const char *function,
              unsigned line, unsigned size, unsigned more)
{
    jitlog_start(&s->log, id, type, number, "pypyjit");
    jitlog_stage(&s->log, JITLOG_OPTIMISED, id);
    merge_point(s, function, line);
    jitlog_operation(&s->log, OP_GUARD_TRUE, "?,i1,<Guard>", GUARD + id, "i1");
    jitlog_operation(&s->log, OP_JUMP, "?", 0, "");
    assembled(s, id, size, more);
}

void loop(struct story *s, uint64_t id, const char *function, unsigned line)
{
    trace_of(s, id, "loop", 0, function, line, 0x80, 0);
}

void bridge(struct story *s, uint64_t id, uint64_t parent, const char *function, unsigned line,
            uint64_t runs)
{
    trace_of(s, id, "bridge", GUARD + parent, function, line, 0x80, 0);
    jitlog_stitch(&s->log, GUARD + parent, code_of(id));
    if (runs && !s->no_counters)
        jitlog_counter(&s->log, GUARD + parent, 'b', runs);
}

void entry_bridge(struct story *s, uint64_t id, const char *function, unsigned line)
{
    trace_of(s, id, "bridge", 0xb000 + id, function, line, 0x80, 0);
}

void given_up(struct story *s, uint64_t id, const char *type, uint64_t number, const char *function,
              unsigned line)
{
    jitlog_start(&s->log, id, type, number, "pypyjit");
    jitlog_stage(&s->log, JITLOG_RECORDED, id);
    merge_point(s, function, line);
    jitlog_operation(&s->log, OP_JUMP, "?", 0, "");
    jitlog_abort(&s->log, id);
}

void entered(struct story *s, uint64_t id, uint64_t runs)
{
    jitlog_counter(&s->log, id, 'e', runs);
}

/* ---- what was seen --------------------------------------------------------------------------- */

void samples_in(struct story *s, uint64_t id, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        TAKE(&s->r, CODE(MAIN), JIT(MAIN), {6, code_of(id), 0});
}

void samples_outside(struct story *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        TAKE(&s->r, CODE(MAIN));
}

void addresses(struct story *s, uint64_t address, unsigned count)
{
    static int64_t now_ns = RECORDING_ZERO_NS;
    uint64_t tid = 77;
    for (unsigned i = 0; i < count; i++) {
        now_ns++;
        vf_buf_add(&s->pcs, &now_ns, sizeof now_ns);
        vf_buf_add(&s->pcs, &tid, sizeof tid);
        vf_buf_add(&s->pcs, &address, sizeof address);
    }
}

void build(struct story *s)
{
    samples_outside(s, 1);
    s->r.capture.jitlog = vf_buf_view(&s->log.out);
    s->r.capture.pcs = vf_buf_view(&s->pcs);
    s->r.capture.info.pc_period_ns = 997000;
    if (s->runtime)
        recording_log(&s->r, s->runtime);
    recording_build(&s->r);
    assert_non_null(s->r.profile.jit);
    assert_true(s->r.profile.jit->present);
}

void end(struct story *s)
{
    recording_release(&s->r);
    vf_buf_release(&s->log.out);
    vf_buf_release(&s->pcs);
}

const struct vf_jit_finding *finding(const struct story *s, size_t i)
{
    const struct vf_jit *jit = s->r.profile.jit;
    if (i >= jit->finding_count)
        fail_msg("only %zu findings", jit->finding_count);
    return &jit->findings[i];
}

void assert_finding(const struct story *s, size_t i, const char *expected)
{
    struct vf_str text = finding(s, i)->text;
    if (!vf_str_eq(text, vf_str_from(expected)))
        fail_msg("%zu: '%.*s', not '%s'", i, VF_STR_ARG(text), expected);
}

void assert_count(const struct story *s, size_t expected)
{
    if (s->r.profile.jit->finding_count != expected)
        fail_msg("%zu findings, not %zu; the last: %.*s", s->r.profile.jit->finding_count, expected,
                 VF_STR_ARG(finding(s, s->r.profile.jit->finding_count - 1)->text));
}

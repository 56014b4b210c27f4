/* Any bytes at all as a JIT log: every record is read and every byte of every slice touched, so
 * that a sanitizer sees what lies outside the input; then its traces, which must agree with
 * themselves. */
#include "fuzz.h"

#include "capture/jit_code.h"
#include "capture/jitlog.h"

#include <stdlib.h>

static volatile unsigned char sink;

static void touch(struct vf_str text)
{
    unsigned char sum = 0;
    for (size_t i = 0; i < text.len; i++)
        sum ^= (unsigned char)text.ptr[i];
    sink ^= sum;
}

static void touch_pair(struct vf_jitlog_text text)
{
    touch(text.prefix);
    touch(text.rest);
}

static void touch_operation(const struct vf_jitlog_operation *operation)
{
    touch(operation->result);
    touch(operation->args);
    touch(operation->descr);
    touch(operation->fail_args);
}

static void touch_lists(struct vf_jitlog_record *record)
{
    uint16_t opnum;
    struct vf_str name;
    struct vf_jitlog_line line;
    if (record->type == VF_JITLOG_RESOP_NAMES)
        while (vf_jitlog_name_next(record, &opnum, &name))
            touch(name);
    if (record->type == VF_JITLOG_SOURCE_LINES) {
        touch(record->source.file);
        while (vf_jitlog_line_next(record, &line))
            touch(line.text);
    }
}

static void touch_record(struct vf_jitlog_record *record)
{
    touch_lists(record);
    if (record->type == VF_JITLOG_START_TRACE) {
        touch(record->start.driver);
    } else if (record->type == VF_JITLOG_OPERATION) {
        touch_operation(&record->operation);
    } else if (record->type == VF_JITLOG_MERGE_POINT) {
        touch_pair(record->merge_point.file);
        touch_pair(record->merge_point.function);
        touch_pair(record->merge_point.opcode);
    } else if (record->type == VF_JITLOG_INPUT_ARGS) {
        touch(record->text);
    } else if (record->type == VF_JITLOG_CODE_BYTES) {
        touch(record->code.bytes);
    } else if (record->type == VF_JITLOG_COMMON_PREFIX) {
        touch(record->prefix.text);
    }
}

static void read_records(struct vf_jitlog *log, size_t size)
{
    struct vf_jitlog_record record;
    uint64_t last = 0;
    while (vf_jitlog_next(log, &record)) {
        /* Forward only, so that it ends. */
        if (record.offset < last || log->in.pos <= record.offset || log->in.pos > size)
            abort();
        last = log->in.pos;
        touch_record(&record);
    }
    /* Either all was read, or it is said where the log ends to make sense. */
    if (log->problem.text[0] ? !log->problem.has_offset || log->problem.offset > size
                             : log->in.pos != size)
        abort();
    if (vf_jitlog_next(log, &record))
        abort();
}

static void check_code(const struct vf_jit_traces *traces, uint32_t row)
{
    struct vf_jit_code code;
    vf_jit_code_read(&code, traces, row);
    for (size_t stage = 0; stage < 3; stage++) {
        const struct vf_jit_stage_code *s = &code.stages[stage];
        for (size_t i = 0; i < s->ops.len; i++) {
            struct vf_jit_op_text text = vf_jit_code_op(&code, &s->ops.items[i]);
            const struct vf_jit_point *point = vf_jit_code_point(&code, &s->ops.items[i]);
            touch(text.name);
            touch(text.texts.args);
            touch(text.code);
            if (point)
                touch(point->place.function);
            if (text.code.len != s->ops.items[i].code_len)
                abort();
        }
        for (size_t i = 0; i < s->points.len; i++)
            if (s->points.items[i].caller1 > i)
                abort(); /* callers come first */
    }
    uint32_t count = (uint32_t)code.stages[2].ops.len;
    for (uint32_t offset = 0; offset < code.code_size && offset < 64; offset++) {
        uint32_t op = vf_jit_code_find(&code, offset);
        if (op >= count && op != VF_JIT_ENTRY && op != VF_JIT_EXITS)
            abort();
    }
    vf_jit_code_release(&code);
}

static void check_trace(const struct vf_jit_traces *traces, const struct vf_jit_trace *trace)
{
    const struct vf_jit_place *place = vf_jit_trace_place(traces, trace);
    if (place) {
        touch(place->file);
        touch(place->function);
    }
    check_code(traces, vf_jit_traces_row(traces, trace));
    if (trace->parent1 > vf_jit_traces_row(traces, trace) ||
        traces->traces.items[trace->root].parent1)
        abort(); /* parents come first, and the head has none */
    if (trace->guards > trace->optimised || trace->code_start > trace->code_end)
        abort();
    /* Code is found again, or that of a later trace in its place. */
    if (trace->code_start < trace->code_end) {
        const struct vf_jit_trace *found = vf_jit_traces_find(traces, trace->code_start);
        if (!found || found < trace || found->code_start > trace->code_start ||
            found->code_end <= trace->code_start)
            abort();
    }
}

static void read_traces(struct vf_str bytes)
{
    struct vf_jit_traces traces;
    enum vf_status status = vf_jit_traces_read(&traces, bytes, NULL);
    if (status == VF_FATAL || (status == VF_WARN) != (traces.problem.text[0] != 0))
        abort();
    for (size_t i = 0; i < traces.traces.len; i++)
        check_trace(&traces, &traces.traces.items[i]);
    vf_jit_traces_release(&traces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vf_jitlog log;
    struct vf_error error = {0};
    struct vf_str bytes = {(const char *)data, size};
    if (vf_jitlog_open(&log, bytes, &error) == VF_FATAL) {
        if (!error.text[0] || error.offset > size)
            abort();
        return 0;
    }
    read_records(&log, size);
    read_traces(bytes);
    return 0;
}
